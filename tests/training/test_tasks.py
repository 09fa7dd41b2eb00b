"""Several data sets with a classifier each: losses, gradients, updates, whole runs.

And training of the classifier alone, which shares their steps.
"""

import csv
import json
import pathlib
import sys

import clips
import h5py
import keras
import numpy as np
import processes
import pytest
import small_network
import tensorflow as tf
import test_trainer
from commands import call

from tsn_keras import config
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import selection, training_sets
from tsn_keras.datasets.records import Choice
from tsn_keras.models import bn_inception
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.preprocessing import network_input
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.training import checkpoint, tasks
from tsn_keras.training.trainer import Network, Trainer

CLASSES, OTHERS = test_trainer.CLASSES, 3
HEAD = bn_inception.HEAD
STREAM = Stream(MODALITIES["rgb"], test_trainer.PROTOCOL)


def make(parts=1, dropout=0.0, norms="none", trainable="all", count=1, **train):
    """A trainer of the small network with further classifiers."""
    keras.utils.set_random_seed(1)
    with test_trainer.only_the_stem():
        backbone = bn_inception.BNInception(
            STREAM.input_shape, CLASSES, dropout, width=0.05
        )
    record = bn_inception.BN_INCEPTION
    branches = tuple(
        tasks.branch(backbone, record, OTHERS, number) for number in range(1, 1 + count)
    )
    how = 3, norms, "average", 3, trainable, branches
    network = Network(backbone, record, STREAM, *how)
    settings = {"base_lr": 0.01, "drops": (2, 4), "clip": 0.0, **train}
    strategy = tf.distribute.get_strategy()
    return Trainer(network, config.TrainSettings(**settings), parts, strategy)


def batches(seed, videos=4):
    """(main, other): (images, labels) each; the other has three classes."""
    main = test_trainer.batch(seed, videos)
    images, labels = test_trainer.batch(100 + seed, videos)
    return main, (images, labels % OTHERS)


def heads(trainer):
    """Kernel and bias of the main classifier, and of the other."""
    main = trainer.backbone.get_layer(HEAD).weights
    return [[np.array(v) for v in layer] for layer in (main, trainer._heads)]


def cross_entropy(features, kernel, bias, labels):
    """Loss of the mean over three segments, and its gradients; float64."""
    features = features.astype(np.float64).reshape(len(labels), 3, -1).mean(axis=1)
    scores = features @ kernel.astype(np.float64) + bias
    told = np.exp(scores - scores.max(axis=1, keepdims=True))
    told /= told.sum(axis=1, keepdims=True)
    rows = np.arange(len(labels))
    loss = -np.log(told[rows, labels]).mean()
    told[rows, labels] -= 1
    told /= len(labels)
    return loss, features.T @ told, told.sum(axis=0), told @ kernel.T.astype("f8")


def features_of(trainer, images):
    backbone = trainer.backbone
    body = keras.Model(backbone.inputs, backbone.get_layer(HEAD).input)
    inputs = network_input(tf.constant(images), STREAM)
    return body, tf.reshape(inputs, (-1, *inputs.shape[2:]))


def test_losses_and_gradients_are_those_of_each_set_and_their_sum():
    """Classifiers in NumPy; what lies below by a tape over the features.

    Float32 sums of some hundred products in another order, relative to the largest.
    """
    trainer = make()
    both = batches(0)
    found = heads(trainer)
    expected, loss = [], 0.0
    trunk = trainer.backbone.trainable_variables[:1]  # The first convolution.
    below = 0.0
    for (images, labels), (kernel, bias) in zip(both, found, strict=True):
        body, inputs = features_of(trainer, images)
        with tf.GradientTape() as tape:
            features = body(inputs, training=True)
        one, *of_head, of_features = cross_entropy(
            features.numpy(), kernel, bias, labels
        )
        loss += one
        expected.append(of_head)
        # Each segment has a third of the gradient of the mean.
        upstream = np.repeat(of_features / 3, 3, axis=0).astype("f4")
        upstream = upstream.reshape(features.shape)
        below += tape.gradient(features, trunk[0].value, upstream).numpy()
    total, gradients = trainer._accumulated(
        [(0, task, *map(tf.constant, part)) for task, part in enumerate(both)]
    )
    assert total == pytest.approx(loss, rel=1e-6)
    named = dict(zip([v.path for v in trainer._variables], gradients, strict=True))
    layers = trainer.backbone.get_layer(HEAD).weights, trainer._heads
    for layer, values in zip(layers, expected, strict=True):
        for variable, value in zip(layer, values, strict=True):
            near(named[variable.path], value, 1e-6)
    near(named[trunk[0].path], below, 2e-6)


def near(found, expected, share):
    limit = share * np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=limit)


def test_videos_of_one_set_never_touch_the_others_classifier():
    """Their gradient there is 0 itself, not a small number."""
    trainer = make()
    main, other = batches(0)
    places = [v.path for v in trainer._variables]
    own = [v.path for v in trainer.backbone.get_layer(HEAD).weights]
    for task, part, foreign in (
        (0, main, [v.path for v in trainer._heads]),
        (1, other, own),
    ):
        _, gradients = trainer._gradients(
            *map(tf.constant, part), tf.constant(1.0), tf.constant(0), task
        )
        named = dict(zip(places, gradients, strict=True))
        for path in foreign:
            assert not np.any(named.pop(path).numpy())
        assert all(np.any(gradient.numpy()) for gradient in named.values())


def test_an_update_moves_both_classifiers_by_their_own_factors():
    """Rates and decay are those of the main one: a bias learns twice as fast."""
    trainer = make(momentum=0.0, weight_decay=0.1)
    main, other = batches(0)
    before = heads(trainer)
    _, gradients = trainer._accumulated([(0, 0, *main), (0, 1, *other)])
    named = dict(zip([v.path for v in trainer._variables], gradients, strict=True))
    trainer.step([main], tasks=[[other]])
    layers = trainer.backbone.get_layer(HEAD).weights, trainer._heads
    for layer, (kernel, bias), (new_kernel, new_bias) in zip(
        layers, before, heads(trainer), strict=True
    ):
        of_kernel, of_bias = (named[v.path].numpy() for v in layer)
        near(new_kernel - kernel, -0.01 * (of_kernel + 0.1 * kernel), 1e-4)
        near(new_bias - bias, -0.02 * of_bias, 1e-4)


@pytest.mark.slow
def test_parts_of_an_update_are_one():
    found = []
    for parts in (1, 2):
        trainer = make(parts)
        main, other = batches(0)
        pieces = [
            list(zip(*(np.split(values, parts) for values in one), strict=True))
            for one in (main, other)
        ]
        loss = trainer.step(pieces[0], tasks=pieces[1:])
        found.append((loss, np.concatenate([v.ravel() for v in heads(trainer)[1]])))
    (loss, one), (other_loss, other) = found
    assert loss == pytest.approx(other_loss, rel=1e-5)
    np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


REPLICAS = """
import sys
import numpy as np
import tensorflow as tf
sys.path[:0] = sys.argv[2:]
cpu = tf.config.list_physical_devices("CPU")[0]
devices = [tf.config.LogicalDeviceConfiguration() for _ in range(2)]
tf.config.set_logical_device_configuration(cpu, devices)
import test_tasks, test_trainer
found = {}
for count in (1, 2):
    strategy = test_trainer._strategy(count)
    with strategy.scope():
        trainer = test_tasks.make(clip=1.0)
    for seed in range(2):
        main, other = (
            [test_trainer._shared(strategy, *one)] for one in test_tasks.batches(seed)
        )
        found[f"{count} loss {seed}"] = trainer.step(main, tasks=[other])
    for index, variable in enumerate(trainer._variables):
        found[f"{count} variable {index}"] = np.asarray(variable)
np.savez(sys.argv[1], **found)
"""


@pytest.mark.slow
def test_replicas_are_one_device(tmp_path):
    """Both classifiers and what is below them, after two clipped updates."""
    here = pathlib.Path(__file__)
    places = here.parent, here.parents[1] / "support", here.parents[2]
    argv = [sys.executable, "-c", REPLICAS, str(tmp_path / "a.npz"), *map(str, places)]
    done = processes.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(tmp_path / "a.npz") as file:
        found = {name: file[name] for name in file.files}
    one, two = (
        {name[2:]: v for name, v in found.items() if name.startswith(count)}
        for count in "12"
    )
    test_trainer.assert_near(one, two)
    assert len(one) == 2 + len(make()._variables)


def test_resuming_is_bit_for_bit_an_undisturbed_run(tmp_path):
    """The other classifier and its velocity included; dropout is drawn on."""
    given = [batches(seed) for seed in range(4)]

    def step(trainer, both):
        return trainer.step(both[:1], tasks=[both[1:]])

    whole, second = make(dropout=0.5), make(dropout=0.5)
    for both in given[:2]:
        step(whole, both)
    checkpoint.save(whole, tmp_path / "c.h5", {})
    losses = [step(whole, both) for both in given[2:]]
    step(second, given[3])  # Anything; it is replaced.
    checkpoint.restore(second, tmp_path / "c.h5", {})
    assert [step(second, both) for both in given[2:]] == losses
    for one, other in zip(heads(whole), heads(second), strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_array_equal(a, b)
    with pytest.raises(checkpoint.CheckpointError, match="optimizer/11 is missing"):
        checkpoint.restore(make(count=2, dropout=0.5), tmp_path / "c.h5", {})


def test_the_classifier_alone_is_trained():
    """All other variables stay, bit for bit; norms by their statistics; dropout on."""
    trainer = make(trainable="head", norms="first", count=0, dropout=0.5)
    head = {v.path for v in trainer.backbone.get_layer(HEAD).weights}
    norm = trainer.backbone.get_layer("conv1_7x7_s2_bn")
    norm.moving_mean.assign(norm.moving_mean + 0.25)
    before = {v.path: np.array(v) for v in trainer.backbone.variables}
    losses = [trainer.step([test_trainer.batch(0)]) for _ in range(3)]
    assert len({*losses}) == 3
    assert {v.path for v in trainer._variables} == head
    for variable in trainer.backbone.variables:
        # The state of dropout is no weight.
        if variable.path in head or "seed" in variable.path:
            assert np.any(np.array(variable) != before[variable.path])
        else:
            np.testing.assert_array_equal(variable, before[variable.path])


def test_the_turns_of_a_task():
    main = Batches((), None, 1, batch=4, seed=7)
    chosen = training_sets.Task(selection.Selection((1,)), 3)
    settings = (config.TaskSettings(batch=12, power=0.0),)
    (found,) = tasks.of(settings, [chosen], main, 2, 3)
    assert (found.batches.batch, found.batches.power, found.videos) == (6, 0, 12)
    assert (found.batches.labels.classes, found.batches.folders) == (3, (1,))
    assert found.batches.seed != main.seed
    assert [found.seen(n) for n in range(3)] == [0, 12, 24]
    with pytest.raises(InputError, match="batch of task 1 is 12: .* multiple of 8"):
        tasks.of(settings, [chosen], main, 4, 2)


SETTINGS = """
[data]
dataset = "list"
root = "{root}"
annotations = "{root}/train.txt"
power = 0.0

[[data.tasks]]
root = "{root}"
annotations = "{root}/more.txt"
batch = 2
power = 0.0

[model]
backbone = "small_network"
segments = 1

[train]
batch = 2
iterations = 3
base_lr = 0.01
drops = [2]
validate_every = 0
save_every = 2
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("tasks")
    for seed, name in enumerate("abcdefg"):
        clips.make_video(root / name, 3, seed)
    for name, lines in {
        "train": "a 3 0\nb 3 1\n",
        "validation": "c 3 0\nd 3 1\n",
        "more": "e 3 2\nf 3 1\ng 3 0\n",
    }.items():
        (root / f"{name}.txt").write_text(lines)
    (root / "run.toml").write_text(SETTINGS.format(root=root))
    return root


def values_of(path):
    """{name: shape} and {name: values} of the arrays of a file."""
    found = {}

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(note)
    return {name: values.shape for name, values in found.items()}, found


def arguments(data, out, iterations):
    more = f"train.iterations={iterations}"
    return "--config", data / "run.toml", "--out", out, "--set", more


@pytest.fixture
def _small(monkeypatch):
    """Two convolutions, whose head is `scores`."""
    monkeypatch.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)


@pytest.mark.usefixtures("_small")
def test_a_run(data, tmp_path):
    """The weights are of the main classifier alone; the checkpoint has all."""
    done = call("train", *arguments(data, tmp_path, 1))
    assert done.returncode == 0, done.stderr[-3000:]
    with (tmp_path / "log.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert np.isfinite(losses).tolist() == [True]
    with h5py.File(tmp_path / "checkpoint.h5") as file:
        assert file["heads/0"].shape[1:] == (3,)
    shapes, _ = values_of(tmp_path / "last.weights.h5")
    # Features by classes, of the main set alone.
    assert [shape[1] for shape in shapes.values() if len(shape) == 2] == [2]
    about = json.loads((tmp_path / "run.json").read_text())["settings"]
    assert [one["batch"] for one in about["data.tasks"]] == [2]
    assert len(about["tasks (digests)"]) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("_small")
def test_a_resumed_run(data, tmp_path):
    """As an undisturbed one; other videos are another run."""
    out, other = tmp_path / "run", tmp_path / "other"
    for folder, iterations in ((out, 3), (other, 2), (other, 3)):
        done = call("train", *arguments(data, folder, iterations))
        assert done.returncode == 0, done.stderr[-3000:]
    for name in ("last.weights.h5", "checkpoint.h5"):
        (_, one), (_, two) = (values_of(folder / name) for folder in (out, other))
        assert one.keys() == two.keys()
        for key, values in one.items():
            np.testing.assert_array_equal(values, two[key], err_msg=key)
    text = (data / "more.txt").read_text()
    (data / "more.txt").write_text("e 3 0\nf 3 1\ng 3 2\n")
    done = call("train", *arguments(data, out, 4))
    (data / "more.txt").write_text(text)
    assert "of another run: its tasks (digests)" in done.stderr


def find(data, part="train", **choice):
    choice = Choice(**{"dataset": "list", "root": data, **choice})
    return training_sets.task(choice, part, ("img_",), None)


def test_what_a_task_trains_on(data, tmp_path):
    """Its training part, or all; every class has a video, and a video one label."""
    lists = {"annotations": data / "train.txt", "validation": data / "validation.txt"}
    assert len(find(data, **lists).videos.folders) == 2
    whole = find(data, "all", **lists)
    assert [folder.id for folder in whole.videos.folders] == ["a", "b", "c", "d"]
    assert whole.count == 2
    path = tmp_path / "list.txt"
    for lines, kind, words in (
        ("e 3 0\nf 3 2\n", "list", "1 of 3 classes have no training video, as label 1"),
        ("e 3 0 1\nf 3 1\n", "list_multilabel", "have several labels each: a classif"),
        ("e 3 0\nf 3 200000\n", "list", "the largest label is 200000"),
        ("gone 3 0\n", "list", "1 of 1 training videos of list have no folder"),
    ):
        path.write_text(lines)
        with pytest.raises(InputError, match=words):
            find(data, dataset=kind, annotations=path)


@pytest.mark.parametrize(
    ("data", "more", "words"),
    [
        ({"tasks": [{"part": "test"}]}, {}, "part of data.tasks[0] must be one of"),
        ({"tasks": [{"batch": 0}]}, {}, "batch of data.tasks[0] must be from 1 to"),
        ({"tasks": [{"every": 2}]}, {}, "there is no 'every'; did you mean"),
        ({"tasks": [{}] * 17}, {}, "data.tasks has 17 entries; at most 16"),
        ({"tasks": [{}], "sources": [{}]}, {}, "and data.tasks share every update"),
        ({"tasks": [{}]}, {"train": {"mixup": 0.2}}, "leave it or data.tasks out"),
        ({"tasks": [{}]}, {"train": {"loss": "sigmoid"}}, "one label each, which"),
        ({}, {"model": {"trainable": "tail"}}, "model.trainable must be one of all,"),
        (
            {},
            {"model": {"trainable": "head", "batch_norm": "affine"}},
            "trains no batch norm",
        ),
    ],
)
def test_faults_of_training_files(data, more, words):
    with pytest.raises(InputError) as error:
        config.training_of({"data": data, **more})
    assert words in str(error.value)
