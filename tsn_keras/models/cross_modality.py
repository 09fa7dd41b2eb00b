"""First convolutions for flow, RGB difference and sound, made from RGB's.

TSN section 3.3, "cross modality pre-training", as tsn-pytorch does it
(models.py:227-285): the mean over the three input channels, for each channel of
the new input. It is not rescaled by 3 / channels.
"""

import numpy as np


def initialise(target, source, record, random_first=False, is_other=False):
    """Copies weights from one backbone to another of other channels or classes.

    Everything but the first kernel is copied as it is, the classifier only if
    the numbers of classes are the same: otherwise `target` keeps its own.

    Args:
        target: keras.Model, a backbone.
        source: keras.Model, the same backbone of the same width.
        record: the backbone's records.Backbone.
        random_first: whether `target` keeps its own first kernel if that of `source`
            has other channels, as MMAction2 does (models/backbones/resnet.py:449-542);
            a bias is copied even so.
        is_other: whether `target` is for another modality, so that its first kernel is
            new even where the numbers of channels are the same.

    Returns:
        list of str, names of the layers whose weights were not copied.

    Raises:
        ValueError: a layer differs in anything else.
    """
    kept = []
    there = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        # A network of features has no classifier.
        values = there[layer.name].get_weights() if layer.name in there else []
        shapes = [tuple(variable.shape) for variable in layer.weights]
        if not shapes:
            continue
        is_first = layer.name == record.first
        if is_first and (is_other or values[0].shape[2] != shapes[0][2]):
            if random_first:
                values[0] = layer.get_weights()[0]
                kept.append(layer.name)
            else:
                values[0] = widened(values[0], shapes[0][2])
        if [value.shape for value in values] != shapes:
            if layer.name not in record.heads:
                raise ValueError(
                    f"{layer.name} has weights of {shapes}, the source of "
                    f"{[value.shape for value in values]}: is it of another width?"
                )
            kept.append(layer.name)
        else:
            layer.set_weights(values)
    return kept


def widened(kernel, channels):
    """Mean over the input channels, repeated.

    Args:
        kernel: [height, width, 3, outputs].
        channels: input channels of the result.

    Returns:
        array [height, width, channels, outputs].
    """
    mean = kernel.mean(axis=2, keepdims=True)
    return np.repeat(mean, channels, axis=2)
