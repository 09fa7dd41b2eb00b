"""Weights whose outputs are in another order than the classes of the data set."""

import dataclasses
import pathlib
from types import SimpleNamespace

import clips
import numpy as np
import pytest

from tsn_keras import eval
from tsn_keras.checkpoints import keras_file, presets
from tsn_keras.datasets import demo
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.evaluation import weights
from tsn_keras.scores import score_file


def order_of(dataset, **known):
    opened = SimpleNamespace(
        **{"class_names": None, "preset": None, "path": pathlib.Path("x"), **known}
    )
    videos = SimpleNamespace(classes=DATASETS[dataset].classes)
    return weights._class_order(opened, videos)


def test_order_of_mmaction2s_hmdb51():
    name = "tsn_r50_1x1x8_50e_hmdb51_mit_rgb"
    expected = [*range(51)]
    expected[20], expected[21], expected[44], expected[45] = 21, 20, 45, 44
    preset = presets.PRESETS[name]
    assert order_of("hmdb51", preset=preset) == tuple(expected)
    converted = pathlib.Path(f"{name}.weights.h5")
    assert order_of("hmdb51", path=converted) == tuple(expected)


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"preset": presets.PRESETS["hmdb51_rgb_split1"]},
        {"class_names": DATASETS["hmdb51"].classes},
        {"class_names": tuple(f"other {k}" for k in range(51))},
    ],
)
def test_everything_else_stays_as_it_is(known):
    assert order_of("hmdb51", **known) is None


@pytest.mark.usefixtures("shallow_network")
def test_scores_are_in_the_order_of_the_data_set(tmp_path, monkeypatch):
    few = dataclasses.replace(demo.split(), test=demo.split().test[:1])
    record = dataclasses.replace(DATASETS["demo"], read=lambda *_: few)
    monkeypatch.setitem(DATASETS, "demo", record)
    path = tmp_path / "w.weights.h5"
    names = DATASETS["demo"].classes
    model = clips.make_weights(path, 3, classes=16)

    def scores(name, class_names):
        about = {"width": clips.WIDTH, "class_names": list(class_names)}
        keras_file.save(model, path, about)
        out = tmp_path / name
        argv = ["--dataset", "demo", "--modality", "rgb", "--weights", str(path)]
        eval.main([*argv, "--scores", str(out), "--data", str(tmp_path / "data")])
        with score_file.ScoreFile(out) as file:
            assert tuple(file.classes) == tuple(names)
            return file.read(file.video_ids[0])

    plain = scores("plain.h5", names)
    np.testing.assert_array_equal(scores("turned.h5", names[::-1]), plain[..., ::-1])
    assert not np.array_equal(plain, plain[..., ::-1])
