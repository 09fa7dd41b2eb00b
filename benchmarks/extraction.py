"""Speed of `tsn_keras.extract` beside OpenCV called directly, and of two workers.

python benchmarks/extraction.py
python benchmarks/extraction.py --videos DIR

decode: frames a second, decoded to B, G, R; ours beside cv2.VideoCapture.
flow: pairs a second of one core; ours from video file to JPEG files, beside
nothing but calls of OpenCV's TV-L1 on grey frames that are in memory already.
workers: pairs a second of the command with two workers beside one, their start
included.
device: pairs a second of the command with --flow-device auto beside the command
without, each with two workers, loading and compiling included.
Contenders take turns. Without --videos they are clips of the demo data set.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import machine
import turns

SIZE = (340, 256)
WHAT = ("decode", "flow", "workers", "device")


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--videos", type=pathlib.Path, help="folder of real clips")
    add("--count", type=int, default=6, help="clips of a round (default: 6)")
    add("--frames", type=int, default=8, help="first frames of each (default: 8)")
    add("--rounds", type=int, default=3, help="default: 3")
    add("--what", nargs="+", default=list(WHAT), choices=WHAT, help="default: all")
    add("--out", default="benchmarks/results/extraction.csv")
    return parser.parse_args()


def prepare(args, folder):
    """Writes short lossless clips, all of one length; returns their paths."""
    import av
    import cv2

    from tsn_keras.datasets import demo, rendering
    from tsn_keras.video import decode, sources

    if args.videos:
        found = sources.find(args.videos)
        step = max(1, len(found) // args.count)
        clips = [list(decode.frames(s.path)) for s in found[::step][: args.count]]
    else:
        names = [v.id for v in demo.split().test if not v.id.endswith("03")]
        clips = [
            [cv2.resize(f, (320, 240)) for f in rendering.render(name)[0]]
            for name in names[:: len(names) // args.count][: args.count]
        ]
    paths = []
    for number, frames in enumerate(clips):
        path = folder / f"clip{number}.avi"
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=25)
            stream.height, stream.width = frames[0].shape[:2]
            stream.bit_rate = 4_000_000
            for frame in frames[: args.frames]:
                image = av.VideoFrame.from_ndarray(frame, format="bgr24")
                container.mux(stream.encode(image))
            container.mux(stream.encode(None))
        paths.append(path)
    return paths


def decode_ours(paths):
    from tsn_keras.video import decode

    return _rate(lambda: sum(1 for p in paths for _ in decode.frames(p))), None


def decode_opencv(paths):
    import cv2

    def work():
        count = 0
        for path in paths:
            capture = cv2.VideoCapture(str(path))
            while capture.read()[0]:
                count += 1
        return count

    return _rate(work), None


def _rate(work, least=1.0):
    """Makes a function that repeats work for a second; returns units a second."""

    def measure():
        start, done = time.perf_counter(), 0
        while time.perf_counter() - start < least:
            done += work()
        return done / (time.perf_counter() - start)

    return measure


def flow_ours(paths):
    from tsn_keras.extraction import extractor
    from tsn_keras.extraction.settings import Settings

    def work():
        pairs = 0
        for path in paths:
            with tempfile.TemporaryDirectory() as folder:
                made = extractor.extract(path, folder, Settings(size=SIZE))
                pairs += made.files
        return pairs

    return _rate(work), None


def flow_opencv(paths):
    import cv2

    from tsn_keras.flow.opencv import tvl1
    from tsn_keras.flow.settings import PARAMETERS
    from tsn_keras.video import decode

    cv2.setNumThreads(1)
    clips = [
        [
            cv2.cvtColor(cv2.resize(frame, SIZE), cv2.COLOR_BGR2GRAY)
            for frame in decode.frames(path)
        ]
        for path in paths
    ]
    compute = tvl1(PARAMETERS["original"])

    def work():
        for clip in clips:
            for previous, following in zip(clip, clip[1:], strict=False):
                compute(previous, following)
        return sum(len(clip) - 1 for clip in clips)

    return _rate(work), None


def workers(paths, count, *options):
    folder = str(pathlib.Path(paths[0]).parent)

    def measure():
        with tempfile.TemporaryDirectory() as out:
            argv = [sys.executable, "-m", "tsn_keras.extract", folder, out]
            done = subprocess.run(
                [*argv, "--workers", str(count), *options],
                check=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        result = json.loads(done.stdout.splitlines()[-1])
        return result["files_of_a_kind"] / result["seconds"]

    return measure, None


def main():
    args = parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = [str(path) for path in prepare(args, pathlib.Path(folder))]
        compared = {
            "decode": ("frames/s", (decode_ours, paths), (decode_opencv, paths)),
            "flow": ("pairs/s", (flow_ours, paths), (flow_opencv, paths)),
            "workers": ("pairs/s", (workers, paths, 2), (workers, paths, 1)),
            "device": (
                "pairs/s",
                (workers, paths, 2, "--flow-device", "auto"),
                (workers, paths, 2),
            ),
        }
        for what, (unit, ours, other) in compared.items():
            if what not in args.what:
                continue
            contenders = {
                "ours": turns.Contender(*ours),
                "other": turns.Contender(*other),
            }
            found = turns.rounds(contenders, args.rounds)
            rows.append(
                {
                    **machine.facts(),
                    "what": what,
                    "unit": unit,
                    "videos": "real clips" if args.videos else "demo clips",
                    "clips": len(paths),
                    "frames_each": args.frames,
                    "rounds": args.rounds,
                    "ours": round(statistics.median(found["ours"]), 3),
                    "other": round(statistics.median(found["other"]), 3),
                    "ours_over_other": round(
                        turns.ratio(found["ours"], found["other"]), 3
                    ),
                }
            )
            print({k: rows[-1][k] for k in list(rows[-1])[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
