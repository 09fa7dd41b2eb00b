"""ST-ResNet by the commands: training from a ResNet-50, the test, a prediction.

Raw scores are compared with the same network computed step by step from the files, to
2e-4 of the largest: batch norms are folded, as those of other networks.
"""

import csv
import json

import clips
import cv2
import keras
import numpy as np
import pytest
import shallow_st_resnet
import tensorflow as tf
import videofiles
from commands import call

import tsn_keras
from tsn_keras import config
from tsn_keras.checkpoints import keras_file, loading
from tsn_keras.common.errors import InputError
from tsn_keras.models import identity, st_resnet
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.preprocessing import network_input
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import RGB_FLOW
from tsn_keras.protocols.records import Stream
from tsn_keras.protocols.st_resnet import ST_RESNET, ST_RESNET_STAR
from tsn_keras.scores import score_file
from tsn_keras.training import initialisation

CLASSES = ("jump", "run")
STREAM = Stream(RGB_FLOW, ST_RESNET)
WIDTH, STEPS = shallow_st_resnet.WIDTH, 3
SIZE = (240, 224)
TRAINING = """
[data]
dataset = "folders"
modality = "rgb_flow10"
protocol = "st_resnet"

[model]
backbone = "st_resnet50"
segments = 2
dropout = 0.0
batch_norm = "all"

[train]
solver = "matconvnet"
groups = "matconvnet"
batch = 4
device_batch = 2
iterations = 2
base_lr = 0.001
drops = []
clip = 0.0
"""


@pytest.fixture(scope="module", autouse=True)
def shallow():
    with shallow_st_resnet.applied(shallow_st_resnet.STAGE):
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("st")
    for label, name in enumerate(CLASSES):
        for number in range(3):
            folder = root / "frames" / name / f"{name}_{number}"
            clips.make_video(folder, 17 + number, 10 * label + number, SIZE)
    for name, channels in (("rgb", 3), ("flow", 10)):
        keras.utils.set_random_seed(channels)
        record = BACKBONES[shallow_st_resnet.RESNET]
        model = record.build((224, 224, channels), 5, width=WIDTH)
        about = {"backbone": record.name, "modality": name, "protocol": "keras_caffe"}
        keras_file.save(model, root / f"{name}.weights.h5", {**about, "width": WIDTH})
    text = TRAINING.replace("[data]", f'[data]\nroot = "{root / "frames"}"')
    text = text.replace("[model]", f'[model]\ninitial = "{root / "rgb.weights.h5"}"')
    (root / "st.toml").write_text(text)
    return root


@pytest.fixture(scope="module")
def trained(data):
    """Folder of a run of two updates, and what the command said."""
    argv = ["--config", data / "st.toml", "--out", data / "run"]
    done = call("train", *argv)
    assert done.returncode == 0, done.stderr[-3000:]
    return data / "run", done.stderr


@pytest.mark.slow
def test_training_begins_with_a_resnet_and_makes_updates(data, trained):
    out, said = trained
    assert "new: fc_spatial, fc_temporal" in said
    with (out / "log.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    # Two steps of two streams, each of two classes that are alike at first.
    assert len(losses) == 2
    assert losses[0] == pytest.approx(4 * np.log(2), rel=0.3)
    found = loading.find(out / "last.weights.h5")
    assert found.architecture.backbone is BACKBONES["st_resnet50"]
    assert found.stream == STREAM
    assert (found.architecture.channels, found.class_names) == (23, CLASSES)


@pytest.fixture(scope="module")
def streams(data):
    """{modality: weights of a stream that was trained by itself for an update}."""
    found = {}
    for modality, protocol in (("rgb", "appearance"), ("flow10", "motion")):
        changes = {
            "data.modality": modality,
            "data.protocol": f"st_resnet_{protocol}",
            "model.backbone": shallow_st_resnet.RESNET,
            "model.segments": 1,
            "train.iterations": 1,
            # 4 as 3 and 1, as the paper's 256 are 86, 86 and 84.
            "train.device_batch": 3,
        }
        sets = [part for k, v in changes.items() for part in ("--set", f"{k}={v}")]
        out = data / protocol
        done = call("train", "--config", data / "st.toml", "--out", out, *sets)
        assert done.returncode == 0, done.stderr[-3000:]
        with (out / "log.csv").open() as file:
            (row,) = csv.DictReader(file)
        assert float(row["loss"]) == pytest.approx(np.log(2), rel=0.3)
        found[modality] = out / "last.weights.h5"
    return found


@pytest.mark.slow
def test_streams_by_themselves(data, streams):
    """Motion, which begins with images: each step and its mirror image is scored."""
    weights = streams["flow10"]
    more = ("--modality", "flow10", "--snippets", STEPS)
    done = evaluated(data, weights, "motion.h5", *more)
    assert done.returncode == 0, done.stderr[-3000:]
    found = loading.find(weights)
    protocol, files, name = found.protocol, 18, "run/run_1"
    assert protocol.name == "st_resnet_motion"
    clips_seen = []
    for tick in protocol.test.rule(files, 10, STEPS):
        planes = [
            cv2.imread(str(data / f"frames/{name}/flow_{axis}_{n:05d}.jpg"), 0)
            for n in range(tick, tick + 10)
            for axis in "xy"
        ]
        clips_seen.append(np.dstack(planes))
    seen = np.stack(clips_seen)
    mirrored = seen[:, :, ::-1].copy()
    mirrored[..., ::2] = 255 - mirrored[..., ::2]
    both = tf.constant(np.stack([seen, mirrored], 1))
    images = network_input(both, found.stream)
    images = tf.reshape(images, (-1, *images.shape[2:]))
    wanted = np.asarray(found.build(0)(images, training=False)).reshape(STEPS, 2, 2)
    with score_file.ScoreFile(data / "motion.h5") as file:
        scores = file.read(name)
    np.testing.assert_allclose(scores, wanted, atol=2e-4 * np.abs(wanted).max())


@pytest.mark.slow
def test_both_streams_begin_the_joint_network(streams):
    rgb, flow = (str(streams[name]) for name in ("rgb", "flow10"))
    settings = config.ModelSettings("st_resnet50", rgb, flow, segments=2)
    weights = initialisation.find(settings, STREAM)
    motion = initialisation.find_motion(settings, STREAM, weights)
    wanted = initialisation.architecture(settings, STREAM, 2, weights)
    model, new = initialisation.build(
        wanted, weights, settings, "float32", "rgb_flow10", motion
    )
    assert new == []
    first = BACKBONES[shallow_st_resnet.RESNET].first
    for own, found in ((st_resnet.SPATIAL, weights), (st_resnet.TEMPORAL, motion)):
        layer = model.get_layer(st_resnet.plan_of(own).names.stem[0])
        kernel = found.build().get_layer(first).kernel
        np.testing.assert_array_equal(layer.kernel, kernel)


def expected(path, folder, files, steps=STEPS):
    """Scores of a video's frames and of their mirror images: [2, classes]."""
    weights = loading.find(path)
    clip = []
    for tick in ST_RESNET.test.rule(files, 11, steps):
        image, *flow = STREAM.numbers(tick, files)
        planes = [cv2.imread(str(folder / f"img_{image:05d}.jpg"))]
        planes += [
            cv2.imread(str(folder / f"flow_{axis}_{n:05d}.jpg"), cv2.IMREAD_GRAYSCALE)
            for n in flow
            for axis in "xy"
        ]
        clip.append(np.dstack(planes))
    clip = np.stack(clip)
    mirrored = clip[:, :, ::-1].copy()
    mirrored[..., 3::2] = 255 - mirrored[..., 3::2]
    model = weights.build(0, steps)
    both = network_input(tf.constant(np.stack([clip, mirrored])), STREAM)
    return np.asarray(model(both, training=False)).mean(axis=(1, 2))


def evaluated(data, weights, name, *more):
    lines = [f"{c}/{c}_{n} {17 + n} {k}" for k, c in enumerate(CLASSES) for n in (0, 1)]
    (data / "list.txt").write_text("\n".join(lines))
    return call(
        *("eval", "--dataset", "list", "--annotations", data / "list.txt"),
        *("--data", data / "frames", "--scores", data / name, "--weights", weights),
        *("--modality", "rgb_flow10", *more),
    )


@pytest.mark.slow
def test_eval(data, trained):
    weights = trained[0] / "last.weights.h5"
    done = evaluated(data, weights, "s.h5", "--snippets", STEPS)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "snippets x the frame, also mirrored" in done.stderr + done.stdout
    (row,) = json.loads(done.stdout.splitlines()[-1])["results"]
    assert row["videos"] == 4
    with score_file.ScoreFile(data / "s.h5") as file:
        name = "run/run_1"
        scores = file.read(name)
        assert scores.shape == (1, 2, 2)
        found = expected(weights, data / "frames" / name, 18)
        bound = 2e-4 * np.abs(found).max()
        np.testing.assert_allclose(scores[0], found, atol=bound)
        assert np.abs(found[0] - found[1]).max() > 10 * bound


@pytest.mark.slow
def test_tests_that_are_not_for_it(data, trained):
    weights = trained[0] / "last.weights.h5"
    for more, words in (
        (("--protocol", "caffe"), "sees a video's snippets together"),
        (("--every", "30"), "sees those of a video together"),
    ):
        done = evaluated(data, weights, "no.h5", *more)
        assert done.returncode == 2
        assert words in done.stderr.replace("\n", " ")
    with pytest.raises(InputError, match="one at a time|see them together"):
        tsn_keras.Recognizer.from_preset("demo_rgb", protocol="st_resnet")


@pytest.mark.slow
def test_stage_2_begins_with_stage_1(trained):
    path = trained[0] / "last.weights.h5"
    stream = Stream(RGB_FLOW, ST_RESNET_STAR)
    settings = config.ModelSettings("st_resnet50_star", str(path), segments=5)
    weights = initialisation.find(settings, stream)
    assert initialisation.find_motion(settings, stream, weights) is None
    wanted = initialisation.architecture(settings, stream, 2, weights)
    model, new = initialisation.build(
        wanted, weights, settings, "float32", "rgb_flow10"
    )
    assert new == []
    assert model.output_shape == (None, 1, 2, 2)
    for one, other in zip(
        model.get_weights(), weights.build().get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_motion_may_have_weights_of_its_own(data):
    rgb, flow = (str(data / f"{name}.weights.h5") for name in ("rgb", "flow"))
    settings = config.ModelSettings("st_resnet50", rgb, rgb, segments=2)
    weights = initialisation.find(settings, STREAM)
    assert initialisation.find_motion(settings, STREAM, weights).path == weights.path
    for model, words in (
        # Of five pairs: flow of ten is another modality.
        (config.ModelSettings("st_resnet50", rgb, flow), "flow10 or images"),
        (config.ModelSettings("st_resnet50", "", rgb), "whose model.initial is that"),
        (config.ModelSettings("resnet50_caffe", rgb, rgb), "leave it out"),
        (config.ModelSettings("st_resnet50", rgb, first_conv="random"), "their mean"),
    ):
        stream = STREAM if model.backbone.startswith("st") else None
        with pytest.raises(InputError, match=words):
            initialisation.find_motion(
                model, stream, weights if model.initial else None
            )


@pytest.mark.parametrize(
    ("model", "protocol", "words"),
    [
        ({"backbone": "st_resnet50"}, "caffe", "is for networks that do not"),
        ({"backbone": "bn_inception"}, "st_resnet", "networks that see them together"),
        (
            {"backbone": "st_resnet50", "consensus": "max"},
            "st_resnet",
            "has none: the mean over its steps",
        ),
    ],
)
def test_training_that_does_not_fit(model, protocol, words):
    stream = Stream(RGB_FLOW, PROTOCOLS[protocol])
    with pytest.raises(InputError, match=words):
        initialisation.find(config.ModelSettings(**model), stream)


def test_further_data_sets_need_one_classifier():
    record = BACKBONES["st_resnet50"]
    network = record.build((2, 224, 224, 23), 3, width=WIDTH)
    settings = config.ModelSettings(record.name)
    assert initialisation.further(network, record, [], settings, "float32") == ()
    with pytest.raises(InputError, match=r"data.tasks is .* model.backbone st_resnet"):
        initialisation.further(network, record, [5], settings, "float32")


def test_it_is_shared_in_a_folder(tmp_path):
    record = BACKBONES["st_resnet50"]
    network = record.build((record.steps, 224, 224, 23), 2, width=WIDTH)
    identity.mark(network, identity.Identity(record, STREAM, WIDTH))
    folder = tsn_keras.save_preset(network, tmp_path / "mine", class_names=CLASSES)
    told = json.loads((folder / "config.json").read_text())
    assert told["config"]["input_shape"] == [5, 224, 224, 23]
    preprocessor = json.loads((folder / "preprocessor.json").read_text())
    layer = keras.saving.deserialize_keras_object(preprocessor)
    assert layer.stream == STREAM
    weights = loading.find(folder)
    assert (weights.stream, weights.class_names) == (STREAM, CLASSES)
    found = tsn_keras.load(folder)
    assert found.output_shape == (None, 5, 2, 2)
    for one, other in zip(found.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Of the file inside, and of the loaded model again.
    for number, source in enumerate((folder / "model.weights.h5", found)):
        again = tsn_keras.save_preset(source, tmp_path / f"{number}")
        assert loading.find(again).architecture == weights.architecture


def test_a_segment_model_does_not_take_it():
    network = BACKBONES["st_resnet50"].build((2, 224, 224, 23), 3, width=WIDTH)
    with pytest.raises(ValueError, match="has no segments"):
        tsn_keras.TSN(network)


@pytest.mark.slow  # TV-L1 of whole frames
def test_predict(data, trained, tmp_path):
    """Of a video, as of its files, whose flow was computed alike."""
    video = videofiles.make(tmp_path / "a.avi", 13)
    weights = trained[0] / "last.weights.h5"
    how = ("--flow-device", "opencv")
    done = call("extract", tmp_path, tmp_path / "frames", *how)
    assert done.returncode == 0, done.stderr[-2000:]
    recognizer = tsn_keras.Recognizer.from_preset(weights, snippets=2)
    prediction = recognizer.predict(video)
    scores = prediction.scores["rgb_flow10"]
    assert scores.shape == (1, 2, 2)
    found = expected(weights, tmp_path / "frames" / "a", 12, 2)
    np.testing.assert_allclose(scores[0], found, atol=2e-4 * np.abs(found).max())
    assert {one.name for one in prediction.top(2)} == set(CLASSES)
    quick = tsn_keras.Recognizer.from_preset(weights, fast=True)
    assert quick.predict(video).scores["rgb_flow10"].shape == (1, 1, 2)
