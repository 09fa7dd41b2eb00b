"""Heat under a trained attention: also what goes through the features."""

import base64

import keras
import numpy as np
import small_network
import tensorflow as tf

from tsn_keras.checkpoints import keras_file, loading
from tsn_keras.explanation.explainer import Explainer
from tsn_keras.models.consensus import SegmentConsensus
from tsn_keras.pipeline import transforms
from tsn_keras.prediction import run
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.overrides import Override

ATTENTION = np.random.default_rng(7).normal(0, 0.3, 6).astype("<f4")


def test_heat_is_of_the_whole_gradient(small, frames, tmp_path):
    about = {"backbone": small_network.SMALL.name, "modality": "rgb", "width": 1.0}
    weight = base64.b64encode(ATTENTION.tobytes()).decode()
    about |= {"protocol": "caffe", "consensus": {"kind": "attention", "weight": weight}}
    path = tmp_path / "attends.weights.h5"
    keras_file.save(small, path, about)
    asked = Override(snippets=3, crops=1, over_time="consensus")
    predictor = run.ready(
        run.open_weights([str(path)], override=asked), Settings(override=asked)
    )
    explanation = Explainer(predictor, "grad_cam").explain(frames)
    found, label = explanation.streams["rgb"], explanation.label
    assert len(found.ticks) == 3

    stream = loading.find(path).stream
    cut = transforms.cut(found.snippets, predictor.view, stream).numpy()[:, 0]
    body = keras.Model(small.inputs[0], small.get_layer("body").output)
    maps = body(cut - np.float32([104, 117, 123]), training=False)
    layer = SegmentConsensus("attention")
    layer.build([(1, 3, 3), (1, 3, 6)])
    layer.weight.assign(ATTENTION)
    with tf.GradientTape() as tape:
        tape.watch(maps)
        features = tf.reduce_mean(maps, (1, 2))
        scores = small.get_layer("scores")(features)
        score = layer([scores[None], features[None]])[0, label]
    gradient = tape.gradient(score, maps).numpy()
    heat = (gradient.mean((1, 2), keepdims=True) * maps.numpy()).sum(-1)
    expected = np.maximum(heat, 0)
    assert expected.max() > 0
    largest = expected.max()
    np.testing.assert_allclose(found.maps[:, 0, 0], expected, atol=1e-5 * largest)
    np.testing.assert_allclose(found.score, score, rtol=1e-5)
