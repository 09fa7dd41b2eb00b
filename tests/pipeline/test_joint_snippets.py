"""Snippets of an image and flow around it: of files and video, in test and training."""

import dataclasses
import shutil

import clips
import cv2
import numpy as np
import pytest
import tensorflow as tf
import videofiles

from tsn_keras.datasets.records import FrameFolder
from tsn_keras.datasets.selection import Selection
from tsn_keras.extraction import extractor
from tsn_keras.extraction.settings import Settings
from tsn_keras.flow import ranges
from tsn_keras.flow.settings import FlowSettings
from tsn_keras.models.preprocessing import network_input
from tsn_keras.pipeline import draws, matlab, reading, snippets
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.pipeline.training import Batches
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import RGB_FLOW
from tsn_keras.protocols.records import Stream
from tsn_keras.protocols.sizes import Clamped
from tsn_keras.protocols.st_resnet import ST_RESNET
from tsn_keras.video import decode

STEPS = 3
# On small frames: the sizes are numbers of the protocol.
SMALL = dataclasses.replace(
    ST_RESNET,
    test=ST_RESNET.test.with_snippets(STEPS),
    frame_size=Clamped(48, 96),
    crop_size=48,
)
STREAM = Stream(RGB_FLOW, SMALL)


def planes_of(folder, tick, files):
    """The planes of a snippet by OpenCV: the image, then x and y of each flow."""
    image, *flow = STREAM.numbers(tick, files)
    found = [cv2.imread(str(folder / f"img_{image:05d}.jpg"))]
    found += [
        cv2.imread(str(folder / f"flow_{axis}_{number:05d}.jpg"), cv2.IMREAD_GRAYSCALE)
        for number in flow
        for axis in "xy"
    ]
    return np.dstack(found)


def mirrored(planes):
    found = planes[..., ::-1, :].copy()
    found[..., 3::2] = 255 - found[..., 3::2]
    return found


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    root = tmp_path_factory.mktemp("joint")
    found = []
    for label, (size, count) in enumerate([((70, 56), 24), ((90, 64), 31)]):
        clips.make_video(root / f"v{label}", count, label, size)
        found.append(FrameFolder(f"v{label}", label, root / f"v{label}", count))
    return found


def test_clips_of_a_test(videos):
    planned = snippets.plan(videos, STREAM, STREAM.test)
    assert planned.files.shape == (2, STEPS * 11)
    batches = list(snippets.for_test(videos, planned, STREAM, batch=1))
    assert len(batches) == 2
    for folder, (video, tick, size, frames) in zip(videos, batches, strict=True):
        assert (video.numpy(), tick.numpy()) == ([folder.label], [0])
        steps = STREAM.test.ticks(folder.files, 11)
        expected = np.stack([planes_of(folder.path, t, folder.files) for t in steps])
        assert size.numpy().tolist() == [list(expected.shape[1:3])]
        both = np.stack([expected, mirrored(expected)], axis=1)
        np.testing.assert_array_equal(frames[0], both)


@pytest.mark.slow
def test_frames_out_of_range_are_resized(videos):
    small = dataclasses.replace(SMALL, frame_size=Clamped(60, 80))
    stream = Stream(RGB_FLOW, small)
    planned = snippets.plan(videos, stream, stream.test)
    shapes = [b[3].shape for b in snippets.for_test(videos, planned, stream, batch=1)]
    assert [shape[3:5] for shape in shapes] == [(60, 70), (64, 80)]


@pytest.mark.slow
def test_clip_with_a_bad_file_is_left_out_and_explained(videos, tmp_path):
    clips.make_video(tmp_path / "bad", 24, 5, (70, 56))
    (tmp_path / "bad/flow_y_00008.jpg").write_bytes(b"no picture")
    folder = FrameFolder("bad", 0, tmp_path / "bad", 24)
    planned = snippets.plan([folder], STREAM, STREAM.test)
    assert not list(snippets.for_test([folder], planned, STREAM, batch=1))
    reason = reading.explain_video(folder, planned.of(0), STREAM)
    assert "flow_y_00008.jpg: cannot be decoded" in reason
    clips.make_video(tmp_path / "sizes", 24, 5, (70, 56))
    cv2.imwrite(str(tmp_path / "sizes/img_00012.jpg"), np.zeros((56, 71, 3), np.uint8))
    folder = FrameFolder("sizes", 0, tmp_path / "sizes", 24)
    planned = snippets.plan([folder], STREAM, STREAM.test)
    assert not list(snippets.for_test([folder], planned, STREAM, batch=1))
    reason = reading.explain_video(folder, planned.of(0), STREAM)
    assert "img_00012.jpg is 71 x 56, but" in reason or "is 70 x 56, but" in reason


def test_training_batches(videos):
    """One crop, one mirroring for all; one stride for all videos of a batch."""
    plan = Batches(tuple(videos), STREAM, segments=2, batch=2, seed=7)
    number, strides = 0, []
    for pixels, labels in plan.for_training().take(3):
        stride = int(draws.together(7, number // 2)[0])
        strides.append(5 + stride % 11)
        assert pixels.shape == (2, 2, 48, 48, 23)
        for found, label in zip(pixels.numpy(), labels.numpy(), strict=True):
            folder = videos[label]
            drawn = draws.draw(7, number, 1 + 5 + 2).numpy().tolist()
            ticks = SMALL.train_rule(folder.files, 11, 2, [stride, drawn[7]])
            whole = np.stack([planes_of(folder.path, t, folder.files) for t in ticks])
            crop = SMALL.augmentation.window(whole.shape[1:3], 48, (), drawn[1:6])
            top, left, rows, columns = crop
            cut = whole[:, top : top + rows, left : left + columns]
            expected = np.stack([matlab.resize(one, 48, 48) for one in cut])
            if drawn[0] % 2:
                expected = mirrored(expected)
            np.testing.assert_array_equal(found, expected)
            number += 1
    assert len(set(strides)) > 1


@pytest.mark.slow
def test_validation_batches(videos):
    plan = Batches(tuple(videos), STREAM, segments=2, batch=2)
    pixels, labels = next(iter(plan.for_validation()))
    assert labels.numpy().tolist() == [0, 1]
    for folder, found in zip(videos, pixels.numpy(), strict=True):
        for one, tick in zip(
            found, ST_RESNET.test.rule(folder.files, 11, 2), strict=True
        ):
            whole = planes_of(folder.path, tick, folder.files)
            top, left = ((length - 48) // 2 for length in whole.shape[:2])
            expected = whole[top : top + 48, left : left + 48]
            np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("bound", [20, None])
def test_snippets_of_a_video_are_those_of_its_files(tmp_path, bound):
    """Also where each field has its own range: then by parts, as they are read."""
    source, flow = videofiles.make(tmp_path / "a.avi", 16), FlowSettings(bound=bound)
    path = tmp_path / "files"
    path.mkdir()
    extractor.extract(source, path, Settings(flow, (96, 64)))
    stream = Stream(RGB_FLOW, dataclasses.replace(CAFFE, frame_size=(64, 96)))
    video = Decoding(flow=flow).opened(source)
    # With room for the flow, and without before the beginning and past the end.
    ticks = [2, 6, 7, 13]
    found = dict(video.snippets(ticks, stream))
    assert list(found) == ticks
    for tick in ticks:
        expected = planes_of(path, tick, video.files)
        if bound is None:
            numbers, coded = np.int32(stream.numbers(tick, video.files)), expected
            parts = [
                reading.resized_snippet(str(path), own, part, tf.constant(0.0))[0]
                for part, own in zip(stream.parts, np.split(numbers, [1]), strict=True)
            ]
            expected = np.concatenate(parts, axis=-1)
            np.testing.assert_array_equal(expected[..., :3], coded[..., :3])
            assert (expected[..., 3:] != coded[..., 3:]).any()
            joint, _ = reading.resized_snippet(
                str(path), numbers, stream, tf.constant(0.0)
            )
            np.testing.assert_array_equal(joint, expected)
        np.testing.assert_array_equal(found[tick], expected)
    with pytest.raises(decode.VideoError, match="one moment at a time"):
        Decoding().snippet([], stream)


def test_clips_of_fields_of_their_own_ranges(videos, tmp_path):
    """What the files of a bound hold, from files of ranges; and what is wrong."""
    path, last = tmp_path / "v0", videos[0].files
    shutil.copytree(videos[0].path, path)
    # As levels of a bound of 10 they are half of the motion, of all fields but one.
    rows = np.full((last, 2, 2), (-10, 10), np.float32)
    rows[6] = -20, 20
    ranges.write(path, ("flow_x_", "flow_y_"), rows)
    (path / "extract.json").write_text('{"parameters": {"flow_coding": "range"}}')
    choice = Selection((dataclasses.replace(videos[0], path=path),)).under(STREAM)
    (folder,) = choice.folders
    assert folder.bound is None
    planned = snippets.plan([folder], STREAM, STREAM.test)
    ((*_, found),) = snippets.for_test([folder], planned, STREAM, batch=1)
    steps = STREAM.test.ticks(folder.files, 11)
    for step, tick in zip(found[0, :, 0].numpy(), steps, strict=True):
        whole = planes_of(path, tick, folder.files)
        np.testing.assert_array_equal(step[..., :3], whole[..., :3])
        for k, number in enumerate(STREAM.numbers(tick, folder.files)[1:]):
            levels = whole[..., 3 + 2 * k : 5 + 2 * k].astype(float)
            if number != 7:
                levels = np.rint(127.5 + (levels - 127.5) / 2)
            np.testing.assert_allclose(step[..., 3 + 2 * k : 5 + 2 * k], levels, atol=1)
    ranges.write(path, ("flow_x_", "flow_y_"), rows[:9])
    assert not list(snippets.for_test([folder], planned, STREAM, batch=1))
    reason = reading.explain_video(folder, planned.of(0), STREAM)
    assert "flow_ranges.npy has no range of flow_x_000" in reason


def test_each_part_is_normalised_as_its_own():
    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 23), np.uint8)
    inputs = np.asarray(network_input(tf.constant(pixels), STREAM))
    means = np.array([103.939, 116.779, 123.68, *[128.0] * 20], "f4")
    np.testing.assert_array_equal(inputs, pixels.astype("f4") - means)
