"""Fusion by a linear SVM: where it must win, beside scikit-learn, what is refused."""

import sys

import numpy as np
import pytest
from commands import fuse

import tsn_keras
from tsn_keras.common.errors import InputError
from tsn_keras.scores import joining, score_file, svm
from tsn_keras.scores.score_file import VideoScores

pytest.importorskip("sklearn", reason="needs scikit-learn")

CLASSES = ("run", "jump", "sit")
ABOUT = {"dataset": "ucf101", "split": 1, "protocol": "two_stream"}
ABOUT |= {"average": "probabilities"}
# The first stream takes each class for the next one, surely; the second sees nothing.
NEXT = np.roll(np.eye(3), 1, axis=1)


def scores_of(stream, labels, seed):
    random = np.random.default_rng(seed)
    noise = random.normal(0, 0.3, (len(labels), 3))
    return (4 * NEXT[labels] if stream == "rgb" else 0) + noise


def write(folder, name, stream, labels, **changes):
    """A score file of two snippets in two crops of each video."""
    about = {**ABOUT, "modality": stream, **changes}
    classes, videos = about.pop("classes", CLASSES), about.pop("videos", name[:4])
    several = about.pop("several", False)
    rows = []
    for number, (label, scores) in enumerate(
        zip(labels, scores_of(stream, labels, len(name)), strict=True)
    ):
        told = np.float32(scores)[None, None].repeat(2, 0).repeat(2, 1)
        more = {"labels": (label,)} if several else {}
        rows.append(VideoScores(f"{videos}{number}", int(label), 9, told, **more))
    path = folder / f"{name}_{stream}.h5"
    score_file.write(path, rows, classes=classes, about=about, failed={})
    return str(path)


TRAIN, TEST = np.arange(12) % 3, np.arange(9) % 3


@pytest.fixture
def files(tmp_path):
    """([test files], [training files]) of both streams."""
    return tuple(
        [write(tmp_path, name, stream, labels) for stream in ("rgb", "flow")]
        for name, labels in (("test", TEST), ("train", TRAIN))
    )


def test_it_learns_what_an_average_cannot_know(files, capsys):
    """A stream that takes each class for the next one is right after all."""
    test, train = files
    result, status = fuse.main([*test, "--svm", *train])
    assert status == 0
    names = [row["file"] for row in result["results"][2:]]
    assert names == ["fusion, probabilities averaged", "fusion, SVM, C = 1"]
    assert [row["top1"] for row in result["results"]][::3] == [0, 100]
    assert result["results"][2]["top1"] == 0
    assert all("weight" not in row for row in result["results"])
    out, err = capsys.readouterr()
    assert "fusion, SVM, C = 1" in out
    assert "SVM of 12 training videos, C = 1" in err


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def stacked(name, labels):
    """Of both streams the softmax scores, of length 1, in one vector."""
    found = []
    for stream in ("rgb", "flow"):
        scores = softmax(np.float32(scores_of(stream, labels, len(name))))
        found.append(scores / np.linalg.norm(scores, axis=1, keepdims=True))
    return np.concatenate(found, axis=1)


def test_it_is_that_of_scikit_learn(files):
    """Called by itself; float32 probabilities differ in their last digit."""
    from sklearn.svm import LinearSVC

    test, train = files
    found = tsn_keras.fuse(test, svm=train, svm_c=0.5)
    machine = LinearSVC(
        multi_class="crammer_singer",
        C=0.5,
        fit_intercept=False,
        max_iter=10_000,
        random_state=0,
    )
    machine.fit(stacked("train", TRAIN), TRAIN)
    expected = machine.decision_function(stacked("test", TEST))
    # Found: 7e-8. It stops when its error is below 1e-4, so that probabilities that are
    # rounded otherwise may cost or save it a pass.
    np.testing.assert_allclose(found.scores, expected, rtol=0, atol=2e-4)
    assert found.parts[-1].file == "fusion, SVM, C = 0.5"
    average = [softmax(np.float32(scores_of(s, TEST, 4))) for s in ("rgb", "flow")]
    right = np.mean(average, axis=0).argmax(axis=1) == TEST
    assert found.parts[-2].accuracy.top1 == pytest.approx(100 * right.mean())


def test_two_classes():
    """Of two, scikit-learn keeps one row: the second class less the first."""
    scores = np.array([[3.0, 0.0], [2.0, 0.0], [0.0, 2.0], [0.0, 1.0]])
    ids, labels, scored = ("a", "b", "c", "d"), np.array([1, 1, 0, 0]), np.ones(4, bool)
    joined = joining.Joined(ids, labels, (scores,), 0, scored=(scored,))
    machine = svm.trained(joined, ("run", "jump"), 2.0)
    assert (machine.kernel.shape, machine.c) == ((2, 2), 2.0)
    found = machine(joined)
    assert found.argmax(axis=1).tolist() == [1, 1, 0, 0]
    np.testing.assert_allclose(found.sum(axis=1), 0, atol=1e-12)


def test_streams_without_scores_have_no_part():
    """A video without sound: zeros, not the probabilities of scores of 0."""
    scores = np.array([[1.0, 3.0], [0.0, 0.0]], "f4"), np.array([[0.0, 0.0]] * 2, "f4")
    scored = np.array([True, False]), np.array([True, True])
    joined = joining.Joined(("a", "b"), np.array([0, 1]), scores, 0, scored=scored)
    first, second = svm.chances(joined)
    np.testing.assert_allclose(first, [[1 / (1 + np.e**2), 1 / (1 + np.e**-2)], [0, 0]])
    np.testing.assert_allclose(second, 0.5)
    found = svm.features(joined)
    np.testing.assert_allclose((found**2).sum(axis=1), [2, 1])
    np.testing.assert_allclose(found[1], [0, 0, 0.5**0.5, 0.5**0.5])


def test_missing_videos_are_treated_as_without_it(files, tmp_path):
    test, train = files
    fewer = write(tmp_path, "test2", "flow", TEST[:6], videos="test")
    with pytest.raises(InputError, match=r"test2_flow\.h5 lacks 3"):
        fuse.main([test[0], fewer, "--svm", *train])
    result, _ = fuse.main([test[0], fewer, "--svm", *train, "--allow-missing"])
    assert (result["videos"], result["left_out"]) == (6, 3)
    short = write(tmp_path, "train2", "flow", TRAIN[:6], videos="trai")
    with pytest.raises(InputError, match=r"train2_flow\.h5 lacks 6"):
        fuse.main([*test, "--svm", train[0], short])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"split": 2},
            "test_rgb.h5 is of split 1, .*, on which the SVM is trained, of",
        ),
        ({"protocol": "caffe"}, "is of protocol two_stream, .* of caffe"),
        ({"modality": "flow"}, "is of modality rgb, .* of flow"),
        ({"classes": ("run", "jump", "lie")}, "2 is 'sit' and 'lie'"),
        ({"videos": "test"}, "9 training videos of .* are tested too, as test0"),
        ({"several": True}, "several labels each, and an SVM tells one"),
    ],
)
def test_training_videos_that_do_not_fit(files, tmp_path, changes, words):
    test, _ = files
    wrong = write(tmp_path, "train3", "rgb", TRAIN, **changes)
    with pytest.raises(InputError, match=words):
        fuse.main([test[0], "--svm", wrong])


def test_another_data_set_may_train(files, tmp_path):
    """As a list of training videos, which has no splits."""
    listed = write(tmp_path, "train4", "rgb", TRAIN, dataset="list", split=None)
    result, _ = fuse.main([files[0][0], "--svm", listed])
    assert result["results"][-1]["top1"] == 100


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--svm", "a.h5"], "--svm names 1 files of training videos for 2 files"),
        (
            ["--svm-c", "1"],
            "--svm-c is for an SVM: name its training videos with --svm",
        ),
        (["--weights", "1", "1", "TRAIN"], "leave --weights and --search out"),
        (["--search", "a.h5", "b.h5", "TRAIN"], "leave --weights and --search out"),
        (["TRAIN", "--svm-c", "0"], "--svm-c must be a number above 0. Received: 0.0"),
        (["TRAIN", "--svm-c", "nan"], "--svm-c must be a number above 0"),
    ],
)
def test_options_that_do_not_go_together(files, more, words):
    test, train = files
    argv = []
    for word in more:
        argv += ["--svm", *train] if word == "TRAIN" else [word]
    with pytest.raises(InputError, match=words):
        fuse.main([*test, *argv])


def test_what_else_is_refused(files, tmp_path, monkeypatch):
    test, train = files
    with pytest.raises(InputError, match="scores of an SVM are no probabilities"):
        fuse.main([*test, "--svm", *train, "--submission", str(tmp_path / "s.json")])
    lacking = write(tmp_path, "train5", "rgb", TRAIN[TRAIN < 2])
    with pytest.raises(InputError, match="1 of 3 classes have no training .*, as sit"):
        fuse.main([test[0], "--svm", lacking])
    monkeypatch.setattr(svm, "_MOST_PASSES", 1)
    with pytest.raises(
        InputError, match="after 1 passes over 12 videos: lower --svm-c"
    ):
        fuse.main([*test, "--svm", *train, "--svm-c", "1000"])
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(InputError, match="scikit-learn, which is not installed: pip"):
        fuse.main([*test, "--svm", *train])
