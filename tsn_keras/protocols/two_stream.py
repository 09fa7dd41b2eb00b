"""The protocol of the two-stream networks of 2014, as their paper tells it.

Simonyan and Zisserman, Two-Stream Convolutional Networks for Action Recognition in
Videos, NIPS 2014 (arXiv:1406.2199), sections 4 and 5; no code was published. What is
read into it is said beside each value, and in README.md of this folder.
"""

from tsn_keras.protocols import augmentations, crops, sampling, sizes
from tsn_keras.protocols.records import Normalisation, Protocol, View

TWO_STREAM = Protocol(
    name="two_stream",
    # Section 4, Testing: 25 frames at equal distances, and of each ten inputs: corners,
    # centre, and mirrored. The distance is a whole number of frames, as in the code of
    # the networks that followed (TSN's, and the very deep two-stream networks').
    test=View(25, sampling.eval_ticks, crops.TEN),
    # Of the validation in training nothing is said.
    quick=View(3, sampling.validation_ticks, crops.CENTRE),
    # Section 4, Training: the shorter side of a frame is 256. Said of images; flow is
    # taken alike. By which filter is not said.
    frame_size=sizes.ShorterSide(256, sizes.rounded),
    crop_size=224,
    red_first=False,
    # The means are not said. Of images these are Caffe's of ImageNet, so that networks
    # for images that are Caffe files can be begun with; of flow the level of no motion.
    normalisation={
        "image": Normalisation((104.0, 117.0, 123.0)),
        "flow": Normalisation((128.0,)),
    },
    augmentation=augmentations.TWO_STREAM,
    # Section 4, Testing: the class scores are averaged. They are those of the softmax
    # layer, as in section 2: its scores are what is fused.
    average="probabilities",
    fusion_weights={"image": 1.0, "flow": 1.0},
    # Three are MMAction2's, as high as the frames.
    other_crops=((crops.CENTRE, None), (crops.THREE, 256)),
)
