"""Swin-Base, layer by layer as timm has it and MMAction2 calls it.

Liu et al., "Swin Transformer: Hierarchical Vision Transformer using Shifted Windows"
(https://arxiv.org/abs/2103.14030), in the form of timm's
swin_base_patch4_window7_224, models/swin_transformer.py.
"""

import re

import keras
import numpy as np
from keras import layers

from tsn_keras.models.building import check, classifier
from tsn_keras.models.folding import fold
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled
from tsn_keras.models.windows import (
    Linear,
    PatchMerging,
    TokenNorm,
    WindowAttention,
    gelu,
)

PATCH = 4  # Side of a token of the first stage in pixels.
WINDOW = 7  # Side of a window in tokens: the tables of biases have no other.
DEPTHS = (2, 2, 18, 2)  # Blocks of each stage.
HEADS = 4  # Of the first stage; each stage has twice as many as the one before.
HEAD_CHANNELS = 32
MLP_RATIO = 4
# The last stage, of 1/32 of the image, must be whole windows.
SIDE = 2 ** (len(DEPTHS) - 1) * PATCH * WINDOW
# Rate at which the last block is skipped in training; the first never is. timm's
# default, which MMAction2's configuration leaves as it is.
DROP_PATH = 0.1
HEAD = "head"


def SwinBase(
    input_shape=(224, 224, 3), classes=400, dropout=0.4, width=1.0, name="swin_base"
):
    """Builds Swin-Base as a functional model.

    Every layer with weights bears timm's name with "." as "_", patch merging as timm
    counts it since version 0.9: at the beginning of a stage.

    Args:
        input_shape: (S, S, C); S a multiple of 224, so that every stage is whole
            windows of 7 x 7 tokens.
        classes: number of classes, or None for the pooled features alone.
        dropout: fraction of the pooled features dropped in training. Besides, training
            skips whole blocks of single images, the deeper the more, up to 10 %.
        width: factor on the number of heads, of 32 channels each: a multiple of 0.25.
            At 0.75 and 1.5 it is timm's swin_small and swin_large.
        name: name of the model.

    Returns:
        keras.Model: [N, S, S, C], R, G, B of ImageNet's mean and deviation, to raw
        scores [N, classes] before the softmax, or to features [N, 1024 * width], the
        mean of all tokens.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
        >>> SwinBase((224, 224, 10), classes=51, width=0.25).output_shape
        (None, 51)
    """
    _check(input_shape, classes, width)

    # === Functional Model ===
    inputs = keras.Input(input_shape, name="data")
    heads = scaled(HEADS, width)
    # PyTorch's default for convolutions.
    bound = (PATCH * PATCH * input_shape[-1]) ** -0.5
    x = layers.Conv2D(
        heads * HEAD_CHANNELS,
        PATCH,
        PATCH,
        kernel_initializer=keras.initializers.RandomUniform(-bound, bound),
        bias_initializer=keras.initializers.RandomUniform(-bound, bound),
        name="patch_embed_proj",
    )(inputs)
    x = _norm(x, "patch_embed_norm")
    rates = iter(np.linspace(0, DROP_PATH, sum(DEPTHS)).tolist())
    for stage, depth in enumerate(DEPTHS):  # 56, 28, 14, 7
        if stage:
            heads *= 2
            x = _merged(x, heads * HEAD_CHANNELS, f"layers_{stage}_downsample")
        for index in range(depth):
            # Every other block; one window alone has nothing to shift.
            shift = WINDOW // 2 if index % 2 and x.shape[1] > WINDOW else 0
            name_of_block = f"layers_{stage}_blocks_{index}"
            x = _block(x, (heads, WINDOW, shift), next(rates), name_of_block)
    x = _norm(x, "norm")
    x = layers.GlobalAveragePooling2D(name="avgpool")(x)
    if classes is not None:
        x = layers.Dropout(dropout, name="dropout")(x)
        x = classifier(x, classes, HEAD)
    return keras.Model(inputs, x, name=name)


def _check(input_shape, classes, width):
    check(input_shape, classes, width, SIDE)
    height, side = input_shape[:2]
    if height != side or side % SIDE:
        raise ValueError(
            "`input_shape` must be (side, side, channels), the side a multiple of "
            f"{SIDE}. Received: input_shape={tuple(input_shape)}"
        )
    if HEADS * width % 1:
        raise ValueError(
            f"`width` must be a multiple of {1 / HEADS:g}, for whole heads of "
            f"{HEAD_CHANNELS} channels. Received: width={width}"
        )


def _norm(x, name):
    return TokenNorm(epsilon=1e-5, name=name)(x)


def _linear(x, units, name, **kwargs):
    # timm cuts the normal distribution off at 100 deviations.
    initial = keras.initializers.RandomNormal(stddev=0.02)
    return Linear(units, kernel_initializer=initial, name=name, **kwargs)(x)


def _merged(x, channels, name):
    """Four tokens as one: [N, S, S, .] to [N, S / 2, S / 2, channels]."""
    x = PatchMerging(name=name)(x)
    x = _norm(x, f"{name}_norm")
    return _linear(x, channels, f"{name}_reduction", use_bias=False)


def _block(x, attention, rate, name):
    """Attention within windows, and two dense layers a token: [N, S, S, C], both.

    Args:
        x: the tokens.
        attention: heads, window and shift, see WindowAttention.
        rate: how often training skips either part of an image's block.
        name: name of the block and of its output.
    """
    channels = x.shape[-1]
    y = _norm(x, f"{name}_norm1")
    y = _linear(y, 3 * channels, f"{name}_attn_qkv")
    y = WindowAttention(*attention, name=f"{name}_attn")(y)
    y = _linear(y, channels, f"{name}_attn_proj")
    x = layers.Add(name=f"{name}_add")([x, _skipped(y, rate, f"{name}_drop_path1")])
    y = _norm(x, f"{name}_norm2")
    y = _linear(y, MLP_RATIO * channels, f"{name}_mlp_fc1", activation=gelu)
    y = _linear(y, channels, f"{name}_mlp_fc2")
    return layers.Add(name=name)([x, _skipped(y, rate, f"{name}_drop_path2")])


def _skipped(x, rate, name):
    """Stochastic depth: training drops a part of single images as a whole."""
    if not rate:
        return x
    return layers.Dropout(rate, noise_shape=(None, 1, 1, 1), name=name)(x)


def _fold(model):
    """Copies `model` without dropout, the scale of attention done by the kernels."""
    folded = fold(model)
    for layer in folded.layers:
        if isinstance(layer, WindowAttention) and not layer.scaled:
            linear = folded.get_layer(f"{layer.name}_qkv")
            queries = linear.units // 3
            factor = np.ones(linear.units)
            factor[:queries] = (queries // layer.heads) ** -0.5
            for variable in (linear.kernel, linear.bias):
                variable.assign(np.asarray(variable, np.float64) * factor)
            layer.scaled = True
    return folded


def _as_counted_today(names):
    """Gives layers of patch merging the numbers that they have since timm 0.9.

    Before, merging was the end of a stage and bore the number of that one: then there
    is one in stage 0, which now has none.
    """
    old = any(name.startswith("layers.0.downsample.") for name in names)
    old = old and not any(name.startswith("layers.3.downsample.") for name in names)

    def today(name):
        match = re.fullmatch(r"layers\.(\d+)\.(downsample\..*)", name)
        return f"layers.{int(match[1]) + 1}.{match[2]}" if old and match else name

    return {name: today(name) for name in names}


SWIN_BASE = Backbone(
    name="swin_base",
    title="Swin-Base",
    build=SwinBase,
    features="avgpool",
    first="patch_embed_proj",
    head=HEAD,
    channels={"patch_embed.proj": HEADS * HEAD_CHANNELS},
    # Table, qkv, proj, fc1 and fc2 of every block; a reduction before every stage but
    # the first.
    matrices=5 * sum(DEPTHS) + len(DEPTHS) - 1,
    # timm's classifier since version 0.9.
    renames=((r"^head\.fc(?=\.)", HEAD),),
    named_as_model=_as_counted_today,
    fold=_fold,
)
