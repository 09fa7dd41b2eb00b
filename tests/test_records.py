"""The proof of the shape: a backbone, a protocol and a modality of one record each.

They are added here only, and every activity runs with them; what comes out is
compared with the same procedure in NumPy and OpenCV.
"""

import json

import clips
import cv2
import keras
import numpy as np
import pytest
import videofiles
from commands import train

import tsn_keras
from tsn_keras import eval, predict
from tsn_keras.checkpoints import keras_file, loading
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.records import Backbone
from tsn_keras.models.widths import scaled
from tsn_keras.protocols import sampling
from tsn_keras.protocols.augmentations import MultiScaleCrop
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.crops import CENTRE, QUARTERS, Crops, Window
from tsn_keras.protocols.modalities import MODALITIES, Modality
from tsn_keras.protocols.records import Normalisation, Protocol, View
from tsn_keras.scores import metrics, score_file

CLASSES = ("jump", "run", "walk")
SIDE = 64


def build(input_shape, classes, dropout=0.5, width=1.0):
    """Two convolutions, the first with a batch norm, and a classifier."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(scaled(8, width), 5, strides=2, name="stem")(inputs)
    x = keras.layers.BatchNormalization(name="stem_norm")(x)
    x = keras.layers.ReLU()(x)
    x = keras.layers.Conv2D(scaled(12, width), 3, strides=2, name="body")(x)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    if classes is not None:
        x = keras.layers.Dropout(dropout)(x)
        x = keras.layers.Dense(classes, name="scores")(x)
    return keras.Model(inputs, x)


TOY_BACKBONE = Backbone(
    name="toy_network",
    title="toy",
    build=build,
    features="pool",
    first="stem",
    head="scores",
    channels={"stem": 8, "body": 12},
)


def _three(height, width, size):
    middle, right = (height - size) // 2, width - size
    return [Window(middle, x) for x in (0, right // 2, right)]


TOY_PROTOCOL = Protocol(
    name="toy_protocol",
    test=View(8, sampling.eval_ticks, Crops("3 crops", 3, _three)),
    quick=View(3, sampling.validation_ticks, CENTRE),
    frame_size=(72, 96),
    crop_size=SIDE,
    red_first=True,
    normalisation={"image": Normalisation((120.0, 110.0, 100.0), (60.0, 58.0, 56.0))},
    augmentation=MultiScaleCrop("mine", QUARTERS),
    average="probabilities",
)
TOY_MODALITY = Modality(
    name="toy_pair",
    kind="image",
    prefixes=("img_",),
    step_planes=3,
    length=2,
    inverted=(False, False, False),
    fusion_weight=0.5,
)


@pytest.fixture(autouse=True)
def _added(monkeypatch):
    monkeypatch.setitem(BACKBONES, TOY_BACKBONE.name, TOY_BACKBONE)
    monkeypatch.setitem(PROTOCOLS, TOY_PROTOCOL.name, TOY_PROTOCOL)
    monkeypatch.setitem(MODALITIES, TOY_MODALITY.name, TOY_MODALITY)


@pytest.fixture
def weights(tmp_path):
    keras.utils.set_random_seed(3)
    model = build((SIDE, SIDE, 6), 3, width=0.5)
    norm = model.get_layer("stem_norm")
    random = np.random.default_rng(0)
    norm.set_weights([random.uniform(0.5, 2, norm.gamma.shape) for _ in range(4)])
    about = {
        "backbone": "toy_network",
        "modality": "toy_pair",
        "protocol": "toy_protocol",
        "class_names": CLASSES,
        "width": 0.5,
    }
    keras_file.save(model, tmp_path / "toy.weights.h5", about)
    return tmp_path / "toy.weights.h5", model


def test_load(weights):
    path, model = weights
    found = loading.find(path)
    assert found.architecture.backbone is TOY_BACKBONE
    assert found.stream.modality is TOY_MODALITY
    assert found.stream.protocol is TOY_PROTOCOL
    assert found.stream.input_shape == (SIDE, SIDE, 6)
    loaded = tsn_keras.load(path)
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def plain_scores(model, frames):
    """8 snippets x 3 crops of B, G, R images, step by step: [8, 3, 3]."""
    small = [cv2.resize(frame, (96, 72))[..., ::-1] for frame in frames]
    step = (len(frames) - 2) // 7
    assert step > 0
    out = []
    for tick in [k * step for k in range(8)]:
        planes = [
            (image.astype("f4") - (120, 110, 100)) / (60, 58, 56)
            for image in small[tick : tick + 2]
        ]
        pair = np.dstack(planes).astype("f4")
        crops = [pair[4 : 4 + SIDE, x : x + SIDE] for x in (0, 16, 32)]
        out.append(model.predict(np.stack(crops), verbose=0))
    return np.stack(out)


def test_eval(weights, tmp_path):
    path, model = weights
    for name, count in (("a", 20), ("b", 31)):
        clips.make_video(tmp_path / "data" / name, count, count)
    (tmp_path / "list.txt").write_text("a 20 0\nb 31 2\n")
    argv = ["--dataset", "list", "--annotations", str(tmp_path / "list.txt")]
    argv += ["--data", str(tmp_path / "data"), "--weights", str(path)]
    scores = ["--scores", str(tmp_path / "s.h5")]
    result, status = eval.main([*argv, *scores, "--modality", "toy_pair"])
    assert status == 0
    aggregated = []
    with score_file.ScoreFile(tmp_path / "s.h5") as file:
        assert file.classes == CLASSES
        assert file.about["protocol"] == "toy_protocol"
        assert file.about["average"] == "probabilities"
        for name in "ab":
            images = sorted((tmp_path / "data" / name).glob("img_*.jpg"))
            expected = plain_scores(model, [cv2.imread(str(path)) for path in images])
            # Float32 rounding, folded on one side only.
            np.testing.assert_allclose(file.read(name), expected, atol=1e-4)
            assert expected.std(axis=(0, 1)).max() > 1e-3
            aggregated.append(metrics.softmax(expected).mean(axis=(0, 1)))
    right = np.argmax(aggregated, axis=1) == [0, 2]
    (figures,) = result["results"]
    assert figures["stream"] == "toy_pair"
    assert figures["mean_class_accuracy"] == pytest.approx(100 * right.mean())


def test_predict(weights, tmp_path):
    path, model = weights
    video = videofiles.make(tmp_path / "v.avi", 20)
    argv = [str(video), "--weights", str(path), "--top", "3"]
    result, _ = predict.main(argv)
    assert result["protocol"] == "8 snippets x 3 crops"
    frames = []
    for frame in videofiles.by_opencv(video)[1:]:
        # What an extraction would write, at the protocol's size.
        stored = cv2.imencode(".jpg", cv2.resize(frame, (96, 72)))[1]
        frames.append(cv2.imdecode(stored, cv2.IMREAD_COLOR))
    expected = metrics.softmax(plain_scores(model, frames)).mean(axis=(0, 1))
    assert [row["class"] for row in result["top"]] == [
        CLASSES[k] for k in np.argsort(-expected)
    ]
    for row in result["top"]:
        assert row["probability"] == pytest.approx(expected[row["label"]], abs=2e-5)


def test_train(tmp_path):
    for label, name in enumerate(CLASSES):
        for number in range(4):
            folder = tmp_path / "frames" / name / f"{name}_{number}"
            clips.make_video(folder, 9 + number, 10 * label + number, (136, 102))
    (tmp_path / "toy.toml").write_text(
        "[data]\n"
        f"root = {json.dumps(str(tmp_path / 'frames'))}\n"
        'dataset = "folders"\nholdout = 0.25\n'
        'modality = "toy_pair"\nprotocol = "toy_protocol"\n'
        '[model]\nbackbone = "toy_network"\nwidth = 0.5\ndropout = 0.0\n'
        'batch_norm = "all"\n'
        "[train]\nbatch = 9\niterations = 30\nbase_lr = 0.05\ndrops = []\n"
        "validate_every = 0\n"
    )
    argv = ["--config", str(tmp_path / "toy.toml"), "--out", str(tmp_path / "run")]
    result, status = train.main([*argv, "--evaluate"])
    assert status == 0
    losses = np.loadtxt(tmp_path / "run/log.csv", delimiter=",", skiprows=1)[:, 1]
    assert losses[-5:].mean() < 0.9 * losses[0]
    about, _ = keras_file.shapes(tmp_path / "run/last.weights.h5")
    assert (about["backbone"], about["modality"]) == ("toy_network", "toy_pair")
    assert (about["protocol"], about["width"]) == ("toy_protocol", 0.5)
    (figures,) = result["evaluation"]["results"]
    assert (figures["videos"], figures["stream"]) == (3, "toy_pair")
    with score_file.ScoreFile(figures["scores"]) as file:
        assert file.read(file.video_ids[0]).shape == (8, 3, 3)
    # And on from there, as initial weights of another training.
    more = ["--set", f"model.initial={tmp_path / 'run/last.weights.h5'}"]
    more += ["--set", "model.width=1.0", "--set", "train.iterations=1"]
    argv[-1] = str(tmp_path / "other")
    result, _ = train.main([*argv, *more])
    first = np.loadtxt(tmp_path / "other/log.csv", delimiter=",", skiprows=1)[1]
    assert first < 0.9 * losses[0]
