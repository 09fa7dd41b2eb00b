"""DenseNet-161, layer by layer as torchvision has it and MMAction2 calls it.

Huang et al., "Densely Connected Convolutional Networks"
(https://arxiv.org/abs/1608.06993), in the form of torchvision/models/densenet.py.
MMAction2 calls its `features` alone (mmaction/models/recognizers/recognizer2d.py).
"""

import keras
from keras import layers

from tsn_keras.models.building import check, classifier
from tsn_keras.models.layers import CaffeConv2D, CaffePooling2D
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled

LEAST_SIDE = 32  # The last feature map is then one pixel.
HEAD = "classifier"
GROWTH = 48  # Channels that every dense layer adds.
BOTTLENECK = 4 * GROWTH  # Channels of a dense layer's 1x1 convolution.
STEM = 96  # Channels of conv0.
BLOCKS = (6, 12, 36, 24)  # Dense layers of each block.


def DenseNet161(
    input_shape=(224, 224, 3), classes=1000, dropout=0.4, width=1.0, name="densenet161"
):
    """Builds DenseNet-161 as a functional model.

    Every layer with weights bears torchvision's name with "." as "_". No ReLU follows
    the last batch norm, as in MMAction2; torchvision's own classifier of ImageNet was
    trained behind one, and its scores are another network's here.

    Args:
        input_shape: (H, W, C); H and W of at least 32.
        classes: number of classes, or None for the pooled features alone.
        dropout: fraction of the pooled features dropped in training.
        width: factor on the output channels of every convolution, by which those of
            the concatenations follow; for small models.
        name: name of the model.

    Returns:
        keras.Model: [N, H, W, C], R, G, B of ImageNet's mean and deviation, to raw
        scores [N, classes] before the softmax, or to features [N, 2208 * width].

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> DenseNet161((32, 32, 10), classes=51, width=0.05).output_shape
        (None, 51)
    """
    check(input_shape, classes, width, LEAST_SIDE)

    # === Functional Model ===
    inputs = keras.Input(input_shape, name="data")
    stem = scaled(STEM, width)
    x = _conv(inputs, stem, "features_conv0", kernel=7, stride=2)  # 112
    x = _norm(x, "features_norm0")
    x = layers.ReLU(name="features_relu0")(x)
    pooling = {"pad": 1, "ceil": False, "positive": True}
    x = CaffePooling2D("max", 3, 2, **pooling, name="features_pool0")(x)  # 56
    for block, count in enumerate(BLOCKS, 1):  # 28 from 2, 14 from 3, 7 from 4
        x = _block(x, f"features_denseblock{block}", count, width)
        if block < len(BLOCKS):
            halved = scaled(_channels_of_block(block) // 2, width)
            x = _transition(x, f"features_transition{block}", halved)
    x = _norm(x, "features_norm5")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    if classes is not None:
        x = layers.Dropout(dropout, name="dropout")(x)
        x = classifier(x, classes, HEAD)
    return keras.Model(inputs, x, name=name)


def base_channels():
    """Output channels at width 1 of every convolution, by torchvision's name."""
    found = {"features.conv0": STEM}
    for block, count in enumerate(BLOCKS, 1):
        for index in range(1, count + 1):
            layer = f"features.denseblock{block}.denselayer{index}"
            found |= {f"{layer}.conv1": BOTTLENECK, f"{layer}.conv2": GROWTH}
        if block < len(BLOCKS):
            halved = _channels_of_block(block) // 2
            found[f"features.transition{block}.conv"] = halved
    return found


def _channels_of_block(block):
    """Channels at width 1 of a block's output; blocks count from 1."""
    before = STEM if block == 1 else _channels_of_block(block - 1) // 2
    return before + GROWTH * BLOCKS[block - 1]


def _conv(x, channels, name, kernel=1, stride=1):
    """Convolution without a bias: [N, H, W, .] to [N, H', W', channels]."""
    return CaffeConv2D(
        channels,
        kernel,
        stride,
        pad=kernel // 2,
        use_bias=False,
        # torchvision/models/densenet.py, DenseNet.__init__: Kaiming's normal.
        kernel_initializer=keras.initializers.VarianceScaling(
            2.0, "fan_in", "untruncated_normal"
        ),
        name=name,
    )(x)


def _norm(x, name):
    # PyTorch's eps, and its momentum of 0.1, which is one minus Keras'.
    return layers.BatchNormalization(epsilon=1e-5, momentum=0.9, name=name)(x)


def _block(x, name, count, width):
    """Dense layers, each of which reads what all before it gave."""
    for index in range(1, count + 1):
        layer = f"{name}_denselayer{index}"
        y = _norm(x, f"{layer}_norm1")
        y = layers.ReLU(name=f"{layer}_relu1")(y)
        y = _conv(y, scaled(BOTTLENECK, width), f"{layer}_conv1")
        y = _norm(y, f"{layer}_norm2")
        y = layers.ReLU(name=f"{layer}_relu2")(y)
        y = _conv(y, scaled(GROWTH, width), f"{layer}_conv2", kernel=3)
        x = layers.Concatenate(name=layer)([x, y])
    return x


def _transition(x, name, channels):
    """Halves the channels and the sides between two blocks."""
    x = _norm(x, f"{name}_norm")
    x = layers.ReLU(name=f"{name}_relu")(x)
    # The original pools after the convolution. A mean of pixels and a matrix over
    # their channels commute, and this order takes a quarter of the multiplications.
    x = layers.AveragePooling2D(2, name=f"{name}_pool")(x)
    return _conv(x, channels, f"{name}_conv")


DENSENET161 = Backbone(
    name="densenet161",
    title="DenseNet-161",
    build=DenseNet161,
    features="avgpool",
    first="features_conv0",
    head=HEAD,
    channels=base_channels(),
    # torchvision's files of before 2018: densenet.py, _load_state_dict.
    renames=((r"(\.denselayer\d+\.(?:norm|conv))\.([12])(?=\.)", r"\1\2"),),
)
