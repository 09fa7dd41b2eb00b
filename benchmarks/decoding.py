"""Speed of reading some frames of video files, beside PyAV alone.

python benchmarks/decoding.py
python benchmarks/decoding.py --videos DIR

all: every frame. test: 25 frames at equal distances, as the test of RGB takes them.
training: 3 frames at random, one in each third. PyAV alone decodes from the beginning
up to the last frame that is asked for, and converts only those. Contenders take turns;
ours has an index of each file, as in a run after its first pass. index: files a second
that get one, beside counting their frames with PyAV alone. Without --videos, clips of
ten seconds at 340 x 256 are made, in H.264 with a key frame every 250 frames at most.
"""

import argparse
import pathlib
import statistics
import tempfile
import time

import machine
import numpy as np
import turns

WHAT = ("all", "test", "training", "index")
FRAMES, SIZE = 250, (340, 256)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--videos", type=pathlib.Path, help="folder of video files")
    add("--count", type=int, default=8, help="files of a round (default: 8)")
    add("--rounds", type=int, default=5, help="default: 5")
    add("--what", nargs="+", default=list(WHAT), choices=WHAT, help="default: all")
    add("--out", default="benchmarks/results/decoding.csv")
    return parser.parse_args()


def prepare(args, folder):
    """Paths of the video files."""
    from tsn_keras.video import sources

    if args.videos:
        found = sources.find(args.videos)
        return [s.path for s in found[:: max(1, len(found) // args.count)]][
            : args.count
        ]
    return [make(pathlib.Path(folder, f"{k}.mp4"), k) for k in range(args.count)]


def make(path, seed):
    """Writes a clip of moving noise."""
    import av
    import cv2

    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (40, 120, 3), dtype=np.uint8)
    wide = cv2.resize(small, (SIZE[0] + 2 * FRAMES, SIZE[1]))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p"
        for k in range(FRAMES):
            image = np.ascontiguousarray(wide[:, 2 * k : 2 * k + SIZE[0]])
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def wanted(what, frames, random):
    """Numbers of frames that are asked for."""
    if what == "test":
        return sorted({k * frames // 25 for k in range(25)})
    if what == "training":
        third = max(1, frames // 3)
        return sorted({int(k * third + random.integers(third)) for k in range(3)})
    return list(range(frames))


def by_pyav(path, numbers):
    """Decodes frames with nothing but PyAV; yields arrays."""
    import av

    numbers = set(numbers)
    with av.open(str(path)) as container:
        # As ours: pipelines read several files at a time instead.
        container.streams.video[0].codec_context.thread_count = 1
        for number, frame in enumerate(container.decode(video=0)):
            if number in numbers:
                # As OpenCV converts, and ours.
                yield frame.to_ndarray(format="bgr24", interpolation="BICUBIC")
            if number == max(numbers):
                return


def contender(ours, what, paths):
    """Measures files a second."""
    import av

    from tsn_keras.video import index, seeking

    totals = [seeking.count(path) for path in paths]
    random = np.random.default_rng(0)

    def count(path):
        if ours:
            return index._found(path, path.stat().st_size).frames
        with av.open(str(path)) as container:
            container.streams.video[0].codec_context.thread_count = 1
            return sum(1 for _ in container.decode(video=0))

    def read(path, total):
        numbers = wanted(what, total, random)
        found = seeking.frames(path, numbers) if ours else by_pyav(path, numbers)
        return sum(1 for _ in found) == len(numbers)

    def measure():
        start = time.perf_counter()
        for path, total in zip(paths, totals, strict=True):
            assert count(path) == total if what == "index" else read(path, total)
        return len(paths) / (time.perf_counter() - start)

    return measure, None


def main():
    args = parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        paths = prepare(args, folder)
        for what in args.what:
            contenders = {
                name: turns.Contender(contender, name == "ours", what, paths)
                for name in ("ours", "pyav")
            }
            found = turns.rounds(contenders, args.rounds)
            for one in contenders.values():
                one.stop()
            rows.append(
                {
                    **machine.facts(),
                    "videos": args.videos.name if args.videos else "made",
                    "what": what,
                    "rounds": args.rounds,
                    "files_per_s": round(statistics.median(found["ours"]), 2),
                    "pyav_files_per_s": round(statistics.median(found["pyav"]), 2),
                    "ours_over_pyav": round(turns.ratio(*found.values()), 3),
                }
            )
            print({k: rows[-1][k] for k in list(rows[-1])[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
