"""The protocol of the very deep two-stream networks of 2015.

Wang et al., "Towards Good Practices for Very Deep Two-Stream ConvNets"
(arXiv:1507.02159), sections 2.2 and 2.3, and the authors' scripts in yjxiong/caffe,
branch action_recog, action_python/. Flow has ten fields (the modality flow10).
"""

from tsn_keras.protocols import augmentations, crops, sampling
from tsn_keras.protocols.records import Normalisation, Protocol, View

VERY_DEEP = Protocol(
    name="very_deep",
    # VideoSpatialPrediction.py:32-66, VideoTemporalPrediction.py:33-71.
    test=View(25, sampling.very_deep_ticks, crops.TEN_OF_MIRRORED),
    # caffe video_data_layer.cpp:123-142: the middle; the solvers test so in training.
    quick=View(3, sampling.validation_ticks, crops.CENTRE),
    frame_size=(256, 340),
    crop_size=224,
    red_first=False,  # cv2.imread
    # The values of the train_val prototxts. The scripts of the test subtract a mean
    # image instead, which lies in a .mat file that could not be had: if its pixels are
    # not all alike, scores differ by that.
    normalisation={
        "image": Normalisation((104.0, 117.0, 123.0)),
        "flow": Normalisation((128.0,)),
    },
    # The train_val prototxts, fix_crop and multi_scale.
    augmentation=augmentations.TSN_5,
    # The original has the ten only; three are MMAction2's, as high as the frames.
    other_crops=((crops.CENTRE, None), (crops.THREE, 256)),
    # demo.py:54-71: a softmax of each stream's mean, then 1/3 and 2/3.
    fused="probabilities",
    fusion_weights={"image": 1.0, "flow": 2.0},
)
