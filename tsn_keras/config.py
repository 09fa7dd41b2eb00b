"""Settings that more than one layer needs, as frozen records."""

import dataclasses
import os
import pathlib


class InputError(ValueError):
    """What the user gave cannot be used; the text names it and the way out.

    Commands show the text without a traceback.
    """


@dataclasses.dataclass(frozen=True)
class Preprocess:
    """How pixels become network input: the contract between data and model.

    It travels with the weights: every preset and every weight file names one.

    Attributes:
        modality: "rgb", "flow" or "rgbdiff" (differences of RGB frames).
        protocol: name of the rules for sampling, cropping and resizing.
            "caffe" is the original's (temporal-segment-networks
            tools/eval_net.py, pyActionRecog/action_caffe.py).
        snippet_length: consecutive files in a snippet (1 for RGB, 5 for flow,
            6 for the 5 differences of RGB difference).
        mean: value subtracted from each plane of one file, in the order of the
            planes: B, G, R for RGB (cv2.imread order), one value for flow. It
            cancels in differences.
        frame_size: (height, width) to which each file is resized.
        crop_size: side of the square crops.
    """

    modality: str
    protocol: str
    snippet_length: int
    mean: tuple[float, ...]
    frame_size: tuple[int, int]
    crop_size: int

    @property
    def planes_per_file(self):
        """Planes of one step of a snippet: x and y, or B, G, R."""
        return 2 if self.modality == "flow" else 3

    @property
    def planes(self):
        """Planes that are read for a snippet."""
        return self.planes_per_file * self.snippet_length

    @property
    def channels(self):
        """Planes that the network sees.

        3 of one BGR image, 10 of five x, y pairs, 15 of five differences.
        """
        dropped = self.planes_per_file if self.modality == "rgbdiff" else 0
        return self.planes - dropped


# The original's own values: action_caffe.py:27 (RGB mean), :69 (flow mean),
# eval_net.py:97,107 (340 x 256), the deploy prototxts (224).
PREPROCESS = {
    "rgb": Preprocess("rgb", "caffe", 1, (104.0, 117.0, 123.0), (256, 340), 224),
    "flow": Preprocess("flow", "caffe", 5, (128.0,), (256, 340), 224),
    # The original has no such network. Sampling and crops are its own all the
    # same; differences are tsn-pytorch's (models.py:193-224).
    "rgbdiff": Preprocess("rgbdiff", "caffe", 6, (0.0,), (256, 340), 224),
}


def cache_folder():
    """Folder for what can be made or fetched again.

    `TSN_KERAS_CACHE`, else `tsn_keras` in `XDG_CACHE_HOME` or ~/.cache.
    """
    named = os.environ.get("TSN_KERAS_CACHE")
    if named:
        return pathlib.Path(named).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(home).expanduser() / "tsn_keras"
