"""Images a second of a network, beside PyTorch, ONNX Runtime and OpenVINO.

python benchmarks/inference.py
python benchmarks/inference.py --network resnet50

Needs `pip install "tsn-keras[benchmark]"`. All have the same weights and take
turns, so that the ratios hold while the machine's speed drifts; their scores
are compared before the clock starts.
"""

import argparse
import os
import statistics
import time

import machine
import numpy as np
import torch_networks
import turns

NAMES = ("tsn_keras", "pytorch", "onnxruntime", "openvino")
TOLERANCE = 1e-3  # of the largest score: float32 sums in other orders


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--network",
        choices=("bn_inception", *torch_networks.NETWORKS),
        default="bn_inception",
        help="default: bn_inception",
    )
    parser.add_argument("--batch", type=int, default=50, help="images (default: 50)")
    parser.add_argument("--rounds", type=int, default=10, help="default: 10")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument(
        "--precision", choices=("float32", "bfloat16"), default="float32"
    )
    parser.add_argument("--out", default="benchmarks/results/inference.csv")
    return parser.parse_args()


def build(name, network, batch, threads, precision):
    """Builds a contender; returns (function that measures it, its scores)."""
    run = _runner(name, network, threads, precision)
    random = np.random.default_rng(1)
    images = random.integers(-128, 128, (batch, 224, 224, 3)).astype(np.float32)
    if network != "bn_inception":
        images /= 64  # These get what is divided by a deviation.
    scores = run(images)
    run(images)  # The first runs also choose kernels and take memory.

    def measure():
        start = time.perf_counter()
        run(images)
        return batch / (time.perf_counter() - start)

    return measure, scores


def _runner(name, network, threads, precision):
    """Returns float32 [N, 224, 224, 3] to scores."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    if network != "bn_inception" and name != "tsn_keras":
        return torch_networks.peer(network, name, threads, precision)
    from tsn_keras.common import console

    with console.quiet_frameworks():
        import tensorflow as tf
    import peers

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    from tsn_keras.evaluation import inference
    from tsn_keras.models.bn_inception import BN_INCEPTION

    if network == "bn_inception":
        model, record = BN_INCEPTION.build((224, 224, 3), classes=101), BN_INCEPTION
        peers.random_weights(model)
    else:
        model, record = torch_networks.ours(network)
    if name == "tsn_keras":
        ours = inference.network(model, record.fold, precision)
        signature = [tf.TensorSpec((None, 224, 224, 3), tf.float32)]
        step = tf.function(ours, input_signature=signature)
        return lambda images: step(images).numpy()
    return peers.peer(name, model, record.fold, threads, precision)


def main():
    args = parse_args()
    contenders = {}
    for name in NAMES:
        options = args.network, args.batch, args.threads, args.precision
        contenders[name] = turns.Contender(build, name, *options)
    exact = args.precision == "float32"
    turns.check(contenders, TOLERANCE if exact else np.inf)
    speeds = turns.rounds(contenders, args.rounds)
    rows = []
    for name in NAMES:
        ratio = turns.ratio(speeds["tsn_keras"], speeds[name])
        rows.append(
            {
                **machine.facts(),
                "network": args.network,
                "contender": name,
                "precision": args.precision,
                "batch": args.batch,
                "threads": args.threads,
                "rounds": args.rounds,
                "images_per_s": round(statistics.median(speeds[name]), 2),
                "min": round(min(speeds[name]), 2),
                "max": round(max(speeds[name]), 2),
                "ours_over_theirs": round(ratio, 3),
            }
        )
        print(f"{name:12} {rows[-1]['images_per_s']:8} images/s; ours / it {ratio:.2f}")
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
