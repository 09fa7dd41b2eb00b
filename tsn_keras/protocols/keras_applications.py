"""Protocols for networks of keras.applications: the input that each was trained with.

Keras states the input only (src/applications/imagenet_utils.py, preprocess_input); the
frames, crops and averages are those of MMAction2's test of 25 segments in 10 crops,
with horizontal flow that changes its sign when it is mirrored. Flow, of which Keras has
no network, is brought to the range of the images by the same arithmetic.
"""

from tsn_keras.protocols import augmentations, crops, sampling, sizes
from tsn_keras.protocols.records import Normalisation, Protocol, View


def _protocol(mode, red_first, image, flow):
    return Protocol(
        name=f"keras_{mode}",
        test=View(25, sampling.centre_ticks, crops.TEN_QUARTERS),
        quick=View(3, sampling.centre_ticks, crops.CENTRE),
        frame_size=sizes.ShorterSide(256, sizes.rounded),
        crop_size=224,
        red_first=red_first,
        normalisation={"image": image, "flow": flow},
        augmentation=augmentations.TSN,
        other_crops=((crops.CENTRE, None), (crops.THREE, 256)),
        direct=True,
    )


_CENTRED = Normalisation((1.0,), scale=127.5)
_PLAIN = Normalisation((0.0,))

KERAS_APPLICATIONS = (
    # ResNet (v1), VGG.
    _protocol(
        "caffe",
        red_first=False,
        image=Normalisation((103.939, 116.779, 123.68)),
        flow=Normalisation((128.0,)),
    ),
    # From -1 to 1: Inception, Xception, ResNet v2, MobileNet, NASNet.
    _protocol("tf", red_first=True, image=_CENTRED, flow=_CENTRED),
    # DenseNet.
    _protocol(
        "torch",
        red_first=True,
        image=Normalisation((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), scale=255.0),
        flow=Normalisation((0.5,), (0.226,), scale=255.0),
    ),
    # From 0 to 255, normalised by layers of the network itself: ConvNeXt, EfficientNet,
    # MobileNetV3, RegNet.
    _protocol("raw", red_first=True, image=_PLAIN, flow=_PLAIN),
)
