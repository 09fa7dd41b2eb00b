"""What a class looks like to a network, as a picture."""

import matplotlib
import numpy as np

from tsn_keras.explanation import panels
from tsn_keras.explanation.drawing import figure
from tsn_keras.explanation.drawing import png as as_png

_SIDE = 3.4  # inches of an image
_ARROWS = 20  # along a side


def png(found):
    """The picture as the bytes of a PNG.

    Args:
        found: visualisation.Visualisation.
    """
    rows = list(_rows(found))
    columns = max(len(row) for row in rows)
    made = figure(max(5.5, columns * _SIDE), len(rows) * (_SIDE + 0.25) + 0.8)
    # A "$" in a name is a "$", not the beginning of a formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        made.suptitle(str(found), fontsize=11, wrap=True)
        grid = made.subplots(len(rows), columns, squeeze=False)
        for axes in grid.flat:
            axes.axis("off")
        for line, row in zip(grid, rows, strict=True):
            for axes, (title, show) in zip(line, row, strict=False):
                show(axes)
                axes.set_title(title, fontsize=9)
        return as_png(made)


def _rows(found):
    """Yields lists of (title, function that draws on axes), of each step and part."""
    pixels = found.pixels if found.pixels.ndim == 4 else found.pixels[None]
    for number, step in enumerate(pixels, 1):
        before = f"step {number}, " if len(pixels) > 1 else ""
        first = 0
        for part in found.stream.parts:
            modality = part.modality
            planes = step[..., first : first + modality.planes]
            first += modality.planes
            yield [(f"{before}{t}", s) for t, s in _part(planes, modality)]


def _part(planes, modality):
    if modality.is_flow:
        return _flow(planes, modality)
    if modality.is_sound:
        return [("sound", _shows(planes.mean(axis=-1), "gray"))]
    images = np.split(planes, modality.length, axis=-1)
    titles = ["image"] if len(images) == 1 else map(str, range(1, len(images) + 1))
    shown = [_shows(np.uint8(np.round(image[..., ::-1]))) for image in images]
    return list(zip(titles, shown, strict=True))


def _flow(planes, modality):
    """The field in the middle of a snippet."""
    middle = modality.length // 2
    field = planes[..., 2 * middle : 2 * middle + 2]
    motion = panels.displacement(field)
    x, y = field[..., 0], field[..., 1]
    of = f"field {middle + 1} of {modality.length}"

    def colours(axes):
        axes.imshow(panels.wheel(motion))
        inset = axes.inset_axes((0.75, 0.07, 0.24, 0.24))
        panels.draw_key(inset)

    def arrows(axes):
        step = max(1, len(motion) // _ARROWS)
        rows = np.arange(step // 2, len(motion), step)
        picked = motion[np.ix_(rows, rows)]
        axes.imshow(np.full((*motion.shape[:2], 3), 255, np.uint8))
        axes.quiver(
            rows, rows, picked[..., 0], picked[..., 1],
            angles="xy", color="#0072b2", width=0.004,
        )  # fmt: skip

    return [
        (f"flow, {of}: colours", colours),
        ("arrows", arrows),
        ("x in grey", _shows(x, "gray")),
        ("y in grey", _shows(y, "gray")),
    ]


def _shows(picture, colours=None):
    return lambda axes: axes.imshow(picture, cmap=colours, vmin=0, vmax=255)
