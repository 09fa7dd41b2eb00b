"""The protocols of tsn-pytorch: of its BN-Inception, and of its ResNets.

References are to tsn-pytorch at commit 2f0468e. A video is seen as dense_flow extracts
it. For RGB difference the normalisation is that of the test (test_models.py:81); the
original trains and validates on differences of plain pixels, which for BN-Inception are
the same.
"""

from tsn_keras.protocols import augmentations, crops, sampling, sizes, train_sampling
from tsn_keras.protocols.records import Normalisation, Protocol, View

# models.py:79-115, of torchvision's networks, for values from 0 to 1; flow has the
# mean of the three deviations.
_MEAN, _DEVIATION, _OF_FLOW = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), 0.226


def _protocol(name, red_first, normalisation):
    return Protocol(
        name=name,
        # dataset.py:59-113, in test mode; test_models.py.
        test=View(25, sampling.centre_ticks, crops.TEN_QUARTERS),
        # dataset.py:59-113, without random shift; main.py.
        quick=View(3, sampling.guarded_centre_ticks, crops.ROUNDED_CENTRE),
        # transforms.py, GroupScale.
        frame_size=sizes.ShorterSide(256, sizes.truncated, antialiased=True),
        crop_size=224,
        red_first=red_first,
        normalisation=normalisation,
        augmentation=augmentations.TSN_PYTORCH,
        train_rule=train_sampling.in_parts_or_first,
        # test_models.py, --test_crops 1; three are MMAction2's, as high as the frames.
        other_crops=((crops.ROUNDED_CENTRE, None), (crops.THREE, 256)),
    )


# models.py:79-115. Blue, green and red; Caffe's mean of red is 123.
TSN_PYTORCH = _protocol(
    "tsn_pytorch",
    red_first=False,
    normalisation={
        "image": Normalisation((104.0, 117.0, 128.0)),
        "flow": Normalisation((128.0,)),
    },
)

TSN_PYTORCH_RESNET = _protocol(
    "tsn_pytorch_resnet",
    red_first=True,
    normalisation={
        "image": Normalisation(_MEAN, _DEVIATION, scale=255.0),
        "flow": Normalisation((0.5,), (_OF_FLOW,), scale=255.0),
        # Of six images: the first as an image, the others as differences, though
        # the differences are taken afterwards.
        "rgbdiff": Normalisation(
            (*_MEAN, *[0.0] * 15),
            (*_DEVIATION, *[2 * _OF_FLOW] * 15),
            scale=255.0,
        ),
    },
)
