"""Draws README's picture: frames, flow and classes of a clip, from real output.

    python benchmarks/picture.py

The clip is one of the demo data set, its flow TV-L1, its classes what the demo weights
say of it. Writes benchmarks/picture.png.
"""

import pathlib
import tempfile

import av
import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

import tsn_keras as tsn
from tsn_keras.datasets import rendering

VIDEO = "dots_out_test04"
SHOWN = (5, 15, 25)  # numbers of the frames
PICTURE = pathlib.Path(__file__).with_name("picture.png")


def write_clip(path, frames):
    """Writes uint8 [h, w, 3] frames, B, G, R, as a video without loss."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def coloured(folder, number):
    """A flow field as people draw it: hue is direction, brightness is speed."""
    x, y = (
        cv2.imread(str(folder / f"flow_{axis}_{number:05d}.jpg"), 0).astype("f4") - 128
        for axis in "xy"
    )
    speed, angle = cv2.cartToPolar(x, y, angleInDegrees=True)
    value = 255 * speed / max(speed.max(), 1)
    hsv = np.dstack([angle / 2, np.full_like(value, 255), value]).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def main():
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        clip = root / f"{VIDEO}.mkv"
        write_clip(clip, list(rendering.render(VIDEO)[0]))
        tsn.extract(clip, root / "frames", progress=True)
        recognizer = tsn.Recognizer.from_preset("demo_rgb", "demo_flow")
        prediction = recognizer.predict(clip, progress=True)
        print(prediction)
        folder = root / "frames" / VIDEO
        frames = [
            cv2.imread(str(folder / f"img_{n:05d}.jpg"))[..., ::-1] for n in SHOWN
        ]
        draw(frames, [coloured(folder, n) for n in SHOWN], prediction)


def draw(frames, flows, prediction):
    """Draws frames above flow, and the bars of the classes beside them."""
    figure = Figure(figsize=(11, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subfigures(1, 2, width_ratios=(1.55, 1))
    grid = left.subplots(2, len(frames))
    for column, images in enumerate(zip(frames, flows, strict=True)):
        for axes, image in zip(grid[:, column], images, strict=True):
            axes.imshow(image)
            axes.set(xticks=[], yticks=[])
    grid[0, 0].set_ylabel("RGB")
    grid[1, 0].set_ylabel("optical flow")
    bars = right.subplots()
    best = prediction.top(5)
    places = np.arange(len(best))
    streams = {"RGB and flow": prediction.probabilities, **prediction.streams}
    colours = ("#0072b2", "#e69f00", "#009e73")
    for k, (name, values) in enumerate(streams.items()):
        shares = [100 * values[row.label] for row in best]
        bars.barh(places + 0.27 * (k - 1), shares, 0.25, color=colours[k], label=name)
    bars.set_yticks(places, [row.name for row in best])
    bars.invert_yaxis()
    bars.set(xlabel="probability, %", xlim=(0, 100))
    bars.legend()
    figure.savefig(PICTURE, dpi=100)
    print(f"{PICTURE} written")


if __name__ == "__main__":
    main()
