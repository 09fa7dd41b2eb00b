"""A prediction as a picture: key frames, scores along the video, the result."""

import base64
import io
import math
import pathlib

import jinja2
import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tsn_keras.common import files
from tsn_keras.prediction import along
from tsn_keras.video import jpeg

# Okabe and Ito's colours: most colour-blind people can distinguish them.
COLOURS = "#0072b2 #d55e00 #009e73 #cc79a7 #e69f00 #56b4e9 #000000".split()
# More lines than colours could not be distinguished.
MAX_CLASSES = len(COLOURS)
_COLUMNS = 9  # key frames in a row of the PNG
_MOST_MARKERS = 60  # on a curve; more would be a band
# Seconds between the marks of a time axis, which has no more than these.
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800)
_MOST_MARKS = 9


def draw(path, name, prediction, predictor, top):
    """Draws a prediction.

    Args:
        path: file to write, .png or .html; written beside and renamed.
        name: name of the video.
        prediction: results.Prediction with key frames.
        predictor: predictor.Predictor that made it.
        top: classes to show, at most MAX_CLASSES.
    """
    view = _View(name, prediction, predictor, top)
    make = _html if pathlib.Path(path).suffix.lower() == ".html" else _png
    # A "$" in a name is a "$", not the beginning of a formula.
    with (
        matplotlib.rc_context({"text.parse_math": False}),
        files.replacing(path) as aside,
    ):
        aside.write_bytes(make(view))


class _View:
    """What both kinds of picture show."""

    def __init__(self, name, prediction, predictor, top):
        best = prediction.top(min(top, MAX_CLASSES))
        self.labels = [row.label for row in best]
        self.names = [row.name for row in best]
        self.name = name
        self.prediction = prediction
        self.about = f"{prediction.files} frames; {predictor.view}; {predictor.shares}"
        if prediction.damage:
            self.about += f"; damaged: {prediction.damage}"
        # A short video repeats its snippets.
        self.ticks, index = np.unique(prediction.ticks, return_index=True)
        self.along = prediction.along[index]
        shown = self.along[np.searchsorted(self.ticks, prediction.key_ticks)]
        self.captions = [
            f"{prediction.classes[values.argmax()]} {values.max():.0%}"
            for values in shown
        ]

    def curves(self, axes):
        """Probabilities of the top classes, snippet by snippet."""
        marker = "o" if len(self.ticks) <= _MOST_MARKERS else ""
        for label, name, colour in self._classes():
            values = 100 * self.along[:, label]
            axes.plot(
                self.ticks,
                values,
                color=colour,
                label=name,
                marker=marker,
                markersize=3,
            )
        for window in self.prediction.windows:
            # The best class is the first one.
            axes.axvspan(window.first, window.last, color=COLOURS[0], alpha=0.15)
            axes.annotate(
                str(window), (window.first, 1.0), xycoords=("data", "axes fraction"),
                fontsize=7, va="top", rotation=90,
            )  # fmt: skip
        axes.set(
            xlabel="frame at which the snippet begins",
            ylabel="probability, %",
            xlim=(0, self.prediction.files + 1),
            title="along the video",
        )
        if self.prediction.windows and self.prediction.rate:
            self._by_the_clock(axes)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="best")

    def _by_the_clock(self, axes):
        """Writes times in the place of the numbers of frames."""
        rate = self.prediction.rate
        seconds = self.prediction.files / rate
        step = next((s for s in _STEPS if seconds <= s * _MOST_MARKS), None)
        if step is None:  # Days.
            step = math.ceil(seconds / _MOST_MARKS / _STEPS[-1]) * _STEPS[-1]
        times = range(0, int(seconds) + 1, step)
        axes.set_xticks([time * rate for time in times], map(along.clock, times))
        axes.set_xlabel("time at which the snippet begins")

    def bars(self, axes):
        """Probabilities of the top classes, fused and of each stream."""
        streams = self.prediction.streams
        marks = dict(zip(streams, "osD", strict=False))
        places = np.arange(len(self.labels))
        for place, (label, _, colour) in zip(places, self._classes(), strict=True):
            value = 100 * self.prediction.probabilities[label]
            axes.barh(place, value, color=colour, height=0.6)
            axes.annotate(
                f"{value:.1f}", (value, place), (3, 0), textcoords="offset points",
                va="center", fontsize=9,
            )  # fmt: skip
        if len(streams) > 1:
            for modality, values in streams.items():
                axes.plot(
                    100 * values[self.labels], places, marks[modality],
                    color="white", markeredgecolor="0.2", label=f"{modality} alone",
                )  # fmt: skip
            axes.legend(fontsize=8, loc="best")
        axes.set_yticks(places, self.names)
        axes.invert_yaxis()
        axes.set(xlabel="probability, %", xlim=(0, 108), title="the whole video")
        axes.grid(axis="x", alpha=0.3)

    def _classes(self):
        return zip(self.labels, self.names, COLOURS, strict=False)


def _figure(width, height):
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _png(view):
    """The picture as the bytes of a PNG."""
    frames = view.prediction.key_frames
    columns = min(_COLUMNS, len(frames))
    rows = -(-len(frames) // columns)
    figure = _figure(13, 1.25 * rows + 5)
    above, below = figure.subfigures(2, height_ratios=(1.25 * rows + 0.6, 4.4))
    above.suptitle(f"{view.name}\n{view.about}", fontsize=11)
    grid = above.subplots(rows, columns, squeeze=False)
    for axes in grid.flat:
        axes.axis("off")
    ticks = view.prediction.key_ticks
    shown = zip(grid.flat, frames, ticks, view.captions, strict=False)
    for axes, image, tick, caption in shown:
        axes.imshow(image)
        axes.set_title(f"{tick}: {_short(caption)}", fontsize=7)
    left, right = below.subplots(1, 2, width_ratios=(3, 2))
    view.curves(left)
    view.bars(right)
    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=110, format="png")
    return buffer.getvalue()


def _short(text, most=24):
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _html(view):
    """The picture as the bytes of one HTML file that needs no other."""
    charts = {}
    for name, size in (("curves", (8.5, 4)), ("bars", (6, 4))):
        figure = _figure(*size)
        getattr(view, name)(figure.add_subplot())
        charts[name] = _data_address("image/svg+xml", _bytes(figure, "svg"))
    found = view.prediction
    shown = zip(found.key_frames, found.key_ticks, view.captions, strict=True)
    frames = [
        {
            "source": _data_address("image/jpeg", jpeg.encode(image[..., ::-1])),
            "tick": tick,
            "text": text,
        }
        for image, tick, text in shown
    ]
    rows = [
        {
            "name": name,
            "fused": 100 * view.prediction.probabilities[label],
            "streams": [100 * v[label] for v in view.prediction.streams.values()],
        }
        for label, name in zip(view.labels, view.names, strict=True)
    ]
    # Names of videos and classes may hold HTML.
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("tsn_keras.prediction", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
    )
    text = environment.get_template("prediction.html").render(
        name=view.name,
        about=view.about,
        rows=rows,
        streams=list(view.prediction.streams),
        frames=frames,
        charts=charts,
    )
    return text.encode("utf-8", "replace")


def _bytes(figure, kind):
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind)
    return buffer.getvalue()


def _data_address(kind, data):
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
