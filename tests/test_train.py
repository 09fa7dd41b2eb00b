"""The command `train`: whole runs, going on, several devices, and faults."""

import csv
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import clips
import cv2
import h5py
import hdf5files
import killed_runs
import numpy as np
import processes
import pytest
import shallow
from commands import call, train

import tsn_keras
from tsn_keras.checkpoints import keras_file, loading
from tsn_keras.common import console, locks
from tsn_keras.common.errors import InputError
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.prediction import class_names
from tsn_keras.protocols.caffe import CAFFE
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.training import loop as training_loop

ROOT = pathlib.Path(__file__).parents[1]
pytestmark = pytest.mark.usefixtures("shallow_network")
CLASSES = ("jump", "run", "walk")
ITERATIONS = 6
SMALL = """
[data]
dataset = "folders"
holdout = 0.25

[model]
width = 0.05
dropout = 0.5

[train]
batch = 4
iterations = 6
base_lr = 0.01
drops = [4]
validate_every = 3
save_every = 2
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Three classes of four videos, and a training file."""
    root = tmp_path_factory.mktemp("train")
    for label, name in enumerate(CLASSES):
        for number in range(4):
            folder = root / "frames" / name / f"{name}_{number}"
            clips.make_video(folder, 8 + number, 10 * label + number)
    text = SMALL.replace("[data]", f'[data]\nroot = "{root / "frames"}"')
    (root / "small.toml").write_text(text)
    return root


def command(data, out, *more):
    return ["--config", str(data / "small.toml"), "--out", str(out), *more]


def start(data, out, *more, **options):
    return processes.Popen(
        [*shallow.START, "train", *command(data, out, *more)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        **options,
    )


def finish(process, status=0):
    """Waits; returns the last line of standard output, and standard error."""
    output, errors = process.communicate(timeout=600)
    assert process.returncode == status, errors[-3000:]
    return json.loads(output.splitlines()[-1]), errors


def finished(data, out):
    """A whole run in this process; returns as `finish`."""
    done = call("train", *command(data, out))
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


def rows(out, name="log.csv"):
    with (out / name).open() as file:
        return [
            {key: float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]


def weights(out, name=training_loop.LAST):
    found = {}
    with h5py.File(out / name) as file:
        file.visititems(
            lambda path, item: (
                found.update({path: item[()]})
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    assert len(found) == 20  # Of three convolutions, their norms and a classifier.
    return found


def assert_same(one, other):
    assert one.keys() == other.keys()
    for path, values in one.items():
        np.testing.assert_array_equal(values, other[path], err_msg=path)


@pytest.fixture(scope="module")
def runs(data, tmp_path_factory):
    """Folders of an undisturbed run and of its copy at iteration 3, and its result."""
    root = tmp_path_factory.mktemp("runs")
    out, copy = root / "undisturbed", root / "killed"
    with killed_runs.copied(3, out, copy):
        result, _ = finished(data, out)
    return out, copy, result


@pytest.fixture(scope="module")
def undisturbed(runs):
    out, _, result = runs
    return out, result


def test_a_run_and_its_files(data, undisturbed):
    out, result = undisturbed
    assert {path.name for path in out.iterdir()} == {
        *("best.weights.h5", "checkpoint.h5", "last.weights.h5", "log.csv"),
        *("run.json", "tensorboard", "validation.csv"),
    }
    steps = rows(out)
    assert [row["iteration"] for row in steps] == [1, 2, 3, 4, 5, 6]
    assert [row["learning_rate"] for row in steps] == pytest.approx(
        [0.01] * 4 + [0.001] * 2
    )
    # A fresh classifier of three classes, N(0, 0.001), guesses.
    assert steps[0]["loss"] == pytest.approx(np.log(3), rel=0.05)
    found = rows(out, "validation.csv")
    assert [row["iteration"] for row in found] == [3, 6]
    assert all(row["videos"] == 3 for row in found)
    assert result["validation"] == found[-1]
    best = max(found, key=lambda row: (row["top1"], -row["loss"]))
    assert result["best"] == best
    assert result["iterations"] == 6
    about, _ = keras_file.shapes(out / training_loop.BEST)
    assert about["iteration"] == best["iteration"]
    assert (about["loss"], about["consensus"]) == ("softmax", {"kind": "average"})
    events = list((out / "tensorboard").iterdir())
    assert len(events) == 1
    assert events[0].stat().st_size > 500


def test_weights_say_what_they_are(undisturbed):
    found = loading.find(undisturbed[0] / training_loop.LAST)
    expected = loading.Architecture(BACKBONES["bn_inception"], (224, 224, 3), 3, 0.05)
    assert found.architecture == expected
    assert found.stream == Stream(MODALITIES["rgb"], CAFFE)
    assert found.class_names == CLASSES
    assert class_names.of(found) == CLASSES
    model = tsn_keras.load(undisturbed[0] / training_loop.LAST)
    assert model.output_shape == (None, 3)


def test_tensorboard_has_what_the_csv_files_have(undisturbed):
    from tensorflow.core.util import event_pb2
    from tensorflow.data import TFRecordDataset

    out, _ = undisturbed
    (path,) = (out / "tensorboard").iterdir()
    found = {}
    for record in TFRecordDataset(str(path)):
        event = event_pb2.Event.FromString(record.numpy())
        for value in event.summary.value:
            array = np.frombuffer(value.tensor.tensor_content, np.float32)
            number = array[0] if len(array) else value.tensor.float_val[0]
            found.setdefault(value.tag, {})[event.step] = float(number)
    steps = rows(out)
    assert found["train/loss"] == pytest.approx(
        {int(row["iteration"]): row["loss"] for row in steps}
    )
    assert set(found["validation/top1"]) == {3, 6}


def test_killed_and_restarted_is_as_undisturbed(data, undisturbed, tmp_path):
    """SIGKILL after iteration 5; the last checkpoint is that of 4."""
    out = tmp_path / "run"
    process = start(data, out)
    while process.poll() is None:
        if (out / "log.csv").exists() and len(rows(out)) >= 5:
            process.kill()
        time.sleep(0.002)
    process.communicate()
    if process.returncode != -signal.SIGKILL:
        pytest.skip("the run was over before it could be killed")
    # What a kill in the middle of a line leaves.
    with (out / "log.csv").open("a") as file:
        file.write("9")
    _, errors = finished(data, out)
    assert "resuming at iteration 4 of 6" in errors
    assert [row["loss"] for row in rows(out)] == [
        row["loss"] for row in rows(undisturbed[0])
    ]
    assert rows(out, "validation.csv") == rows(undisturbed[0], "validation.csv")
    assert_same(weights(out), weights(undisturbed[0]))


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_interrupted_keeps_its_iteration(data, undisturbed, tmp_path, number):
    """Between two checkpoints; the same command then gives the same weights."""
    out = tmp_path / "run"
    process = start(data, out, "--set", "train.save_every=100")
    while process.poll() is None:
        if (out / "log.csv").exists() and rows(out):
            process.send_signal(number)
            break
        time.sleep(0.01)
    result, errors = finish(process, console.EXIT_INTERRUPTED)
    done = len(rows(out))
    assert 1 <= done < ITERATIONS
    assert f"after iteration {done} of 6, kept in {out}" in result["interrupted"]
    assert "stopping after this iteration" in errors
    assert "Traceback" not in errors
    if number == signal.SIGINT:
        finished(data, out)
        assert_same(weights(out), weights(undisturbed[0]))


def test_a_finished_run_stays_and_can_be_made_longer(data, undisturbed, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(undisturbed[0], out)
    before = (out / training_loop.LAST).read_bytes()
    result, status = train.main(command(data, out, "--evaluate"))
    assert (status, result["iterations"]) == (console.EXIT_OK, 6)
    assert result["best"] == undisturbed[1]["best"]
    assert (out / training_loop.LAST).read_bytes() == before
    (figures,) = result["evaluation"]["results"]
    assert (figures["videos"], figures["of"]) == (3, 3)
    result, _ = train.main(
        command(data, out, "--set", "train.iterations=7", "--evaluate")
    )
    assert result["iterations"] == 7
    assert [row["iteration"] for row in rows(out)] == [1, 2, 3, 4, 5, 6, 7]
    # The 25 x 10 test of the held out videos, with the last weights.
    (figures,) = result["evaluation"]["results"]
    assert (figures["videos"], figures["of"]) == (3, 3)
    assert figures["scores"] == str(out / "scores.h5")
    assert (out / "validation.txt").read_text().count("\n") == 3


def test_a_run_in_epochs_resumes_as_undisturbed(data, tmp_path, capsys):
    """A cosine after a warm-up, mean features, and all norms: 9 videos, 3 an epoch."""
    text = (data / "small.toml").read_text().replace("iterations = 6", "epochs = 2")
    text = text.replace(
        "drops = [4]", 'schedule = "cosine"\nwarmup = 2\nbase_batch = 8'
    )
    text = text.replace("validate_every = 3", "validate_epochs = 1")
    text = text.replace(
        "[train]", 'batch_norm = "affine"\nconsensus = "features"\n[train]'
    )
    (tmp_path / "epochs.toml").write_text(text)

    def arguments(out):
        return ["--config", str(tmp_path / "epochs.toml"), "--out", str(tmp_path / out)]

    with killed_runs.copied(4, tmp_path / "whole", tmp_path / "parts"):
        result, _ = train.main(arguments("whole"))
    told = capsys.readouterr().err
    assert "2 epochs of 3 iterations (9 videos, 4 a batch): 6 iterations" in told
    assert "learning rate 0.005: 0.01 is that of 8 videos, a batch has 4" in told
    assert result["iterations"] == 6
    expected = [0.0005, 0.00275, 0.005, 0.0025, 0.0025, 0.0025]
    found = [row["learning_rate"] for row in rows(tmp_path / "whole")]
    np.testing.assert_allclose(found, expected, rtol=1e-6)  # Float32.
    assert [r["iteration"] for r in rows(tmp_path / "whole", "validation.csv")] == [
        3,
        6,
    ]

    result, _ = train.main(arguments("parts"))
    assert "resuming at iteration 4 of 6" in capsys.readouterr().err
    assert rows(tmp_path / "parts")[-1]["learning_rate"] == pytest.approx(0.0025)
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    # Every rate depends on the length of a cosine.
    with pytest.raises(InputError, match=r"its train\.iterations is 6, now it is 9"):
        train.main([*arguments("parts"), "--set", "train.epochs=3"])


def test_two_runs_into_one_folder(data, tmp_path):
    out = tmp_path / "run"
    with locks.held(out, "x"):
        result, _ = finish(start(data, out), status=2)
        words = "run is in use by another run (process "
        assert words in result["error"]
        assert "name another folder with --out" in result["error"]
        assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.base_lr=0.02", "its train.base_lr is 0.01, now it is 0.02"),
        ("data.holdout=0.0", "its data.holdout is 0.25, now it is 0.0"),
        ("train.seed=5", "its train.seed is 0, now it is 5"),
    ],
)
def test_another_run_in_the_same_folder(data, undisturbed, override, words):
    with pytest.raises(InputError, match=words):
        train.main(command(data, undisturbed[0], "--set", override))


def test_other_videos_are_another_run(data, undisturbed, tmp_path):
    shutil.copytree(data / "frames", tmp_path / "frames")
    root = ["--set", f"data.root={tmp_path / 'frames'}"]
    # Moved, they are the same videos.
    result, _ = train.main(command(data, undisturbed[0], *root))
    assert result["iterations"] == 6
    shutil.rmtree(tmp_path / "frames" / "run" / "run_2")
    with pytest.raises(InputError, match="of another run: its training videos"):
        train.main(command(data, undisturbed[0], *root))


def test_what_a_kill_after_the_checkpoint_left_out(data, undisturbed, tmp_path):
    """The last and the best weights are written later; leftovers are removed."""
    out = tmp_path / "run"
    shutil.copytree(undisturbed[0], out)
    expected = weights(out)
    older = keras_file.shapes(out / training_loop.BEST)[0]["iteration"]
    (out / training_loop.LAST).unlink()
    (out / ".0a1b2c3d.checkpoint.h5").write_bytes(b"half")
    result, _ = train.main(command(data, out))
    assert_same(weights(out), expected)
    assert not list(out.glob(".*.h5"))
    assert result["best"]["iteration"] == older
    # A best of the checkpoint's iteration that was not written.
    text = (out / "validation.csv").read_text().splitlines()
    last = text[-1].split(",")
    last[2] = "100.0"
    (out / "validation.csv").write_text("\n".join([*text[:-1], ",".join(last), ""]))
    (out / training_loop.BEST).unlink()
    result, _ = train.main(command(data, out))
    assert result["best"]["iteration"] == 6
    about, _ = keras_file.shapes(out / training_loop.BEST)
    assert about["iteration"] == 6
    # As an undisturbed run writes them, to the letter.
    assert (out / "validation.csv").read_text().splitlines()[-1] == ",".join(last)
    expected, _ = keras_file.shapes(undisturbed[0] / training_loop.BEST)
    assert list(about["validation"]) == list(expected["validation"])
    assert json.dumps(list(about["validation"].values())) == (
        f"[{', '.join(last[1:])}]"
    )


def test_killed_right_after_the_checkpoint_of_a_validation(
    data, runs, undisturbed, tmp_path
):
    """The row is there before the checkpoint that says it was validated."""
    out = shutil.copytree(runs[1], tmp_path / "run")
    for name in ("log.csv", "run.json"):
        (out / f".0a1b2c3d.{name}").write_text("half")
    _, errors = finished(data, out)
    assert "resuming at iteration 3 of 6" in errors
    assert [row["iteration"] for row in rows(out, "validation.csv")] == [3, 6]
    assert rows(out, "validation.csv") == rows(undisturbed[0], "validation.csv")
    assert_same(
        weights(out, training_loop.BEST), weights(undisturbed[0], "best.weights.h5")
    )
    assert {p.name for p in out.iterdir()} == {p.name for p in undisturbed[0].iterdir()}


def test_evaluation_needs_videos_and_one_machine(data, tmp_path, monkeypatch):
    arguments = command(data, tmp_path / "run", "--evaluate")
    with pytest.raises(InputError, match=r"set data\.holdout for folders"):
        train.main([*arguments, "--set", "data.holdout=0.0"])
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": {"worker": ["a:1"]}}))
    with pytest.raises(InputError, match="--evaluate is for one machine"):
        train.main(arguments)
    assert not (tmp_path / "run").exists()


def test_addresses_are_no_folders_of_runs(data):
    with pytest.raises(InputError, match="must be a folder of this machine"):
        train.main(command(data, "s3://bucket/run"))


@pytest.mark.slow
def test_frames_that_are_too_small_or_unequal(data, tmp_path):
    for name, size in (("small", (200, 150)), ("other", (340, 256))):
        root = tmp_path / name
        shutil.copytree(data / "frames", root)
        for number in range(4):
            shutil.rmtree(root / "run" / f"run_{number}")
            clips.make_video(root / "run" / f"run_{number}", 9, number, size)
    for path in (tmp_path / "other" / "run").glob("*/img_0000[1-4].jpg"):
        image = cv2.imread(str(path))
        cv2.imwrite(str(path), image[:, :300])
    for name, words in (
        ("small", "is 200 x 150, smaller than a crop of 224: extract at 340 x 256"),
        ("other", "is 340 x 256, but "),
    ):
        root = ["--set", f"data.root={tmp_path / name}"]
        with pytest.raises(InputError, match=words):
            train.main(command(data, tmp_path / f"run_{name}", *root))


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start_workers(data, out, *more):
    """Two processes that train together over loopback."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    return [
        start(
            data,
            out,
            *more,
            env={
                **os.environ,
                "TF_CONFIG": json.dumps(
                    {
                        "cluster": {"worker": workers},
                        "task": {"type": "worker", "index": index},
                    }
                ),
            },
        )
        for index in range(2)
    ]


@pytest.mark.slow
def test_two_machines_are_one(data, tmp_path):
    """With the trainable batch norm frozen and no dropout; stopped half-way."""
    same = ["--set", 'model.batch_norm="none"', "--set", "model.dropout=0.0"]
    together, alone = tmp_path / "together", tmp_path / "alone"
    pair = start_workers(data, together, *same, "--set", "train.iterations=3")
    for process in pair:
        result, errors = finish(process)
        assert result["iterations"] == 3
    pair = start_workers(data, together, *same)
    results = [finish(process) for process in pair]
    # Only the first writes and tells.
    assert "resuming at iteration 3 of 6" in results[0][1]
    train.main(command(data, alone, *same))
    assert [row["loss"] for row in rows(together)] == pytest.approx(
        [row["loss"] for row in rows(alone)], rel=1e-5
    )
    for one, other in zip(
        rows(together, "validation.csv"), rows(alone, "validation.csv"), strict=True
    ):
        assert one == pytest.approx(other, rel=1e-5)
    theirs = weights(together)
    for path, values in weights(alone).items():
        # Float32 sums in another order.
        np.testing.assert_allclose(
            values, theirs[path], rtol=0, atol=1e-6 + 1e-5 * np.abs(values).max()
        )


@pytest.mark.slow
def test_one_of_two_machines_is_stopped(data, tmp_path):
    """Both stop at the same iteration, with a checkpoint."""
    pair = start_workers(data, tmp_path / "run", "--set", "train.iterations=1000")
    log = tmp_path / "run" / "log.csv"
    while all(process.poll() is None for process in pair):
        if log.exists() and rows(tmp_path / "run"):
            pair[1].send_signal(signal.SIGTERM)
            break
        time.sleep(0.05)
    texts = [finish(p, console.EXIT_INTERRUPTED)[0]["interrupted"] for p in pair]
    assert "stopped by another machine after" in texts[0]
    assert "stopped by SIGTERM after" in texts[1]
    assert texts[0].partition("after")[2] == texts[1].partition("after")[2]
    assert (tmp_path / "run" / training_loop.CHECKPOINT).exists()


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_mixed_precision(data, undisturbed, tmp_path, precision):
    """Weights stay float32, and losses near those of float32."""
    out = tmp_path / precision
    train.main(
        command(data, out, "--precision", precision, "--set", "train.iterations=2")
    )
    expected = [row["loss"] for row in rows(undisturbed[0])][:2]
    found = [row["loss"] for row in rows(out)]
    # Three or two decimal digits in the network.
    assert found == pytest.approx(expected, rel=0.02)
    assert found != expected
    kernels = [v for v in weights(out).values() if v.ndim == 4]
    assert {v.dtype for v in kernels} == {np.dtype("float32")}
    with h5py.File(out / training_loop.CHECKPOINT) as file:
        assert ("loss_scale" in file.attrs) == (precision == "float16")


def test_initial_weights_of_another_protocol(data, tmp_path):
    """Other means than those that are fed would train, and score below."""
    path = tmp_path / "begin.weights.h5"
    clips.make_weights(path, 3, protocol="tsn_pytorch")
    more = ["--set", f"model.initial={path}", "--set", "model.width=1.0"]
    words = r"begin\.weights\.h5 expects images as the protocol tsn_pytorch feeds them"
    with pytest.raises(InputError, match=words):
        train.main(command(data, tmp_path / "run", *more))


def test_initial_weights_with_a_new_classifier(data, tmp_path, capsys):
    """Flow begins with RGB's weights of other classes."""
    clips.make_weights(tmp_path / "begin.weights.h5", 3, classes=7)
    out = tmp_path / "run"
    more = ["model.width=1.0", f"model.initial={tmp_path / 'begin.weights.h5'}"]
    more += ['data.modality="flow"', "train.iterations=1", "train.base_lr=1e-9"]
    arguments = [text for item in more for text in ("--set", item)]
    train.main(command(data, out, *arguments))
    assert "new: fc-action" in capsys.readouterr().err
    begun = tsn_keras.load(tmp_path / "begin.weights.h5")
    found = tsn_keras.load(out / training_loop.LAST)
    assert found.input_shape[-1] == 10
    mean = begun.get_layer("conv1_7x7_s2").get_weights()[0].mean(axis=2)
    kernel = found.get_layer("conv1_7x7_s2").get_weights()[0]
    for channel in range(10):
        np.testing.assert_allclose(kernel[:, :, channel], mean, atol=1e-6)
    name = shallow.LAST
    np.testing.assert_allclose(
        found.get_layer(name).get_weights()[0],
        begun.get_layer(name).get_weights()[0],
        atol=1e-6,
    )
    classifier = found.get_layer("fc-action").get_weights()[0]
    assert classifier.std() == pytest.approx(0.001, rel=0.2)


def test_flow_begins_as_in_mmaction2(data, tmp_path, capsys):
    """A first kernel and a classifier that are drawn, and all else of RGB's weights."""
    begin = tmp_path / "begin.weights.h5"
    clips.make_weights(begin, 3, classes=7)
    more = ["model.width=1.0", f"model.initial={begin}", "model.first_conv=random"]
    more += ["train.iterations=1", "train.base_lr=1e-9", "model.init_std=0.02"]
    arguments = [text for item in more for text in ("--set", item)]
    out = tmp_path / "run"
    train.main(command(data, out, *arguments, "--set", "data.modality=flow"))
    assert "new: conv1_7x7_s2, fc-action" in capsys.readouterr().err
    begun, found = map(tsn_keras.load, (begin, out / training_loop.LAST))
    classifier = found.get_layer("fc-action").get_weights()[0]
    assert classifier.std() == pytest.approx(0.02, rel=0.2)
    kernel, bias = found.get_layer("conv1_7x7_s2").get_weights()
    assert np.abs(kernel[:, :, 0] - kernel[:, :, 1]).max() > 1e-3
    expected = begun.get_layer("conv1_7x7_s2").get_weights()[1]
    np.testing.assert_allclose(bias, expected, atol=1e-6)
    with pytest.raises(InputError, match="has a first convolution for rgb: leave"):
        train.main(command(data, tmp_path / "rgb", *arguments))


def test_weights_of_another_modality(data, tmp_path):
    clips.make_weights(tmp_path / "flow.weights.h5", 10)
    more = ["--set", f"model.initial={tmp_path / 'flow.weights.h5'}"]
    with pytest.raises(InputError, match="is a network for flow; rgb can begin"):
        train.main(command(data, tmp_path / "run", *more))


def test_a_loss_that_is_no_number(data, tmp_path):
    more = ["train.base_lr=1000.0", "train.clip=0.0", "train.weight_decay=10.0"]
    # It takes a few updates; nothing is saved before.
    more += ["train.save_every=100", "train.validate_every=0"]
    sets = [word for one in more for word in ("--set", one)]
    with pytest.raises(InputError) as error:
        train.main(command(data, tmp_path / "run", *sets))
    words = r"the loss is \w+ at iteration \d+: lower train\.base_lr \(now 1000\)"
    assert re.search(words, str(error.value)), error.value
    assert not (tmp_path / "run" / training_loop.LAST).exists()


def test_a_frame_that_cannot_be_read(data, tmp_path):
    """It is named; once it is repaired, the run resumes."""
    shutil.copytree(data / "frames", tmp_path / "frames")
    for path in (tmp_path / "frames" / "run").glob("*/img_*.jpg"):
        path.write_bytes(b"no image")
    root = ["--set", f"data.root={tmp_path / 'frames'}"]
    with pytest.raises(InputError) as error:
        train.main(command(data, tmp_path / "run", *root))
    assert "img_000" in str(error.value)
    assert "cannot be decoded" in str(error.value)
    assert "the same command resumes" in str(error.value)


def test_no_space_at_the_start(data, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=2**10)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(InputError, match="no space for checkpoints .* 0 MiB"):
        train.main(command(data, tmp_path / "run"))


def test_an_unknown_backbone(data, tmp_path):
    more = ["--set", "model.backbone=vgg17"]
    words = "model.backbone: there is no backbone 'vgg17'; there are: bn_inception"
    with pytest.raises(InputError, match=words):
        train.main(command(data, tmp_path / "run", *more))


def test_a_backbone_that_does_not_take_the_crops(data, tmp_path):
    more = ["--set", "model.backbone=inception_v3_tsn"]
    words = "model.backbone inception_v3_tsn does not take the crops .* a side of 224"
    with pytest.raises(InputError, match=words):
        train.main(command(data, tmp_path / "run", *more))


def test_checkpoints_of_before_are_resumed(data, undisturbed, tmp_path):
    """They do not name what was added since: backbone and protocol."""
    out = tmp_path / "run"
    shutil.copytree(undisturbed[0], out)
    with hdf5files.editing(out / training_loop.CHECKPOINT) as file:
        about = json.loads(file.attrs["about"])
        assert about.pop("model.backbone") == "bn_inception"
        assert about.pop("data.protocol") == "caffe"
        file.attrs["about"] = json.dumps(about)
    result, _ = train.main(command(data, out))
    assert result["iterations"] == 6


def test_batches_that_do_not_divide(data, tmp_path):
    more = ["--set", "train.batch=6", "--set", "train.iter_size=4"]
    with pytest.raises(InputError, match="must be a multiple of"):
        train.main(command(data, tmp_path / "run", *more))


def test_wrong_usage_tells_what_to_do(data, tmp_path):
    def fails(*argv):
        done = processes.run(
            [*shallow.START, "train", *argv],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        assert done.returncode == console.EXIT_USAGE
        assert "Traceback" not in done.stderr
        return done.stderr

    assert "missing.toml" in fails("--config", str(tmp_path / "missing.toml"))
    config_file = str(data / "small.toml")
    text = fails("--config", config_file, "--set", "train.base_rl=1")
    assert "did you mean 'base_lr'" in text
    text = fails("--config", config_file, "--set", "data.root=/nowhere")
    assert "there is no folder /nowhere" in text
    assert "data.root" in text
    assert not (ROOT / "runs" / "small").exists()


@pytest.mark.parametrize(
    "text",
    ["{", '{"cluster": 3}', '{"cluster": {"worker": ["a:1", "b:2"]}}', "[" * 60_000],
)
def test_a_cluster_that_is_none(data, tmp_path, monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(InputError, match="TF_CONFIG cannot be used"):
        train.main(command(data, tmp_path / "run"))
