"""Where networks are split: the last maps that their scores are computed of."""

import keras
import numpy as np
import pytest

from tsn_keras.common.errors import InputError
from tsn_keras.models import last_maps, over_time
from tsn_keras.models.backbones import BACKBONES

# {backbone: (its width, the layers of the last maps, their shape)}
LAST = {
    "resnet18": (1 / 16, ["layer4_1"], (7, 7, 32)),
    "vgg16": (1 / 16, ["features_29"], (14, 14, 32)),
    "keras:MobileNet": (0.25, ["conv_pw_13_relu"], (7, 7, 256)),
}


def names(body):
    return [tensor._keras_history.operation.name for tensor in body.outputs]


@pytest.mark.parametrize("name", LAST)
def test_both_parts_are_the_network(name):
    width, layers, shape = LAST[name]
    model = BACKBONES.find(name).build((224, 224, 3), classes=4, width=width)
    body, rest = last_maps.split(model)
    assert names(body) == layers
    assert body.outputs[0].shape[1:] == shape
    x = np.random.default_rng(0).normal(size=(2, 224, 224, 3)).astype("float32")
    found = rest(body(x, training=False), training=False)
    expected = model(x, training=False)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_network_of_two_streams_has_two():
    model = BACKBONES["two_resnet50"].build((5, 224, 224, 23), classes=4, width=1 / 16)
    body, rest = last_maps.split(over_time.scores_of_video(model))
    assert [tensor.shape[1:] for tensor in body.outputs] == [(7, 7, 128)] * 2
    assert rest.output_shape == (None, 4)


def test_a_network_of_one_look_has_none():
    inputs = keras.Input((4, 4, 3))
    scores = keras.layers.Dense(2)(keras.layers.GlobalAveragePooling2D()(inputs))
    with pytest.raises(InputError, match="has no maps between its input and"):
        last_maps.split(keras.Model(inputs, scores))
