"""GoogLeNet as the paper has it, layer by layer as in Caffe's bvlc_googlenet.

Szegedy et al., "Going Deeper with Convolutions" (https://arxiv.org/abs/1409.4842), in
the form of caffe models/bvlc_googlenet: local response normalisation and no batch
norms, 5x5 convolutions, biases. torchvision's, in `googlenet`, has the same numbers of
channels. The auxiliary classifiers serve training only and are left out.
"""

import keras
from keras import layers

from tsn_keras.models.building import check, classifier
from tsn_keras.models.googlenet import BLOCKS
from tsn_keras.models.layers import CaffeConv2D, CaffePooling2D
from tsn_keras.models.local_response import LocalResponseNormalization
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled

LEAST_SIDE = 31  # Of smaller images nothing is left for the last pooling.
HEAD = "loss3_classifier"
# Convolutions of a block, in the order of BLOCKS.
_PARTS = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
_BLOCKS = {f"inception_{block[-2:]}": found for block, found in BLOCKS.items()}
# Poolings after blocks.
_POOLS = {"inception_3b": "pool3/3x3_s2", "inception_4e": "pool4/3x3_s2"}


def GoogLeNetCaffe(
    input_shape=(224, 224, 3),
    classes=1000,
    dropout=0.4,
    width=1.0,
    name="googlenet_caffe",
):
    """Builds Caffe's GoogLeNet as a functional model.

    Every layer bears Caffe's name with "/" as "_".

    Args:
        input_shape: (H, W, C); H and W of at least 31. Caffe's last pooling is a fixed
            7 x 7, which images of 224 x 224 fill; here it is the mean of any map.
        classes: number of classes, or None for the pooled features alone.
        dropout: fraction of the pooled features dropped in training.
        width: factor on every number of channels but the input's and the classes';
            for small models.
        name: name of the model.

    Returns:
        keras.Model: [N, H, W, C], B, G, R minus mean (flow: minus 128), in the range of
        8-bit pixels, to raw scores [N, classes] before the softmax, or to features [N,
        1024 * width].

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> GoogLeNetCaffe(classes=51, width=0.125).output_shape
        (None, 51)
    """
    check(input_shape, classes, width, LEAST_SIDE)

    # === Functional Model ===
    inputs = keras.Input(input_shape, name="data")
    x = _conv(inputs, "conv1/7x7_s2", width, 7, stride=2)  # 112
    x = _pool(x, "pool1/3x3_s2")  # 56
    # Normalised after the first pooling, and before the second.
    x = _norm(x, "pool1/norm1")
    x = _conv(x, "conv2/3x3_reduce", width)
    x = _conv(x, "conv2/3x3", width, 3)
    x = _norm(x, "conv2/norm2")
    x = _pool(x, "pool2/3x3_s2")  # 28
    for block in _BLOCKS:  # 14 from 4a, 7 from 5a
        x = _block(x, block, width)
        if block in _POOLS:
            x = _pool(x, _POOLS[block])
    x = layers.GlobalAveragePooling2D(name="pool5_7x7_s1")(x)
    if classes is not None:
        x = layers.Dropout(dropout, name="pool5_drop_7x7_s1")(x)
        x = classifier(x, classes, HEAD)
    return keras.Model(inputs, x, name=name)


def base_channels():
    """Output channels at width 1 of every convolution, by Caffe's name."""
    found = {"conv1/7x7_s2": 64, "conv2/3x3_reduce": 64, "conv2/3x3": 192}
    for block, channels in _BLOCKS.items():
        for part, count in zip(_PARTS, channels, strict=True):
            found[f"{block}/{part}"] = count
    return found


_CHANNELS = base_channels()


def _conv(x, name, width, kernel=1, stride=1):
    """Convolution and ReLU: [N, H, W, .] to [N, H', W', channels]."""
    x = CaffeConv2D(
        scaled(_CHANNELS[name], width),
        kernel,
        stride,
        pad=kernel // 2,
        # Fan-in Xavier and 0.2: the fillers of train_val.prototxt.
        kernel_initializer=keras.initializers.VarianceScaling(1.0, "fan_in", "uniform"),
        bias_initializer=keras.initializers.Constant(0.2),
        name=name.replace("/", "_"),
    )(x)
    block, _, part = name.partition("/")
    # Only this ReLU has a shorter name than its layer.
    part = "7x7" if part == "7x7_s2" else part
    return layers.ReLU(name=f"{block}_relu_{part}")(x)


def _pool(x, name):
    """Maximum that halves: Caffe rounds the number of windows up."""
    return CaffePooling2D("max", 3, 2, name=name.replace("/", "_"))(x)


def _norm(x, name):
    """Normalisation; its settings are those of train_val.prototxt."""
    return LocalResponseNormalization(
        size=5, alpha=1e-4, beta=0.75, bias=1.0, name=name.replace("/", "_")
    )(x)


def _block(x, name, width):
    """One inception block; see BLOCKS."""

    def conv(x, part, kernel=1):
        return _conv(x, f"{name}/{part}", width, kernel)

    pooled = CaffePooling2D("max", 3, 1, pad=1, name=f"{name}_pool")(x)
    branches = [
        conv(x, "1x1"),
        conv(conv(x, "3x3_reduce"), "3x3", 3),
        conv(conv(x, "5x5_reduce"), "5x5", 5),
        conv(pooled, "pool_proj"),
    ]
    return layers.Concatenate(name=f"{name}_output")(branches)


GOOGLENET_CAFFE = Backbone(
    name="googlenet_caffe",
    title="GoogLeNet of Caffe",
    build=GoogLeNetCaffe,
    features="pool5_7x7_s1",
    first="conv1_7x7_s2",
    head=HEAD,
    channels=_CHANNELS,
    unused=r"^loss[12]/",
)
