"""Inception V3, as torchvision has it, and as tsn-pytorch's model zoo has it.

Szegedy et al., "Rethinking the Inception Architecture for Computer Vision"
(https://arxiv.org/abs/1512.00567), in two forms of one graph:

- torchvision/models/inception.py, without its auxiliary classifier.
- tensorflow-model-zoo.torch, tsn-pytorch's submodule: other names, a bias in
  convolutions, another epsilon, poolings that round up, a maximum in the last block,
  and kernels of one row where torchvision has kernels of one column.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import NamedTuple

import keras
from keras import layers

from tsn_keras.models.building import check, classifier
from tsn_keras.models.layers import CaffePooling2D
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled

LEAST_SIDE = 75  # torchvision's `min_size`.


class Conv(NamedTuple):
    """A convolution with its batch norm and ReLU.

    Attributes:
        name: torchvision's.
        channels: outputs at width 1.
        kernel: side in pixels, or (height, width).
        stride: distance of windows in pixels.
        padding: "same" or "valid".
    """

    name: str
    channels: int
    kernel: int | tuple[int, int] = 1
    stride: int = 1
    padding: str = "same"


STEM = (
    Conv("Conv2d_1a_3x3", 32, 3, 2, "valid"),
    Conv("Conv2d_2a_3x3", 32, 3, 1, "valid"),
    Conv("Conv2d_2b_3x3", 64, 3),
    "maxpool1",
    Conv("Conv2d_3b_1x1", 80),
    Conv("Conv2d_4a_3x3", 192, 3, 1, "valid"),
    "maxpool2",
)


def _double3(last):
    return (Conv("branch3x3dbl_1", 64), Conv("branch3x3dbl_2", 96, 3), last)


def _pooled(channels, step="average"):
    return (step, Conv("branch_pool", channels))


def _a(channels):
    return (
        (Conv("branch1x1", 64),),
        (Conv("branch5x5_1", 48), Conv("branch5x5_2", 64, 5)),
        _double3(Conv("branch3x3dbl_3", 96, 3)),
        _pooled(channels),
    )


def _c(channels):
    return (
        (Conv("branch1x1", 192),),
        (
            Conv("branch7x7_1", channels),
            Conv("branch7x7_2", channels, (1, 7)),
            Conv("branch7x7_3", 192, (7, 1)),
        ),
        (
            Conv("branch7x7dbl_1", channels),
            Conv("branch7x7dbl_2", channels, (7, 1)),
            Conv("branch7x7dbl_3", channels, (1, 7)),
            Conv("branch7x7dbl_4", channels, (7, 1)),
            Conv("branch7x7dbl_5", 192, (1, 7)),
        ),
        _pooled(192),
    )


_B = (
    (Conv("branch3x3", 384, 3, 2, "valid"),),
    _double3(Conv("branch3x3dbl_3", 96, 3, 2, "valid")),
    ("halved",),
)
_D = (
    (Conv("branch3x3_1", 192), Conv("branch3x3_2", 320, 3, 2, "valid")),
    (
        Conv("branch7x7x3_1", 192),
        Conv("branch7x7x3_2", 192, (1, 7)),
        Conv("branch7x7x3_3", 192, (7, 1)),
        Conv("branch7x7x3_4", 192, 3, 2, "valid"),
    ),
    ("halved",),
)


def _pair(name):
    return (Conv(f"{name}a", 384, (1, 3)), Conv(f"{name}b", 384, (3, 1)))


def _e(step):
    return (
        (Conv("branch1x1", 320),),
        (Conv("branch3x3_1", 384), _pair("branch3x3_2")),
        (
            Conv("branch3x3dbl_1", 448),
            Conv("branch3x3dbl_2", 384, 3),
            _pair("branch3x3dbl_3"),
        ),
        _pooled(192, step),
    )


# Branches of each block, whose outputs are concatenated. A step of a branch is a
# convolution, a pooling (see `_pool`), or two convolutions side by side.
BLOCKS = {
    "Mixed_5b": _a(32),
    "Mixed_5c": _a(64),
    "Mixed_5d": _a(64),
    "Mixed_6a": _B,
    "Mixed_6b": _c(128),
    "Mixed_6c": _c(160),
    "Mixed_6d": _c(160),
    "Mixed_6e": _c(192),
    "Mixed_7a": _D,
    "Mixed_7b": _e("average"),
    "Mixed_7c": _e("last"),
}


@dataclasses.dataclass(frozen=True)
class Form:
    """How a program has the network; as torchvision unless said otherwise.

    Attributes:
        name: name of the model.
        conv: what follows a convolution's name in files, with its separator.
        norm: the same of a batch norm.
        epsilon: added to variances.
        bias: convolutions have a bias.
        transposed: kernels of one row are of one column, and the reverse.
        ceil: poolings round up.
        last_pool: "max" or "average", that of the last block.
        names: {torchvision's name: its own} where they differ.
    """

    name: str
    conv: str = ".conv"
    norm: str = ".bn"
    epsilon: float = 1e-3
    bias: bool = False
    transposed: bool = False
    ceil: bool = False
    last_pool: str = "average"
    names: Mapping[str, str] = dataclasses.field(default_factory=dict, repr=False)

    def own(self, name):
        """Its name of what torchvision calls `name`."""
        return self.names.get(name, name)

    def layer(self, name, part=""):
        """The layer's name of a part of what torchvision calls `name`."""
        return f"{self.own(name)}{part}".replace(".", "_")

    def kernel(self, kernel):
        """(height, width) of a kernel."""
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        return (width, height) if self.transposed else (height, width)


def _zoo_names():
    """{torchvision's name: the model zoo's} of all but parts of convolutions."""
    stem = ("conv", "conv_1", "conv_2", "pool", "conv_3", "conv_4", "pool_1")
    known = [step if isinstance(step, str) else step.name for step in STEM]
    found = dict(zip(known, stem, strict=True))
    for number, (block, branches) in enumerate(BLOCKS.items()):
        mixed = f"mixed_{number}" if number else "mixed"
        found[block] = f"{mixed}_join"
        towers = 0
        for branch in branches:
            prefix = mixed
            if len(branch) > 1:
                prefix += f"_tower_{towers}" if towers else "_tower"
                towers += 1
            for name, own in _zoo_names_of(branch).items():
                found[f"{block}.{name}"] = f"{prefix}_{own}"
    return found | {"avgpool": "top_cls_pool", "fc": "top_cls_fc"}


def _zoo_names_of(branch):
    """The same in a branch: they count its convolutions."""
    found, count = {}, 0
    for step in branch:
        if isinstance(step, str):
            found["pool"] = "pool"
        elif isinstance(step, Conv):
            found[step.name] = f"conv_{count}" if count else "conv"
            count += 1
        else:
            first, second = step
            found |= {first.name: "mixed_conv", second.name: "mixed_conv_1"}
    return found


TORCHVISION = Form("inception_v3")
ZOO = Form(
    name="inception_v3_tsn",
    conv="_Conv2D",
    norm="_batchnorm",
    epsilon=1e-5,
    bias=True,
    transposed=True,
    ceil=True,
    last_pool="max",
    names=_zoo_names(),
)


def InceptionV3(
    input_shape=(299, 299, 3), classes=1000, dropout=0.5, width=1.0, form=TORCHVISION
):
    """Builds Inception V3 as a functional model.

    Every layer bears the original's name with "." as "_". A ReLU bears the name of
    the module of which it is the last step.

    Args:
        input_shape: (H, W, C); H and W of at least 75.
        classes: number of classes, or None for the pooled features alone.
        dropout: fraction of the pooled features dropped in training.
        width: factor on every number of channels but the input's and the classes';
            for small models.
        form: TORCHVISION or ZOO.

    Returns:
        keras.Model: [N, H, W, C] to raw scores [N, classes] before the softmax, or
        to features [N, 2048 * width]. ImageNet weights of torchvision want R, G, B
        from -1 to 1 here: torchvision's `transform_input`, which makes them from
        images of ImageNet's mean and deviation, is no part of this network.

    Raises:
        ValueError: if an argument is out of its range; or ZOO's branches do not fit
            together at that side, as at 224.

    Example:
        >>> InceptionV3((75, 75, 10), classes=51, width=0.125).output_shape
        (None, 51)
    """
    check(input_shape, classes, width, LEAST_SIDE)
    for side in input_shape[:2]:
        if form.ceil and not _agrees(side):
            near = [n for n in range(side - 16, side + 17) if _agrees(n)]
            near = sorted(near, key=lambda n: abs(n - side))[:2]
            raise ValueError(
                f"`input_shape`: at a side of {side} the branches of {form.name} end "
                f"in images of unequal size, since its poolings round up; the nearest "
                f"that will do are {' and '.join(map(str, sorted(near)))}. Received: "
                f"input_shape={tuple(input_shape)}"
            )

    # === Functional Model ===
    x = inputs = keras.Input(input_shape, name="data")
    for step in STEM:
        if isinstance(step, Conv):
            x = _conv(x, step, step.name, width, form)
        else:  # 73, then 35
            x = _pool(x, "halved", step, form)
    for block, branches in BLOCKS.items():  # 17 from 6a, 8 from 7a
        ends = [end for b in branches for end in _branch(x, block, b, width, form)]
        x = layers.Concatenate(name=form.layer(block))(ends)
    x = layers.GlobalAveragePooling2D(name=form.layer("avgpool"))(x)
    if classes is not None:
        x = layers.Dropout(dropout, name="dropout")(x)
        x = classifier(x, classes, form.layer("fc"))
    return keras.Model(inputs, x, name=form.name)


def _agrees(side):
    """Whether poolings that round up and convolutions that do not make equal images.

    Those of blocks 6a and 7a stand side by side.

    Example:
        >>> [side for side in (224, 229, 299) if _agrees(side)]
        [229, 299]
    """
    for step in STEM:
        if isinstance(step, Conv):
            if step.padding == "valid":
                side = (side - step.kernel) // step.stride + 1
        else:
            side = -(-(side - 3) // 2) + 1
    halved = (side - 3) // 2 + 1
    return side % 2 == 1 and halved % 2 == 1


def base_channels(form=TORCHVISION):
    """Output channels at width 1 of every convolution, by the original's name."""
    convs = {step.name: step for step in STEM if isinstance(step, Conv)}
    for block, branches in BLOCKS.items():
        steps = [step for branch in branches for step in branch]
        pairs = [step for step in steps if not isinstance(step, (str, Conv))]
        for step in (*steps, *(conv for pair in pairs for conv in pair)):
            if isinstance(step, Conv):
                convs[f"{block}.{step.name}"] = step
    return {f"{form.own(name)}{form.conv}": c.channels for name, c in convs.items()}


def _conv(x, conv, name, width, form):
    """Convolution, batch norm, ReLU: [N, H, W, .] to [N, H', W', channels]."""
    # Keras' "same" pads alike on both sides here: no such convolution is strided.
    x = layers.Conv2D(
        scaled(conv.channels, width),
        form.kernel(conv.kernel),
        conv.stride,
        conv.padding,
        use_bias=form.bias,
        # torchvision/models/inception.py, Inception3.__init__.
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.1),
        name=form.layer(name, form.conv),
    )(x)
    # PyTorch's momentum of 0.1 is one minus Keras'.
    x = layers.BatchNormalization(
        epsilon=form.epsilon, momentum=0.9, name=form.layer(name, form.norm)
    )(x)
    return layers.ReLU(name=form.layer(name))(x)


def _pool(x, step, name, form):
    """Pooling of 3 x 3: "halved", a maximum with stride 2; "average"; or "last"."""
    mode = {"halved": "max", "last": form.last_pool}.get(step, step)
    # PyTorch's average counts the padding, as Caffe's does; Keras' does not.
    stride, pad = (2, 0) if step == "halved" else (1, 1)
    return CaffePooling2D(mode, 3, stride, pad, form.ceil, name=form.layer(name))(x)


def _branch(x, block, branch, width, form):
    """The ends of one branch of a block; see BLOCKS."""
    for step in branch:
        if isinstance(step, str):
            x = _pool(x, step, f"{block}.pool", form)
        elif isinstance(step, Conv):
            x = _conv(x, step, f"{block}.{step.name}", width, form)
        else:
            return [_conv(x, c, f"{block}.{c.name}", width, form) for c in step]
    return [x]


def _record(form, title, **options):
    """The record of a form."""
    return Backbone(
        name=form.name,
        title=title,
        build=functools.partial(InceptionV3, form=form),
        features=form.layer("avgpool"),
        first=form.layer(STEM[0].name, form.conv),
        head=form.layer("fc"),
        channels=base_channels(form),
        **options,
    )


INCEPTION_V3 = _record(TORCHVISION, "Inception V3", unused=r"(^|\.)AuxLogits\.")
INCEPTION_V3_TSN = _record(ZOO, "Inception V3 of tsn-pytorch's model zoo")
