"""TV-L1 by Keras, a pair at a time, for comparisons."""

import functools

import keras

from tsn_keras.flow import devices, tvl1


def ours(parameters, **options):
    """Makes a function of two uint8 [H, W] to their flow by Keras, [H, W, 2].

    Args:
        parameters: flow.settings.Parameters.
        options: other arguments of tvl1.tvl1.
    """
    compute = devices.compiled(
        functools.partial(tvl1.tvl1, **parameters.keywords(), **options)
    )

    def one(previous, following):
        images = (previous[None], following[None])
        images = map(keras.ops.convert_to_tensor, images)
        return keras.ops.convert_to_numpy(compute(*images))[0]

    return one
