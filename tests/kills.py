"""SIGKILL costs nothing: commands are killed at random moments and run again.

    python tests/kills.py --times 20
    python tests/kills.py --only eval,train --seed 7

Each command runs once undisturbed. Then it is started in a fresh folder, its whole
process group is killed, and the same command runs again until it ends by itself; a
third of the resumed runs is killed as well. All files that are there then are those
of the undisturbed run: the same names, and the same contents but for the time.
Exit status: 0, or 1 if something differs.
"""

import argparse
import contextlib
import csv
import dataclasses
import functools
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[1]
# As pytest does, and for the commands that are started.
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# Equal results are promised for one machine's processor.
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import clips  # noqa: E402
import h5py  # noqa: E402
import numpy as np  # noqa: E402
import processes  # noqa: E402
import videofiles  # noqa: E402

KILLED_AGAIN = 1 / 3  # share of the resumed runs that are killed as well
CLOCK = "videos_per_s"  # what tells the time in logs of training
TRAINING = """
[data]
dataset = "folders"
root = "{root}"
holdout = 0.25

[model]
width = 0.05
dropout = 0.5

[train]
batch = 4
iterations = 8
base_lr = 0.01
drops = [4]
validate_every = 2
save_every = 3
"""


@dataclasses.dataclass(frozen=True)
class Kind:
    """A command that is killed.

    Attributes:
        name: what `--only` calls it.
        prepare: function (folder) that makes what the command reads.
        argv: function (that folder, folder for the files) to module and arguments.
    """

    name: str
    prepare: Callable
    argv: Callable


@dataclasses.dataclass(frozen=True)
class Undisturbed:
    """A run that nobody killed.

    Attributes:
        folder: its files.
        seconds: that it took.
        work: seconds from its first file to its end.
    """

    folder: pathlib.Path
    seconds: float
    work: float

    @property
    def limit(self):
        """Seconds after which a resumed run counts as hung."""
        return 60 + 5 * self.seconds


@dataclasses.dataclass(frozen=True)
class Trial:
    """What became of a command that was killed.

    Attributes:
        moments: seconds after the first file, of each kill.
        differences: what is otherwise than in the undisturbed run.
    """

    moments: tuple[float, ...]
    differences: tuple[str, ...]


def _make_clips(folder, counts):
    for number, count in enumerate(counts):
        pictures = [videofiles.picture(k + 50 * number) for k in range(count)]
        path = folder / ("wave", "jump")[number % 2] / f"v{number}.avi"
        path.parent.mkdir(exist_ok=True)
        videofiles.make(path, pictures)


def _extract(size, *more):
    def argv(data, out):
        return ["extract", data, out / "frames", "--size", size, *more]

    return argv


def _make_eval(folder):
    # 25 snippets each: batches of five never hold two videos, wherever a run
    # begins, and rounding depends on the batch.
    clips.make_case(folder, (40, 45, 50, 55))


def _eval(data, out):
    return [
        *("eval", "--dataset", "list", "--annotations", data / "list.txt"),
        *("--data", data / "data", "--scores", out / "s.h5", "--batch", "5"),
        *("--weights", data / "rgb.weights.h5", data / "flow.weights.h5"),
    ]


def _make_train(folder):
    for label, name in enumerate(("jump", "run", "walk")):
        for number in range(4):
            path = folder / "frames" / name / f"{name}_{number}"
            clips.make_video(path, 8 + number, 10 * label + number)
    text = TRAINING.format(root=folder / "frames")
    (folder / "small.toml").write_text(text, encoding="utf-8")


def _train(data, out):
    return ["train", "--config", data / "small.toml", "--out", out / "run"]


# At 40 x 30 one scale of the flow is compiled.
KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "extract-cpu",
            functools.partial(_make_clips, counts=(6, 7, 8, 9, 10, 11, 12, 13)),
            _extract("96x64", "--workers", "2", "--flow-device", "opencv"),
        ),
        Kind(
            "extract-device",
            functools.partial(_make_clips, counts=(60, 70, 80, 90, 100, 200)),
            _extract("40x30", "--workers", "2", "--flow-device", "cpu"),
        ),
        Kind("eval", _make_eval, _eval),
        Kind("train", _make_train, _train),
    )
}


class Failed(Exception):
    """A run that was not killed failed or hung; the text tells how."""


class _Process:
    """A run of a command in a session of its own.

    Args:
        argv: module of `tsn_keras`, and its arguments.
        out: folder of its files.
    """

    def __init__(self, argv, out):
        self._out, self._before = out, _state(out)
        self._output = tempfile.TemporaryFile()  # noqa: SIM115
        self.start = time.monotonic()
        self._process = processes.Popen(
            [sys.executable, "-m", f"tsn_keras.{argv[0]}", *map(str, argv[1:])],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait_for_work(self, limit):
        """Returns when a file has changed; None if the process ended before."""
        while self._process.poll() is None:
            if _state(self._out) != self._before:
                return time.monotonic()
            self._check(limit)
            time.sleep(0.002)
        return None

    def wait(self, limit):
        """Waits for the end, which must be status 0."""
        try:
            status = self._process.wait(self.start + limit - time.monotonic())
        except subprocess.TimeoutExpired:
            self._check(0)
        if status != 0:
            raise Failed(f"status {status}: {self._told()}")

    def ends_within(self, seconds):
        """Whether the process ends by itself so soon."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return self._process.poll() is not None

    def kill(self):
        """Kills all processes of the session's group, and waits until they end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        # Its children are not ours to wait for.
        end = time.monotonic() + 5
        with contextlib.suppress(ProcessLookupError):
            while time.monotonic() < end:
                os.killpg(self._process.pid, 0)
                time.sleep(0.01)

    def _check(self, limit):
        if time.monotonic() - self.start > limit:
            self.kill()
            raise Failed(f"hung: {self._told()}")

    def _told(self):
        self._output.seek(0)
        return self._output.read()[-1500:].decode(errors="replace")


def _state(folder):
    """Names, times and sizes of all files, which change while files come and go."""
    found = set()
    # Unlike `rglob`, `os.walk` continues when a folder vanishes under it.
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            with contextlib.suppress(OSError):
                stat = os.stat(path)
                found.add((path, stat.st_mtime_ns, stat.st_size))
    return found


def undisturbed(kind, data, folder):
    """Runs a command to its end; returns Undisturbed."""
    folder.mkdir()
    process = _Process(kind.argv(data, folder), folder)
    work = process.wait_for_work(600)
    process.wait(600)
    end = time.monotonic()
    return Undisturbed(folder, end - process.start, end - (work or process.start))


def trial(kind, data, expected, folder, draws):
    """Kills a command once or twice, lets it end, and compares.

    A run that ends before its moment comes begins anew, and dies in half the time.

    Args:
        kind: Kind.
        data: what its `prepare` has made.
        expected: Undisturbed.
        folder: for the files; made here.
        draws: random.Random.

    Returns:
        Trial.
    """
    argv, limit, moments = kind.argv(data, folder), expected.limit, []
    moment, again = (draws.uniform(0, expected.work) for _ in range(2))
    folder.mkdir()
    try:
        while not _is_killed(argv, folder, moment, limit):
            # It was faster than the undisturbed run.
            shutil.rmtree(folder)
            folder.mkdir()
            moment /= 2
        moments.append(moment)
        if draws.random() < KILLED_AGAIN and _is_killed(argv, folder, again, limit):
            moments.append(again)
        _Process(argv, folder).wait(limit)
    except Failed as failed:
        return Trial(tuple(moments), (str(failed),))
    return Trial(tuple(moments), tuple(differences(expected.folder, folder)))


def _is_killed(argv, folder, moment, limit):
    """Runs a command to so many seconds after its first file; False if it ends."""
    process = _Process(argv, folder)
    if process.wait_for_work(limit) is not None and not process.ends_within(moment):
        process.kill()
        return True
    process.wait(limit)
    return False


def differences(expected, found):
    """Yields what is otherwise in the files of one folder than in another's."""
    there, here = _names(expected), _names(found)
    yield from (f"{name} is missing" for name in sorted(there.keys() - here.keys()))
    yield from (f"{name} is left over" for name in sorted(here.keys() - there.keys()))
    for name in sorted(there.keys() & here.keys()):
        if not name.endswith("/") and not _equal(there[name], here[name]):
            yield f"{name} differs"


def _names(folder):
    """{name: path} of files and folders; names of event files tell no time."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix() + "/" * path.is_dir()
        name = re.sub(r"(events\.out\.tfevents)\..*", r"\1", name)
        if name in found:
            name = f"{name} ({path.name})"
        found[name] = path
    return found


def _equal(one, other):
    if one.read_bytes() == other.read_bytes():
        return True
    if ".tfevents." in one.name:
        return _events(one) == _events(other)
    read = {".h5": _arrays, ".csv": _rows}.get(one.suffix)
    return read is not None and read(one) == read(other)


def _arrays(path):
    """{name: kind, shape and bytes} of all arrays and attributes of an HDF5 file."""
    found = {}

    def add(name, item):
        for key, value in item.attrs.items():
            found[f"{name}@{key}"] = _comparable(value)
        if isinstance(item, h5py.Dataset):
            found[name] = _comparable(item[()])

    with h5py.File(path) as file:
        add("", file)
        file.visititems(add)
    return found


def _comparable(value):
    array = np.asarray(value)
    held = array.tolist() if array.dtype.hasobject else array.tobytes()
    return str(array.dtype), array.shape, held


def _rows(path):
    """Rows of numbers without the clock's."""
    with path.open(newline="") as file:
        return [
            {key: float(value) for key, value in row.items() if key != CLOCK}
            for row in csv.DictReader(file)
        ]


def _events(path):
    """Sorted (tag, step, value) of what TensorBoard is told, without the clock's."""
    from tensorflow.core.util import event_pb2
    from tensorflow.data import TFRecordDataset

    return sorted(
        (value.tag, event.step, value.tensor.SerializeToString())
        for record in TFRecordDataset(str(path))
        for event in [event_pb2.Event.FromString(record.numpy())]
        for value in event.summary.value
        if not value.tag.endswith(CLOCK)
    )


def trials(kind, times, seed, folder):
    """Yields the Trial of each kill of a command.

    Args:
        kind: Kind.
        times: number of trials.
        seed: of the moments.
        folder: a new folder for all files; those of trials without differences go.
    """
    data = folder / "data"
    data.mkdir(parents=True)
    kind.prepare(data)
    expected = undisturbed(kind, data, folder / "undisturbed")
    for number in range(times):
        draws = random.Random(f"{seed} {kind.name} {number}")
        out = folder / f"killed_{number}"
        done = trial(kind, data, expected, out, draws)
        if not done.differences:
            shutil.rmtree(out)
        yield done


def summary(name, found):
    """A row of the table, and lines that name what differs."""
    moments = [moment for one in found for moment in one.moments]
    span = f"{min(moments):.2f}..{max(moments):.2f} s" if moments else "none"
    good = sum(not one.differences for one in found)
    row = (name, str(len(found)), str(len(moments)), span, str(good))
    faults = [
        f"{name} trial {number} (killed after "
        f"{', '.join(f'{moment:.3f} s' for moment in one.moments)}): {what}"
        for number, one in enumerate(found)
        for what in one.differences
    ]
    return (*row, str(len(faults))), faults


def _table(rows):
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )


def _kinds(text):
    names = text.split(",")
    if unknown := set(names) - KINDS.keys():
        raise argparse.ArgumentTypeError(
            f"{min(unknown)!r} is not one of {', '.join(KINDS)}"
        )
    return names


def main(argv=None):
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20, help="trials of each command")
    parser.add_argument("--only", type=_kinds, default=list(KINDS), metavar="NAME,...")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    args = parser.parse_args(argv)
    rows = [("what", "trials", "kills", "moments", "recovered", "differences")]
    faults = []
    root = pathlib.Path(tempfile.mkdtemp(prefix="kills-"))
    os.environ["TSN_KERAS_CACHE"] = str(root / "cache")
    for name in args.only:
        found = []
        for one in trials(KINDS[name], args.times, args.seed, root / name):
            found.append(one)
            told = ", ".join(f"{moment:.2f} s" for moment in one.moments) or "not hit"
            end = "; ".join(one.differences) or "recovered"
            print(f"{name} {len(found)} of {args.times}: {told}: {end}", flush=True)
        row, more = summary(name, found)
        rows.append(row)
        faults += more
    print(_table(rows))
    if faults:
        print("\n".join(faults))
        print(f"the files are in {root}")
        return 1
    shutil.rmtree(root)
    return 0


if __name__ == "__main__":
    sys.exit(main())
