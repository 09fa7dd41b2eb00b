"""ResNet and ResNeXt, layer by layer as torchvision and MMAction2, or Keras, have them.

He et al., "Deep Residual Learning for Image Recognition"
(https://arxiv.org/abs/1512.03385), and Xie et al., "Aggregated Residual
Transformations for Deep Neural Networks" (https://arxiv.org/abs/1611.05431).
torchvision and MMAction2 (mmaction/models/backbones/resnet.py) halve the image in the
3x3 convolution of a block; the original Caffe files and Keras Applications in the
first 1x1, and their convolutions have biases.
"""

import dataclasses
import functools
import re

import keras
from keras import layers

from tsn_keras.models import residual
from tsn_keras.models.records import Backbone
from tsn_keras.models.residual import Plan


def ResNet(
    plan,
    input_shape=(224, 224, 3),
    classes=400,
    dropout=0.4,
    width=1.0,
):
    """Builds a network of the family as a functional model.

    Args:
        plan: Plan.
        input_shape: (H, W, C); H and W at least 32, or None for any. C is 3 for one
            image, 10 for five flow pairs.
        classes: number of classes, or None for the pooled features alone.
        dropout: fraction of the pooled features dropped in training; 0.4 is that
            of MMAction2's models.
        width: factor on every number of channels but the input's and the
            classes'; for small models. Those of grouped convolutions must remain
            multiples of their groups.

    Returns:
        keras.Model: [N, H, W, C] to raw scores [N, classes] before the softmax, or
        to features [N, 512 * width] (without bottlenecks) or [N, 2048 * width].

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> from tsn_keras.models.resnet import RESNET50
        >>> model = RESNET50.build((224, 224, 10), classes=51)
        >>> model.output_shape
        (None, 51)
    """
    residual.check_arguments(plan, input_shape, classes, width)
    made = residual.Layers(plan, width)
    # === Functional Model ===
    inputs = keras.Input(input_shape, name="data")
    x = made.stem(inputs)  # 56
    for block in residual.blocks(
        plan
    ):  # 28, 14, 7 from the second, third, fourth stage
        _, x = made.block(x, block)
    x = layers.GlobalAveragePooling2D(name=plan.names.top[0])(x)
    x = made.classifier(x, classes, dropout)
    return keras.Model(inputs, x, name=plan.name)


# What MMAction2 (mmaction/models/backbones/resnet.py:434-447) calls the layers; and
# MMPretrain the classifier.
_RENAMES = (
    (r"\bconv(\d+)\.conv\.", r"conv\1."),
    (r"\bconv(\d+)\.bn\.", r"bn\1."),
    (r"\bdownsample\.conv\.", "downsample.0."),
    (r"\bdownsample\.bn\.", "downsample.1."),
    (r"^head\.fc\.", "fc."),
)


def _record(plan, **options):
    names = plan.names
    return Backbone(
        name=plan.name,
        title=plan.title,
        build=functools.partial(ResNet, plan),
        features=names.top[0],
        first=names.stem[0],
        head=names.top[1],
        channels=residual.base_channels(plan),
        **options,
    )


def _of_caffe(plan):
    return dataclasses.replace(
        plan,
        name=f"{plan.name}_caffe",
        title=f"{plan.title} of Caffe and Keras",
        names=residual.KERAS_APPLICATIONS,
        early=True,
        bias=True,
        # keras/src/applications/resnet.py.
        epsilon=1.001e-5,
    )


# In Caffe's files, and in Keras' before 2019, a branch is named by its stage, block
# (a, b, c, ... or a, b1, b2, ...) and convolution: res4b2_branch2a, res5c_branch1.
_CAFFE_NAME = re.compile(
    r"(?P<kind>res|bn)(?P<stage>[2-5])(?P<block>[a-z]\d*)_branch(?P<unit>1|2[abc])"
)
_CAFFE_ENDS = {"conv1": "conv1_conv", "bn_conv1": "conv1_bn", "fc1000": "predictions"}


def _with_keras_names(names):
    """Gives layers of Caffe's names those of Keras Applications."""
    return {name: _keras_name(name) for name in names}


def _keras_name(name):
    match = _CAFFE_NAME.fullmatch(name)
    if match is None:
        return _CAFFE_ENDS.get(name, name)
    letter, number = match["block"][0], match["block"][1:]
    block = int(number) + 1 if number else ord(letter) - ord("a") + 1
    unit = "0" if match["unit"] == "1" else str("abc".index(match["unit"][1]) + 1)
    kind = "conv" if match["kind"] == "res" else "bn"
    return f"conv{match['stage']}_block{block}_{unit}_{kind}"


PLANS = {
    plan.name: plan
    for plan in (
        Plan("resnet18", "ResNet-18", (2, 2, 2, 2), bottleneck=False),
        Plan("resnet34", "ResNet-34", (3, 4, 6, 3), bottleneck=False),
        Plan("resnet50", "ResNet-50", (3, 4, 6, 3)),
        Plan("resnet101", "ResNet-101", (3, 4, 23, 3)),
        Plan("resnet152", "ResNet-152", (3, 8, 36, 3)),
    )
}
RESNET18, RESNET34, RESNET50, RESNET101, RESNET152 = (
    _record(plan, renames=_RENAMES) for plan in PLANS.values()
)
RESNEXT101_32X4D = _record(
    # 32 groups of 4 channels in the first stage: 128 instead of 64.
    Plan("resnext101_32x4d", "ResNeXt-101 32x4d", (3, 4, 23, 3), groups=32, widening=2),
    renames=_RENAMES,
)
CAFFE_PLANS = {
    plan.name: plan
    for plan in (_of_caffe(PLANS[f"resnet{depth}"]) for depth in (50, 101, 152))
}
RESNET50_CAFFE, RESNET101_CAFFE, RESNET152_CAFFE = (
    _record(plan, named_as_model=_with_keras_names) for plan in CAFFE_PLANS.values()
)
