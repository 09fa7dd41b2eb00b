"""What residual networks are made of: their blocks by name, and these as layers.

`models.resnet` makes networks of images of it, `models.st_resnet` networks over time.
"""

import dataclasses

import keras
from keras import layers

from tsn_keras.models.building import check
from tsn_keras.models.layers import CaffeConv2D, CaffePooling2D
from tsn_keras.models.widths import scaled

STEM_CHANNELS = 64  # Channels of the first convolution at width 1.
STAGE_CHANNELS = (64, 128, 256, 512)
SMALLEST = 32  # Side of an image of which the last feature map is one pixel.


@dataclasses.dataclass(frozen=True)
class Names:
    """What a program calls the layers, as templates.

    `{stage}` counts from `stage`, `{block}` from `block`, and `{k}` is the number of
    the convolution in its block; `{letter}` is a, b, c, ... for the blocks, `{part}`
    for the convolutions. Dots become underscores in the names of layers.

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

    def with_suffix(self, suffix: str) -> "Names":
        """The same with something behind every name."""
        made = {
            field: tuple(name + suffix for name in value)
            for field, value in vars(self).items()
            if isinstance(value, tuple)
        }
        return dataclasses.replace(self, **made)


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
# KaimingHe/deep-residual-networks, ResNet-50-deploy.prototxt.
CAFFE = Names(
    stem=("conv1", "bn_conv1", "conv1_relu", "pool1"),
    unit=(
        "res{stage}{letter}_branch2{part}",
        "bn{stage}{letter}_branch2{part}",
        "res{stage}{letter}_branch2{part}_relu",
    ),
    shortcut=("res{stage}{letter}_branch1", "bn{stage}{letter}_branch1"),
    end=("res{stage}{letter}", "res{stage}{letter}_relu"),
    top=("pool5", "fc"),
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
        stem_bias: whether the first one has, where the others have none.
        epsilon: added to the variance in batch norms.
        momentum: share that their statistics keep in an update.
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
    stem_bias: bool = False
    epsilon: float = 1e-5
    momentum: float = 0.9

    @property
    def expansion(self) -> int:
        """Channels of a block's output over those of its stage."""
        return 4 if self.bottleneck else 1


@dataclasses.dataclass(frozen=True)
class Conv:
    """A convolution and its batch norm, by name; channels at width 1."""

    name: str
    norm: str
    channels: int
    kernel: int
    stride: int
    groups: int = 1


@dataclasses.dataclass(frozen=True)
class Block:
    """A block: its branch, its shortcut if that is a convolution, other names.

    Attributes:
        stage, number: from 0, the number in the stage.
        branch: the convolutions, in order.
        shortcut: Conv, or None where the input itself is added.
        relus: names of the ReLUs between the convolutions.
        end: names of the sum and of its ReLU.
    """

    stage: int
    number: int
    branch: tuple[Conv, ...]
    shortcut: Conv | None
    relus: tuple[str, ...]
    end: tuple[str, str]

    @property
    def convolutions(self) -> tuple[Conv, ...]:
        """All of them, that of the shortcut last."""
        return self.branch + (() if self.shortcut is None else (self.shortcut,))


def stem_of(plan: Plan) -> Conv:
    """The first convolution of a network."""
    return Conv(*plan.names.stem[:2], STEM_CHANNELS, 7, 2)


def blocks(plan: Plan):
    """Yields the Blocks of a Plan."""
    names, before = plan.names, STEM_CHANNELS
    for stage, channels in enumerate(STAGE_CHANNELS):
        for number in range(plan.blocks[stage]):
            naming = {
                "stage": names.stage + stage,
                "block": names.block + number,
                "letter": chr(ord("a") + number),
            }
            stride = 2 if stage > 0 and number == 0 else 1
            after, shortcut = channels * plan.expansion, None
            if stride > 1 or before != after:
                own = (name.format(**naming) for name in names.shortcut)
                shortcut = Conv(*own, after, 1, stride)
            shapes = _shapes(plan, channels, stride)
            units = [
                [name.format(k=k + 1, part="abc"[k], **naming) for name in names.unit]
                for k in range(len(shapes))
            ]
            branch = tuple(
                Conv(*unit[:2], *shape)
                for unit, shape in zip(units, shapes, strict=True)
            )
            relus = tuple(relu for _, _, relu in units[:-1])
            end = tuple(name.format(**naming) for name in names.end)
            yield Block(stage, number, branch, shortcut, relus, end)
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


def convolutions(plan: Plan) -> list[Conv]:
    """Every convolution of a network, in the order of its blocks."""
    of_blocks = (conv for block in blocks(plan) for conv in block.convolutions)
    return [stem_of(plan), *of_blocks]


def base_channels(plan: Plan) -> dict[str, int]:
    """Output channels at width 1 of every convolution, by the program's name."""
    return {conv.name: conv.channels for conv in convolutions(plan)}


def check_arguments(plan, input_shape, classes, width, least=SMALLEST):
    """Refuses arguments of a builder out of their range.

    Args:
        plan: Plan.
        input_shape: (H, W, C); None for any H or W.
        classes, width: see models.building.check.
        least: least side of an image in pixels.

    Raises:
        ValueError: naming the argument.
    """
    known = tuple(least if side is None else side for side in input_shape)
    check(known, classes, width, least)
    for channels in STAGE_CHANNELS:
        count = scaled(channels * plan.widening, width)
        if count % plan.groups:
            raise ValueError(
                f"`width` must give multiples of {plan.groups} channels, the groups of "
                f"{plan.title}. Received: width={width}, which gives {count}"
            )


@dataclasses.dataclass(frozen=True)
class Layers:
    """The layers of a Plan at a width, added to a functional model.

    Attributes:
        plan: Plan.
        width: factor on the numbers of channels.
    """

    plan: Plan
    width: float

    def convolution(self, conv: Conv) -> keras.layers.Layer:
        """The layer of a Conv."""
        plan = self.plan
        return CaffeConv2D(
            scaled(conv.channels, self.width),
            conv.kernel,
            conv.stride,
            pad=conv.kernel // 2,
            groups=conv.groups,
            use_bias=plan.bias or (plan.stem_bias and conv == stem_of(plan)),
            kernel_initializer=he(),
            name=conv.name.replace(".", "_"),
        )

    def normalised(self, x, conv):
        """Convolution and batch norm: [N, H, W, .] to [N, H', W', channels]."""
        return layers.BatchNormalization(
            epsilon=self.plan.epsilon,
            momentum=self.plan.momentum,
            name=conv.norm.replace(".", "_"),
        )(self.convolution(conv)(x))

    def stem(self, x):
        """First convolution and pooling: [N, H, W, .] to [N, H / 4, W / 4, 64]."""
        *_, relu, pool = self.plan.names.stem
        x = layers.ReLU(name=relu)(self.normalised(x, stem_of(self.plan)))
        pooling = {"pad": 1, "ceil": False, "positive": True}
        return CaffePooling2D("max", 3, 2, **pooling, name=pool)(x)

    def block(self, x, block, reads=None):
        """A block.

        Args:
            x: [N, H, W, .], what the shortcut reads.
            block: Block.
            reads: what the branch reads; None: x.

        Returns:
            (sum of branch and shortcut, its ReLU), [N, H', W', channels] each.
        """
        kept = x if block.shortcut is None else self.normalised(x, block.shortcut)
        x = x if reads is None else reads
        for conv, relu in zip(block.branch, (*block.relus, None), strict=True):
            x = self.normalised(x, conv)
            if relu is not None:
                x = layers.ReLU(name=relu.replace(".", "_"))(x)
        add, out = (name.replace(".", "_") for name in block.end)
        total = layers.Add(name=add)([kept, x])
        return total, layers.ReLU(name=out)(total)

    def classifier(self, features, classes, dropout, name="dropout"):
        """Dropout and classifier: [N, D] to [N, classes]; None: the features."""
        if classes is None:
            return features
        x = layers.Dropout(dropout, name=name)(features)
        # Gaussian of deviation 0.01: mmaction/models/heads/tsn_head.py:63-65.
        return layers.Dense(
            classes,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            name=self.plan.names.top[1],
        )(x)


def he():
    """Normal He by the outputs: torchvision and MMAction2."""
    return keras.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal")
