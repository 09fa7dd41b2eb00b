"""Ten updates of every kind of run that the study files have, by narrow networks.

On random weights and made videos. Of BN-Inception there is no block, or, where it is
the consensus or the number of segments that is new, two convolutions; the others are
whole.
"""

import dataclasses
import pathlib

import clips
import numpy as np
import pytest
import small_network

from tsn_keras.models.backbones import BACKBONES
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.studies import planning
from tsn_keras.studies.records import Options
from tsn_keras.training import run as training

CONFIGS = pathlib.Path(__file__).parents[2] / "configs"
UPDATES = 10


def tags(settings):
    """What a run may be the first to have: any of these makes it a kind of its own."""
    model = settings.model
    yield "backbone", model.backbone
    # The inputs of flow are tested as inputs.
    yield "channels", MODALITIES[settings.data.modality].channels
    yield "norms", (model.batch_norm, model.dropout > 0)
    yield "trained", (model.trainable, len(settings.data.tasks))
    if model.backbone == "bn_inception":
        yield "consensus", (model.consensus, model.segments)


def kinds():
    """{words: (settings, what is new)} of the first run of each, over all tables."""
    seen, found = set(), {}
    for path in sorted((CONFIGS / "studies").glob("*.toml")):
        for run in planning.plan(path, Options()).runs:
            if new := set(tags(run.settings)) - seen:
                seen |= new
                words = ", ".join(str(value) for _, value in sorted(new))
                found[f"{path.stem}: {words}"] = run.settings, dict(new).keys()
    return found


KINDS = kinds()


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Four videos to train on and two to validate on, of two classes."""
    root = tmp_path_factory.mktemp("ten")
    lines = []
    for number in range(6):
        clips.make_video(root / f"v{number}", 9, number)
        lines.append(f"v{number} 9 {number % 2}\n")
    (root / "train.txt").write_text("".join(lines[:4]))
    (root / "test.txt").write_text("".join(lines[4:]))
    return root


def narrow(settings, data):
    """The same on the videos, with a narrow network and small batches."""
    place = {
        "dataset": "list",
        "root": str(data),
        "annotations": str(data / "train.txt"),
    }
    tasks = tuple(
        dataclasses.replace(task, batch=1, **place) for task in settings.data.tasks
    )
    test = str(data / "test.txt")
    changed = dataclasses.replace(settings.data, validation=test, tasks=tasks, **place)
    model = dataclasses.replace(settings.model, initial="", width=0.1)
    if model.backbone == "keras:ResNet50":  # Which has one width; this is the same.
        model = dataclasses.replace(model, backbone="resnet50_caffe")
    train = dataclasses.replace(
        settings.train,
        batch=1,
        iter_size=1,
        # Random weights without batch norms make large gradients of pixels up to 128.
        clip=settings.train.clip or 20.0,
        device_batch=1,
        iterations=UPDATES,
        base_lr=0.001,  # Ten updates of one video bear no larger one from scratch.
        epochs=0,
        drop_epochs=(),
        validate_epochs=0,
        validate_every=0,
        save_every=UPDATES,
    )
    return dataclasses.replace(settings, data=changed, model=model, train=train)


def test_the_kinds_are_those_of_the_tables():
    found = [settings for settings, _ in KINDS.values()]
    assert {s.model.backbone for s in found} == {
        *("bn_inception", "googlenet_caffe", "inception_v3", "vgg16"),
        *("cnn_m_spatial", "cnn_m_temporal", "keras:ResNet50", "st_resnet50"),
    }
    assert {s.model.segments for s in found} == {1, 3, 5, 7, 9}
    functions = {"average", "max", "linear", "top_k", "attention"}
    assert {s.model.consensus for s in found} == functions
    channels = {MODALITIES[s.data.modality].channels for s in found}
    assert channels == {3, 10, 15, 2, 20, 23}
    assert {(s.model.trainable, len(s.data.tasks)) for s in found} == {
        *(("all", 0), ("head", 0), ("all", 1))
    }


@pytest.mark.slow
@pytest.mark.usefixtures("shallow_network")
@pytest.mark.parametrize("kind", KINDS)
def test_ten_updates(kind, data, tmp_path, monkeypatch):
    settings, new = KINDS[kind]
    if new == {"consensus"}:
        small = dataclasses.replace(small_network.SMALL, name="bn_inception")
        monkeypatch.setitem(BACKBONES, small.name, small)
    out = tmp_path / "run"
    trained = training.train(training.Request(narrow(settings, data), str(out)))
    assert trained.iterations == UPDATES
    rows = (out / "log.csv").read_text().splitlines()[1:]
    losses = [float(row.split(",")[1]) for row in rows]
    assert len(losses) == UPDATES
    # Two classes: a guess has log(2), and ten updates do not go far from it; of each
    # data set. Over time those of all steps of two streams are added.
    is_over_time = BACKBONES[settings.model.backbone].steps > 0
    count = (
        2 * settings.model.segments if is_over_time else 1 + len(settings.data.tasks)
    )
    assert 0.3 < np.mean(losses) / count < 1.5
    assert trained.weights.exists()
