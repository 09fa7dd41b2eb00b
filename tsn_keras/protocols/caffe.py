"""The protocol of the original Caffe code (temporal-segment-networks)."""

from tsn_keras.protocols import augmentations, crops, sampling
from tsn_keras.protocols.records import Normalisation, Protocol, View

CAFFE = Protocol(
    name="caffe",
    # tools/eval_net.py:76-107.
    test=View(25, sampling.eval_ticks, crops.TEN),
    # caffe video_data_layer.cpp:123-142, data_transformer.cpp:237-242.
    quick=View(3, sampling.validation_ticks, crops.CENTRE),
    # eval_net.py:97,107; the deploy prototxts.
    frame_size=(256, 340),
    crop_size=224,
    red_first=False,  # cv2.imread
    # pyActionRecog/action_caffe.py:27,69.
    normalisation={
        "image": Normalisation((104.0, 117.0, 123.0)),
        "flow": Normalisation((128.0,)),
    },
    # caffe data_transformer.cpp:49-104.
    augmentation=augmentations.TSN,
    # The original has the ten only; three are MMAction2's, as high as the frames.
    other_crops=((crops.CENTRE, None), (crops.THREE, 256)),
)
