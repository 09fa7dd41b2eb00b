"""The protocols of MMAction2's published TSN models, one for each test that they name.

References are to files of mmaction2: 0.x is branch 0.x (0.24.1), 1.x is 1.2.0. Both
give the same frames and pixels but for flow, whose 0.x rule is the one here: no flow
model of 1.x was published. The classifier is linear, so that the mean of the views'
raw scores is the score of their mean features, which MMAction2 computes
(models/recognizers/recognizer2d.py:53-99).

Images of a video come straight from the decoder; MMAction2 has no flow of videos, and
takes that of files.
"""

from tsn_keras.protocols import augmentations, crops, sampling, sizes, train_sampling
from tsn_keras.protocols.records import Normalisation, Protocol, View

# Letter of the configurations: (rule of the test, views of a video for each of its
# frames, rule of training).
_RULES = {
    "s": (sampling.centre_ticks, 1, train_sampling.in_parts),
    "d": (sampling.dense_ticks, 10, train_sampling.in_window),
}
_CROPS = {
    "centre": crops.CENTRE,
    "3crop": crops.THREE,
    "10crop": crops.TEN_QUARTERS_AS_PICTURES,
}

# (rule, its number, crops, side of the crops): the tests of configs/recognition/tsn/.
_TESTS = (
    ("s", 25, "10crop", 224),
    ("s", 25, "3crop", 256),
    ("s", 25, "centre", 256),
    ("s", 16, "3crop", 256),
    ("s", 16, "centre", 224),
    ("s", 8, "10crop", 224),
    ("s", 8, "3crop", 256),
    ("s", 8, "centre", 256),
    ("s", 8, "centre", 224),
    ("s", 6, "3crop", 256),
    ("s", 5, "centre", 256),
    ("s", 5, "centre", 224),
    ("d", 25, "centre", 224),
    ("d", 8, "10crop", 224),
    ("d", 8, "centre", 224),
)

TRAINED_SIDE = 224  # of the crops, in every configuration
# Of the three crops, and of the centre crop where the test's own crops are as large.
_LARGE_SIDE = 256


def _protocol(letter, number, kind, side):
    rule, windows, train_rule = _RULES[letter]
    other = None if side == TRAINED_SIDE else side
    return Protocol(
        name=f"mmaction2_{letter}{number}_{kind}{side}",
        test=View(
            number * windows,
            rule,
            _CROPS[kind],
            side=other,
        ),
        # That of the configurations of three segments. Others validate with more
        # segments or with crops of 256, the dense ones with their whole test.
        quick=View(3, sampling.centre_ticks, crops.CENTRE),
        # 0.x pipelines/augmentations.py:1067-1163, scale (-1, 256).
        frame_size=sizes.ShorterSide(256, sizes.rounded),
        crop_size=TRAINED_SIDE,
        red_first=True,
        # img_norm_cfg of the configurations. 0.x multiplies by 1 / deviation and
        # 1.x divides, as here: the same to a rounding of float32.
        normalisation={
            "image": Normalisation((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
            "flow": Normalisation((128.0,), (128.0,)),
        },
        # That of the configurations of three segments.
        augmentation=augmentations.MMACTION2_5,
        train_rule=train_rule,
        # As the configurations' tests combine them: ten crops are always small.
        other_crops=(
            (_CROPS["centre"], other),
            (_CROPS["3crop"], _LARGE_SIDE),
            (_CROPS["10crop"], None),
        ),
        # out_of_bound_opt="loop", 0.x pipelines/loading.py:137-259.
        loops=True,
        direct=True,
    )


MMACTION2 = tuple(_protocol(*test) for test in _TESTS)
