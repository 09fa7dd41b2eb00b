"""Writes a page about an evaluation, or a fusion of score files."""

import pathlib

from tsn_keras.common import files
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation.results import Evaluation
from tsn_keras.reports import drawing, gathering, page
from tsn_keras.scores.fusion import Fusion

NAME = "index.html"


def check(folder) -> pathlib.Path:
    """The folder of a page, before long work for it begins.

    Raises:
        InputError: the package that draws is not installed, or the path is a file.
    """
    drawing.check()
    path = pathlib.Path(folder)
    if path.exists() and not path.is_dir():
        raise InputError(f"`report` is {path}, which is no folder: name another")
    return path


def write(found: Evaluation | Fusion, folder, data=None) -> pathlib.Path:
    """Writes the page.

    Args:
        found: Evaluation or Fusion.
        folder: of the page; made if it is not there.
        data: for the pictures of a Fusion, the folder of its frame folders or video
            files; an Evaluation has its own.

    Returns:
        Path of the page, index.html in the folder.

    Raises:
        InputError: see `check`; or the score files, or `data`, cannot be used.
        OSError: the page cannot be written.
    """
    if not isinstance(found, Evaluation | Fusion):
        raise TypeError(f"a page is of an Evaluation or Fusion. Received: {found!r}")
    place = check(folder)
    if isinstance(found, Fusion):
        made = gathering.of_fusion(found, data)
    elif data is None:
        made = gathering.of_evaluation(found)
    else:
        raise InputError("`data` is for a fusion: an evaluation has its frames")
    content = page.html(made)
    place.mkdir(parents=True, exist_ok=True)
    with files.replacing(place / NAME) as aside:
        aside.write_bytes(content)
    return place / NAME
