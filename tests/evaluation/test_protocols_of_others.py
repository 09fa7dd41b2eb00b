"""`eval` and `predict` under protocols of other programs, step by step in NumPy.

Videos keep their ratio there: what is compared is a network that sees several sizes.
"""

import clips
import cv2
import keras
import numpy as np
import pytest
import videofiles
from PIL import Image

from tsn_keras import eval, predict
from tsn_keras.checkpoints import keras_file, loading
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.records import Backbone
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.prediction import predictor
from tsn_keras.prediction.settings import Settings
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.scores import metrics, score_file

CLASSES = ("jump", "run", "walk")
RGB = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])


def build(input_shape, classes, dropout=0.5, width=1.0):
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(8, 7, strides=8, activation="relu", name="stem")(inputs)
    x = keras.layers.GlobalAveragePooling2D(name="pool")(x)
    x = keras.layers.Dense(classes, name="scores")(x)
    return keras.Model(inputs, x)


NETWORK = Backbone(
    name="one_convolution",
    title="one convolution",
    build=build,
    features="pool",
    first="stem",
    head="scores",
    channels={"stem": 8},
)


@pytest.fixture(autouse=True)
def _added(monkeypatch):
    monkeypatch.setitem(BACKBONES, NETWORK.name, NETWORK)


def weights_of(path, protocol, modality, channels):
    """Writes random weights; returns the path and a model for any size."""
    keras.utils.set_random_seed(channels)
    model = build((None, None, channels), len(CLASSES))
    kernel, bias = model.get_layer("scores").get_weights()
    model.get_layer("scores").set_weights([20 * kernel, bias])
    about = {"backbone": NETWORK.name, "modality": modality, "protocol": protocol}
    keras_file.save(model, path, {**about, "class_names": CLASSES})
    return path, model


def three_crops(image):
    """Short side 256, then the ends of the longer side and its middle."""
    height, width = image.shape[:2]
    factor = 256 / min(height, width)
    size = int(width * factor + 0.5), int(height * factor + 0.5)
    image = cv2.resize(image, size)
    step = (max(image.shape[:2]) - 256) // 2
    cuts = []
    for start in (0, 2 * step, step):
        wide = image.shape[1] > image.shape[0]
        cut = image[:, start : start + 256] if wide else image[start : start + 256]
        assert cut.shape[:2] == (256, 256)
        cuts.append(cut)
    return cuts


def middles(count, snippets):
    part = count / snippets
    return [int(part / 2 + part * k) for k in range(snippets)]


def mmaction2_scores(model, frames):
    """mmaction2_s8_3crop256 of B, G, R images: float32 [8, 3, classes]."""
    mean, deviation = RGB
    return np.stack(
        [
            model(
                np.stack(
                    [
                        (cut[..., ::-1] - mean) / deviation
                        for cut in three_crops(frames[index])
                    ]
                ).astype("f4")
            )
            for index in middles(len(frames), 8)
        ]
    )


def evaluate(tmp_path, path, modality, counts):
    lines = [f"{name} {count} {k}" for k, (name, count) in enumerate(counts.items())]
    (tmp_path / "list.txt").write_text("\n".join(lines))
    argv = ["--dataset", "list", "--annotations", str(tmp_path / "list.txt")]
    argv += ["--data", str(tmp_path / "data"), "--weights", str(path)]
    argv += ["--scores", str(tmp_path / "s.h5"), "--modality", modality]
    result, status = eval.main(argv)
    assert status == 0
    return result


# Float32 rounding of scores of several units.
NEAR = {"rtol": 0, "atol": 2e-5}


def test_eval_of_images(tmp_path):
    name = "mmaction2_s8_3crop256"
    path, model = weights_of(tmp_path / "w.weights.h5", name, "rgb", 3)
    assert loading.find(path).protocol is PROTOCOLS[name]
    sizes = {"a": (320, 240), "b": (150, 200), "c": (340, 256)}
    for k, (video, size) in enumerate(sizes.items()):
        clips.make_video(tmp_path / "data" / video, 9 + k, k, size)
    evaluate(tmp_path, path, "rgb", {"a": 9, "b": 10, "c": 11})
    with score_file.ScoreFile(tmp_path / "s.h5") as file:
        assert (file.about["protocol"], file.about["crops"]) == (name, 3)
        for video in sizes:
            images = sorted((tmp_path / "data" / video).glob("img_*.jpg"))
            expected = mmaction2_scores(model, [cv2.imread(str(p)) for p in images])
            np.testing.assert_allclose(file.read(video), expected, **NEAR)
            assert expected.std(axis=(0, 1)).max() > 0.05


@pytest.mark.whole
def test_eval_of_flow(tmp_path):
    """A clip shorter than a snippet begins again; mirrored flow keeps its sign."""
    name = "mmaction2_s25_10crop224"
    path, model = weights_of(tmp_path / "w.weights.h5", name, "flow", 10)
    clips.make_video(tmp_path / "data/a", 3, 0, (320, 240))
    evaluate(tmp_path, path, "flow", {"a": 3})
    planes = [
        cv2.resize(
            cv2.imread(str(tmp_path / f"data/a/flow_{axis}_0000{n}.jpg"), 0), (341, 256)
        )
        for n in (1, 2, 3, 1, 2)
        for axis in "xy"
    ]
    snippet = (np.dstack(planes).astype("f4") - 128) / 128
    # A quarter of the free space is 29 and 8.
    places = [(0, 0), (0, 116), (32, 0), (32, 116), (16, 58)]
    cuts = [snippet[y : y + 224, x : x + 224] for y, x in places]
    cuts = [image for cut in cuts for image in (cut, cut[:, ::-1])]
    with score_file.ScoreFile(tmp_path / "s.h5") as file:
        found = file.read("a")
    assert found.shape == (25, 10, 3)
    expected = np.asarray(model(np.stack(cuts)))
    np.testing.assert_allclose(found, np.stack([expected] * 25), **NEAR)
    assert np.abs(expected[0] - expected[1]).max() > 1e-2


@pytest.mark.whole
def test_eval_of_larger_images(tmp_path):
    """tsn-pytorch shrinks with Pillow's filter."""
    path, model = weights_of(tmp_path / "w.weights.h5", "tsn_pytorch", "rgb", 3)
    clips.make_video(tmp_path / "data/a", 30, 0, (427, 320))
    evaluate(tmp_path, path, "rgb", {"a": 30})
    expected = []
    for index in middles(30, 25)[:3]:
        image = Image.open(tmp_path / f"data/a/img_{index + 1:05d}.jpg")
        # One side after the other, as every Pillow does it.
        image = image.resize((341, 320), Image.BILINEAR)
        image = np.asarray(image.resize((341, 256), Image.BILINEAR))
        image = image[..., ::-1].astype("f4") - np.float32([104, 117, 128])
        cut = image[16 : 16 + 224, 58 : 58 + 224]
        expected.append(model(np.stack([cut, cut[:, ::-1]])))
    with score_file.ScoreFile(tmp_path / "s.h5") as file:
        found = file.read("a")[:3, 8:]
    # Inputs are a hundred times as large here.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize("size", [(160, 120), (90, 128)])
def test_predict_of_images(tmp_path, size):
    """From the first frame on, and without JPEG."""
    name = "mmaction2_s8_3crop256"
    path, model = weights_of(tmp_path / "w.weights.h5", name, "rgb", 3)
    video = videofiles.make(tmp_path / "v.avi", 11, size=size)
    frames = videofiles.by_opencv(video)
    scorer = predictor.Predictor([str(path)], Settings(batch=3))
    found = scorer.predict(video, key_frames=True)
    assert found.files == 11
    assert found.ticks.tolist() == [1 + index for index in middles(11, 8)]
    expected = mmaction2_scores(model, frames)
    np.testing.assert_allclose(found.scores["rgb"], expected, **NEAR)
    average = metrics.softmax(expected.mean(axis=(0, 1)))
    np.testing.assert_allclose(found.probabilities, average, atol=2e-5)
    for index, image in zip(middles(11, 8), found.key_frames, strict=True):
        small = cv2.resize(frames[index], (170, 128), interpolation=cv2.INTER_AREA)
        np.testing.assert_array_equal(image, small[..., ::-1])
    # The same frames in memory.
    same = scorer.predict(np.stack(frames)[..., ::-1])
    np.testing.assert_array_equal(same.scores["rgb"], found.scores["rgb"])


def test_predict_command_says_the_protocol(tmp_path):
    path, _ = weights_of(tmp_path / "w.weights.h5", "mmaction2_d8_centre224", "rgb", 3)
    video = videofiles.make(tmp_path / "v.avi", 70)
    result, _ = predict.main([str(video), "--weights", str(path)])
    assert result["protocol"] == "80 snippets x the centre crop"
    assert result["frames"] == 70


@pytest.mark.parametrize("count", [10, 4])
def test_flow_of_a_video_is_as_stored(tmp_path, monkeypatch, count):
    """Flow k goes from frame k to the next; one too short a video begins again."""

    def numbered(decoding, pairs, stream):
        for number, before, after in pairs:
            assert before.shape == after.shape == (256, 340)
            yield number, np.dstack([before, after])

    monkeypatch.setattr(Decoding, "stored_flow", numbered)
    video = videofiles.make(tmp_path / "v.avi", count)
    greys = [
        cv2.cvtColor(cv2.resize(frame, (340, 256)), cv2.COLOR_BGR2GRAY)
        for frame in videofiles.by_opencv(video)
    ]
    name = "mmaction2_s8_centre224"
    stream = Stream(MODALITIES["flow"], PROTOCOLS[name])
    opened = Decoding().opened(video)
    assert opened.images(stream) == count - 1
    ticks, _ = stream.protocol.test.distinct(count - 1, 5)
    found = dict(opened.snippets(ticks.tolist(), stream))
    assert list(found) == ticks.tolist()
    for tick in ticks:
        numbers = [1 + (tick - 1 + k) % (count - 1) for k in range(5)]
        expected = np.dstack([greys[n + k] for n in numbers for k in (-1, 0)])
        np.testing.assert_array_equal(found[tick], expected)
