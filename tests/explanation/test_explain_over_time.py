"""A network over time: heat of both streams at each step, and what steps add."""

import keras
import numpy as np
import pytest
import shallow_st_resnet
import videofiles

from tsn_keras.checkpoints import keras_file, loading
from tsn_keras.explanation.explainer import Explainer
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.prediction import run
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.overrides import Override


@pytest.mark.slow  # flow of whole videos, and two traces of a network of two streams
def test_steps_add_up_to_the_score(tmp_path):
    with shallow_st_resnet.applied(shallow_st_resnet.STAGE):
        keras.utils.set_random_seed(1)
        width = shallow_st_resnet.WIDTH
        model = BACKBONES["st_resnet50"].build((5, 224, 224, 23), 4, width=width)
        about = {"backbone": "st_resnet50", "modality": "rgb_flow10"}
        about |= {"protocol": "st_resnet", "width": width}
        path = tmp_path / "st.weights.h5"
        keras_file.save(model, path, about)
        settings = Settings(override=Override(snippets=3))
        predictor = run.ready({"rgb_flow10": loading.find(path)}, settings)
        pictures = [videofiles.picture(time, (64, 48)) for time in range(12)]
        frames = np.stack(pictures)[..., ::-1]
        explanation = Explainer(predictor, "grad_cam").explain(frames)
    (found,) = explanation.streams.values()
    scores = explanation.prediction.scores["rgb_flow10"]
    assert scores.shape == (1, 2, 4)
    of_crops = scores[0, :, explanation.label] / 2
    np.testing.assert_allclose(found.contributions.sum(axis=0), of_crops, rtol=1e-5)
    assert found.contributions.shape == (3, 2)
    assert found.contributions.std(axis=0).min() > 0
    # Of each step the maps of appearance and motion, in both crops: whole frames.
    assert found.maps.shape[:3] == (3, 2, 2)
    assert found.heat.shape == (3, 2, 256, 340)
    assert found.maps.min() >= 0
    assert found.maps.max(axis=(0, 2, 3, 4)).min() > 0
