"""From the pixels of snippets to what a network sees, as a Keras layer."""

import keras
from keras import ops

from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream


def network_input(pixels, stream):
    """Pixels to what the network sees, in the operations of Keras' backend.

    Args:
        pixels: uint8 [..., planes], images in B, G, R; float32 of modalities that
            stack displacements.
        stream: protocols.records.Stream.

    Returns:
        float32 [..., channels].
    """
    if stream.modality.parts:
        found, first = [], 0
        for part in stream.parts:
            last = first + part.modality.planes
            found.append(network_input(pixels[..., first:last], part))
            first = last
        return ops.concatenate(found, axis=-1)
    modality, rule = stream.modality, stream.normalisation
    planes = modality.step_planes
    count = pixels.shape[-1]
    if stream.protocol.red_first and modality.is_image:
        steps = range(0, count, planes)
        order = [step + k for step in steps for k in reversed(range(planes))]
        pixels = ops.take(pixels, order, axis=-1)
    # Repeated over the steps (data_transformer.cpp:182-196).
    inputs = ops.cast(pixels, "float32")
    if rule.scale != 1:
        inputs = inputs / rule.scale
    inputs = inputs - _by_plane(rule.mean, count)
    if any(value != 1 for value in rule.deviation):
        inputs = inputs / _by_plane(rule.deviation, count)
    if modality.differences:
        # Each step minus the step before it (tsn-pytorch models.py:193-224).
        inputs = inputs[..., planes:] - inputs[..., :-planes]
    return inputs


def _by_plane(values, planes):
    """One value for each plane, of one for each plane of a step, or one for all."""
    return ops.convert_to_tensor(values * (planes // len(values)), "float32")


@keras.saving.register_keras_serializable("tsn_keras")
class Preprocessing(keras.layers.Layer):
    """The pixels of snippets to the input of a network, in float32.

    Colour order, mean and deviation are those of a protocol. The arithmetic is
    that of evaluation and training, so that a model with this layer gives the same
    numbers. It is saved with the model and runs on every back end of Keras.

    Args:
        modality: name of the modality: "rgb", "flow", "rgbdiff", "sound", or another
            of protocols.modalities.
        protocol: name of the protocol; "caffe" is that of the 2016 code.

    Call arguments:
        inputs: uint8 [..., planes], 0 to 255. "rgb": B, G, R (3 planes); "flow":
            x1, y1, ..., x5, y5 (10 planes); "rgbdiff": six images of B, G, R (18
            planes); "sound": spectrograms of three windows (3 planes); "rgb_flow10":
            an image and ten pairs of flow (23 planes). float32 of modalities that
            stack displacements, 128 where nothing moves.

    Returns:
        float32 [..., channels]: 3, 10, 15, 3 or 23 channels.

    Raises:
        ValueError: there is no such modality or protocol, or the inputs have
            another number of planes.

    Example:
        >>> import numpy as np
        >>> layer = Preprocessing("rgb")
        >>> np.asarray(layer(np.full((1, 1, 1, 3), 128, "uint8"))).tolist()
        [[[[24.0, 11.0, 5.0]]]]
    """

    def __init__(self, modality="rgb", protocol="caffe", **kwargs):
        # The mean is subtracted in float32 whatever the network computes in.
        super().__init__(**{"dtype": "float32", "autocast": False, **kwargs})
        self.stream = Stream(MODALITIES.find(modality), PROTOCOLS.find(protocol))

    def call(self, inputs):
        return network_input(inputs, self.stream)

    def compute_output_shape(self, input_shape):
        self._check(input_shape)
        return (*input_shape[:-1], self.stream.modality.channels)

    def compute_output_spec(self, inputs):
        shape = self.compute_output_shape(inputs.shape)
        return keras.KerasTensor(shape, "float32")

    def build(self, input_shape):
        self._check(input_shape)
        super().build(input_shape)

    def _check(self, input_shape):
        modality = self.stream.modality
        if input_shape[-1] != modality.planes:
            raise ValueError(
                f"`inputs` of {modality.name} must have {modality.planes} planes. "
                f"Received: shape {tuple(input_shape)}"
            )

    def get_config(self):
        return {
            **super().get_config(),
            "modality": self.stream.modality.name,
            "protocol": self.stream.protocol.name,
        }
