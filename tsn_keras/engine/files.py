"""Files that are whole or not there."""

import contextlib
import os
import pathlib
import uuid


@contextlib.contextmanager
def replacing(path):
    """Yields a path beside `path`, renamed onto it if the block succeeds.

    Whoever reads `path` sees the old file or the whole new one. The suffixes
    are kept, since some writers choose the format by them.
    """
    path = pathlib.Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent} for {path.name}")
    aside = path.with_name(f".{uuid.uuid4().hex[:8]}.{path.name}")
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
