"""Explanations as pictures: a sheet, or an animation of the snippets."""

import io
import pathlib

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from PIL import Image

from tsn_keras.common import files
from tsn_keras.common.errors import InputError
from tsn_keras.explanation import panels
from tsn_keras.video import writing

# Colours of Okabe and Ito.
_BAR, _LEAD = "#0072b2", "#d55e00"
_COLUMNS = 6  # snippets of a sheet
_RATE = 4  # snippets a second
_WIDTH = 13  # inches of a sheet
_DPI = 100


def draw(path, explanation):
    """Draws an explanation; see results.Explanation.save.

    The file is written beside and renamed.
    """
    path = pathlib.Path(path)
    make = WRITERS.get(path.suffix.lower())
    if make is None:
        raise InputError(f"{path} must end in {', '.join(WRITERS)}")
    # A "$" in a name is a "$", not the beginning of a formula.
    with (
        matplotlib.rc_context({"text.parse_math": False}),
        files.replacing(path) as aside,
    ):
        make(aside, explanation)


def figure(width, height):
    """A matplotlib Figure that needs no screen."""
    made = Figure(figsize=(width, height), layout="constrained", dpi=_DPI)
    FigureCanvasAgg(made)
    return made


def png(made):
    """A figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    made.savefig(buffer, format="png")
    return buffer.getvalue()


def _title(explanation):
    return (
        f"{explanation.video}: {explanation.name}, "
        f"{explanation.probability:.1%} ({explanation.method.title})"
    )


def _sheet(path, explanation):
    """The snippets that contribute most, and what all contribute."""
    streams = explanation.streams
    strips = [_height(one) for one in streams.values()]
    heights = [strip + 3.0 for strip in strips]
    made = figure(_WIDTH, sum(heights) + 0.6)
    made.suptitle(_title(explanation), fontsize=13)
    parts = np.atleast_1d(made.subfigures(len(streams), height_ratios=heights))
    for part, strip, modality in zip(parts, strips, streams, strict=True):
        one = streams[modality]
        part.suptitle(
            f"{modality}: score {one.score:.3f}, weight {one.weight:.0%} of the fusion",
            fontsize=11,
        )
        above, below = part.subfigures(2, height_ratios=(strip, 2.6))
        _strip(above, one)
        _contributions(below, one, explanation)
    path.write_bytes(png(made))


def _columns(one):
    return max(_COLUMNS // 2, min(_COLUMNS, len(one.shown)))


def _height(one):
    """Of a strip, in inches."""
    height, width = one.heat.shape[2:]
    row = 0.85 * _WIDTH / _columns(one) * height / width + 0.3
    return len(panels.of(one, 0)) * row


def _strip(part, one):
    """The snippets that contribute most, in the order of time, and a scale of heat."""
    columns = _columns(one)
    sums = one.contributions.sum(axis=1)[one.shown]
    best = np.sort(np.argsort(-sums, kind="stable")[:columns])
    grid = part.subplots(len(panels.of(one, 0)), columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    for column, place in enumerate(best):
        tick = one.ticks[one.shown[place]]
        for axes, panel in zip(grid[:, column], panels.of(one, place), strict=True):
            axes.imshow(panel.hot)
            axes.set_title(f"{panel.title} {tick}: {sums[place]:+.3f}", fontsize=8)
            if panel.is_motion and column == 0:
                panels.draw_key(axes.inset_axes((0.01, 0.1, 0.2, 0.25)))
    _scale(part, list(grid.flat))


def _scale(part, axes):
    bar = part.colorbar(ScalarMappable(cmap=panels.HEAT), ax=axes, shrink=0.9)
    bar.set_label("heat; 1: the highest", fontsize=8)
    bar.set_ticks([0, 0.5, 1])
    bar.ax.tick_params(labelsize=8)


def _contributions(part, one, explanation):
    """Bars over time, and a table of snippets and crops."""
    several = one.contributions.shape[1] > 1
    if not several:
        _over_time(part.subplots(), one, explanation)
        return
    left, right = part.subplots(1, 2, width_ratios=(3, 2))
    _over_time(left, one, explanation)
    _by_crop(right, one)


def _over_time(axes, one, explanation, now=None):
    """The contribution of each snippet.

    Args:
        axes: matplotlib's.
        one: results.Explained.
        explanation: results.Explanation.
        now: number of the snippet to be marked, or None.
    """
    places = np.arange(len(one.ticks))
    names = (
        f"to the score of {explanation.name}",
        f"to its lead over {explanation.other}",
    )
    bars = axes.bar(places, one.contributions.sum(axis=1), color=_BAR, label=names[0])
    if now is not None:
        bars[now].set_color(_LEAD)
    else:
        axes.plot(
            places, one.lead.sum(axis=1), "o", color=_LEAD, markersize=4, label=names[1]
        )
        above = {"loc": "lower center", "bbox_to_anchor": (0.5, 1)}
        axes.legend(fontsize=8, ncols=2, frameon=False, **above)
    axes.axhline(0, color="0.3", linewidth=0.8)
    step = -(-len(places) // 13)
    axes.set_xticks(places[::step], one.ticks[::step])
    axes.tick_params(labelsize=8)
    axes.set_xlabel("frame at which the snippet begins", fontsize=8)
    axes.set_ylabel("contribution", fontsize=8)
    axes.margins(y=0.15)


def _by_crop(axes, one):
    """A table of contributions, crops by snippets."""
    table = one.contributions.T
    most = np.abs(table).max() or 1
    shown = axes.imshow(table, cmap="RdBu_r", vmin=-most, vmax=most, aspect="auto")
    numbers = np.arange(len(table))
    names = [
        f"{number + 1}{' mirrored' if window.mirrored else ''}"
        f" at {window.left}, {window.top}"
        for number, window in enumerate(one.windows)
    ]
    axes.set_yticks(numbers, names)
    snippet, crop = one.decisive
    axes.plot(snippet, crop, "s", markersize=7, fillstyle="none", color="black")
    step = -(-len(one.ticks) // 8)
    axes.set_xticks(np.arange(len(one.ticks))[::step], one.ticks[::step])
    axes.tick_params(labelsize=7)
    axes.set_xlabel("frame at which the snippet begins; square: the most", fontsize=8)
    axes.set_title("crops: contributions", fontsize=9)
    axes.figure.colorbar(shown, ax=axes).ax.tick_params(labelsize=7)


def _animated(explanation):
    """Yields the pictures of an animation: uint8 [height, width, 3]."""
    first, *others = explanation.streams.values()
    counts = [len(panels.of(one, 0)) for one in (first, *others)]
    for place, now in enumerate(first.shown):
        tick = first.ticks[now]
        shown = panels.of(first, place)
        for one in others:
            near = np.abs(one.ticks[one.shown] - tick).argmin()
            shown += panels.of(one, near)
        made = figure(max(2, sum(counts)) * 3.4, 4.4)
        made.suptitle(_title(explanation), fontsize=10)
        above, below = made.subfigures(2, height_ratios=(2.7, 1.3))
        axes = np.atleast_1d(above.subplots(1, len(shown)))
        for one, panel in zip(axes, shown, strict=True):
            one.axis("off")
            one.imshow(panel.hot)
            one.set_title(f"{panel.title} {tick}", fontsize=8)
        _scale(above, list(axes))
        _over_time(below.subplots(), first, explanation, now)
        made.canvas.draw()
        yield np.asarray(made.canvas.buffer_rgba())[..., :3].copy()


def _gif(path, explanation):
    # One palette for all pictures: else colours would flicker.
    pictures = [Image.fromarray(picture) for picture in _animated(explanation)]
    palette = pictures[0].quantize(256)
    first, *others = (one.quantize(palette=palette) for one in pictures)
    first.save(
        path, save_all=True, append_images=others, duration=1000 // _RATE, loop=0
    )


def _mp4(path, explanation):
    writing.write(path, _animated(explanation), _RATE)


WRITERS = {".png": _sheet, ".gif": _gif, ".mp4": _mp4}
