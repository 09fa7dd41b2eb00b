"""The command `presets`: the list, one in full, and the download."""

import dataclasses
import hashlib
import json
import signal
import subprocess
import sys

import commands
import fileserver
import processes
import pytest

import tsn_keras
from tsn_keras.checkpoints import presets
from tsn_keras.common import console
from tsn_keras.common.errors import InputError

NAME = "tsn_r50_320p_1x1x3_100e_kinetics400_rgb"
OTHER = "resnet18_imagenet1k_v1"
DATA = bytes(range(256)) * 500
DIGEST = hashlib.sha256(DATA).hexdigest()
main = commands.presets.main


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TSN_KERAS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "cache/weights"


@pytest.fixture
def store(monkeypatch):
    """A server with the file of the preset OTHER, which has its digits."""
    file = f"resnet18-{DIGEST[:8]}.pth"
    with fileserver.serving(file, DATA) as found:
        known = dataclasses.replace(presets.PRESETS[OTHER], file=file, url=found.url)
        monkeypatch.setitem(presets.PRESETS, OTHER, known)
        yield found


def rows(shown):
    """The table's rows, as {name: rest of the line}."""
    lines = shown.splitlines()
    assert lines[0].split() == (
        "name data set modality backbone protocol accuracy metric on disk".split()
    )
    return dict(line.split(maxsplit=1) for line in lines[2:])


def test_list_of_all(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TSN_KERAS_WEIGHTS", str(tmp_path))
    (tmp_path / presets.PRESETS[NAME].file).touch()
    result, status = main([])
    assert status == 0
    shown = rows(capsys.readouterr().out)
    assert list(shown) == list(presets.PRESETS)
    assert shown[NAME].split() == (
        "kinetics400 rgb resnet50 mmaction2_s25_3crop256 70.91 top-1 yes".split()
    )
    assert shown["imagenet_flow"].split() == "imagenet flow bn_inception caffe".split()
    assert shown["hmdb51_rgb_split1"].endswith("54.40  mean class")
    on_disk = {p["name"] for p in result["presets"] if p["path"]}
    assert on_disk == {NAME, "demo_rgb", "demo_flow"}


def test_filters(capsys):
    result, _ = main(["--dataset", "kinetics400", "--modality", "flow"])
    found = rows(capsys.readouterr().out)
    assert len(found) == len(result["presets"]) == 5
    assert all("kinetics400" in row and " flow " in row for row in found.values())
    result, _ = main(["--backbone", "swin_base", "--dataset", "kinetics400"])
    assert [p["accuracy"] for p in result["presets"]] == [77.51, 77.03, 79.22]
    with pytest.raises(InputError, match="no preset is of --backbone 'vit'; there are"):
        main(["--backbone", "vit"])


def test_one_in_full(capsys):
    result, status = main([NAME])
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert status == 0
    for line in (
        "protocol  mmaction2_s25_3crop256",
        "accuracy  top-1 accuracy 70.91 %, top-5 89.51 %",
        "top-1 accuracy 70.44 %, top-5 89.23 % under mmaction2_s25_10crop224",
        f"fused     top-1 accuracy 72.76 %, top-5 90.52 % of {NAME} and "
        "tsn_r50_320p_1x1x3_110e_kinetics400_flow, 1 : 1",
        "licence   Apache-2.0",
        f"file      {NAME}_20200702-cc665e2a.pth",
        "sha256    begins with cc665e2a",
        "on disk   no",
    ):
        assert line in lines
    assert (result["name"], result["path"]) == (NAME, None)
    assert result["sha256_start"] == "cc665e2a"
    assert result["also"][0]["protocol"] == "mmaction2_s25_10crop224"
    assert result["fusions"][0]["weights"] == [1, 1]


def test_what_is_on_disk_is_checked(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("TSN_KERAS_WEIGHTS", str(tmp_path))
    result, status = main(["demo_rgb"])
    assert (status, result["checked"]) == (0, True)
    assert "demo_rgb.weights.h5: checked" in capsys.readouterr().out
    # Damaged; a file without published digits; a converted one.
    path = tmp_path / presets.PRESETS[NAME].file
    path.write_bytes(b"damaged")
    result, status = main([NAME])
    assert (status, result["checked"]) == (console.EXIT_SOME_FAILED, False)
    assert f"{path}: NOT the published file" in capsys.readouterr().out
    path.rename(tmp_path / presets.PRESETS["hmdb51_rgb_split1"].file)
    result, status = main(["hmdb51_rgb_split1"])
    assert (status, result["checked"]) == (0, None)
    (tmp_path / f"{NAME}.weights.h5").write_bytes(b"converted")
    result, status = main([NAME])
    assert (status, result["checked"]) == (0, None)
    assert result["path"].endswith(".weights.h5")


def test_fetch_to_the_cache(store, cache, capsys):
    result, status = main([OTHER, "--fetch"])
    assert (status, result["checked"], result["found_sha256"]) == (0, True, DIGEST)
    assert (cache / presets.PRESETS[OTHER].file).read_bytes() == DATA
    told = capsys.readouterr()
    assert "checked" in told.out
    assert "download resnet18" in told.err
    assert "128k/128k" in told.err  # bytes, with a rate
    main([OTHER, "--fetch"])
    assert "is there already" in capsys.readouterr().err
    assert len(store.asked) == 1


def test_fetch_to_a_folder_resumes(store, tmp_path, capsys):
    folder = tmp_path / "new/weights"
    store.cuts = [70_000, 0]
    argv = [OTHER, "--fetch", "--to", str(folder)]
    with pytest.raises(InputError, match=r"0\.1 of 0\.1 MB are kept in .*resumes"):
        main(argv)
    result, _ = main(argv)
    assert result["path"] == str(folder / presets.PRESETS[OTHER].file)
    assert store.parts[-1] == "bytes=70000-"
    assert [path.name for path in folder.iterdir()] == [presets.PRESETS[OTHER].file]


def test_a_part_in_the_cache_is_shown(store, cache, capsys):
    store.cuts = [70_000, 0]
    with pytest.raises(InputError, match="and put it into one of"):
        main([OTHER, "--fetch"])
    main([OTHER])
    part = cache / f"{presets.PRESETS[OTHER].file}.download"
    assert f"on disk   a part, which --fetch resumes: {part}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["tsn_r50_1x1x3"], "there is no preset 'tsn_r50_1x1x3'; the nearest are tsn_"),
        (["--fetch"], "are for one preset: give its NAME"),
        (["demo_rgb", "--to", "x"], "--to is for --fetch"),
        (["demo_rgb", "--modality", "rgb"], "are for the list, without NAME"),
        (["kinetics_rgb", "--fetch"], "fetched by hand.*yjxiong.me"),
    ],
)
def test_misuse(argv, message):
    with pytest.raises(InputError, match=message):
        main(argv)


def test_the_command_does_not_hide_the_function():
    assert tsn_keras.presets(dataset="sthv1")[0].accuracy == 18.55
    done = subprocess.run(
        [sys.executable, "-m", "tsn_keras", "presets", "--dataset", "demo"],
        capture_output=True,
        text=True,
        check=True,
    )
    *table, last = done.stdout.splitlines()
    assert [p["name"] for p in json.loads(last)["presets"]] == ["demo_rgb", "demo_flow"]
    assert table[2].startswith("demo_rgb ")


INTERRUPTED = """
import sys, dataclasses
from tsn_keras.checkpoints import presets
from tsn_keras.common import console
from tsn_keras.presets import main
url = sys.argv.pop(1)
known = presets.PRESETS["resnet18_imagenet1k_v1"]
presets.PRESETS[known.name] = dataclasses.replace(known, url=url)
console.run(main)
"""


def test_ctrl_c_keeps_what_is_there(store, cache):
    store.silent, store.cuts = True, [70_000]
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED, store.url, OTHER, "--fetch"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=processes.interruptible,
    )
    part = cache / "resnet18-f37072fd.pth.download"
    while not (part.is_file() and part.stat().st_size == 70_000):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == console.EXIT_INTERRUPTED
    assert "Traceback" not in err
    message = json.loads(out)["interrupted"]
    assert message.startswith("stopped; 0.1 of 0.1 MB are kept in")
    assert part.stat().st_size == 70_000
