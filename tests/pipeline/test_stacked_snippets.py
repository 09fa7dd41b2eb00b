"""Snippets of displacements: from files of both codings, from a video, in training."""

import dataclasses
import functools
import json

import cv2
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
import videofiles

from tsn_keras.datasets import codings
from tsn_keras.datasets.records import DatasetError, FrameFolder
from tsn_keras.datasets.selection import Selection
from tsn_keras.extraction import extractor
from tsn_keras.extraction.settings import Settings
from tsn_keras.flow import quantiser, ranges
from tsn_keras.flow.settings import FlowSettings
from tsn_keras.pipeline import draws, reading, snippets, transforms
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import FLOW, MODALITIES, TWO_STREAM
from tsn_keras.protocols.records import Stream
from tsn_keras.video import decode

FILES, SIZE = 13, (64, 48)
PREFIXES = ("flow_x_", "flow_y_", "flow_bx_", "flow_by_")
SMALL = dataclasses.replace(CAFFE, name="small", frame_size=SIZE[::-1], crop_size=32)
STREAMS = {m.name: Stream(m, SMALL) for m in (FLOW, *TWO_STREAM)}


def make(folder, bound):
    """Writes smooth fields, and the record of their coding.

    Returns:
        {(prefix, number): float32 [h, w]}, as what is stored is decoded.
    """
    folder.mkdir()
    random, rows, held = np.random.default_rng(5), [], {}
    for number in range(1, FILES + 1):
        row = []
        for prefix in PREFIXES:
            small = random.normal(0.5, 4, (5, 7)).astype(np.float32)
            field = cv2.resize(small, SIZE, interpolation=cv2.INTER_CUBIC)
            levels, limits = quantiser.encode(field, bound)
            path = folder / f"{prefix}{number:05d}.jpg"
            cv2.imwrite(str(path), levels)
            row.append(limits)
            stored = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(float)
            low, high = np.float32(limits).astype(float)
            held[prefix, number] = low + stored * (high - low) / 255
        rows.append(row)
    parameters = {"flow_coding": quantiser.coding(bound)}
    if bound is None:
        ranges.write(folder, PREFIXES, rows)
    else:
        parameters["bound"] = bound
    record = {"parameters": parameters}
    (folder / "extract.json").write_text(json.dumps(record))
    return held


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """{bound: (folder, what is stored in it)}."""
    root = tmp_path_factory.mktemp("stored")
    return {
        bound: (root / str(bound), make(root / str(bound), bound))
        for bound in (20, 7, None)
    }


def selected(path, stream, files=FILES):
    return Selection((FrameFolder(path.name, 0, path, files),)).under(stream)


def by_hand(held, tick, name):
    """A snippet in plain NumPy and SciPy: [h, w, planes]."""
    length = MODALITIES[name].length
    numbers = [min(tick + k, FILES) for k in range(length)]
    half = length // 2 if "bidirectional" in name else 0
    fields = [
        np.dstack([held[PREFIXES[axis + 2 * (k < half)], n] for axis in (0, 1)])
        for k, n in enumerate(numbers)
    ]
    if name == "flow" or name == "flow1":
        levels = np.rint(255 * (np.dstack(fields) + 20) / 40)
        return np.clip(levels, 0, 255)
    found, (v, u) = [], np.mgrid[: SIZE[1], : SIZE[0]].astype(float)
    for field in fields:
        planes = np.dstack(
            [
                scipy.ndimage.map_coordinates(
                    field[..., axis], [v, u], order=1, mode="nearest"
                )
                for axis in (0, 1)
            ]
        )
        if "trajectory" in name:
            u, v = u + planes[..., 0], v + planes[..., 1]
        if "mean" in name:
            planes = planes - field.mean(axis=(0, 1))
        found.append(planes)
    return 128 + 255 / 40 * np.dstack(found)


@pytest.mark.parametrize(
    ("bound", "name"),
    [(20, name) for name in ("flow5_mean", "trajectory10", "bidirectional10_mean")]
    + [(None, name) for name in ("flow1", "flow10_mean", "trajectory10_mean")]
    + [(7, "flow1_mean")],
)
def test_snippets_of_files(stored, bound, name):
    path, held = stored[bound]
    stream = STREAMS[name]
    (folder,) = selected(path, stream).folders
    assert folder.bound == bound
    for tick in (1, 4, 9):
        numbers = np.int32(stream.numbers(tick, FILES))
        image, size = reading.resized_snippet(
            *(str(path), numbers, stream, tf.constant(float(bound or 0)))
        )
        assert (size.numpy().tolist(), image.dtype.name) == (
            [SIZE[1], SIZE[0]],
            stream.modality.pixel_type,
        )
        # Paths of ten steps, in float32 here and in float64 there.
        atol = 5e-3 if "trajectory" in name else 5e-5
        np.testing.assert_allclose(image, by_hand(held, tick, name), atol=atol)


def test_folders_of_all_codings_in_one_test(stored):
    """Each field's own levels become those of 20; those of 7 stay, as ever."""
    stream, bounds = STREAMS["flow"], (None, 20, 7)
    folders = [selected(stored[b][0], stream).folders[0] for b in bounds]
    planned = snippets.plan(folders, stream, SMALL.test.with_snippets(2))
    ((*_, found),) = snippets.for_test(folders, planned, stream, 6)
    found = found.numpy()
    for image, video, files in zip(found, planned.video, planned.files, strict=True):
        held = stored[bounds[video]][1]
        expected = by_hand(held, files[0], "flow")
        if bounds[video] == 7:
            one = held["flow_x_", files[0]]
            image, expected = image[..., 0], np.rint(255 * (one + 7) / 14)
        np.testing.assert_array_equal(image, expected)


def test_training_batches(stored):
    """Windows of what the test reads, resized, and mirrored with the sign of x."""
    stream, segments = STREAMS["flow1_mean"], 1
    (folder,) = selected(stored[None][0], stream).folders
    batches = Batches((folder,), stream, segments, 6, seed=3)
    pixels, _ = next(iter(batches.for_training()))
    assert pixels.shape == (6, segments, 32, 32, stream.modality.planes)
    assert pixels.dtype.name == stream.modality.pixel_type
    seen = set()
    for number, (video, (_, numbers)) in enumerate(
        zip(pixels.numpy(), batches.training_files(0, 6), strict=True)
    ):
        mirroring, of_crop, *_ = batches._draws(number)
        rule = SMALL.augmentation
        window = draws.window(SIZE[::-1], rule, stream, of_crop).numpy()
        whole = [
            reading.plain_snippet(str(folder.path), row, stream, tf.constant(0.0))
            for row in numbers
        ]
        crops = transforms.resized_crop(tf.stack(whole), window, 32).numpy()
        is_mirrored = bool(mirroring % 2)
        seen.add(is_mirrored)
        if is_mirrored:
            crops = crops[:, :, ::-1]
            crops[..., ::2] = 256 - crops[..., ::2]
        np.testing.assert_allclose(video, crops, atol=1e-4)
    assert seen == {True, False}
    middle, _ = next(iter(batches.for_validation()))
    assert middle.dtype == pixels.dtype


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return videofiles.make(tmp_path_factory.mktemp("clip") / "a.avi", FILES + 1)


@pytest.fixture(scope="module")
def extracted(source, tmp_path_factory):
    """Function of a bound to the frame folder."""

    @functools.cache
    def extracted(bound):
        folder = tmp_path_factory.mktemp("files")
        flow = FlowSettings(bound=bound, backward=True)
        made = extractor.extract(source, folder, Settings(flow, SIZE))
        assert made.files == FILES
        record = {"parameters": {"flow_coding": quantiser.coding(bound)}}
        (folder / "extract.json").write_text(json.dumps(record))
        return folder

    return extracted


@pytest.mark.parametrize(
    ("bound", "name"),
    [
        (None, "flow"),
        (None, "bidirectional10_mean"),
        pytest.param(20, "trajectory10_mean", marks=pytest.mark.slow),
    ],
)
def test_snippets_of_a_video_are_those_of_the_files(source, extracted, bound, name):
    path, flow, stream = extracted(bound), FlowSettings(bound=bound), STREAMS[name]
    (folder,) = selected(path, stream).folders
    bound = tf.constant(folder.bound or 0.0)
    video = Decoding(flow=flow).opened(source)
    # Overlapping, and beyond the end, where the last file repeats.
    found = dict(video.snippets([1, 3, 11], stream))
    for tick, image in found.items():
        numbers = np.int32(stream.numbers(tick, FILES))
        expected, _ = reading.resized_snippet(str(path), numbers, stream, bound)
        assert (image.dtype, expected.dtype.name) == (stream.modality.pixel_type,) * 2
        np.testing.assert_array_equal(image, expected)
    # As of a webcam.
    frames = list(decode.frames(source))[: stream.modality.length + 1]
    image = Decoding(flow=flow).snippet(frames, stream)
    np.testing.assert_array_equal(image, found[1])


def test_records_of_other_codings(tmp_path):
    assert codings.bound(tmp_path) == 20  # As the original's tool, which writes none.
    path = tmp_path / "extract.json"
    for parameters, expected in [
        ({}, 20),
        ({"bound": 15.5}, 15.5),
        ({"flow_coding": "bound", "bound": 8}, 8),
        ({"flow": "none"}, 20),
    ]:
        path.write_text(json.dumps({"parameters": parameters}))
        assert codings.bound(tmp_path) == expected
    for parameters, words in [
        ({"flow_coding": "range"}, "has lost its flow_ranges.npy"),
        ({"flow_coding": "log", "bound": 20}, "stores flow as log of 20"),
        ({"bound": "20"}, "stores flow as bound of 20"),
        ({"bound": -1}, "of -1"),
        ({"bound": True}, "of True"),
    ]:
        path.write_text(json.dumps({"parameters": parameters}))
        with pytest.raises(DatasetError, match=words):
            codings.bound(tmp_path)
    for content in (b"{", b"[]", b"\xff\xfe", b'{"a":' * 12_000, b" " * 70_000):
        path.write_bytes(content)
        with pytest.raises(DatasetError, match="does not say how flow is stored"):
            codings.bound(tmp_path)


def test_videos_whose_coding_is_not_known_fail(stored, tmp_path):
    make(tmp_path / "a", 20)
    make(tmp_path / "b", 20)
    (tmp_path / "a/extract.json").write_text("{")
    folders = tuple(FrameFolder(n, 0, tmp_path / n, FILES) for n in "ab")
    found = Selection(folders, failed={"c": "why"}).under(STREAMS["flow"])
    assert [folder.id for folder in found.folders] == ["b"]
    assert set(found.failed) == {"a", "c"}
    with pytest.raises(DatasetError, match="does not say how flow is stored"):
        Selection(folders[:1]).under(STREAMS["flow"])


def test_ranges_that_cannot_be_read_are_explained(tmp_path):
    make(tmp_path / "a", None)
    stream = STREAMS["flow10_mean"]
    (folder,) = selected(tmp_path / "a", stream).folders
    numbers = [list(range(1, 11))]
    assert reading.explain_video(folder, numbers, stream) is None
    ranges.write(tmp_path / "a", PREFIXES, np.zeros((5, 4, 2)))
    planned = snippets.plan([folder], stream, SMALL.test)
    assert not list(snippets.for_test([folder], planned, stream, 1))
    why = reading.explain_video(folder, numbers, stream)
    assert "has no range of flow_x_00006.jpg" in why
