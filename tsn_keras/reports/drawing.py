"""Vega, which draws the charts of a page: one JavaScript that needs no other."""

import importlib.metadata
import importlib.util

from tsn_keras.common import files
from tsn_keras.common.errors import InputError

PACKAGE = "vl-convert-python"


def check():
    """Refuses to begin where the charts could not be drawn.

    Raises:
        InputError: the package that has Vega is not installed.
    """
    if importlib.util.find_spec("vl_convert") is None:
        raise InputError(
            f"`report` needs {PACKAGE}, which is not installed: pip install "
            f"'tsn-keras[report]', or pip install {PACKAGE}"
        )


def versions() -> dict[str, str]:
    """{package: version} of what draws."""
    import vl_convert

    return {PACKAGE: vl_convert.__version__, "vega": vl_convert.get_vega_version()}


def script() -> str:
    """Vega, Vega-Lite and vega-embed as JavaScript that sets `window.vegaEmbed`.

    The package puts it together in seconds; it is kept in the user's cache.

    Raises:
        InputError: see `check`.
    """
    check()
    import vl_convert

    version = importlib.metadata.version(PACKAGE)
    kept = files.cache_folder() / f"vega_{version}.js"
    try:
        return kept.read_text(encoding="utf-8")
    except (OSError, ValueError):
        made = vl_convert.javascript_bundle()
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with files.replacing(kept) as aside:
            aside.write_text(made, encoding="utf-8")
    except (OSError, InputError):
        pass  # Where nothing can be kept it is made anew each time.
    return made
