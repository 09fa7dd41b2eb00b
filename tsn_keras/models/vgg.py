"""VGG-16, layer by layer as torchvision has it; Caffe's is the same under other names.

Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image
Recognition" (https://arxiv.org/abs/1409.1556), configuration D, in the form of
torchvision/models/vgg.py, without batch norms.
"""

import keras
from keras import layers

from tsn_keras.models.building import check, classifier, dropouts
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled

# Output channels of the convolutions between poolings.
STAGES = ((64, 64), (128, 128), (256,) * 3, (512,) * 3, (512,) * 3)
# Outputs of both dense layers over channels of the last convolution. Rounded as these
# are, so that whoever finds a file's width from its convolutions knows them, too.
DENSE = 4096 // 512
SIDES = range(224, 256)  # Sides of images that five halvings bring to 7 pixels.
HEAD = "classifier_6"


def VGG16(
    input_shape=(224, 224, 3), classes=1000, dropout=0.5, width=1.0, name="vgg16"
):
    """Builds VGG-16 as a functional model.

    Every layer bears torchvision's name with "." as "_".

    Args:
        input_shape: (H, W, C); H and W from 224 to 255, since the first dense layer
            reads a fixed 7 x 7.
        classes: number of classes, or None for the features alone.
        dropout: fraction of the outputs of each of the two dense layers dropped in
            training, or a sequence of two: of the first and of the second.
        width: factor on every number of channels but the input's and the classes';
            for small models.
        name: name of the model.

    Returns:
        keras.Model: [N, H, W, C] to raw scores [N, classes] before the softmax, or
        to features [N, 4096 * width], what the second dense layer gives after its
        ReLU. ImageNet weights of torchvision want R, G, B from 0 to 1, minus mean,
        over deviation.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> VGG16(classes=51, width=1 / 32).output_shape
        (None, 51)
    """
    check(input_shape, classes, width, SIDES[0], SIDES[-1])
    first, second = dropouts(dropout, 2)

    # === Functional Model ===
    x = inputs = keras.Input(input_shape, name="data")
    index = 0
    for stage in STAGES:
        for channels in stage:
            x = _conv(x, scaled(channels, width), index)
            index += 2
        x = layers.MaxPooling2D(2, name=f"features_{index}")(x)
        index += 1
    # PyTorch and Caffe flatten [N, C, H, W]. In this order the first dense kernel is
    # that of their files, so that no reader of weights need know the 7 x 7.
    x = layers.Permute((3, 1, 2), name="channels_first")(x)
    x = layers.Flatten(name="flatten")(x)
    x = _dense(x, DENSE * scaled(STAGES[-1][-1], width), 0)
    x = layers.Dropout(first, name="classifier_2")(x)
    x = _dense(x, DENSE * scaled(STAGES[-1][-1], width), 3)
    if classes is not None:
        x = layers.Dropout(second, name="classifier_5")(x)
        x = classifier(x, classes, HEAD)
    return keras.Model(inputs, x, name=name)


def base_channels():
    """Output channels at width 1 of every convolution, by torchvision's name."""
    found, index = {}, 0
    for stage in STAGES:
        for channels in stage:
            found[f"features.{index}"] = channels
            index += 2
        index += 1
    return found


def caffe_names():
    """(pattern, replacement) from Caffe's name of each layer to torchvision's.

    That of the ImageNet file, and of the networks of actions, whose classifier is
    fc8-1 for images and fc8 for flow (yjxiong/caffe models/action_recognition/
    cuhk_action_*_deploy.prototxt).
    """
    own = iter(base_channels())
    found = {
        f"conv{stage}_{number}": next(own)
        for stage, channels in enumerate(STAGES, 1)
        for number in range(1, len(channels) + 1)
    }
    found |= {
        "fc6": "classifier.0",
        "fc7": "classifier.3",
        "fc8(?:-1)?": "classifier.6",
    }
    return tuple((rf"^{name}(?=[\[.])", other) for name, other in found.items())


def _conv(x, channels, index):
    """Convolution and ReLU: [N, H, W, .] to [N, H, W, channels]."""
    x = layers.Conv2D(
        channels,
        3,
        padding="same",
        # torchvision/models/vgg.py, VGG.__init__: He, of the outputs.
        kernel_initializer=keras.initializers.VarianceScaling(
            2.0, "fan_out", "untruncated_normal"
        ),
        name=f"features_{index}",
    )(x)
    return layers.ReLU(name=f"features_{index + 1}")(x)


def _dense(x, outputs, index):
    """Dense layer and ReLU: [N, .] to [N, outputs]."""
    initial = keras.initializers.RandomNormal(stddev=0.01)
    name = f"classifier_{index}"
    x = layers.Dense(outputs, kernel_initializer=initial, name=name)(x)
    return layers.ReLU(name=f"classifier_{index + 1}")(x)


VGG_16 = Backbone(
    name="vgg16",
    title="VGG-16",
    build=VGG16,
    features="classifier_4",
    first="features_0",
    head=HEAD,
    channels=base_channels(),
    matrices=2,
    dropouts=2,
    renames=(
        # tsn-pytorch without dropout, on a network whose last layer is called so.
        (r"^fc\.", "classifier.6."),
        *caffe_names(),
    ),
)
