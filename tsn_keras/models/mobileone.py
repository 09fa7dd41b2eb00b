"""MobileOne-S4, layer by layer as MMPretrain has it: for training, and deployed.

Vasu et al., "MobileOne: An Improved One millisecond Mobile Backbone"
(https://arxiv.org/abs/2206.04040), in the form of mmpretrain/models/backbones/
mobileone.py. For training, a step is the sum of parallel convolutions, each with its
batch norm, and of a batch norm of its input. Deployed, or re-parameterised, it is one
convolution. `models.folding` makes the second of the first.
"""

import dataclasses
import functools

import keras
from keras import layers, ops

from tsn_keras.models.building import check, classifier
from tsn_keras.models.layers import CaffeConv2D
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled

LEAST_SIDE = 32  # The last feature map is then one pixel.
HEAD = "head_fc"  # MMPretrain's `head.fc`.
STEM = 64  # Channels of stage 0.
SQUEEZE = 16  # Squeeze and excitation divides the channels by it.
# Of stages 1 to 4: channels, pairs of a depthwise and a pointwise step, and how many
# of the last pairs have squeeze and excitation. The first step halves the image.
STAGES = ((192, 2, 0), (448, 8, 0), (896, 10, 5), (2048, 1, 1))


@dataclasses.dataclass(frozen=True)
class _Step:
    """One step of the network: a convolution in either form, and a ReLU.

    Attributes:
        name: MMPretrain's.
        inputs: channels at width 1 of the input.
        channels: those of the output.
        kernel: side of the kernel in pixels.
        stride: distance of windows in pixels.
        depthwise: every channel has its own convolution.
        squeezed: squeeze and excitation come before the ReLU.
    """

    name: str
    inputs: int
    channels: int
    kernel: int
    stride: int
    depthwise: bool
    squeezed: bool

    def layer(self, part):
        """Name of the layer that is called `part` in this step."""
        return f"{self.name}.{part}".replace(".", "_")

    @property
    def kernels(self):
        """{name of a parallel branch: side of its kernel}."""
        scale = {"branch_scale": 1} if self.kernel > 1 else {}
        return scale | {"branch_conv_list.0": self.kernel}

    @property
    def keeps_shape(self):
        """Whether the input itself is a branch."""
        return self.stride == 1 and self.inputs == self.channels


def _steps():
    """The steps of the network, each of which reads the one before it."""
    steps = [_Step("stage0", 3, STEM, 3, 2, False, False)]
    for stage, (channels, pairs, squeezed) in enumerate(STAGES, 1):
        for pair in range(pairs):
            name, before = f"stage{stage}", steps[-1].channels
            last, stride = pair >= pairs - squeezed, 2 if pair == 0 else 1
            steps += [
                _Step(f"{name}.{2 * pair}", before, before, 3, stride, True, last),
                _Step(f"{name}.{2 * pair + 1}", before, channels, 1, 1, False, last),
            ]
    return tuple(steps)


STEPS = _steps()


@keras.saving.register_keras_serializable("tsn_keras")
class PaddedDepthwiseConv2D(layers.DepthwiseConv2D):
    """Depthwise convolution padded alike on both sides, as PyTorch pads.

    Keras' "same" pads a strided convolution more on the right, which moves the grid
    by a pixel; with stride 1 and an odd kernel the two agree.

    Args:
        kernel_size: side of the kernel in pixels.
        strides: distance of windows in pixels.
        pad: zeros on each side in pixels.
    """

    def __init__(self, kernel_size, strides=1, pad=0, **kwargs):
        size, stride = (
            v if isinstance(v, int) else v[0] for v in (kernel_size, strides)
        )
        same = stride == 1 and size == 2 * pad + 1
        super().__init__(size, stride, padding="same" if same else "valid", **kwargs)
        self.pad = pad

    def _explicit_pad(self):
        return self.pad if self.padding == "valid" else 0

    def call(self, inputs):
        pad = self._explicit_pad()
        if pad:
            inputs = ops.pad(inputs, [(0, 0), (pad, pad), (pad, pad), (0, 0)])
        return super().call(inputs)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        pad = 2 * self._explicit_pad()
        height, width = (None if x is None else x + pad for x in (height, width))
        return super().compute_output_shape((batch, height, width, channels))

    def get_config(self):
        config = {**super().get_config(), "pad": self.pad}
        # Derived from `pad`.
        del config["padding"]
        return config


def MobileOneS4(
    input_shape=(224, 224, 3), classes=1000, dropout=0.4, width=1.0, deployed=False
):
    """Builds MobileOne-S4 as a functional model.

    Every layer with weights bears MMPretrain's name with "." as "_". A ReLU bears the
    name of the step of which it is the end.

    Args:
        input_shape: (H, W, C); H and W of at least 32.
        classes: number of classes, or None for the pooled features alone.
        dropout: fraction of the pooled features dropped in training.
        width: factor on every number of channels but the input's and the classes';
            for small models.
        deployed: one convolution a step, as in re-parameterised files, instead of
            parallel ones with batch norms.

    Returns:
        keras.Model: [N, H, W, C], R, G, B of ImageNet's mean and deviation, to raw
        scores [N, classes] before the softmax, or to features [N, 2048 * width].

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> MobileOneS4((32, 32, 10), classes=51, width=0.05).output_shape
        (None, 51)
    """
    check(input_shape, classes, width, LEAST_SIDE)

    # === Functional Model ===
    x = inputs = keras.Input(input_shape, name="data")
    for step in STEPS:  # 112 from stage 0, 56 from 1, 28 from 2, 14 from 3, 7 from 4
        if deployed:
            x = _conv(x, step, step.kernel, width, "branch_reparam", use_bias=True)
        else:
            x = _parallel(x, step, width)
        if step.squeezed:
            x = _excited(x, step, width)
        x = layers.ReLU(name=step.name.replace(".", "_"))(x)
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    if classes is not None:
        x = layers.Dropout(dropout, name="dropout")(x)
        x = classifier(x, classes, HEAD)
    return keras.Model(inputs, x, name=_name(deployed))


def base_channels(deployed=False):
    """Output channels at width 1 of every convolution, by MMPretrain's name."""
    found = {}
    for step in STEPS:
        branches = (f"{branch}.conv" for branch in step.kernels)
        for part in ("branch_reparam",) if deployed else branches:
            found[f"{step.name}.{part}"] = step.channels
        if step.squeezed:
            found[f"{step.name}.se.conv1.conv"] = step.channels // SQUEEZE
            found[f"{step.name}.se.conv2.conv"] = step.channels
    return found


def _conv(x, step, kernel, width, part, use_bias=False):
    """A convolution of a step: [N, H, W, .] to [N, H', W', channels]."""
    # MMEngine's Kaiming of a convolution is normal and by fan-out, which PyTorch counts
    # over all channels of a depthwise kernel, and Keras calls its fan-in.
    fan = "fan_in" if step.depthwise else "fan_out"
    initial = keras.initializers.VarianceScaling(2.0, fan, "untruncated_normal")
    options = {"strides": step.stride, "pad": kernel // 2, "use_bias": use_bias}
    options["name"] = step.layer(part)
    if step.depthwise:
        return PaddedDepthwiseConv2D(kernel, depthwise_initializer=initial, **options)(
            x
        )
    count = scaled(step.channels, width)
    return CaffeConv2D(count, kernel, kernel_initializer=initial, **options)(x)


def _parallel(x, step, width):
    """The sum of a step's branches, as for training."""

    def norm(y, part):
        # PyTorch's eps, and its momentum of 0.1, which is one minus Keras'.
        return layers.BatchNormalization(
            epsilon=1e-5, momentum=0.9, name=step.layer(part)
        )(y)

    branches = [
        norm(_conv(x, step, kernel, width, f"{name}.conv"), f"{name}.norm")
        for name, kernel in step.kernels.items()
    ]
    if step.keeps_shape:
        branches.append(norm(x, "branch_norm"))
    if len(branches) == 1:
        return branches[0]
    return layers.Add(name=step.layer("sum"))(branches)


def _excited(x, step, width):
    """Squeeze and excitation: channels times factors from their means."""
    y = layers.GlobalAveragePooling2D(keepdims=True, name=step.layer("se.pool"))(x)
    for part, channels, activation in (
        ("se.conv1.conv", step.channels // SQUEEZE, "relu"),
        ("se.conv2.conv", step.channels, "sigmoid"),
    ):
        y = layers.Conv2D(
            scaled(channels, width),
            1,
            activation=activation,
            kernel_initializer=keras.initializers.VarianceScaling(
                2.0, "fan_out", "untruncated_normal"
            ),
            name=step.layer(part),
        )(y)
    return layers.Multiply(name=step.layer("se"))([x, y])


def _name(deployed):
    return "mobileone_s4_deploy" if deployed else "mobileone_s4"


def _record(title, deployed, first):
    """The record of one of the two forms."""
    return Backbone(
        name=_name(deployed),
        title=title,
        build=functools.partial(MobileOneS4, deployed=deployed),
        features="avgpool",
        first=first,
        head=HEAD,
        channels=base_channels(deployed),
    )


MOBILEONE_S4 = _record("MobileOne-S4", False, "stage0_branch_conv_list_0_conv")
MOBILEONE_S4_DEPLOY = _record("MobileOne-S4, deployed", True, "stage0_branch_reparam")
