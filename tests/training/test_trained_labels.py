"""Training of videos with several labels: the loss, validation, whole runs."""

import csv
import json
import pathlib
import sys

import clips
import numpy as np
import processes
import pytest
import tensorflow as tf
from commands import call, train

import tsn_keras
from tsn_keras import config
from tsn_keras.common.errors import InputError
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.scores import metrics
from tsn_keras.training import losses
from tsn_keras.training.validator import SeveralLabels

CLASSES = 3
SETTINGS = """
[data]
dataset = "list_multilabel"
root = "{root}"
annotations = "{root}/train.txt"
validation = "{root}/validation.txt"

[model]
width = 0.05
dropout = 0.5

[train]
loss = "sigmoid"
loss_weight = 160.0
batch = 2
iterations = 3
base_lr = 0.001
drops = [2]
validate_every = 2
save_every = 2
"""
TRAINED = {"a": "0 2", "b": "1", "c": "1 2", "d": "0"}
VALIDATED = {"e": "0 1", "f": "2", "g": "1"}


def test_the_loss_of_a_training_file():
    """Weighted mean over the classes of -log(p) or -log(1 - p), labels smoothed."""
    scores = np.array([[2.0, -1.0, 0.5]])
    p = 1 / (1 + np.exp(-scores))
    for smoothing in (0.0, 0.3):
        labels = (1 - smoothing) * np.array([[1.0, 0.0, 1.0]]) + smoothing / 3
        expected = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean()
        loss = losses.chosen(config.TrainSettings(loss="sigmoid", loss_weight=160.0))
        found = loss(tf.constant(scores), tf.constant([[1, 0, 1]]), smoothing)
        assert found.numpy() == pytest.approx([160 * expected], rel=1e-12)
    loss = losses.chosen(config.TrainSettings(loss_weight=2.0))
    expected = -2 * np.log(np.exp(2.0) / np.exp(scores).sum())
    for labels in (tf.constant([0]), tf.constant([[1.0, 0.0, 0.0]])):
        found = loss(tf.constant(scores), labels).numpy()
        assert found == pytest.approx([expected], rel=1e-12)


def validated(distribution, batches, seed=0):
    """What a validation finds with a linear network of mean pixels."""
    import keras

    keras.utils.set_random_seed(seed)
    stream = Stream(MODALITIES["rgb"], CAFFE)
    with distribution.scope():
        inputs = keras.Input((1, 8, 8, 3))
        means = keras.ops.mean(inputs, axis=(1, 2, 3))
        network = keras.Model(inputs, keras.layers.Dense(CLASSES)(means))
        loss = losses.chosen(config.TrainSettings(loss="sigmoid", loss_weight=7.0))
        validator = SeveralLabels(network, stream, distribution, loss)
    return validator.run(batches), network


def batches():
    """Two batches of four videos, the last of which is none."""
    random = np.random.default_rng(3)
    images = random.integers(0, 256, (8, 1, 8, 8, 3)).astype(np.uint8)
    labels = random.integers(0, 2, (8, CLASSES)).astype("f4")
    labels[:, 0] = 1 - labels[:, 1:].max(axis=1)  # None is without a label.
    labels[-1] = -1
    return [(images[:4], labels[:4]), (images[4:], labels[4:])]


def test_a_validation_measures_as_an_evaluation():
    given = batches()
    found, network = validated(
        tf.distribute.get_strategy(), [tuple(map(tf.constant, b)) for b in given]
    )
    images, labels = map(np.concatenate, zip(*given, strict=True))
    images, labels = images[:-1], labels[:-1]
    values = images[..., :3].astype("f4") - np.array([104, 117, 123], "f4")
    scores = network(values).numpy()
    sets = [tuple(np.flatnonzero(row)) for row in labels]
    expected = metrics.measured(scores, None, sets)
    assert found["mean_average_precision"] == expected.mean_average_precision
    assert found["video_mean_average_precision"] == (
        expected.video_mean_average_precision
    )
    assert 0 < expected.mean_average_precision < 100
    assert found["videos"] == 7
    each = np.log1p(np.exp(-np.where(labels > 0, scores, -scores)))
    assert found["loss"] == pytest.approx(7 * each.mean(), rel=1e-5)


REPLICAS = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
tf.config.set_logical_device_configuration(cpu, two)
sys.path[:0] = json.loads(sys.argv[1])
import test_trained_labels as test
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
def shared(array):
    return strategy.experimental_distribute_values_from_function(
        lambda context: array[2 * context.replica_id_in_sync_group :][:2]
    )
given = [tuple(map(shared, batch)) for batch in test.batches()]
print(json.dumps(test.validated(strategy, given)[0]))
"""


@pytest.mark.slow
def test_devices_share_a_validation():
    """The batches of two devices give what those of one give."""
    here = pathlib.Path(__file__)
    places = here.parent, here.parents[1] / "support", here.parents[2]
    done = processes.run(
        [sys.executable, "-c", REPLICAS, json.dumps([*map(str, places)])],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    one, _ = validated(
        tf.distribute.get_strategy(), [tuple(map(tf.constant, b)) for b in batches()]
    )
    found = json.loads(done.stdout.splitlines()[-1])
    # Sums of float32 in another order.
    assert found == pytest.approx(one, rel=1e-6)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("several")
    for seed, name in enumerate((*TRAINED, *VALIDATED)):
        clips.make_video(root / name, 6, seed)
    for name, sets in (("train", TRAINED), ("validation", VALIDATED)):
        lines = [f"{video} 6 {labels}\n" for video, labels in sets.items()]
        (root / f"{name}.txt").write_text("".join(lines))
    (root / "run.toml").write_text(SETTINGS.format(root=root))
    return root


def arguments(data, out, *more):
    sets = [word for one in more for word in ("--set", one)]
    return ["--config", str(data / "run.toml"), "--out", str(out), *sets]


def rows(out):
    with (out / "validation.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("shallow_network")
def test_a_run(data, tmp_path):
    """Validated, resumed, evaluated; the best is that of the highest mAP."""
    out = tmp_path / "run"
    done = call("train", *arguments(data, out, "train.iterations=2"))
    assert done.returncode == 0, done.stderr[-3000:]
    done = call("train", *arguments(data, out), "--evaluate")
    assert done.returncode == 0, done.stderr[-3000:]
    assert "resuming at iteration 2 of 3" in done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    found = rows(out)
    assert list(found[0]) == [
        *("iteration", "loss", "mean_average_precision"),
        *("video_mean_average_precision", "videos"),
    ]
    assert [row["iteration"] for row in found] == ["2", "3"]
    assert [row["videos"] for row in found] == ["3", "3"]
    # Guesses of one half: 160 times the logarithm of 2.
    first = float((out / "log.csv").read_text().splitlines()[1].split(",")[1])
    assert first == pytest.approx(160 * np.log(2), rel=0.05)
    best = max(found, key=lambda row: float(row["mean_average_precision"]))
    assert result["best"]["mean_average_precision"] == float(
        best["mean_average_precision"]
    )
    assert "mAP over videos" in done.stderr
    (figures,) = result["evaluation"]["results"]
    assert 0 < figures["mean_average_precision"] <= 100
    assert (figures["videos"], figures["of"]) == (3, 3)


def test_a_data_set_for_fit(data):
    """Labels as a keras.Model is trained with them, by binary cross-entropy."""
    given = {"data": data, "annotations": data / "train.txt", "batch": 3}
    given["validation"] = data / "validation.txt"
    made = tsn_keras.dataset("list_multilabel", part="test", **given)
    (labels,) = (labels.numpy() for _, labels in made)
    assert labels.tolist() == [[1, 1, 0], [0, 0, 1], [0, 1, 0]]
    made = tsn_keras.dataset("list_multilabel", part="train", **given)
    assert made.element_spec[1].shape.as_list() == [None, 3]
    found = np.concatenate([labels.numpy() for _, labels in made])
    assert sorted(found.tolist()) == [[0, 1, 0], [0, 1, 1], [1, 0, 0], [1, 0, 1]]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["train.loss=softmax"],
            'videos of list_multilabel have several labels each: set train.loss = "sig',
        ),
        (
            ["data.dataset=folders", "data.annotations=", "data.validation="],
            'videos of folders have one label each: set train.loss = "softmax"',
        ),
    ],
)
def test_losses_for_other_labels(data, tmp_path, overrides, words):
    classes = tmp_path / "frames"
    for seed, name in enumerate("xy"):
        clips.make_video(classes / name / f"{name}_1", 2, seed, (32, 32))
    if len(overrides) > 1:
        overrides = [*overrides, f"data.root={classes}"]
    with pytest.raises(InputError) as error:
        train.main(arguments(data, tmp_path / "run", *overrides))
    assert words in str(error.value)
