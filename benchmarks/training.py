"""Images a second of a training step, and what feeds it.

python benchmarks/training.py

The K=3 step of `tsn_keras.train` beside the same step with a plain reshape in
place of TimeDistributed, and beside PyTorch (eager, channels last), which need
`pip install "tsn-keras[benchmark]"`; and the input pipeline alone, from JPEG
files to crops. All take turns. The losses of the first steps are compared
before the clock starts.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time

import machine
import numpy as np
import turns

SEGMENTS = 3
CLASSES = 101
RATE, CLIP = 0.001, 40.0
TOLERANCE = 1e-3  # of the losses: float32 sums in other orders, three updates


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--videos", type=int, default=4, help="a step (default: 4)")
    parser.add_argument("--steps", type=int, default=3, help="a turn (default: 3)")
    parser.add_argument("--rounds", type=int, default=8, help="default: 8")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--out", default="benchmarks/results/training.csv")
    return parser.parse_args()


def step(name, videos, steps, threads):
    """A training step on images in memory; reports the first losses."""
    from tsn_keras.common import console

    with console.quiet_frameworks():
        import tensorflow as tf
    import peers

    from tsn_keras import config
    from tsn_keras.models.bn_inception import BN_INCEPTION, BNInception
    from tsn_keras.protocols.caffe import CAFFE
    from tsn_keras.protocols.modalities import RGB
    from tsn_keras.protocols.records import Stream

    stream = Stream(RGB, CAFFE)
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    model = BNInception(classes=CLASSES, dropout=0.0)
    peers.random_weights(model)
    random = np.random.default_rng(1)
    small = random.integers(0, 256, (videos * SEGMENTS, 16, 16, 3))
    images = tf.image.resize(small, (224, 224)).numpy().astype(np.uint8)
    images = images.reshape(videos, SEGMENTS, 224, 224, 3)
    labels = random.integers(0, CLASSES, videos).astype(np.int32)
    if name == "pytorch":
        import training_peer

        run = training_peer.pytorch(model, threads, RATE, CLIP)
        mean = np.array(stream.normalisation.mean, np.float32)
        inputs = images.astype(np.float32) - mean

        def once():
            return run(inputs, labels)
    else:
        from tsn_keras.training.trainer import Network, Trainer

        settings = config.TrainSettings(base_lr=RATE, clip=CLIP)
        network = Network(model, BN_INCEPTION, stream, SEGMENTS)
        trainer = Trainer(network, settings, 1, tf.distribute.get_strategy())
        if name == "reshape":
            trainer.network = _reshaped(tf, model)
        tensors = tf.constant(images), tf.constant(labels)

        def once():
            return trainer.step([tensors])

    losses = [once() for _ in range(3)]

    def measure():
        start = time.perf_counter()
        for _ in range(steps):
            once()
        return steps * videos * SEGMENTS / (time.perf_counter() - start)

    return measure, losses


def _reshaped(tf, model):
    """Segments on the batch axis by hand, and the mean of their scores."""

    def network(inputs, training):
        merged = tf.reshape(inputs, (-1, *inputs.shape[2:]))
        scores = model(merged, training=training)
        return tf.reduce_mean(tf.reshape(scores, (-1, SEGMENTS, CLASSES)), axis=1)

    return network


def pipeline(modality, folders, videos, steps):
    """Files to batches of crops; measures images (snippets) a second."""
    from tsn_keras.common import console

    with console.quiet_frameworks():
        import tensorflow  # noqa: F401 - loaded here with the command's settings
    from tsn_keras.pipeline.training import Batches
    from tsn_keras.protocols.caffe import CAFFE
    from tsn_keras.protocols.modalities import MODALITIES
    from tsn_keras.protocols.records import Stream

    stream = Stream(MODALITIES[modality], CAFFE)
    batches = iter(Batches(folders, stream, SEGMENTS, videos).for_training())

    def measure():
        # More than are fetched ahead, so that the clock sees all the work.
        count = 20 * steps
        start = time.perf_counter()
        for _ in range(count):
            next(batches)
        return count * videos * SEGMENTS / (time.perf_counter() - start)

    measure()
    return measure, None


def main():
    args = parse_args()
    from tsn_keras.datasets import demo, rendering, selection

    contenders = {}
    for name in ("tsn_keras", "reshape", "pytorch"):
        options = args.videos, args.steps, args.threads
        contenders[name] = turns.Contender(step, name, *options)
        ours, theirs = contenders["tsn_keras"].report, contenders[name].report
        print(f"{name}: first losses {theirs}", flush=True)
        if not np.allclose(ours, theirs, rtol=TOLERANCE):
            sys.exit(f"{name} computes something else")
    with tempfile.TemporaryDirectory() as root:
        split = demo.split()
        videos = split.train[::24]
        rendering.prepare(root, videos)
        found = selection.VideoSet("demo", 1, root, videos, split.classes)
        folders = selection.select(found, ("img_",)).folders
        for modality in ("rgb", "flow"):
            contenders[f"input {modality}"] = turns.Contender(
                pipeline, modality, folders, args.videos, args.steps
            )
        speeds = turns.rounds(contenders, args.rounds)
    results = []
    for name, found in speeds.items():
        ratio = turns.ratio(speeds["tsn_keras"], found)
        results.append(
            {
                **machine.facts(),
                "contender": name,
                "videos": args.videos,
                "segments": SEGMENTS,
                "threads": args.threads,
                "rounds": args.rounds,
                "images_per_s": round(statistics.median(found), 2),
                "min": round(min(found), 2),
                "max": round(max(found), 2),
                "ours_over_theirs": round(ratio, 3),
            }
        )
        print(
            f"{name:12} {results[-1]['images_per_s']:8} images/s; ours / it {ratio:.3f}"
        )
    machine.append(args.out, results)


if __name__ == "__main__":
    main()
