"""The benchmark's peers compute what we compute. No clock is looked at."""

import decoding
import numpy as np
import peers
import pytest
import turns
import videofiles

from tsn_keras.models.bn_inception import BNInception
from tsn_keras.models.folding import fold


@pytest.fixture(scope="module")
def case():
    model = BNInception(classes=5, width=0.1)
    peers.random_weights(model)
    random = np.random.default_rng(0)
    images = random.integers(-128, 128, (2, 224, 224, 3)).astype("f4")
    return model, images, model.predict(images, verbose=0)


@pytest.mark.parametrize("name", ["pytorch", "onnxruntime", "openvino"])
def test_peers_give_our_scores(case, name):
    pytest.importorskip({"pytorch": "torch"}.get(name, name))
    if name != "pytorch":
        pytest.importorskip("onnx")
    model, images, expected = case
    network = model if name == "pytorch" else peers.onnx_model(fold(model))
    found = getattr(peers, name)(network, 1)(images)
    # Float32 sums in other orders.
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("name", decoding.READERS)
@pytest.mark.parametrize("what", ["all", "training"])
def test_readers_give_our_frames(name, what, tmp_path):
    pytest.importorskip(decoding.PEERS.get(name, "av"))
    path = videofiles.make(tmp_path / "v.mp4", 40, "libx264")
    numbers = decoding.wanted(what, 40, np.random.default_rng(0))
    assert len(numbers) == {"all": 40, "training": 3}[what]
    reader = decoding.READERS[name]()
    assert reader.count(path) == 40
    frames = list(reader.frames(path, numbers))
    expected = videofiles.by_opencv(path)
    expected = [expected[number] for number in numbers]
    # decord converts colours by other rules.
    most = decoding.ALIKE if name == "decord" else 0
    assert decoding.alike([expected], [frames], most) == 1
    assert decoding.alike([expected[:1]], [[255 - frames[0]]], most) == 0


def test_ratio_is_the_median_of_the_rounds():
    assert turns.ratio([2, 9, 8], [1, 3, 1]) == 3


class _Counter:
    def __init__(self, log, name):
        self.log, self.name = log, name

    def measure(self):
        self.log.append(self.name)
        return len(self.log)


def test_another_contender_begins_each_round():
    log = []
    found = turns.rounds({n: _Counter(log, n) for n in "abc"}, 3)
    assert "".join(log) == "abcbcacab"
    assert found == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}
