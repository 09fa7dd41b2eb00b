"""The generated clips: deterministic, whole, and needing both streams."""

import itertools

import cv2
import numpy as np
import pytest

from tsn_keras.datasets import demo, frames, rendering
from tsn_keras.video import jpeg


def test_split():
    split = demo.split()
    assert len(split.classes) == 16
    assert len(split.test) == 48
    assert len(split.train) == 384
    assert not {v.id for v in split.test} & {v.id for v in split.train}
    for video in split.test:
        assert video.id.startswith(f"{split.classes[video.label]}_test")


def test_files_are_the_original_tools_and_the_same_every_time(tmp_path):
    videos = [
        v for v in demo.split().test if v.id in ("checks_up_test03", "dots_in_test01")
    ]
    for root in (tmp_path / "a", tmp_path / "b"):
        made = []
        rendering.prepare(root, videos, lambda made=made: made.append(1))
        assert len(made) == 2
    counts = []
    for video in videos:
        folders = [frames.locate(tmp_path / name, video) for name in "ab"]
        names = [sorted(p.name for p in folder.iterdir()) for folder in folders]
        assert names[0] == names[1]
        for name in names[0]:
            first, second = (cv2.imread(str(f / name), -1) for f in folders)
            np.testing.assert_array_equal(first, second)
            assert first.shape[:2] == (256, 340)
        count = frames.count(folders[0], ("img_", "flow_x_", "flow_y_"))
        assert len(names[0]) == 3 * count
        counts.append(count)
    assert counts[0] == 12
    assert 29 <= counts[1] <= 45


def test_half_made_videos_are_made_again(tmp_path, monkeypatch):
    video = demo.split().test[0]
    write = jpeg.write
    calls = itertools.count()

    def fail(path, image):
        if next(calls) == 20:
            raise OSError("disk full")
        write(path, image)

    monkeypatch.setattr(jpeg, "write", fail)
    with pytest.raises(OSError, match="disk full"):
        rendering.prepare(tmp_path, [video])
    assert list(tmp_path.iterdir()) == []
    rendering.prepare(tmp_path, [video])
    assert frames.count(frames.locate(tmp_path, video), ("img_",)) >= 29


def test_two_runs_may_make_the_same_video(tmp_path, monkeypatch):
    video = demo.split().test[0]
    write = jpeg.write
    calls = itertools.count()

    def overtake(path, image):
        if next(calls) == 0:
            rendering.prepare(tmp_path, [video])
        write(path, image)

    monkeypatch.setattr(jpeg, "write", overtake)
    rendering.prepare(tmp_path, [video])
    assert [path.name for path in tmp_path.iterdir()] == [video.folder]


@pytest.mark.parametrize("motion", demo.MOTIONS)
def test_flow_moves_one_frame_onto_the_next(motion):
    pictures, flows = (list(x) for x in rendering.render(f"noise_{motion}_test01"))
    y, x = np.mgrid[:256, :340].astype(np.float32)
    errors = []
    triples = zip(pictures[:5], pictures[1:6], flows[1:6], strict=True)
    for first, second, flow in triples:
        u, v = flow[..., 0].astype("f4"), flow[..., 1].astype("f4")
        moved = cv2.remap(second, x + u, y + v, cv2.INTER_CUBIC)
        inner = np.s_[12:-12, 12:-12]
        errors.append(np.abs(moved[inner].astype(int) - first[inner]).mean())
        still = np.abs(second[inner].astype(int) - first[inner]).mean()
        assert errors[-1] < still / 2
    # A level of interpolation and rounding.
    assert max(errors) < 1.5


def test_flow_tells_nothing_of_the_texture_and_a_look_nothing_of_the_motion():
    for motion in demo.MOTIONS:
        for flows in zip(
            *(
                list(rendering.render(f"{t}_{motion}_test02")[1])[:1]
                for t in demo.TEXTURES
            ),
            strict=True,
        ):
            signs = {tuple(np.sign(f[40, 40]).tolist()) for f in flows}
            assert len(signs) == 1
    looks = [
        rendering._Look("dots", rendering.seeded("dots", "test01")) for _ in range(2)
    ]
    points = np.mgrid[:64, :64].astype(float)
    np.testing.assert_array_equal(*(look.draw(*points) for look in looks))
    # `render` takes the look from the texture and the number alone: half-way
    # through, clips of every motion show it at its own scale.
    middles = []
    for motion in ("in", "out"):
        pictures = list(rendering.render(f"dots_{motion}_test01")[0])
        middles.append(pictures[len(pictures) // 2].astype(int))
    assert np.abs(middles[0] - middles[1]).mean() < 8
