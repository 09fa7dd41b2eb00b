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

from tsn_keras.models.building import check
from tsn_keras.models.layers import CaffeConv2D, CaffePooling2D
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled

STEM_CHANNELS = 64  # Channels of the first convolution at width 1.
STAGE_CHANNELS = (64, 128, 256, 512)
SMALLEST = 32  # Side of an image of which the last feature map is one pixel.


@dataclasses.dataclass(frozen=True)
class Names:
    """What a program calls the layers, as templates.

    `{stage}` counts from `stage`, `{block}` from `block`, and `{k}` is the number of
    the convolution in its block. Dots become underscores in the names of layers.

    Attributes:
        stem: convolution, batch norm, ReLU and pooling.
        unit: convolution, batch norm and ReLU of a block; the last has no ReLU.
        shortcut: convolution and batch norm of the shortcut.
        end: sum of branch and shortcut, and its ReLU, the output of the block.
        top: global pooling and classifier.
        stage: number of the first stage.
        block: number of the first block of a stage.
    """

    stem: tuple[str, str, str, str]
    unit: tuple[str, str, str]
    shortcut: tuple[str, str]
    end: tuple[str, str]
    top: tuple[str, str]
    stage: int
    block: int


TORCHVISION = Names(
    stem=("conv1", "bn1", "relu", "maxpool"),
    unit=tuple(f"layer{{stage}}.{{block}}.{n}{{k}}" for n in ("conv", "bn", "relu")),
    shortcut=tuple(f"layer{{stage}}.{{block}}.downsample.{n}" for n in (0, 1)),
    end=("layer{stage}.{block}.add", "layer{stage}.{block}"),
    top=("avgpool", "fc"),
    stage=1,
    block=0,
)
KERAS_APPLICATIONS = Names(
    stem=("conv1_conv", "conv1_bn", "conv1_relu", "pool1_pool"),
    unit=tuple(
        f"conv{{stage}}_block{{block}}_{{k}}_{n}" for n in ("conv", "bn", "relu")
    ),
    shortcut=tuple(f"conv{{stage}}_block{{block}}_0_{n}" for n in ("conv", "bn")),
    end=tuple(f"conv{{stage}}_block{{block}}_{n}" for n in ("add", "out")),
    top=("avg_pool", "predictions"),
    stage=2,
    block=1,
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """A network of the family.

    Attributes:
        name: e.g. "resnet50".
        title: what people call it.
        blocks: number of blocks of each stage.
        bottleneck: blocks are 1x1, 3x3, 1x1; else 3x3, 3x3.
        groups: groups of the 3x3 convolutions.
        widening: factor on their channels, and on those of the 1x1 before.
        names: Names.
        early: the first convolution of a block halves the image; else its 3x3 does.
        bias: whether convolutions have biases.
        epsilon: added to the variance in batch norms.
    """

    name: str
    title: str
    blocks: tuple[int, int, int, int]
    bottleneck: bool = True
    groups: int = 1
    widening: int = 1
    names: Names = TORCHVISION
    early: bool = False
    bias: bool = False
    epsilon: float = 1e-5

    @property
    def expansion(self) -> int:
        """Channels of a block's output over those of its stage."""
        return 4 if self.bottleneck else 1


@dataclasses.dataclass(frozen=True)
class _Conv:
    """A convolution and its batch norm, by name; channels at width 1."""

    name: str
    norm: str
    channels: int
    kernel: int
    stride: int
    groups: int = 1


@dataclasses.dataclass(frozen=True)
class _Block:
    """A block: its branch, its shortcut if that is a convolution, other names."""

    branch: tuple[_Conv, ...]
    shortcut: _Conv | None
    relus: tuple[str, ...]
    end: tuple[str, str]


def _blocks(plan):
    """Yields the _Blocks of a Plan."""
    names, before = plan.names, STEM_CHANNELS
    for stage, channels in enumerate(STAGE_CHANNELS):
        for block in range(plan.blocks[stage]):
            naming = {"stage": names.stage + stage, "block": names.block + block}
            stride = 2 if stage > 0 and block == 0 else 1
            after, shortcut = channels * plan.expansion, None
            if stride > 1 or before != after:
                own = (name.format(**naming) for name in names.shortcut)
                shortcut = _Conv(*own, after, 1, stride)
            shapes = _shapes(plan, channels, stride)
            units = [
                [name.format(k=k + 1, **naming) for name in names.unit]
                for k in range(len(shapes))
            ]
            branch = tuple(
                _Conv(*unit[:2], *shape)
                for unit, shape in zip(units, shapes, strict=True)
            )
            relus = tuple(relu for _, _, relu in units[:-1])
            end = tuple(name.format(**naming) for name in names.end)
            yield _Block(branch, shortcut, relus, end)
            before = after


def _shapes(plan, channels, stride):
    """(channels, kernel, stride, groups) of the convolutions of a block."""
    if not plan.bottleneck:
        return (channels, 3, stride), (channels, 3, 1)
    wide = channels * plan.widening
    first, second = (stride, 1) if plan.early else (1, stride)
    return (
        (wide, 1, first),
        (wide, 3, second, plan.groups),
        (channels * plan.expansion, 1, 1),
    )


def base_channels(plan: Plan) -> dict[str, int]:
    """Output channels at width 1 of every convolution, by the program's name."""
    found = {plan.names.stem[0]: STEM_CHANNELS}
    for block in _blocks(plan):
        convolutions = (*block.branch, block.shortcut)
        found.update({c.name: c.channels for c in convolutions if c is not None})
    return found


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
    _check(plan, input_shape, classes, width)
    conv, norm, relu, pool = plan.names.stem
    # === Functional Model ===
    inputs = keras.Input(input_shape, name="data")
    x = _conv(inputs, _Conv(conv, norm, STEM_CHANNELS, 7, 2), plan, width)  # 112
    x = layers.ReLU(name=relu)(x)
    # Keras Applications pad with zeros, which after a ReLU are as good as -inf.
    x = CaffePooling2D("max", 3, 2, pad=1, ceil=False, name=pool)(x)  # 56
    for block in _blocks(plan):  # 28, 14 and 7 from the second, third, fourth stage
        x = _add_block(x, block, plan, width)
    x = layers.GlobalAveragePooling2D(name=plan.names.top[0])(x)
    if classes is not None:
        x = layers.Dropout(dropout, name="dropout")(x)
        # Gaussian of deviation 0.01: mmaction/models/heads/tsn_head.py:63-65.
        x = layers.Dense(
            classes,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            name=plan.names.top[1],
        )(x)
    return keras.Model(inputs, x, name=plan.name)


def _check(plan, input_shape, classes, width):
    known = tuple(SMALLEST if side is None else side for side in input_shape)
    check(known, classes, width, SMALLEST)
    for channels in STAGE_CHANNELS:
        count = scaled(channels * plan.widening, width)
        if count % plan.groups:
            raise ValueError(
                f"`width` must give multiples of {plan.groups} channels, the groups of "
                f"{plan.title}. Received: width={width}, which gives {count}"
            )


def _conv(x, conv, plan, width):
    """Convolution and batch norm: [N, H, W, .] to [N, H', W', channels]."""
    x = CaffeConv2D(
        scaled(conv.channels, width),
        conv.kernel,
        conv.stride,
        pad=conv.kernel // 2,
        groups=conv.groups,
        use_bias=plan.bias,
        # Normal He by the outputs: torchvision and MMAction2.
        kernel_initializer=keras.initializers.VarianceScaling(
            2.0, "fan_out", "untruncated_normal"
        ),
        name=conv.name.replace(".", "_"),
    )(x)
    return layers.BatchNormalization(
        epsilon=plan.epsilon, momentum=0.9, name=conv.norm.replace(".", "_")
    )(x)


def _add_block(x, block, plan, width):
    """Adds one block: [N, H, W, .] to [N, H', W', channels]."""
    y = x if block.shortcut is None else _conv(x, block.shortcut, plan, width)
    for conv, relu in zip(block.branch, (*block.relus, None), strict=True):
        x = _conv(x, conv, plan, width)
        if relu is not None:
            x = layers.ReLU(name=relu.replace(".", "_"))(x)
    add, out = (name.replace(".", "_") for name in block.end)
    x = layers.Add(name=add)([y, x])
    return layers.ReLU(name=out)(x)


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
        channels=base_channels(plan),
        **options,
    )


def _caffe_record(plan):
    plan = dataclasses.replace(
        plan,
        name=f"{plan.name}_caffe",
        title=f"{plan.title} of Caffe and Keras",
        names=KERAS_APPLICATIONS,
        early=True,
        bias=True,
        # keras/src/applications/resnet.py.
        epsilon=1.001e-5,
    )
    return _record(plan, named_as_model=_with_keras_names)


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


_PLANS = {
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
    _record(plan, renames=_RENAMES) for plan in _PLANS.values()
)
RESNEXT101_32X4D = _record(
    # 32 groups of 4 channels in the first stage: 128 instead of 64.
    Plan("resnext101_32x4d", "ResNeXt-101 32x4d", (3, 4, 23, 3), groups=32, widening=2),
    renames=_RENAMES,
)
RESNET50_CAFFE, RESNET101_CAFFE, RESNET152_CAFFE = (
    _caffe_record(_PLANS[name]) for name in ("resnet50", "resnet101", "resnet152")
)
