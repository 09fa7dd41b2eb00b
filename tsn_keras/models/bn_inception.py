"""BN-Inception, layer by layer as in the original's Caffe files.

Ioffe and Szegedy, "Batch Normalization: Accelerating Deep Network Training by
Reducing Internal Covariate Shift" (https://arxiv.org/abs/1502.03167), in the
form of temporal-segment-networks models/*/tsn_bn_inception_*_deploy.prototxt.
"""

import keras
from keras import layers

from tsn_keras.models.layers import CaffeConv2D, CaffePooling2D
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled

FIRST_CHANNELS = 64  # Channels of conv1 at width 1.
HEAD = "fc-action"
FINAL_SIZE = 7  # Side of the last feature map: global_pool is a fixed 7 x 7.
SIDES = range(193, 225)  # Sides of images of which the last feature map is that.

# Output channels of each block's convolutions, and the pooling branch:
# 1x1, 3x3_reduce, 3x3, double_3x3_reduce, double_3x3_1, double_3x3_2,
# (pooling mode, channels of pool_proj). A block without 1x1 halves the image:
# its 3x3, double_3x3_2 and pooling have stride 2 and there is no pool_proj.
BLOCKS = {
    "inception_3a": (64, 64, 64, 64, 96, 96, ("average", 32)),
    "inception_3b": (64, 64, 96, 64, 96, 96, ("average", 64)),
    "inception_3c": (None, 128, 160, 64, 96, 96, ("max", None)),
    "inception_4a": (224, 64, 96, 96, 128, 128, ("average", 128)),
    "inception_4b": (192, 96, 128, 96, 128, 128, ("average", 128)),
    "inception_4c": (160, 128, 160, 128, 160, 160, ("average", 128)),
    "inception_4d": (96, 128, 192, 160, 192, 192, ("average", 128)),
    "inception_4e": (None, 128, 192, 192, 256, 256, ("max", None)),
    "inception_5a": (352, 192, 320, 160, 224, 224, ("average", 128)),
    "inception_5b": (352, 192, 320, 192, 224, 224, ("max", 128)),
}


def BNInception(
    input_shape=(224, 224, 3),
    classes=101,
    dropout=0.8,
    width=1.0,
    name="bn_inception",
):
    """Builds BN-Inception as a functional model.

    Every layer bears the Caffe layer's name with "/" as "_", so that weights
    are found by name.

    Args:
        input_shape: (H, W, C); H and W from 193 to 224, since the last pooling
            covers a fixed 7 x 7. C is 3 for one image, 10 for five flow pairs.
        classes: number of classes, or None for the pooled features alone.
        dropout: fraction of the pooled features dropped in training.
        width: factor on every number of channels but the input's and the
            classes'; for small models.
        name: name of the model.

    Returns:
        keras.Model: [N, H, W, C], B, G, R minus mean (flow: minus 128), in the
        range of 8-bit pixels, to raw scores [N, classes] before the softmax,
        or to features [N, 1024 * width].

    Raises:
        ValueError: if an argument is out of its range.
    """
    if width <= 0:
        raise ValueError(f"`width` must be positive. Received: width={width}")
    if classes is not None and classes < 1:
        raise ValueError(f"`classes` must be at least 1. Received: classes={classes}")

    sides = tuple(input_shape[:2])
    known = len(input_shape) == 3 and None not in input_shape
    if not (known and all(side in SIDES for side in sides)):
        raise ValueError(
            "`input_shape` must be (height, width, channels), height and width from "
            f"{SIDES[0]} to {SIDES[-1]}: the network sees crops of that size. "
            f"Received: input_shape={tuple(input_shape)}"
        )

    # === Functional Model ===
    inputs = keras.Input(input_shape, name="data")
    x = _conv(inputs, FIRST_CHANNELS, "conv1/7x7_s2", width, kernel=7, stride=2)  # 112
    x = CaffePooling2D("max", 3, 2, name="pool1_3x3_s2")(x)  # 56
    x = _conv(x, 64, "conv2/3x3_reduce", width)
    x = _conv(x, 192, "conv2/3x3", width, kernel=3)
    x = CaffePooling2D("max", 3, 2, name="pool2_3x3_s2")(x)  # 28
    for block, channels in BLOCKS.items():  # 28 from 3a, 14 from 3c, 7 from 4e
        x = _block(x, block, channels, width)
    x = CaffePooling2D("average", FINAL_SIZE, name="global_pool")(x)
    # Caffe's inner product needs no flattening: it takes [N, C, 1, 1].
    x = layers.Flatten(name="flatten")(x)
    if classes is not None:
        x = layers.Dropout(dropout, name="dropout")(x)
        # Gaussian of deviation 0.001: deploy prototxt, fc-action.
        x = layers.Dense(
            classes,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.001),
            name=HEAD,
        )(x)
    return keras.Model(inputs, x, name=name)


def base_channels():
    """Output channels at width 1 of every convolution, by Caffe name."""
    parts = ("1x1", "3x3_reduce", "3x3")
    parts += ("double_3x3_reduce", "double_3x3_1", "double_3x3_2")
    found = {
        "conv1/7x7_s2": FIRST_CHANNELS,
        "conv2/3x3_reduce": 64,
        "conv2/3x3": 192,
    }
    for block, (*channels, (_, projection)) in BLOCKS.items():
        for part, count in zip(
            (*parts, "pool_proj"), (*channels, projection), strict=True
        ):
            if count is not None:
                found[f"{block}/{part}"] = count
    return found


def _conv(x, channels, name, width, kernel=1, stride=1):
    """Convolution, batch norm, ReLU: [N, H, W, .] to [N, H', W', channels]."""
    block, _, suffix = name.rpartition("/")
    name = name.replace("/", "_")
    x = CaffeConv2D(
        scaled(channels, width),
        kernel,
        stride,
        pad=kernel // 2,
        # Fan-in Xavier and 0.2: the deploy prototxts' fillers.
        kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_in", "uniform"),
        bias_initializer=keras.initializers.Constant(0.2),
        name=name,
    )(x)
    # caffe.proto:458-466: eps 1e-5, momentum 0.9 (Keras: 1e-3, 0.99).
    x = layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=f"{name}_bn")(x)
    # Only this ReLU has a shorter name than its layer.
    suffix = "7x7" if suffix == "7x7_s2" else suffix
    return layers.ReLU(name=f"{block}_relu_{suffix}")(x)


def _block(x, name, channels, width):
    """One inception block; see BLOCKS."""
    one, reduce3, three, reduce_double, double1, double2, (mode, proj) = channels
    stride = 2 if one is None else 1
    branches = []
    if one is not None:
        branches.append(_conv(x, one, f"{name}/1x1", width))
    y = _conv(x, reduce3, f"{name}/3x3_reduce", width)
    branches.append(_conv(y, three, f"{name}/3x3", width, 3, stride))
    y = _conv(x, reduce_double, f"{name}/double_3x3_reduce", width)
    y = _conv(y, double1, f"{name}/double_3x3_1", width, 3)
    branches.append(_conv(y, double2, f"{name}/double_3x3_2", width, 3, stride))
    # Strided pooling is unpadded: Caffe's rounding up makes it fit.
    y = CaffePooling2D(
        mode, 3, stride, pad=1 if stride == 1 else 0, name=f"{name}_pool"
    )(x)
    if proj is not None:
        y = _conv(y, proj, f"{name}/pool_proj", width)
    branches.append(y)
    return layers.Concatenate(name=f"{name}_output")(branches)


def _with_classifier_named(names):
    """Gives the classifier of a file the name that the model has for it.

    Initialisations may call it otherwise than the reference models do: in Caffe's
    files it is the one layer outside all blocks, and tsn-pytorch's `fc`.
    """
    spare = [name for name in names if name not in _OWN]
    if HEAD in names or len(spare) != 1 or "/" in spare[0]:
        spare = []
    return {name: HEAD if name in spare else name for name in names}


_CHANNELS = base_channels()
# Layers of the network in Caffe's names, and in those of PyTorch's files.
_OWN = {
    form
    for name in _CHANNELS
    for layer in (name, f"{name}_bn")
    for form in (layer, layer.replace("/", "_"))
}

BN_INCEPTION = Backbone(
    name="bn_inception",
    title="BN-Inception",
    build=BNInception,
    features="flatten",
    first="conv1_7x7_s2",
    head=HEAD,
    channels=_CHANNELS,
    named_as_model=_with_classifier_named,
)
