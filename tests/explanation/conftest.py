"""A small network, its weight file, a video, and what explains them."""

import numpy as np
import pytest
import small_network
import videofiles

from tsn_keras.checkpoints import loading
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.prediction import run
from tsn_keras.prediction.settings import Settings

FRAMES = 9


@pytest.fixture(scope="session", autouse=True)
def small():
    """Makes the small network one of the backbones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)
        yield small_network.model()


@pytest.fixture(scope="session")
def weights_file(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    return small_network.FORMATS["own"](small, folder)


@pytest.fixture(scope="session")
def weights(weights_file):
    return loading.find(weights_file)


@pytest.fixture(scope="session")
def predictor(weights):
    return run.ready({"rgb": weights}, Settings())


@pytest.fixture(scope="session")
def frames():
    """uint8 [FRAMES, 48, 64, 3], R, G, B."""
    found = [videofiles.picture(time, (64, 48)) for time in range(FRAMES)]
    return np.stack(found)[..., ::-1]


@pytest.fixture(scope="session")
def video(tmp_path_factory):
    return videofiles.make(tmp_path_factory.mktemp("video") / "clip.avi", FRAMES)
