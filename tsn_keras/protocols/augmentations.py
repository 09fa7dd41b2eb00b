"""What chance decides in a training batch: how a video is cut, and where it is read.

Functions of whole numbers that were drawn, so that a run that resumes draws what an
undisturbed one draws. One crop and one mirroring for all snippets of a video, in every
original.
"""

import dataclasses
import math

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.protocols import colours, crops, sizes
from tsn_keras.protocols.colours import ColourShift
from tsn_keras.protocols.sizes import ShorterSide

_SPAN = 2.0**31  # Drawn numbers are below.


class _ByAntialiased:
    """What is resized by Pillow's filter if it is `antialiased`, else by OpenCV's."""

    @property
    def resampling(self) -> str:
        """How crops are resized, one of pipeline.resizing."""
        return "pillow" if self.antialiased else "opencv"


@dataclasses.dataclass(frozen=True)
class MultiScaleCrop(_ByAntialiased):
    """One of several sizes, at one of several places (data_transformer.cpp:49-104).

    Attributes:
        name: what users call it.
        places: (down, right) in quarters of the free space.
        max_distort: how far apart in the list of ratios a crop's two sides may be.
        ratios: sides of crops over the shorter side; None: those of the modality.
        frame_size: to which frames are resized before; None: they are cut as they are.
        mirrors: whether every second video is mirrored.
        antialiased: whether crops are resized as Pillow does; else as OpenCV does.
        colours: how the colours of images are shifted, one shift for all snippets of a
            video; None: they are as they are.
    """

    name: str
    places: tuple[tuple[int, int], ...]
    max_distort: int = 1
    ratios: tuple[float, ...] | None = None
    frame_size: ShorterSide | None = None
    mirrors: bool = True
    antialiased: bool = False
    colours: ColourShift | None = None

    draws = 2  # numbers that `window` needs

    def window(self, shape, side, ratios, drawn):
        """The window of a crop.

        Args:
            shape: (height, width) of the frames.
            side: of the input; the crop is then resized to it.
            ratios: of the modality.
            drawn: ints from 0, below 2**31, `draws` of them.

        Returns:
            (top, left, height, width)

        Example:
            >>> TSN.window((256, 340), 224, (1.0, 0.875), [3, 3])
            (32, 116, 224, 224)
        """
        found = crops.crop_sizes(*shape, self.ratios or ratios, side, self.max_distort)
        size = found[drawn[0] % len(found)]
        places = crops.crop_offsets(*shape, *size, self.places)
        return *places[drawn[1] % len(places)], *size


@dataclasses.dataclass(frozen=True)
class RandomResizedCrop(_ByAntialiased):
    """A window of any area and ratio (mmaction2 transforms/processing.py:289-338).

    Attributes:
        name: what users call it.
        area: least and greatest share of the frame.
        ratio: least and greatest width over height.
        frame_size, mirrors, antialiased, colours: see MultiScaleCrop.
    """

    name: str
    area: tuple[float, float] = (0.08, 1.0)
    ratio: tuple[float, float] = (3 / 4, 4 / 3)
    frame_size: ShorterSide | None = None
    mirrors: bool = True
    antialiased: bool = False
    colours: ColourShift | None = None

    tries = 10
    draws = 2 * tries + 2

    def window(self, shape, side, ratios, drawn):
        """The window of a crop; see MultiScaleCrop.

        The first of ten tries that fits; else the largest square in the middle.

        Example:
            >>> MMACTION2_RANDOM.window((256, 340), 224, (), [2**30] * 22)
            (20, 62, 217, 217)
        """
        height, width = shape
        low, high = map(math.log, self.ratio)
        least, most = self.area
        for at in range(0, 2 * self.tries, 2):
            ratio = math.exp(low + (high - low) * (drawn[at] / _SPAN))
            area = (least + (most - least) * (drawn[at + 1] / _SPAN)) * height * width
            columns = round(math.sqrt(area * ratio))
            rows = round(math.sqrt(area / ratio))
            if columns <= width and rows <= height:
                down, right = (
                    int((free + 1) * (number / _SPAN))
                    for free, number in zip(
                        (height - rows, width - columns), drawn[-2:], strict=True
                    )
                )
                return down, right, rows, columns
        square = min(height, width)
        return (height - square) // 2, (width - square) // 2, square, square


@dataclasses.dataclass(frozen=True)
class RandomCrop(_ByAntialiased):
    """A square of the size of the input, anywhere in the frame.

    Two-Stream Convolutional Networks, NIPS 2014, section 4: from the whole image, not
    from its middle alone.

    Attributes:
        name: what users call it.
        frame_size, mirrors, antialiased, colours: see MultiScaleCrop.
    """

    name: str
    frame_size: ShorterSide | None = None
    mirrors: bool = True
    antialiased: bool = False
    colours: ColourShift | None = None

    draws = 2

    def window(self, shape, side, ratios, drawn):
        """The window of a crop; see MultiScaleCrop.

        In frames that are smaller than the input it is a square of their shorter side.

        Example:
            >>> TWO_STREAM.window((256, 341), 224, (), [0, 2**31 - 1])
            (0, 117, 224, 224)
        """
        square = min(side, *shape)
        down, right = (
            int((length - square + 1) * (number / _SPAN))
            for length, number in zip(shape, drawn, strict=True)
        )
        return down, right, square, square


@dataclasses.dataclass(frozen=True)
class CornerCrop:
    """A window of any size near one of two corners.

    ST-ResNet's (cnn_get_im_flow_batch.m:55-62, 274). Height and width are drawn apart,
    from 3/4 to 5/4 of the input's side. The window lies near the upper left or the
    lower right corner, at most a quarter of the free space away from it: the paper
    speaks of all borders, the code of these.

    Attributes:
        name: what users call it.
        places: steps of a quarter, from 0 to all of it, of down and of right.
        frame_size, mirrors, colours: see MultiScaleCrop.
    """

    name: str
    places: int = 20
    frame_size: ShorterSide | None = None
    mirrors: bool = True
    colours: ColourShift | None = None

    draws = 5
    resampling = "matlab"

    def window(self, shape, side, ratios, drawn):
        """The window of a crop; see MultiScaleCrop.

        Example:
            >>> ST_RESNET.window((256, 340), 224, (), [2**30, 2**30, 0, 0, 19])
            (0, 29, 224, 224)
            >>> ST_RESNET.window((256, 340), 224, (), [0, 2**31 - 1, 1, 19, 0])
            (88, 45, 168, 280)
        """
        window, offsets = [], []
        for length, share, place in zip(shape, drawn[:2], drawn[3:], strict=True):
            # As MATLAB rounds, a half up.
            wanted = math.floor(side * (0.75 + 0.5 * (share / _SPAN)) + 0.5)
            cut = min(wanted, length)
            step = place % self.places / (self.places - 1)
            offsets.append(
                math.floor((length - cut) * (drawn[2] % 2 * 0.75 + step / 4))
            )
            window.append(cut)
        return *offsets, *window


@dataclasses.dataclass(frozen=True)
class SidesCrop:
    """A window whose sides are drawn apart, in a corner or in the middle.

    That of ST-ResNet's motion stream by itself
    (base_streams/cnn_ucf101_get_flow_batch.m:215-217, 279-284). The original stops at
    frames that are smaller than a window; here the window ends with them.

    Attributes:
        name: what users call it.
        ratios: sides of windows over that of the input.
        frame_size, mirrors, colours: see MultiScaleCrop.
    """

    name: str
    ratios: tuple[float, ...] = (8 / 7, 1.0, 6 / 7, 0.75)
    frame_size: ShorterSide | None = None
    mirrors: bool = True
    colours: ColourShift | None = None

    draws = 3
    resampling = "matlab_plain"

    def window(self, shape, side, ratios, drawn):
        """The window of a crop; see MultiScaleCrop.

        Example:
            >>> ST_RESNET_MOTION.window((256, 340), 224, (), [0, 3, 2])
            (0, 172, 256, 168)
            >>> ST_RESNET_MOTION.window((256, 340), 224, (), [1, 2, 4])
            (16, 74, 224, 192)
        """
        sides = [
            min(round(side * self.ratios[number % len(self.ratios)]), length)
            for length, number in zip(shape, drawn[:2], strict=True)
        ]
        free = [length - cut for length, cut in zip(shape, sides, strict=True)]
        # Upper left, lower right, upper right, lower left, middle.
        ends = ((0, 0), (1, 1), (0, 1), (1, 0))
        place = drawn[2] % (len(ends) + 1)
        if place == len(ends):
            return *((room + 1) // 2 for room in free), *sides
        return *(r * end for r, end in zip(free, ends[place], strict=True)), *sides


# How a video is cut in training: any of these.
Augmentation = MultiScaleCrop | RandomResizedCrop | RandomCrop | CornerCrop | SidesCrop

_BEFORE = sizes.ShorterSide(256, sizes.rounded)
# In every configuration of MMAction2, for RGB and flow.
_RATIOS = (1.0, 0.875, 0.75, 0.66)

TSN = MultiScaleCrop("tsn", crops.QUARTERS)
# fix_crop without more_fix_crop (caffe data_transformer.cpp:49-75): five places.
TSN_5 = dataclasses.replace(TSN, name="tsn_5", places=crops.CORNERS)
# transforms.py, GroupMultiScaleCrop: Pillow's filter.
TSN_PYTORCH = dataclasses.replace(TSN, name="tsn_pytorch", antialiased=True)
MMACTION2_5 = MultiScaleCrop(
    "mmaction2_5", crops.CORNERS, ratios=_RATIOS, frame_size=_BEFORE
)
MMACTION2_RANDOM = RandomResizedCrop("mmaction2_random", frame_size=_BEFORE)
TWO_STREAM = RandomCrop("two_stream", frame_size=_BEFORE, colours=colours.RGB)
ST_RESNET = CornerCrop("st_resnet")
ST_RESNET_MOTION = SidesCrop("st_resnet_motion")

# The names are those of the reference tables: places, and what is left out. Moments in
# Time has two ratios and squares only (tsn_r50_1x1x6_100e_mit_rgb.py).
AUGMENTATIONS = Catalogue(
    "augmentation",
    (
        TSN,
        TSN_PYTORCH,
        TSN_5,
        MMACTION2_5,
        dataclasses.replace(MMACTION2_5, name="mmaction2_5_unresized", frame_size=None),
        dataclasses.replace(MMACTION2_5, name="mmaction2_5_unmirrored", mirrors=False),
        dataclasses.replace(MMACTION2_5, name="mmaction2_13", places=crops.QUARTERS),
        dataclasses.replace(
            MMACTION2_5,
            name="mmaction2_13_unmirrored",
            places=crops.QUARTERS,
            mirrors=False,
        ),
        dataclasses.replace(
            MMACTION2_5, name="mmaction2_moments", ratios=(1.0, 0.8), max_distort=0
        ),
        MMACTION2_RANDOM,
        *(ST_RESNET, ST_RESNET_MOTION),
        dataclasses.replace(
            MMACTION2_RANDOM, name="mmaction2_random_unresized", frame_size=None
        ),
        TWO_STREAM,
        dataclasses.replace(TWO_STREAM, name="two_stream_plain", colours=None),
    ),
)
