"""Further sources of training videos: when they are due, their updates, whole runs."""

import csv
import dataclasses
import json

import clips
import h5py
import killed_runs
import numpy as np
import pytest
import tensorflow as tf
import test_trainer
from commands import call, train

from tsn_keras import config
from tsn_keras.common.errors import InputError
from tsn_keras.datasets import selection, training_sets
from tsn_keras.datasets.records import Choice
from tsn_keras.models.preprocessing import network_input
from tsn_keras.pipeline.training import Batches
from tsn_keras.training import sources

SETTINGS = """
[data]
dataset = "list"
root = "{root}"
annotations = "{root}/train.txt"
validation = "{root}/validation.txt"
power = 0.0

[[data.sources]]
root = "{root}/web"
annotations = "{root}/web.txt"
batch = 3
segments = 1
every = 2
power = 0.5

[[data.sources]]
dataset = "list_parts"
root = "{root}"
annotations = "{root}/raw.txt"
batch = 2
updates = 2

[model]
width = 0.05
dropout = 0.5

[train]
batch = 2
iterations = 3
base_lr = 0.001
drops = [2]
validate_every = 0
save_every = 2
"""


def of(settings, parts=2, replicas=1):
    main = Batches((), None, 8, batch=4, seed=7)
    chosen = [selection.Selection((number,)) for number in range(len(settings))]
    return sources.of(settings, chosen, main, parts, replicas)


def test_the_turns_of_omnisource():
    """2:1:1:1 and 12, 64, 12, 12 videos a device: every second iteration, all three."""
    settings = tuple(
        config.SourceSettings(batch=batch, segments=segments, every=2, power=power)
        for batch, segments, power in ((64, 1, 0.5), (12, 0, 0.5), (12, 0, 1.0))
    )
    images, videos, raw = of(settings, parts=1)
    assert (images.batches.segments, images.batches.batch) == (1, 64)
    assert (videos.batches.segments, videos.batches.batch) == (8, 12)
    assert [one.batches.power for one in (images, videos, raw)] == [0.5, 0.5, 1]
    assert [raw.batches.folders, videos.batches.folders] == [(2,), (1,)]
    assert len({one.batches.seed for one in (images, videos, raw)} | {7}) == 4
    for iteration, seen in enumerate((0, 64, 64, 128, 128, 192)):
        assert images.due(iteration) == (iteration + 1) % 2
        assert images.seen(iteration) == seen


def test_batches_that_cannot_be_divided():
    (found,) = of((config.SourceSettings(batch=12),), parts=2, replicas=2)
    assert (found.batches.batch, found.parts, found.seen(3)) == (6, 2, 36)
    with pytest.raises(InputError, match="batch of source 1 is 10: .* multiple of 4"):
        of((config.SourceSettings(batch=10),), parts=2, replicas=2)


def test_another_update_of_an_iteration_has_its_rate():
    """The first of two iterations has two updates, before the rate drops."""
    one = test_trainer.make(dropout=0.0, drops=(1,), solver="torch")
    other = test_trainer.make(dropout=0.0, drops=(2,), solver="torch")
    parts = [[test_trainer.batch(seed)] for seed in range(3)]
    losses = [one.step(parts[0]), one.step(parts[1], again=True)]
    assert losses == [other.step(batches) for batches in parts[:2]]
    assert (one.iteration, other.iteration) == (1, 2)
    for trainer in (one, other):
        assert trainer.learning_rate == pytest.approx(0.001)
        trainer.step(parts[2])
    np.testing.assert_array_equal(
        test_trainer.trained(one), test_trainer.trained(other)
    )


def test_sources_have_their_own_number_of_segments():
    """The loss is that of the mean over as many snippets; the variables are shared."""
    trainer = test_trainer.make(also=(1,), dropout=0.0, base_lr=0.01)
    images, labels = test_trainer.batch(0)
    single = images[:, 1:2]
    inputs = network_input(tf.constant(single), trainer._stream)
    repeated = tf.repeat(inputs, 3, axis=1)
    told = tf.nn.log_softmax(trainer.network(repeated, training=True)).numpy()
    expected = -told[np.arange(len(labels)), labels].mean()
    before = test_trainer.trained(trainer)
    # Repeated snippets have the mean and variance of single ones.
    assert trainer.step([(single, labels)]) == pytest.approx(expected, rel=1e-5)
    assert (test_trainer.trained(trainer) != before).any()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    for seed, name in enumerate("abcdef"):
        clips.make_video(root / name, 6, seed)
    for seed, name in enumerate("xyz"):
        clips.make_video(root / "web" / name, 1, 10 + seed)
    for seed, name in enumerate(("g/part_1", "g/part_3", "i/part_0")):
        clips.make_video(root / name, 6, 20 + seed)
    for name, lines in {
        "train": "a 6 0\nb 6 1\n",
        "validation": "c 6 0\nd 6 1\n",
        "web": "x 1 1\ny 1 0\nz 1 1\n",
        "more": "e 6 1\nf 6 1\n",
        "raw": "g 0 4 1 3\nh 1 2\ni 1 1 0\n",
    }.items():
        (root / f"{name}.txt").write_text(lines)
    (root / "run.toml").write_text(SETTINGS.format(root=root))
    return root


def arguments(data, out, *more):
    sets = [word for one in more for word in ("--set", one)]
    return ["--config", str(data / "run.toml"), "--out", str(out), *sets]


def values_of(path):
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    return found


@pytest.mark.usefixtures("shallow_network")
def test_a_run(data, tmp_path):
    """By class and of parts; resumed as undisturbed; other videos are another run."""
    out, other = tmp_path / "run", tmp_path / "other"
    with killed_runs.copied(2, out, other):
        done = call("train", *arguments(data, out))
    assert done.returncode == 0, done.stderr[-3000:]
    with (out / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["iteration"] for row in rows] == ["1", "2", "3"]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx(
        [1e-3, 1e-3, 1e-4]
    )
    again = call("train", *arguments(data, other))
    assert again.returncode == 0, again.stderr[-3000:]
    assert "resuming at iteration 2 of 3" in again.stderr
    one, two = (values_of(folder / "last.weights.h5") for folder in (out, other))
    assert one.keys() == two.keys()
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)
    about = json.loads((out / "run.json").read_text())["settings"]
    assert len(set(about["sources (digests)"])) == 2
    assert [one.get("power") for one in about["data.sources"]] == [0.5, None]
    with pytest.raises(InputError, match=r"of another run: its data\.power"):
        train.main(arguments(data, out, "data.power=0.5"))
    (data / "web.txt").write_text("x 1 1\ny 1 0\nz 1 0\n")
    with pytest.raises(InputError, match=r"of another run: its sources \(digests\)"):
        train.main(arguments(data, out))


def test_no_draws_by_class_of_several_labels(data, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a 6 0 1\nb 6 1\n")
    more = (
        *("data.dataset=list_multilabel", f"data.annotations={path}"),
        *("data.validation=", "train.loss=sigmoid", "data.sources=[]"),
    )
    with pytest.raises(InputError, match="data.power draws videos by their class"):
        train.main(arguments(data, tmp_path / "run", *more, "data.power=0.5"))


def more(data, found, **choice):
    choice = Choice(**{"dataset": "list", "root": data, **choice})
    return training_sets.more(choice, found, ("img_",), None)


def test_labels_of_a_source_are_those_of_the_main_videos(data, tmp_path):
    choice = Choice("list", root=data, annotations=data / "train.txt")
    found = training_sets.find(choice, ("img_",), None)
    # One of the two classes has no video here.
    chosen = more(data, found, annotations=data / "more.txt")
    assert [folder.label for folder in chosen.folders] == [1, 1]
    path = tmp_path / "list.txt"
    for lines, kind, words in (
        ("e 6 2\n", "list", "e of the training videos has label 2; labels of 2"),
        ("e 6 1\n", "list_multilabel", "must have one label each, or several each"),
        ("gone 6 1\n", "list", "1 of 1 training videos of list have no folder"),
    ):
        path.write_text(lines)
        with pytest.raises(InputError, match=words):
            more(data, found, dataset=kind, annotations=path)
    named = dataclasses.replace(found, classes=("run", "walk"))
    (tmp_path / "names.txt").write_text("walk\nrun\n")
    with pytest.raises(InputError, match="has other classes than list, or in another"):
        more(
            *(data, named),
            annotations=data / "more.txt",
            classes=tmp_path / "names.txt",
        )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([{"btch": 2}], "data: sources[0]: there is no 'btch'; did you mean 'batch'"),
        ([{}, {"every": 0}], "every of data.sources[1] must be from 1 to 100000000"),
        (
            [{"dataset": "x"}],
            "dataset of data.sources[0] must be one of hmdb51, ucf101",
        ),
        (
            [{"power": 1.5}],
            "power of data.sources[0] must be from 0 to 1. Received: 1.5",
        ),
        (3, "data: sources must be list of tables. Received: 3"),
        ([{}] * 17, "data.sources has 17 entries; at most 16"),
    ],
)
def test_faults_of_training_files(given, words):
    with pytest.raises(InputError) as error:
        config.training_of({"data": {"sources": given}})
    assert words in str(error.value)


def test_no_mixup_of_sources():
    with pytest.raises(InputError, match="mixup is for videos of one source"):
        config.training_of({"data": {"sources": [{}]}, "train": {"mixup": 0.2}})
