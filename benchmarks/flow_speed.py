"""Speed of TV-L1 in Keras beside OpenCV's class, and its distance from the floor.

python benchmarks/flow_speed.py --videos DIR
KERAS_BACKEND=jax python benchmarks/flow_speed.py --device gpu --batch 64

pairs: pairs a second of all cores, or of a GPU, beside OpenCV with a pair a
core; compilation is not counted. The time that HMDB51 would take follows: 6,766
clips, about 630,000 pairs.
turn: milliseconds that one turn of the innermost loop takes for a pair at full
size, beside what its memory traffic alone would take: 10 arrays are read and 6
written, at the rate at which the device adds two arrays that take as much
memory.
Contenders take turns. Without --videos pairs are those of a formula.
"""

import argparse
import concurrent.futures
import functools
import os
import statistics
import time

import frame_pairs
import machine
import motion
import numpy as np
import turns

HMDB51_PAIRS = 630_000
# flow (2), dual variables (4), and what a warp has in common (4); the first six
# are written.
READ, WRITTEN = 10, 6
# Turns of the two programs whose difference is timed.
FEW, MANY = 20, 220


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--videos", help="folder of real clips")
    add("--pairs", type=int, default=24, help="of a round (default: 24)")
    add("--rounds", type=int, default=3, help="default: 3")
    add("--device", choices=("auto", "cpu", "gpu"), default="auto")
    add("--batch", type=int, help="pairs at once (default: what extract takes)")
    add(
        "--parameters",
        choices=("original", "opencv4"),
        default="original",
        help="default: original",
    )
    add("--out", default="benchmarks/results/flow_speed.csv")
    return parser.parse_args()


def greys(args):
    if args.videos:
        chosen = frame_pairs.sources(args.videos, args.pairs)
        return [frame_pairs.greys(*one) for one in chosen]
    makers = list(motion.MOTIONS.values())
    made = [
        makers[k % len(makers)](frame_pairs.SIZE, k // len(makers))
        for k in range(args.pairs)
    ]
    return [np.stack([pair.previous, pair.following]) for pair in made]


def _rate(pairs, threads, compute):
    def measure():
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            start = time.perf_counter()
            list(pool.map(lambda pair: compute(*pair), pairs))
            return len(pairs) / (time.perf_counter() - start)

    return measure


def ours(args, pairs):
    from tsn_keras.flow import devices
    from tsn_keras.flow import engine as engines
    from tsn_keras.flow.settings import FlowSettings

    devices.leave_cores_to_lanes()
    settings = FlowSettings(args.parameters, args.device, args.batch)
    engine = engines.of(settings, os.cpu_count())
    engine.warm_up(*pairs[0].shape[1:])
    report = {
        **devices.versions(args.device),
        "batch": args.batch or engines.BATCHES[devices.kind(args.device)],
    }
    return _rate(pairs, engine.pairs, engine), report


def opencv(args, pairs):
    import cv2

    from tsn_keras.flow import pairs as flow_pairs
    from tsn_keras.flow.opencv import tvl1
    from tsn_keras.flow.settings import PARAMETERS

    def measure():
        start = time.perf_counter()
        tagged = ((None, *pair) for pair in pairs)
        make = functools.partial(tvl1, PARAMETERS[args.parameters])
        done = list(flow_pairs.compute(tagged, make, os.cpu_count()))
        return len(done) / (time.perf_counter() - start)

    return measure, cv2.__version__


def _seconds(compute, repeats=5):
    compute()
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        compute()
        found.append(time.perf_counter() - start)
    return min(found)


def turn(args, pairs):
    """Milliseconds of a turn for a pair, and of its memory traffic alone."""
    import keras

    from tsn_keras.flow import devices, tvl1
    from tsn_keras.flow.engine import BATCHES
    from tsn_keras.flow.settings import PARAMETERS

    devices.leave_cores_to_lanes()
    kind = devices.kind(args.device)
    batch = args.batch or BATCHES[kind]
    height, width = pairs[0].shape[1:]
    some = np.stack([pairs[k % len(pairs)] for k in range(batch)])
    keywords = PARAMETERS[args.parameters].keywords() | {
        **{"scales": 1, "warps": 1, "outer_iterations": 1},
        **{"epsilon": 0.0, "median_filter": 1},
    }

    def solve(count):
        compute = devices.compiled(
            functools.partial(tvl1.tvl1, **{**keywords, "iterations": count})
        )
        images = [keras.ops.convert_to_tensor(some[:, k]) for k in (0, 1)]
        return _seconds(lambda: keras.ops.convert_to_numpy(compute(*images)))

    # Two are read and one is written: a third each of all that a turn touches.
    third = (READ + WRITTEN) * batch * height * width // 3
    arrays = [keras.ops.ones((third,), "float32") for _ in "ab"]

    def copies(count):
        def add(one, other):
            return keras.ops.while_loop(
                lambda k, one: k < count,
                lambda k, one: (k + 1, one * 0.5 + other),
                (0, one),
            )[1]

        compute = devices.compiled(add)
        return _seconds(lambda: keras.ops.convert_to_numpy(compute(*arrays)[:1]))

    def measure():
        with keras.device(f"{kind}:0"):
            return tuple(
                1000 * (time_of(MANY) - time_of(FEW)) / (MANY - FEW) / batch
                for time_of in (solve, copies)
            )

    return measure, None


def main():
    args = parse_args()
    pairs = greys(args)
    contenders = {
        name: turns.Contender(build, args, pairs)
        for name, build in (("ours", ours), ("opencv", opencv))
    }
    found = turns.rounds(contenders, args.rounds)
    ours_median, opencv_median = (
        statistics.median(found[name]) for name in ("ours", "opencv")
    )
    turn_ms, floor_ms = turns.Contender(turn, args, pairs).measure()
    report = contenders["ours"].report
    row = {
        **machine.facts(),
        "parameters": args.parameters,
        "device": report["flow_device"],
        "backend": next(key for key in report if key in machine.BACKENDS),
        "batch": report["batch"],
        "pairs": args.pairs,
        "videos": "real clips" if args.videos else "formulas",
        "rounds": args.rounds,
        "ours_pairs_per_s": round(ours_median, 3),
        "opencv_pairs_per_s": round(opencv_median, 3),
        "ours_over_opencv": round(turns.ratio(found["ours"], found["opencv"]), 2),
        "hmdb51_hours_ours": round(HMDB51_PAIRS / ours_median / 3600, 1),
        "hmdb51_hours_opencv": round(HMDB51_PAIRS / opencv_median / 3600, 1),
        "turn_ms": round(turn_ms, 4),
        "memory_floor_ms": round(floor_ms, 4),
        "turn_over_floor": round(turn_ms / floor_ms, 2),
    }
    print({key: row[key] for key in list(row)[6:]})
    machine.append(args.out, [row])


if __name__ == "__main__":
    main()
