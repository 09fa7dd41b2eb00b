"""One video to the frame and flow files that the original's tools make of it.

Image k is decoded frame k + 1 and flow k the motion from decoded frame k to
k + 1, both numbered from 1: the first frame is never written (dense_flow
src/dense_flow_gpu.cpp:38-59,100-112).
"""

import dataclasses
import pathlib

import cv2

from tsn_keras import config
from tsn_keras.data import camera, flow_pairs, images, video
from tsn_keras.data.flow import BOUND, PARAMETERS, quantise, tvl1
from tsn_keras.data.frames import Prefixes

WARPED = ("warped_x_", "warped_y_")


@dataclasses.dataclass(frozen=True)
class Settings:
    """What to make of a video.

    Attributes:
        flow: "tvl1": images and flow; "warped": also flow without the camera's
            motion; "none": images only.
        parameters: name of the TV-L1 parameters, in flow.PARAMETERS.
        size: (width, height) of the files, in pixels.
        bound: pixels of motion that become grey levels 0 and 255.
        damaged: "fail", or "keep" for the frames before the damage.
        device: what computes flow: "opencv", or Keras on "cpu", "gpu" or "auto",
            a GPU where there is one.
        batch: pairs that Keras computes at once; None: what suits the device.
    """

    flow: str = "tvl1"
    parameters: str = "original"
    size: tuple[int, int] = (340, 256)
    bound: float = BOUND
    damaged: str = "fail"
    device: str = "opencv"
    batch: int | None = None

    @property
    def on_device(self):
        """Whether Keras computes flow, which differs from OpenCV's in rounding."""
        return self.flow != "none" and self.device != "opencv"

    @property
    def prefixes(self):
        """What stands before the number in the names of the files."""
        names = Prefixes()
        flow_files = (names.flow_x, names.flow_y)
        return (
            names.rgb,
            *(flow_files if self.flow != "none" else ()),
            *(WARPED if self.flow == "warped" else ()),
        )


@dataclasses.dataclass(frozen=True)
class Made:
    """What was made of a video.

    Attributes:
        decoded: number of decoded frames.
        files: number of files with each prefix, one less.
        damage: what is wrong with the video, after these frames; or None.
    """

    decoded: int
    files: int
    damage: str | None


def extract(source, folder, settings, cores=1, sharing=1):
    """Writes the files of a video.

    Args:
        source: the video file.
        folder: folder to write into, which must be there.
        settings: Settings.
        cores: of this process, for flow.
        sharing: videos that share them.

    Returns:
        Made.

    Raises:
        video.VideoError: the video cannot be used, or has fewer than 2 frames.
        OSError: the video cannot be read, or a file not be written.
    """
    folder = pathlib.Path(folder)
    damage = []
    on_damage = damage.append if settings.damaged == "keep" else None
    decoded = (
        cv2.resize(frame, settings.size)
        for frame in video.frames(
            source, on_damage=on_damage, threads=max(1, cores // sharing)
        )
    )
    number = 0
    made = _with_flow(decoded, settings, cores, sharing)
    for number, (image, flows) in enumerate(made, 1):
        planes = [
            quantise(field[..., axis], settings.bound)
            for field in flows
            for axis in (0, 1)
        ]
        for prefix, plane in zip(settings.prefixes, (image, *planes), strict=True):
            images.write(folder / f"{prefix}{number:05d}.jpg", plane)
    if number == 0:
        why = f" before its damage: {damage[0]}" if damage else ""
        raise video.VideoError(f"{source} has no two frames{why}")
    return Made(number + 1, number, damage[0] if damage else None)


def _with_flow(frames, settings, cores, sharing):
    """Yields (frame, flow fields to it from the one before) of all but the first."""
    pairs = _pairs(frames)
    if settings.flow == "none":
        yield from ((frame, ()) for frame, _, _ in pairs)
    else:
        yield from flows(pairs, settings, cores, sharing)


def _pairs(frames):
    """Yields (frame, grey frame before, grey frame) for all but the first."""
    previous = None
    for frame in frames:
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if previous is not None:
            yield frame, previous, grey
        previous = grey


def flows(pairs, settings, cores=1, sharing=1):
    """Computes the flow of pairs of frames, several at once.

    Args:
        pairs: iterable of (tag, previous, following), the frames uint8 [H, W];
            taken as needed.
        settings: Settings; `flow`, `parameters`, `device` and `batch` are used.
        cores: of this process, for flow.
        sharing: callers that share them.

    Yields:
        (tag, (flow,) or (flow, warped flow)) in the order of the pairs, each
        flow float32 [H, W, 2], pixels.

    Raises:
        flow.DeviceError: there is no such device, or it failed.
    """
    if not settings.on_device:
        threads = cores // sharing

        def make():
            # OpenCV's object keeps its pyramids: each thread has its own.
            return _fields(settings, tvl1(PARAMETERS[settings.parameters]))
    else:
        # Loaded when it is wanted: Keras takes seconds.
        from tsn_keras.data import flow_device

        engine = flow_device.of(settings, cores)
        threads = engine.pairs // sharing

        def make():
            return _fields(settings, engine)

    yield from flow_pairs.compute(pairs, make, max(1, threads))


def _fields(settings, compute):
    """Makes a function of two frames to a tuple of flow fields."""
    if settings.flow == "warped":
        return camera.Compensator(compute)
    return lambda previous, following: (compute(previous, following),)


def check(settings):
    """Refuses settings out of range; the text names the value.

    Raises:
        config.InputError.
    """
    width, height = settings.size
    if not (16 <= width <= 8192 and 16 <= height <= 8192):
        raise config.InputError(
            f"--size {width}x{height}: sides must be from 16 to 8192 pixels"
        )
    if not 0 < settings.bound <= 1000:
        raise config.InputError(
            f"--bound {settings.bound}: must be above 0 and at most 1000 pixels"
        )
    if settings.batch is not None and settings.device == "opencv":
        raise config.InputError(
            "--flow-batch is for flow on a device: OpenCV computes pair by pair"
        )
