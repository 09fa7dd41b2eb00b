"""Which variables are trained, and how fast: the original's train_val files.

temporal-segment-networks models/*/tsn_bn_inception_*_train_val.prototxt.
"""

from keras import layers

BATCH_NORMS = ("first", "none", "all")
FIRST_CONVOLUTION = "conv1_7x7_s2"


def set_batch_norm(model, live="first"):
    """Chooses the batch norms that learn; the others are frozen.

    A frozen one normalises by its moving statistics, which stay, and its slope
    and bias are not trained ("partial BN", TSN section 3.3).

    Args:
        model: a backbone, of which batch norms are layers.
        live: "first", "none" or "all".

    Raises:
        ValueError: if `live` is something else.
    """
    if live not in BATCH_NORMS:
        raise ValueError(f"`live` must be one of {BATCH_NORMS}. Received: {live!r}")
    norms = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    for index, layer in enumerate(norms):
        layer.trainable = live == "all" or (live == "first" and index == 0)


def multipliers(model, modality):
    """Factors of the learning rate and the weight decay.

    Kernels (1, 1), biases (2, 0), slopes and biases of batch norms (1, 0). The
    first convolution of flow learns five times as fast: its initialisation is
    made from RGB's.

    Args:
        model: a backbone.
        modality: "rgb", "flow" or "rgbdiff".

    Returns:
        {path of a trained variable: (of the rate, of the decay)}.
    """
    found = {}
    for layer in model.layers:
        factor = 5.0 if modality == "flow" and layer.name == FIRST_CONVOLUTION else 1.0
        for variable in layer.trainable_variables:
            if isinstance(layer, layers.BatchNormalization):
                found[variable.path] = (1.0, 0.0)
            elif variable is layer.bias:
                found[variable.path] = (2.0 * factor, 0.0)
            else:
                found[variable.path] = (factor, 1.0)
    return found
