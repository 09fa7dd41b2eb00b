"""Speed of reading frames of video files, beside PyAV alone and decord.

python benchmarks/decoding.py
python benchmarks/decoding.py --videos DIR

all: every frame. test: 25 frames at equal distances, as the test of RGB takes them.
training: 3 frames at random, one in each third. index: the number of frames: ours makes
an index of the packets, PyAV alone decodes to count, decord makes an index of its own.

All use one thread, as a pipeline reads several files at a time, and take turns. Ours
has an index of each file, as in a run after its first pass. PyAV alone decodes from the
beginning up to the last frame that is asked for, and converts only those. decord
(`pip install decord`, no requirement of this package) opens a file with its index each
time; without it its rows are missing. The frames are compared before the clock starts:
PyAV's are equal to ours, of decord's the result says how many are alike. Without
--videos, clips are made, see made_videos.py.
"""

import argparse
import importlib.util
import pathlib
import statistics
import sys
import tempfile
import time

import machine
import made_videos
import numpy as np
import turns

WHAT = ("all", "test", "training", "index")
COMPARED = 20  # files whose frames are compared
# Mean difference of grey levels of small images up to which they are the same frame:
# decord converts colours by other rules, which moves them by less.
ALIKE = 3.0


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--videos", type=pathlib.Path, help="folder of video files")
    add(
        "--count",
        type=int,
        help="files of a round (default: all of the folder, or 8 that are made)",
    )
    add("--rounds", type=int, default=5, help="default: 5")
    add("--what", nargs="+", default=list(WHAT), choices=WHAT, help="default: all")
    add("--out", default="benchmarks/results/decoding.csv")
    return parser.parse_args()


def wanted(what, frames, random):
    """Numbers of frames that are asked for."""
    if what == "test":
        return sorted({k * frames // 25 for k in range(25)})
    if what == "training":
        third = max(1, frames // 3)
        return sorted({int(k * third + random.integers(third)) for k in range(3)})
    return list(range(frames))


class Ours:
    """What tsn_keras does."""

    def count(self, path):
        from tsn_keras.video import index

        return index._found(path, path.stat().st_size).frames

    def frames(self, path, numbers):
        from tsn_keras.video import seeking

        for _, image in seeking.frames(path, numbers):
            yield image


class PyAV:
    """Nothing but PyAV."""

    def count(self, path):
        return sum(1 for _ in self._decoded(path))

    def frames(self, path, numbers):
        left, last = set(numbers), max(numbers)
        for number, frame in enumerate(self._decoded(path)):
            if number in left:
                # As OpenCV converts, and ours.
                yield frame.to_ndarray(format="bgr24", interpolation="BICUBIC")
            if number == last:
                return

    def _decoded(self, path):
        import av

        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            yield from container.decode(video=0)


class Decord:
    """decord."""

    def count(self, path):
        return len(self._opened(path))

    def frames(self, path, numbers):
        reader = self._opened(path)
        # Of all frames a batch would take too much memory.
        for start in range(0, len(numbers), 25):
            batch = reader.get_batch(numbers[start : start + 25])
            yield from batch.asnumpy()[..., ::-1]

    def _opened(self, path):
        import decord

        return decord.VideoReader(str(path), num_threads=1)


READERS = {"ours": Ours, "pyav": PyAV, "decord": Decord}
PEERS = {"pyav": "av", "decord": "decord"}


def contender(name, what, paths):
    """Measures files a second; reports small images of the first files' frames."""
    import cv2

    from tsn_keras.video import seeking

    reader = READERS[name]()
    totals = [seeking.count(path) for path in paths]

    def small(path, total):
        numbers = wanted("test", total, None)
        return [
            cv2.resize(
                np.ascontiguousarray(image), (16, 16), interpolation=cv2.INTER_AREA
            )
            for image in reader.frames(path, numbers)
        ]

    first = list(zip(paths, totals, strict=True))[:COMPARED]
    report = [small(path, total) for path, total in first]
    random = np.random.default_rng(0)  # the same draws for every contender

    def measure():
        start = time.perf_counter()
        for path, total in zip(paths, totals, strict=True):
            if what == "index":
                reader.count(path)
            else:
                numbers = wanted(what, total, random)
                found = sum(1 for _ in reader.frames(path, numbers))
                assert found == len(numbers)
        return len(paths) / (time.perf_counter() - start)

    measure()
    return measure, report


def alike(ours, theirs, most=ALIKE):
    """Share of frames that are the same."""
    same = [
        np.abs(a.astype(int) - b).mean() <= most
        for of_ours, of_theirs in zip(ours, theirs, strict=True)
        for a, b in zip(of_ours, of_theirs, strict=True)
    ]
    return float(np.mean(same))


def main():
    args = parse_args()
    names = ["ours", *(n for n, m in PEERS.items() if importlib.util.find_spec(m))]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = made_videos.paths(args.videos, args.count, folder)
        for what in args.what:
            contenders = {
                name: turns.Contender(contender, name, what, paths) for name in names
            }
            reports = {name: one.report for name, one in contenders.items()}
            if alike(reports["ours"], reports["pyav"], most=0) < 1:
                sys.exit("PyAV decodes other frames")
            found = turns.rounds(contenders, args.rounds)
            for one in contenders.values():
                one.stop()
            for name in names:
                over = turns.ratio(found["ours"], found[name])
                rows.append(
                    {
                        **machine.facts(),
                        "videos": args.videos.name if args.videos else "made",
                        "files": len(paths),
                        "what": what,
                        "contender": name,
                        "rounds": args.rounds,
                        "files_per_s": round(statistics.median(found[name]), 2),
                        "min": round(min(found[name]), 2),
                        "max": round(max(found[name]), 2),
                        "ours_over_theirs": round(over, 3),
                        "frames_alike": round(alike(reports["ours"], reports[name]), 3),
                    }
                )
                print({k: rows[-1][k] for k in list(rows[-1])[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
