"""Spatiotemporal residual networks: two ResNet-50s over the steps of a video.

Feichtenhofer, Pinz and Wildes, "Spatiotemporal Residual Networks for Video Action
Recognition", NIPS 2016 (https://arxiv.org/abs/1611.02155), as its code makes them
(feichtenhofer/st-resnet STResNet_stage1.m, STResNet_stage2.m). The appearance stream
reads one image of each step, the motion stream its flow. In the second block of each
stage, "b", motion is added to what the residual branch of appearance reads, and the
first and last convolutions of both streams' branches look along time.

Two things are as Keras Applications, whose weights there are, have them, and not as
Caffe: the windows of the first pooling begin one pixel before the image, not in it, and
1.001e-5 is added to variances, not 1e-5.
"""

import dataclasses
import functools

import keras
from keras import layers

from tsn_keras.models import cross_modality, over_time, residual, resnet
from tsn_keras.models.records import Backbone, Facts
from tsn_keras.models.widths import scaled

SPATIAL, TEMPORAL = "_spatial", "_temporal"  # behind the names of the streams' layers
RESNET = resnet.RESNET50_CAFFE  # what both streams begin with
STEPS = 5  # of a video in training; in stage 2, which pools them, there are 11
_IMAGE = 3  # channels of the appearance stream, which are first
_FUSED = 1  # the number of the block, from 0, whose branch is fused
# An image of 7 x 7 cells, the window of pool5.
SMALLEST = 193

# From Keras' network: the original has no biases but in the first convolution
# (ResNet-50-deploy.prototxt), and statistics move by 0.05 (BatchNorm.m).
PLAN = dataclasses.replace(
    resnet.CAFFE_PLANS[RESNET.name],
    names=residual.CAFFE,
    bias=False,
    stem_bias=True,
    momentum=0.95,
)


@dataclasses.dataclass(frozen=True)
class Design:
    """Which network of the family.

    Attributes:
        fusion: layer that joins motion and appearance before the residual branch; or
            None, and the streams do not meet.
        temporal: whether convolutions of the fused blocks look along time.
        pools: whether the last maps are pooled over time, as in stage 2.
    """

    fusion: type[keras.layers.Layer] | None = layers.Add
    temporal: bool = True
    pools: bool = False


@dataclasses.dataclass(frozen=True)
class _Layers(residual.Layers):
    """The layers of one stream.

    Attributes:
        steps: T, for convolutions along time; 0: there are none.
    """

    steps: int = 0

    @functools.cached_property
    def _along_time(self):
        found = [b for b in residual.blocks(self.plan) if b.number == _FUSED]
        return {conv for b in found for conv in b.branch if conv.kernel == 1}

    def looks_along_time(self, conv):
        """Whether a convolution is one along time."""
        return self.steps > 0 and conv in self._along_time

    def convolution(self, conv):
        if not self.looks_along_time(conv):
            return super().convolution(conv)
        channels = scaled(conv.channels, self.width)
        return over_time.TemporalConvolution(channels, self.steps, name=conv.name)


def plan_of(stream: str) -> residual.Plan:
    """The Plan of a stream, SPATIAL or TEMPORAL."""
    return dataclasses.replace(PLAN, names=PLAN.names.with_suffix(stream))


def STResNet(
    design,
    input_shape=(STEPS, 224, 224, 23),
    classes=101,
    dropout=0.0,
    width=1.0,
):
    """Builds a network of the family as a functional model.

    Args:
        design: Design.
        input_shape: (T, H, W, C); H and W at least 193, or None for any. C is 3 for
            the image of a step, and the channels of its flow: 20 for ten pairs.
        classes: number of classes, or None for the pooled features alone.
        dropout: fraction of each stream's features dropped in training; the original
            has none.
        width: factor on every number of channels but the input's and the classes'.

    Returns:
        keras.Model: [B, T, H, W, C], image before flow, to raw scores of each step
        and stream, [B, T', 2, classes], appearance before motion, before the softmax;
        or to features [B, T', 2, 2048 * width]. T' is T, or (T - 5) // 2 + 1 where
        time is pooled. Those of an image larger than 224 are means over its windows.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> from tsn_keras.models.st_resnet import ST_RESNET50
        >>> model = ST_RESNET50.build((5, 224, 224, 23), classes=51, width=0.0625)
        >>> model.output_shape
        (None, 5, 2, 51)
    """
    steps, *image = _check(input_shape, classes, width)
    streams = [
        _Layers(plan_of(name), width, steps if design.temporal else 0)
        for name in (SPATIAL, TEMPORAL)
    ]
    # === Functional Model ===
    inputs = keras.Input(input_shape, name="data")
    counts = (0, _IMAGE), (_IMAGE, image[-1] - _IMAGE)
    maps = [
        made.stem(over_time.StepsAsBatch(*channels, name=f"data{suffix}")(inputs))
        for made, channels, suffix in zip(
            streams, counts, (SPATIAL, TEMPORAL), strict=True
        )
    ]
    total = None
    for ours, theirs in zip(*(residual.blocks(s.plan) for s in streams), strict=True):
        appearance, motion = maps
        reads = None
        if ours.number == _FUSED and design.fusion is not None:
            # The sum before its ReLU, of which the shortcut sees nothing
            # (STResNet_stage1.m:207-256).
            name = f"{ours.end[0]}_fused"
            reads = design.fusion(name=name)([total, motion])
        total, appearance = streams[0].block(appearance, ours, reads)
        maps = [appearance, streams[1].block(motion, theirs)[1]]
    scores = []
    for made, x, suffix in zip(streams, maps, (SPATIAL, TEMPORAL), strict=True):
        if design.pools:
            # Before the mean over places: after it would give other numbers.
            pool = over_time.TemporalMaxPooling(steps, name=f"pool_time{suffix}")
            x = pool(x)
        x = over_time.WindowMean(name=made.plan.names.top[0])(x)
        scores.append(made.classifier(x, classes, dropout, f"dropout{suffix}"))
    count = pool.windows if design.pools else steps
    outputs = over_time.StepsOfStreams(count, name="steps")(scores)
    return keras.Model(inputs, outputs, name="st_resnet")


def _check(input_shape, classes, width):
    if len(input_shape) != 4 or not input_shape[0] or not input_shape[-1]:
        raise ValueError(
            "`input_shape` must be (steps, height, width, channels). Received: "
            f"input_shape={tuple(input_shape)}"
        )
    if input_shape[-1] <= _IMAGE:
        raise ValueError(
            f"`input_shape` must have more than {_IMAGE} channels, those of an image "
            f"and of flow. Received: input_shape={tuple(input_shape)}"
        )
    residual.check_arguments(PLAN, input_shape[1:], classes, width, SMALLEST)
    return input_shape


def begin(model, appearance, motion):
    """Copies two ResNet-50s into the streams of a network.

    A kernel along time begins as the mean over three steps; flow's first kernel, where
    that of `motion` is for images, as the mean over their colours
    (cnn_ucf101_temporal.m:116). A bias before a batch norm is taken off its mean, which
    is the same function.

    Args:
        model: keras.Model, what STResNet returned.
        appearance: keras.Model, "resnet50_caffe" for images, of the same width.
        motion: likewise, for images or for flow.

    Returns:
        list of str, names of the layers whose weights were not copied: classifiers,
        where the numbers of classes differ.

    Raises:
        ValueError: they are no such networks.
    """
    kept = []
    for source, stream in ((appearance, SPATIAL), (motion, TEMPORAL)):
        plan = plan_of(stream)
        there = {layer.name: layer for layer in source.layers}
        own = residual.convolutions(resnet.CAFFE_PLANS[RESNET.name])
        ours = residual.convolutions(plan)
        if not {conv.name for conv in own} <= there.keys():
            raise ValueError(
                f"{source.name} is no {RESNET.title}: the streams begin with two"
            )
        for conv, target in zip(own, ours, strict=True):
            values = there[conv.name].get_weights()
            _set(model, target, values, there[conv.norm].get_weights())
        head, name = there.get(RESNET.head), plan.names.top[1]
        if head is not None and _fits(model.get_layer(name), head.get_weights()):
            model.get_layer(name).set_weights(head.get_weights())
        else:
            kept.append(name)
    return kept


def _set(model, conv, values, of_norm):
    """Sets a convolution and its batch norm to those of an image's network."""
    layer, norm = model.get_layer(conv.name), model.get_layer(conv.norm)
    kernel, bias = values
    if isinstance(layer, over_time.TemporalConvolution):
        kernel = over_time.averaging(kernel)
    elif kernel.shape[2] != layer.kernel.shape[2]:
        kernel = cross_modality.widened(kernel, layer.kernel.shape[2])
    if getattr(layer, "use_bias", False):
        values = [kernel, bias]
    else:
        values = [kernel]
        scale, shift, mean, variance = of_norm
        of_norm = [scale, shift, mean - bias, variance]
    for one, found in ((layer, values), (norm, of_norm)):
        if not _fits(one, found):
            raise ValueError(
                f"{one.name} has weights of {[v.shape for v in one.weights]}, the "
                f"source of {[v.shape for v in found]}: is it of another width?"
            )
        one.set_weights(found)


def _fits(layer, values):
    return [v.shape for v in values] == [tuple(v.shape) for v in layer.weights]


@dataclasses.dataclass(frozen=True)
class _Record(Backbone):
    """A network of two streams: it has two first convolutions and two classifiers."""

    @property
    def heads(self):
        return tuple(plan_of(stream).names.top[1] for stream in (SPATIAL, TEMPORAL))

    def read_shapes(self, shapes):
        found = super().read_shapes(shapes)
        if found is None:
            return None
        side = residual.stem_of(PLAN).kernel
        firsts = (s for s in shapes.values() if len(s) == 4 and s[0] == side)
        return Facts(sum(shape[2] for shape in firsts), found.classes, found.width)


def _record(name, title, design, steps=STEPS):
    plans = [plan_of(stream) for stream in (SPATIAL, TEMPORAL)]
    named = [_Layers(plan, 1.0, int(design.temporal)) for plan in plans]
    return _Record(
        name=name,
        title=title,
        build=functools.partial(STResNet, design),
        features=plans[0].names.top[0],
        first=plans[0].names.stem[0],
        head=plans[0].names.top[1],
        # Kernels along time have three axes and are not counted among these.
        channels={
            conv.name: conv.channels
            for made in named
            for conv in residual.convolutions(made.plan)
            if not made.looks_along_time(conv)
        },
        matrices=1,  # the second classifier
        steps=steps,
        # Keras Applications' own has the same layers.
        streams=(RESNET.name, "keras:ResNet50"),
        begin=begin,
        kin=_ALONG_TIME if design.temporal else (),
    )


# With kernels along time they have the same arrays: stage 2 begins with stage 1.
_ALONG_TIME = ("st_resnet50", "st_resnet50_star", "st_mulnet50")
ST_RESNET50 = _record("st_resnet50", "ST-ResNet-50", Design())
# The paper's ST-ResNet*: stage 2 of the training.
ST_RESNET50_STAR = _record("st_resnet50_star", "ST-ResNet-50*", Design(pools=True), 11)
# Feichtenhofer et al., "Spatiotemporal Multiplier Networks", CVPR 2017: STMulNet.m.
ST_MULNET50 = _record("st_mulnet50", "ST-MulNet-50", Design(layers.Multiply))
# Two networks that do not meet, to be compared with.
TWO_RESNET50 = _record("two_resnet50", "pair of ResNet-50s", Design(None, False))
ST_RESNETS = (ST_RESNET50, ST_RESNET50_STAR, ST_MULNET50, TWO_RESNET50)
