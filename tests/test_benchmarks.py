"""The benchmark's peers compute what we compute. No clock is looked at."""

import csv
import json
import sys

import decoding
import jhmdb
import machine
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


def kept_run(folder, scores, labels):
    """What benchmarks/jhmdb.py keeps of a run."""
    folder.mkdir(parents=True)
    rows = ["video,label,run,sit,walk"]
    for number, (row, label) in enumerate(zip(scores, labels, strict=True)):
        rows.append(f"v{number},{label},{','.join(map(str, row))}")
    (folder / "scores.csv").write_text("\n".join(rows))
    result = {**machine.facts(), "training_seconds": 90, "test_seconds": 30}
    (folder / "result.json").write_text(json.dumps({**result, "precision": "float32"}))
    about = {"settings": {"model.segments": 3, "train.seed": 0}, "iterations": 2}
    (folder / "run.json").write_text(json.dumps(about))
    losses = "".join(f"{k},{1 / k}\n" for k in range(1, 31))
    (folder / "log.csv").write_text(f"iteration,loss\n{losses}")
    (folder / "validation.csv").write_text("iteration,mean_class_accuracy\n20,50\n")


def test_studies_of_jhmdb(tmp_path, monkeypatch):
    """One called again has new figures; those of the others stay."""
    told, asked = {"segments": 30.0, "consensus": 40.0}, []

    def called(name, argv):
        asked.append(argv[1:])
        cell = {"row": "1", "column": "RGB", "value": told[name], "videos": 256}
        return {"cells": [cell, {**cell, "row": "2", "value": None}]}

    monkeypatch.setattr(jhmdb, "called", called)
    monkeypatch.setattr(jhmdb, "STUDIES_TABLE", tmp_path / "studies.csv")
    for names in (["segments", "consensus"], ["segments"]):
        words = ["studies", "--data", "F", "--annotations", "S", "--runs", "runs"]
        monkeypatch.setattr(sys, "argv", ["jhmdb.py", *words, "--only", *names])
        jhmdb.main()
        told["segments"] = 31.0
    with (tmp_path / "studies.csv").open(newline="") as file:
        found = [(row["study"], float(row["value"])) for row in csv.DictReader(file)]
    assert sorted(found) == [("consensus", 40.0), ("segments", 31.0)]
    assert len(asked) == 3
    assert asked[0][:2] == ["-m", "tsn_keras.study"]
    assert asked[0][3:] == [
        *("--runs", "runs/studies", "--set", 'data.root="F"'),
        *("--set", 'data.annotations="S"'),
    ]
    monkeypatch.setattr(sys, "argv", [*sys.argv, "--cells", "rgb_1"])
    jhmdb.main()
    assert asked[-1][-2:] == ["--only", "rgb_1"]


def test_report_of_jhmdb(tmp_path, monkeypatch, capsys):
    """Two streams that are right in two of four videos each, and in all together."""
    monkeypatch.setattr(jhmdb, "KEPT", tmp_path / "kept")
    monkeypatch.setattr(jhmdb, "TABLE", tmp_path / "jhmdb.csv")
    labels = [0, 0, 1, 2]
    rgb = [[5, 0, 4], [5, 4, 0], [3, 2, 0], [3, 0, 2]]
    flow = [[0, 1, 0], [0, 0.4, 0], [0, 3, 0], [0, 0, 3]]
    for name, scores in {"rgb": rgb, "flow": flow}.items():
        kept_run(tmp_path / "kept" / name, scores, labels)
    jhmdb.report()
    with (tmp_path / "jhmdb.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    told = {row["what"] + row["run"]: row for row in rows}
    expected = {
        "TSN, 3 segmentsrgb": (33.33, 50, "yes"),
        "TSN, 3 segmentsflow": (66.67, 50, "yes"),
        "RGB + flow, 1 : 1": (100, 100, ""),
        "RGB + flow, 1 : 1.5": (100, 100, "yes"),
        "RGB + flow, 1 : 2": (100, 100, ""),
    }
    for what, (mean, top1, in_readme) in expected.items():
        row = told.pop(what)
        assert float(row["mean_class_accuracy"]) == mean
        assert (float(row["top1"]), row["in_readme"]) == (top1, in_readme)
        assert row["minutes"] == ("1.5" if row["run"] else "")
    assert not told
    classes = (tmp_path / "kept" / "classes.csv").read_text().splitlines()
    assert classes[0] == "class,videos,rgb,flow,fusion"
    assert classes[1:] == [
        "run,2,100.0,0.0,100.0",
        "sit,1,0.0,100.0,100.0",
        "walk,1,0.0,100.0,100.0",
    ]
    for name in ("curves.png", "confusion.png"):
        assert (tmp_path / "kept" / name).stat().st_size > 1000
    assert "100.00" in capsys.readouterr().out
