"""GoogLeNet with batch norms, layer by layer as torchvision has it.

Szegedy et al., "Going Deeper with Convolutions" (https://arxiv.org/abs/1409.4842), in
the form of torchvision/models/googlenet.py: batch norms instead of local response
normalisation, and 3x3 convolutions where the paper has 5x5. The auxiliary classifiers
serve training only and are left out.
"""

import keras
from keras import layers

from tsn_keras.models.building import check, classifier
from tsn_keras.models.layers import CaffeConv2D, CaffePooling2D
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled

LEAST_SIDE = 15  # torchvision's `min_size`.
HEAD = "fc"

# Output channels of a block's convolutions: branch1; branch2.0, branch2.1;
# branch3.0, branch3.1; branch4.1, which follows a pooling.
BLOCKS = {
    "inception3a": (64, 96, 128, 16, 32, 32),
    "inception3b": (128, 128, 192, 32, 96, 64),
    "inception4a": (192, 96, 208, 16, 48, 64),
    "inception4b": (160, 112, 224, 24, 64, 64),
    "inception4c": (128, 128, 256, 24, 64, 64),
    "inception4d": (112, 144, 288, 32, 64, 64),
    "inception4e": (256, 160, 320, 32, 128, 128),
    "inception5a": (256, 160, 320, 32, 128, 128),
    "inception5b": (384, 192, 384, 48, 128, 128),
}
_PARTS = ("branch1", "branch2.0", "branch2.1", "branch3.0", "branch3.1", "branch4.1")
# Poolings after blocks: name and side of the window.
_POOLS = {"inception3b": ("maxpool3", 3), "inception4e": ("maxpool4", 2)}


def GoogLeNet(
    input_shape=(224, 224, 3), classes=1000, dropout=0.2, width=1.0, name="googlenet"
):
    """Builds GoogLeNet as a functional model.

    Every layer bears torchvision's name with "." as "_". A ReLU bears the name of the
    module of which it is the last step.

    Args:
        input_shape: (H, W, C); H and W of at least 15.
        classes: number of classes, or None for the pooled features alone.
        dropout: fraction of the pooled features dropped in training.
        width: factor on every number of channels but the input's and the classes';
            for small models.
        name: name of the model.

    Returns:
        keras.Model: [N, H, W, C] to raw scores [N, classes] before the softmax, or
        to features [N, 1024 * width]. ImageNet weights of torchvision want R, G, B
        from -1 to 1 here: torchvision's `transform_input`, which makes them from
        images of ImageNet's mean and deviation, is no part of this network.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> GoogLeNet(classes=51, width=0.125).output_shape
        (None, 51)
    """
    check(input_shape, classes, width, LEAST_SIDE)

    # === Functional Model ===
    inputs = keras.Input(input_shape, name="data")
    x = _conv(inputs, "conv1", scaled(64, width), 7, stride=2)  # 112
    x = CaffePooling2D("max", 3, 2, name="maxpool1")(x)  # 56
    x = _conv(x, "conv2", scaled(64, width))
    x = _conv(x, "conv3", scaled(192, width), 3)
    x = CaffePooling2D("max", 3, 2, name="maxpool2")(x)  # 28
    for block, channels in BLOCKS.items():
        x = _block(x, block, [scaled(count, width) for count in channels])
        if block in _POOLS:  # 14 from 4a, 7 from 5a
            pool, side = _POOLS[block]
            x = CaffePooling2D("max", side, 2, name=pool)(x)
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    if classes is not None:
        x = layers.Dropout(dropout, name="dropout")(x)
        x = classifier(x, classes, HEAD)
    return keras.Model(inputs, x, name=name)


def base_channels():
    """Output channels at width 1 of every convolution, by torchvision's name."""
    found = {"conv1.conv": 64, "conv2.conv": 64, "conv3.conv": 192}
    for block, channels in BLOCKS.items():
        for part, count in zip(_PARTS, channels, strict=True):
            found[f"{block}.{part}.conv"] = count
    return found


def _conv(x, name, channels, kernel=1, stride=1):
    """Convolution, batch norm, ReLU: [N, H, W, .] to [N, H', W', channels]."""
    name = name.replace(".", "_")
    x = CaffeConv2D(
        channels,
        kernel,
        stride,
        pad=kernel // 2,
        use_bias=False,
        # torchvision/models/googlenet.py, GoogLeNet.__init__.
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        name=f"{name}_conv",
    )(x)
    # BasicConv2d has Keras' eps; PyTorch's momentum is one minus Keras'.
    x = layers.BatchNormalization(epsilon=1e-3, momentum=0.9, name=f"{name}_bn")(x)
    return layers.ReLU(name=name)(x)


def _block(x, name, channels):
    """One inception block; see BLOCKS."""
    one, two, three, four, five, projection = zip(_PARTS, channels, strict=True)

    def conv(x, part, kernel=1):
        return _conv(x, f"{name}.{part[0]}", part[1], kernel)

    pooled = CaffePooling2D("max", 3, 1, pad=1, name=f"{name}_branch4_0")(x)
    branches = [
        conv(x, one),
        conv(conv(x, two), three, 3),
        conv(conv(x, four), five, 3),
        conv(pooled, projection),
    ]
    return layers.Concatenate(name=name)(branches)


GOOGLENET = Backbone(
    name="googlenet",
    title="GoogLeNet",
    build=GoogLeNet,
    features="avgpool",
    first="conv1_conv",
    head=HEAD,
    channels=base_channels(),
    unused=r"(^|\.)aux[12]\.",
)
