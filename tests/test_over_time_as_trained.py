"""The consensus that weights were trained with, in tests: `eval`, `predict`, Python."""

import base64
import dataclasses

import clips
import keras
import numpy as np
import pytest
import videofiles
from commands import call, fuse

import tsn_keras as tsn
from tsn_keras import eval
from tsn_keras.checkpoints import keras_file, loading
from tsn_keras.checkpoints.presets import PRESETS
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation import engine, ways
from tsn_keras.models.consensus import SegmentConsensus
from tsn_keras.models.preprocessing import network_input
from tsn_keras.models.tsn import TSN
from tsn_keras.pipeline import transforms
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.scores import metrics, score_file, windows

pytestmark = pytest.mark.usefixtures("shallow_network")
SLOW = pytest.mark.slow
SEGMENTS = 3
KINDS = ("average", "max", "top_k", "linear", "attention")
WEIGHT = {"linear": np.array([0.2, 0.7, -0.1], "f4")}


def told(kind):
    """What training writes of a consensus."""
    found = {"kind": kind} | ({"k": 2} if kind == "top_k" else {})
    if kind in WEIGHT:
        found["weight"] = base64.b64encode(WEIGHT[kind].tobytes()).decode()
    return found


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """A video, frames of two videos, and weights of the same numbers for each kind."""
    root = tmp_path_factory.mktemp("trained")
    videofiles.make(root / "clip.avi", 31)
    for seed, (name, count) in enumerate({"a": 9, "b": 31}.items()):
        clips.make_video(root / "data" / name, count, seed)
    (root / "list.txt").write_text("a 9 0\nb 31 1\n")
    model = clips.make_weights(root / "large.weights.h5", 3)
    head = model.get_layer("fc-action")
    kernel, bias = head.get_weights()
    # Of scores of some units, so that the softmax leaves all classes something.
    head.set_weights([kernel / 40, bias])
    # So that the snippets' shares differ, and none has all.
    WEIGHT["attention"] = np.random.default_rng(5).normal(0, 10, len(kernel))
    WEIGHT["attention"] = WEIGHT["attention"].astype("f4")
    for kind in KINDS:
        about = {"width": clips.WIDTH, "consensus": told(kind)}
        keras_file.save(model, root / f"{kind}.weights.h5", about)
    about = {"width": clips.WIDTH, "loss": "sigmoid"}
    keras_file.save(model, root / "sigmoid.weights.h5", about)
    keras_file.save(model, root / "none.weights.h5", {"width": clips.WIDTH})
    return root


def trained(path, kind, snippets, stream):
    """What the model that was trained gives for the snippets of a video."""
    joined = SegmentConsensus(kind, 2, name="segment_consensus")
    model = TSN(loading.find(path).build(), SEGMENTS, joined)
    for variable in joined.weights:
        variable.assign(WEIGHT[kind])
    view = stream.protocol.with_test(SEGMENTS, 1).test
    crops = transforms.cut(np.stack(snippets), view, stream)[:, 0]
    found = model(network_input(crops, stream)[None])
    return keras.ops.convert_to_numpy(found)[0]


@pytest.mark.parametrize(
    "kind",
    [
        kind if kind in ("top_k", "attention") else pytest.param(kind, marks=SLOW)
        for kind in KINDS
    ],
)
def test_a_test_of_as_many_snippets_is_the_trained_network(prepared, kind):
    path = prepared / f"{kind}.weights.h5"
    recognizer = tsn.Recognizer.from_preset(
        path, snippets=SEGMENTS, crops=1, over_time="consensus"
    )
    found = recognizer.predict(prepared / "clip.avi")
    assert found.scores["rgb"].shape == (SEGMENTS, 1, clips.CLASSES)
    stream = loading.find(path).stream
    video = Decoding().opened(prepared / "clip.avi")
    snippets = [s for _, s in video.snippets(found.ticks.tolist(), stream)]
    expected = trained(path, kind, snippets, stream)
    chances = metrics.softmax(expected)
    assert 0.2 < chances.max() < 0.9
    # The bound of folded networks, see tests/README.md.
    np.testing.assert_allclose(found.probabilities, chances, rtol=2e-4)
    mean = metrics.softmax(found.scores["rgb"].mean(axis=(0, 1)))
    is_mean = np.allclose(found.probabilities, mean, rtol=1e-3)
    assert is_mean == (kind == "average")


def evaluated(root, kind, *more, scores="s.h5"):
    return eval.main(
        [
            *("--dataset", "list", "--annotations", str(root / "list.txt")),
            *("--data", str(root / "data"), "--modality", "rgb"),
            *("--weights", str(root / f"{kind}.weights.h5")),
            *("--scores", str(root / scores), "--snippets", str(SEGMENTS), *more),
        ]
    )


def test_scores_are_kept_with_what_the_consensus_needs(prepared, capsys):
    """Ten crops, the mean of which counts; the attention lies beside the scores."""
    asked = "--over-time", "consensus"
    result, status = evaluated(prepared, "attention", *asked, scores="a.h5")
    assert status == 0
    (row,) = result["results"]
    assert row["over_time"] == "consensus"
    shown = capsys.readouterr().out
    assert "under the protocol caffe, consensus over time, not 25 snippets" in shown
    predicted = []
    with score_file.ScoreFile(prepared / "a.h5") as file:
        assert file.about["over_time"] == "consensus"
        assert file.about["consensus"] == {"kind": "attention"}
        for name in "ab":
            scores, attention = file.read(name), file.attention(name)
            assert scores.shape == (SEGMENTS, 10, clips.CLASSES)
            found = windows.attention(scores, attention.mean(axis=1), 1.0)
            predicted.append(found.argmax())
    right = np.mean([k == label for label, k in enumerate(predicted)])
    assert row["top1"] == 100 * right
    # The same command has nothing left to do; another way is something else.
    assert evaluated(prepared, "attention", *asked, scores="a.h5")[0] == result
    with pytest.raises(InputError, match="its over_time is consensus, now it is mean"):
        evaluated(prepared, "attention", scores="a.h5")


def test_scores_by_the_mean_are_fused_by_linear_weights(prepared):
    if not (prepared / "a.h5").exists():  # The test above, if this one runs alone.
        evaluated(prepared, "attention", "--over-time", "consensus", scores="a.h5")
    evaluated(prepared, "linear", scores="l.h5")
    path = str(prepared / "l.h5")
    with score_file.ScoreFile(path) as file:
        means = [file.read(name).mean(axis=1) for name in "ab"]
    expected = [(WEIGHT["linear"] @ mean).argmax() for mean in means]
    found, status = fuse.main([path, "--over-time", "consensus"])
    assert status == 0
    top1 = 100 * np.mean([k == label for label, k in enumerate(expected)])
    assert found["results"][-1]["top1"] == top1
    # The same network told the attention too: one column more of the last product.
    with score_file.ScoreFile(prepared / "a.h5") as one:
        np.testing.assert_allclose(
            one.read("b").mean(axis=1), means[1], rtol=1e-4, atol=1e-4
        )


def test_linear_weights_of_another_length(prepared):
    """Both lengths and the way out are named, before anything is scored."""
    path = prepared / "linear.weights.h5"
    words = (
        "trained on 3 snippets of a video, and here there are 25: score as many with"
    )
    argv = [prepared / "clip.avi", "--weights", path, "--over-time", "consensus"]
    done = call("predict", *argv)
    assert done.returncode == 2
    assert f"{words} --snippets, or choose another way with --over-time" in done.stderr
    done = call("predict", *argv, "--every", "10")
    assert "here there are a snippet every 10 files" in done.stderr
    with pytest.raises(InputError, match=words):
        tsn.Recognizer.from_preset(path, over_time="consensus").predict(
            prepared / "clip.avi"
        )
    argv = ("--over-time", "consensus", "--snippets", "4")
    with pytest.raises(InputError, match=r"on 3 snippets .* are 4: .* --snippets,"):
        evaluated(prepared, "linear", *argv, scores="x.h5")
    assert not (prepared / "x.h5").exists()


def test_weights_that_do_not_say_how_they_were_trained(prepared):
    with pytest.raises(InputError, match="none.weights.h5 does not say with which"):
        evaluated(prepared, "none", "--over-time", "consensus", scores="x.h5")


def test_attention_of_other_features_is_refused(prepared, tmp_path):
    about = {"kind": "attention", "weight": told("linear")["weight"]}
    clips.make_weights(tmp_path / "w.weights.h5", 3, consensus=about)
    recognizer = tsn.Recognizer.from_preset(
        tmp_path / "w.weights.h5", over_time="consensus"
    )
    with pytest.raises(InputError, match=r"attention are for 3 features, the class"):
        recognizer.predict(prepared / "clip.avi")


def test_the_attention_stays_behind_classes_in_another_order():
    values = np.array([[1.0, 2.0, 3.0, 9.0]])
    np.testing.assert_array_equal(engine.ordered(values, (2, 0, 1)), [[3, 1, 2, 9]])
    np.testing.assert_array_equal(engine.ordered(values, (1, 0, 3, 2)), [[2, 1, 9, 3]])


def test_classes_that_do_not_exclude_one_another(prepared):
    """Trained with sigmoids: probabilities of each class, whose sum is not 1."""
    path = prepared / "sigmoid.weights.h5"
    recognizer = tsn.Recognizer.from_preset(path, snippets=SEGMENTS, crops=1)
    found = recognizer.predict(prepared / "clip.avi")
    scores = found.scores["rgb"].mean(axis=1)
    np.testing.assert_allclose(found.along, 1 / (1 + np.exp(-scores)), rtol=1e-5)
    expected = 1 / (1 + np.exp(-scores.mean(axis=0)))
    np.testing.assert_allclose(found.probabilities, expected, rtol=1e-5)
    assert abs(found.probabilities.sum() - 1) > 0.1
    both = path, prepared / "diff.weights.h5"
    clips.make_weights(both[1], 15)
    with pytest.raises(InputError, match="trained by one loss; they are by .*sigmoid"):
        tsn.Recognizer.from_preset(*both).predict(prepared / "clip.avi")


def test_published_weights_of_several_labels(prepared):
    """Their data set says so; what a file says of itself counts first."""
    weights = loading.find(prepared / "none.weights.h5")
    assert ways.loss(weights) == "softmax"
    several = PRESETS["tsn_r18_1x1x8_100e_hvu_event_rgb"]
    one = PRESETS["hmdb51_rgb_split1"]
    for preset, expected in ((several, "sigmoid"), (one, "softmax")):
        assert ways.loss(dataclasses.replace(weights, preset=preset)) == expected
    said = dataclasses.replace(weights, preset=several, loss="softmax")
    assert ways.loss(said) == "softmax"
    with pytest.raises(InputError, match="its loss is 'hinge'; known are softmax and"):
        ways.loss(dataclasses.replace(weights, loss="hinge"))
