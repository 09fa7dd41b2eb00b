"""Splits whose videos are shared out to the jobs of an array."""

import shutil

import pytest
import shared_work
import small_network

from tsn_keras import eval
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation.shards import Shard, find
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.scores import score_file

COUNTS = (30, 27, 12, 40, 31)


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setitem(BACKBONES, small_network.SMALL.name, small_network.SMALL)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """(folder, arguments, scores of one process) of five videos."""
    root = tmp_path_factory.mktemp("shards")
    return shared_work.prepared(root, COUNTS)


@pytest.fixture
def case(prepared, tmp_path):
    """The same with a score file of its own."""
    root, argv, whole = prepared
    return root, [*argv, "--scores", str(tmp_path / "s.h5")], whole, tmp_path


def test_shards_are_joined_to_the_scores_of_one_process(case, capsys):
    """Bit for bit; one video (12 files) repeats its first snippet, so that batches
    of other videos follow it than in one process."""
    _, argv, whole, folder = case
    for number, videos in ((1, 3), (2, 2)):
        result, status = eval.main([*argv, "--shard", f"{number}/2"])
        (row,) = result["results"]
        assert (status, row["videos"], row["of"]) == (0, videos, videos)
        assert (row["shard"], row["published"]) == (f"{number}/2", None)
        assert f"rgb: shard {number}/2 of the videos only" in capsys.readouterr().out
    first, second = (folder / f"s_shard{n}of2.h5" for n in (1, 2))
    assert {path.name for path in folder.iterdir()} == {first.name, second.name}
    assert list(shared_work.read(first)) == ["v00", "v02", "v04"]
    result, status = eval.main(argv)
    (row,) = result["results"]
    assert (status, row["videos"], row["of"]) == (0, 5, 5)
    assert "shard" not in row
    said = capsys.readouterr()
    assert f"5 videos are already in 2 shards, as {first}" in said.err
    assert "shard" not in said.out
    shared_work.demand_equal(shared_work.read(folder / "s.h5"), whole)
    with score_file.ScoreFile(folder / "s.h5") as file:
        assert "shard" not in file.about
        assert list(file.frames) == list(COUNTS)
    # Joined, the shards are not needed any more.
    first.unlink()
    assert eval.main(argv)[0] == result


def test_missing_shards_are_named(case):
    _, argv, _, folder = case
    eval.main([*argv, "--shard", "2/4"])
    words = (
        r"of 4 shards of .*s\.h5 3 are missing: 1/4, 3/4, 4/4\. .*--shard;.*2of4\.h5"
    )
    with pytest.raises(InputError, match=words):
        eval.main(argv)
    assert {path.name for path in folder.iterdir()} == {"s_shard2of4.h5"}


@pytest.mark.slow
def test_a_video_that_failed_in_its_shard_is_tried_again(case, tmp_path):
    root, argv, whole, folder = case
    data = shutil.copytree(root / "data", tmp_path / "data")
    argv = [*argv, "--data", str(data)]
    bad = data / "v01/img_00007.jpg"
    kept = bad.read_bytes()
    bad.write_bytes(b"")
    for number in (1, 2):
        result, status = eval.main([*argv, "--shard", f"{number}/2"])
        assert status == (1 if number == 2 else 0)
    result, status = eval.main(argv)
    assert (status, list(result["results"][0]["failed"])) == (1, ["v01"])
    bad.write_bytes(kept)
    assert eval.main(argv)[1] == 0
    shared_work.demand_equal(shared_work.read(folder / "s.h5"), whole)


def test_shards_of_something_else_are_not_joined(case):
    _, argv, _, folder = case
    eval.main([*argv, "--shard", "1/1"])
    with pytest.raises(InputError, match=r"1of1\.h5 holds other scores: its snippets"):
        eval.main([*argv, "--snippets", "3"])
    shutil.copy(folder / "s_shard1of1.h5", folder / "s_shard1of2.h5")
    with pytest.raises(InputError, match=r"its shard is 1/1, now it is 1/2"):
        eval.main([*argv, "--shard", "1/2"])


@pytest.mark.parametrize(
    "text", ["0/2", "3/2", "1", "1/0", "-1/2", "1/2/3", "1/1000000"]
)
def test_no_shares(case, text):
    with pytest.raises(InputError, match="--shard must be like"):
        eval.main([*case[1], f"--shard={text}"])


def test_more_shards_than_videos(case):
    with pytest.raises(InputError, match="--shard is 6/6, but there are 5 videos"):
        eval.main([*case[1], "--shard", "6/6"])


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_every_video_is_in_one_shard(count):
    videos = tuple(range(20))
    parts = [Shard(number, count).of(videos) for number in range(1, count + 1)]
    assert sorted(video for part in parts for video in part) == list(videos)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_complete_sets_of_shards_are_found(tmp_path):
    path = tmp_path / "a[b].h5"
    assert find(path) == ()
    assert find(tmp_path / "absent/s.h5") == ()
    for name in ("a[b]_shard1of1.h5.partial", "ab_shard1of1.h5", "a[b]_shard2of1.h5"):
        (tmp_path / name).touch()
    assert find(path) == ()
    (tmp_path / "a[b]_shard1of3.h5").touch()
    with pytest.raises(InputError, match="2 are missing: 2/3, 3/3"):
        find(path)
    both = [tmp_path / f"a[b]_shard{n}of2.h5" for n in (1, 2)]
    for one in both:
        one.touch()
    assert find(path) == tuple(both)
