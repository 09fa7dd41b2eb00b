"""CNN-M-2048, the network of the first two-stream ConvNets, layer by layer as in Caffe.

Chatfield et al., "Return of the Devil in the Details" (https://arxiv.org/abs/1405.3531),
in the form of the Caffe file VGG_CNN_M_2048. Simonyan and Zisserman
(https://arxiv.org/abs/1406.2199, section 5) have it for both streams; that of flow is
without the second normalisation, to save memory.
"""

import functools

import keras
from keras import layers

from tsn_keras.models.building import check, classifier, dropouts
from tsn_keras.models.layers import CaffeConv2D, CaffePooling2D
from tsn_keras.models.local_response import LocalResponseNormalization
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled

# Output channels at width 1, side of the kernel, stride, padding.
CONVOLUTIONS = {
    "conv1": (96, 7, 2, 0),
    "conv2": (256, 5, 2, 1),
    "conv3": (512, 3, 1, 1),
    "conv4": (512, 3, 1, 1),
    "conv5": (512, 3, 1, 1),
}
POOLED = ("conv1", "conv2", "conv5")  # A pooling follows these.
# Outputs of the dense layers over channels of the last convolution. Rounded as these
# are, so that whoever finds a file's width from its convolutions knows them, too.
DENSE = {"fc6": 4096 // 512, "fc7": 2048 // 512}
SIDES = range(201, 233)  # Sides of images of which 6 pixels are left at the end.
SPATIAL_NORMS, TEMPORAL_NORMS = ("norm1", "norm2"), ("norm1",)
HEAD = "fc8"


def CNNM2048(
    input_shape=(224, 224, 3),
    classes=1000,
    dropout=0.5,
    width=1.0,
    norms=SPATIAL_NORMS,
):
    """Builds CNN-M-2048 as a functional model.

    Every layer bears Caffe's name.

    Args:
        input_shape: (H, W, C); H and W from 201 to 232, since the first dense layer
            reads a fixed 6 x 6.
        classes: number of classes, or None for the features alone.
        dropout: fraction of the outputs of the dense layers dropped in training, or a
            sequence of two: of fc6 and of fc7.
        width: factor on every number of channels but the input's and the classes';
            for small models.
        norms: names of the normalisations that there are: SPATIAL_NORMS or
            TEMPORAL_NORMS.

    Returns:
        keras.Model: [N, H, W, C], B, G, R minus mean (flow: minus 128), in the range of
        8-bit pixels, to raw scores [N, classes] before the softmax, or to features [N,
        2048 * width], what fc7 gives after its ReLU.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> CNNM2048(classes=51, width=1 / 32).output_shape
        (None, 51)
    """
    check(input_shape, classes, width, SIDES[0], SIDES[-1])
    dropped = dropouts(dropout, len(DENSE))

    # === Functional Model ===
    x = inputs = keras.Input(input_shape, name="data")
    for name, (channels, *window) in CONVOLUTIONS.items():  # 109, 26, then 13
        x = _conv(x, name, scaled(channels, width), window)
        number = name[-1]
        if f"norm{number}" in norms:
            # VGG_CNN_M_2048's deploy file; Krizhevsky's alpha of 1e-4 is this over 5.
            x = LocalResponseNormalization(
                size=5, alpha=5e-4, beta=0.75, bias=2.0, name=f"norm{number}"
            )(x)
        if name in POOLED:  # 54, 13, 6
            x = CaffePooling2D("max", 3, 2, name=f"pool{number}")(x)
    # Caffe's inner product reads [C, H, W]. In this order its kernel is that of its
    # files, so that no reader of weights need know the 6 x 6.
    x = layers.Permute((3, 1, 2), name="channels_first")(x)
    x = layers.Flatten(name="flatten")(x)
    last = scaled(CONVOLUTIONS["conv5"][0], width)
    for (name, times), share in zip(DENSE.items(), dropped, strict=True):
        x = _dense(x, name, times * last)
        if classes is not None or name != "fc7":
            x = layers.Dropout(share, name=name.replace("fc", "drop"))(x)
    if classes is not None:
        x = classifier(x, classes, HEAD)
    return keras.Model(inputs, x, name="cnn_m_2048")


def _conv(x, name, channels, window):
    """Convolution and ReLU: [N, H, W, .] to [N, H', W', channels]."""
    kernel, stride, pad = window
    x = CaffeConv2D(
        channels,
        kernel,
        stride,
        pad=pad,
        kernel_initializer=_begun(),
        name=name,
    )(x)
    return layers.ReLU(name=name.replace("conv", "relu"))(x)


def _dense(x, name, outputs):
    """Dense layer and ReLU: [N, .] to [N, outputs]."""
    x = layers.Dense(outputs, kernel_initializer=_begun(), name=name)(x)
    return layers.ReLU(name=name.replace("fc", "relu"))(x)


def _begun():
    """How a kernel begins, which neither paper nor file says: as Krizhevsky's.

    (ImageNet Classification with Deep Convolutional Neural Networks, section 5.) With a
    deviation by the number of inputs, He's, the paper's rate of 0.01 diverges at once.
    """
    return keras.initializers.RandomNormal(stddev=0.01)


def _record(name, title, norms):
    return Backbone(
        name=name,
        title=title,
        build=functools.partial(CNNM2048, norms=norms),
        features="relu7",
        first="conv1",
        head=HEAD,
        channels={name: channels for name, (channels, *_) in CONVOLUTIONS.items()},
        matrices=len(DENSE),
        dropouts=len(DENSE),
        marks={"norm2": "norm2" in norms},
    )


CNN_M_SPATIAL = _record("cnn_m_spatial", "CNN-M-2048 of images", SPATIAL_NORMS)
CNN_M_TEMPORAL = _record("cnn_m_temporal", "CNN-M-2048 of flow", TEMPORAL_NORMS)
