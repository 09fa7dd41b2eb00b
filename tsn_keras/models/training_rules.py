"""Which variables are trained, and how fast: the original's train_val files.

temporal-segment-networks models/*/tsn_bn_inception_*_train_val.prototxt.
"""

from keras import layers

BATCH_NORMS = ("first", "none", "all")


def set_batch_norm(model, trainable="first"):
    """Chooses the batch norms that learn; the others are frozen.

    A frozen one normalises by its moving statistics, which stay, and its slope
    and bias are not trained ("partial BN", TSN section 3.3).

    Args:
        model: a backbone, of which batch norms are layers.
        trainable: "first", "none" or "all".

    Raises:
        ValueError: if `trainable` is something else.
    """
    if trainable not in BATCH_NORMS:
        raise ValueError(
            f"`trainable` must be one of {BATCH_NORMS}. Received: {trainable!r}"
        )
    norms = [x for x in model.layers if isinstance(x, layers.BatchNormalization)]
    for index, layer in enumerate(norms):
        layer.trainable = trainable == "all" or (trainable == "first" and index == 0)


def multipliers(model, first, first_rate):
    """Factors of the learning rate and the weight decay.

    Kernels (1, 1), biases (2, 0), slopes and biases of batch norms (1, 0). The
    first convolution of flow learns five times as fast: its initialisation is
    made from RGB's.

    Args:
        model: a backbone.
        first: name of its first convolution.
        first_rate: factor on that one's rate, see modalities.Modality.

    Returns:
        {path of a trained variable: (of the rate, of the decay)}.
    """
    found = {}
    for layer in model.layers:
        factor = first_rate if layer.name == first else 1.0
        for variable in layer.trainable_variables:
            if isinstance(layer, layers.BatchNormalization):
                found[variable.path] = (1.0, 0.0)
            elif variable is getattr(layer, "bias", None):
                found[variable.path] = (2.0 * factor, 0.0)
            else:
                found[variable.path] = (factor, 1.0)
    return found
