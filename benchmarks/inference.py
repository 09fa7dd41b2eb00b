"""Images a second of BN-Inception, beside PyTorch, ONNX Runtime and OpenVINO.

python benchmarks/inference.py

Needs `pip install "tsn-keras[benchmark]"` (torch as its CPU build). Each
contender has the same weights and lives in a process of its own that sleeps
while another is at work; they take turns, round by round, so that the ratios
hold while the machine's speed drifts. Scores are compared before the clock
starts.
"""

import argparse
import multiprocessing
import os
import statistics
import sys
import time

import machine
import numpy as np

CONTENDERS = ("tsn_keras", "pytorch", "onnxruntime", "openvino")
TOLERANCE = 1e-3  # of the largest score; float32 sums in other orders


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=50, help="images (default: 50)")
    parser.add_argument("--rounds", type=int, default=10, help="default: 10")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32"
    )
    parser.add_argument("--out", default="benchmarks/results/inference.csv")
    return parser.parse_args()


def images_of(batch):
    """The same images for everyone: pixels less a mean."""
    random = np.random.default_rng(1)
    return random.integers(-128, 128, (batch, 224, 224, 3)).astype(np.float32)


def worker(name, args, pipe):
    """Builds a contender; then runs one batch for each message."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    run = build(name, args)
    images = images_of(args.batch)
    scores = run(images)
    run(images)  # The first runs also choose kernels and take memory.
    pipe.send(scores)
    while pipe.recv():
        start = time.perf_counter()
        run(images)
        pipe.send(args.batch / (time.perf_counter() - start))


def build(name, args):
    """Returns a contender: float32 [N, 224, 224, 3] to scores."""
    import peers
    import tensorflow as tf

    from tsn_keras.engine import inference
    from tsn_keras.models.bn_inception import BNInception
    from tsn_keras.models.fold import fold

    model = BNInception()
    peers.random_weights(model)
    if name == "pytorch":
        import torch

        torch.set_num_threads(args.threads)
        run = peers.pytorch(model)
        if args.precision == "bfloat16":
            return lambda x: _autocast(run, x)
        return run
    if name == "onnxruntime":
        return peers.onnxruntime(fold(model), args.threads)
    if name == "openvino":
        precision = {"float32": "f32", "bfloat16": "bf16"}[args.precision]
        return peers.openvino(fold(model), args.threads, precision)
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    network = inference.network(lambda: model, args.precision)
    signature = [tf.TensorSpec((None, 224, 224, 3), tf.float32)]
    step = tf.function(network, input_signature=signature)
    return lambda images: step(images).numpy()


def _autocast(run, images):
    import torch

    with torch.autocast("cpu", torch.bfloat16):
        return run(images)


def main():
    args = parse_args()
    context = multiprocessing.get_context("spawn")
    pipes, processes, expected = {}, [], None
    for name in CONTENDERS:
        pipes[name], child = context.Pipe()
        process = context.Process(target=worker, args=(name, args, child), daemon=True)
        process.start()
        processes.append(process)
        child.close()
        try:
            scores = pipes[name].recv()
        except EOFError:
            sys.exit(f'{name} failed: is it there? pip install "tsn-keras[benchmark]"')
        expected = scores if expected is None else expected
        error = np.abs(scores - expected).max() / np.abs(expected).max()
        print(f"{name}: largest difference of scores {error:.1e}", flush=True)
        if args.precision == "float32" and error > TOLERANCE:
            sys.exit(f"{name} computes something else")
    speeds = {name: [] for name in CONTENDERS}
    for number in range(args.rounds):
        # Another one begins each round.
        turn = number % len(CONTENDERS)
        for name in CONTENDERS[turn:] + CONTENDERS[:turn]:
            pipes[name].send(True)
            speeds[name].append(pipes[name].recv())
    rows = []
    for name in CONTENDERS:
        ratios = [
            ours / theirs
            for ours, theirs in zip(speeds["tsn_keras"], speeds[name], strict=True)
        ]
        rows.append(
            {
                **machine.facts(),
                "contender": name,
                "precision": args.precision,
                "batch": args.batch,
                "threads": args.threads,
                "rounds": args.rounds,
                "images_per_s": round(statistics.median(speeds[name]), 2),
                "min": round(min(speeds[name]), 2),
                "max": round(max(speeds[name]), 2),
                "ours_over_theirs": round(statistics.median(ratios), 3),
            }
        )
        print(
            f"{name:12} {rows[-1]['images_per_s']:8} images/s; "
            f"tsn_keras is {rows[-1]['ours_over_theirs']:.2f} times as fast"
        )
    machine.append(args.out, rows)
    for name in CONTENDERS:
        pipes[name].send(False)


if __name__ == "__main__":
    main()
