"""Images a second of a training step, and what feeds it.

    python benchmarks/training.py

The K=3 step of `tsn_keras.train`, in float32 and bfloat16, beside the same step with a
plain reshape in place of TimeDistributed, and beside PyTorch (eager, channels last,
autocast), which need `pip install "tsn-keras[benchmark]"`; and the input pipeline
alone, from JPEG files to crops, and from video files: those of --clips, or clips that
are made, see made_videos.py. All take turns. The losses of the first steps are
compared before the clock starts. Memory is the most that a process held in them, less
what it held before, its weights among it.
"""

import argparse
import os
import pathlib
import resource
import statistics
import sys
import tempfile
import time

import machine
import made_videos
import numpy as np
import turns

SEGMENTS = 3
CLASSES = {"bn_inception": 101, "resnet50": 1000}
RATE, CLIP = 0.001, 40.0
# Of the losses of three updates: sums in other orders, and numbers of 8 bits.
TOLERANCES = {"float32": 1e-3, "bfloat16": 0.05}
PROGRAMS = (
    ("tsn_keras", "float32"),
    ("reshape", "float32"),
    ("pytorch", "float32"),
    ("tsn_keras", "bfloat16"),
    ("pytorch", "bfloat16"),
)


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = list(CLASSES)
    parser.add_argument("--networks", nargs="+", choices=names, default=names)
    parser.add_argument("--videos", type=int, default=8, help="a step (default: 8)")
    parser.add_argument("--steps", type=int, default=3, help="a turn (default: 3)")
    parser.add_argument("--rounds", type=int, default=8, help="default: 8")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--clips", type=pathlib.Path, help="folder of video files")
    parser.add_argument("--out", default="benchmarks/results/training.csv")
    return parser.parse_args()


def step(network, program, precision, args):
    """A training step on images in memory; reports (first losses, GiB they took)."""
    from tsn_keras.common import console

    with console.quiet_frameworks():
        import tensorflow as tf
    import training_peer

    from tsn_keras import config
    from tsn_keras.models import preprocessing, training_graph
    from tsn_keras.protocols.caffe import CAFFE
    from tsn_keras.protocols.modalities import RGB
    from tsn_keras.protocols.records import Stream
    from tsn_keras.training import initialisation

    stream, videos = Stream(RGB, CAFFE), args.videos
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    peer = training_peer.PEERS[network]
    ours = program != "pytorch"
    with initialisation.policy(precision if ours else "float32"):
        model, record = peer.ours()
    random = np.random.default_rng(1)
    small = random.integers(0, 256, (videos * SEGMENTS, 16, 16, 3))
    images = tf.image.resize(small, (224, 224)).numpy().astype(np.uint8)
    images = images.reshape(videos, SEGMENTS, 224, 224, 3)
    labels = random.integers(0, CLASSES[network], videos).astype(np.int32)
    if ours:
        from tsn_keras.training.trainer import Network, Trainer

        settings = config.TrainSettings(base_lr=RATE, clip=CLIP, precision=precision)
        trained = Network(model, record, stream, SEGMENTS)
        trainer = Trainer(trained, settings, 1, tf.distribute.get_strategy())
        if program == "reshape":
            computed = training_graph.for_training(model)
            trainer.network = _reshaped(tf, computed, CLASSES[network])
        tensors = tf.constant(images), tf.constant(labels)

        def once():
            return trainer.step([tensors])
    else:
        inputs = preprocessing.network_input(tf.constant(images), stream).numpy()
        theirs = peer.theirs(model)
        run = training_peer.pytorch(theirs, args.threads, precision, RATE, CLIP)
        del model  # Not its memory is asked for.

        def once():
            return run(inputs, labels)

    before = _held_gib()
    losses = [once() for _ in range(3)]

    def measure():
        start = time.perf_counter()
        for _ in range(args.steps):
            once()
        return args.steps * videos * SEGMENTS / (time.perf_counter() - start)

    return measure, (losses, _peak_gib() - before)


def _peak_gib():
    """The most that this process held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _held_gib():
    """What this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**30


def _reshaped(tf, model, classes):
    """Segments on the batch axis by hand, and the mean of their scores."""

    def network(inputs, training):
        merged = tf.reshape(inputs, (-1, *inputs.shape[2:]))
        scores = model(merged, training=training)
        return tf.reduce_mean(tf.reshape(scores, (-1, SEGMENTS, classes)), axis=1)

    return network


def pipeline(modality, folders, videos, turn):
    """Files to batches of crops; measures images (snippets) a second.

    Args:
        modality: its name.
        folders: datasets.records.FrameFolder of each video.
        videos: of a batch.
        turn: batches of a turn, more than are fetched ahead, so that the clock sees
            all the work.
    """
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
        start = time.perf_counter()
        for _ in range(turn):
            next(batches)
        return turn * videos * SEGMENTS / (time.perf_counter() - start)

    measure()
    return measure, None


def programs(network, args):
    """Contenders of a network, by (program, precision); (them, their reports)."""
    contenders, reports = {}, {}
    for program, precision in PROGRAMS:
        key = program, precision
        contenders[key] = turns.Contender(step, network, program, precision, args)
        losses, _ = reports[key] = contenders[key].report
        print(f"{network} {precision} {program}: first losses {losses}", flush=True)
        ours, _ = reports["tsn_keras", "float32"]
        if not np.allclose(ours, losses, rtol=TOLERANCES[precision]):
            sys.exit(f"{program} computes something else")
    return contenders, reports


def inputs(args):
    """Images a second of what only reads a step's input: {(name, ""): [figures]}."""
    from tsn_keras.datasets import demo, rendering, selection
    from tsn_keras.protocols.caffe import CAFFE
    from tsn_keras.protocols.modalities import RGB
    from tsn_keras.protocols.records import Stream

    with tempfile.TemporaryDirectory() as folder:
        split = demo.split()
        videos = split.train[::24]
        rendering.prepare(folder, videos)
        root = pathlib.Path(folder)
        found = selection.VideoSet("demo", 1, root, videos, split.classes)
        frames = selection.select(found, ("img_",)).folders
        paths = made_videos.paths(args.clips, None, folder)
        clips = made_videos.of_stream(paths, Stream(RGB, CAFFE), CLASSES["resnet50"])
        # Three frames of a clip take many times as long as three JPEG files.
        read = {
            "input rgb": ("rgb", frames, 20 * args.steps),
            "input flow": ("flow", frames, 20 * args.steps),
            "input videos": ("rgb", clips, 10 * args.steps),
        }
        contenders = {
            (name, ""): turns.Contender(pipeline, modality, some, args.videos, turn)
            for name, (modality, some, turn) in read.items()
        }
        speeds = turns.rounds(contenders, args.rounds)
        for contender in contenders.values():
            contender.stop()
    return speeds


def main():
    args = parse_args()
    results = []
    # Not among the steps: it reads ahead in the turn of the one after it.
    fed = inputs(args)
    for network in args.networks:
        contenders, reports = programs(network, args)
        speeds = turns.rounds(contenders, args.rounds)
        for contender in contenders.values():
            contender.stop()
        for (program, precision), found in {**speeds, **fed}.items():
            beside = speeds["tsn_keras", precision or "float32"]
            _, held = reports.get((program, precision), (None, None))
            over = turns.ratio(found, speeds["tsn_keras", "float32"])
            results.append(
                {
                    **machine.facts(),
                    "network": network,
                    "precision": precision,
                    "contender": program,
                    "videos": args.videos,
                    "segments": SEGMENTS,
                    "threads": args.threads,
                    "rounds": args.rounds,
                    "images_per_s": round(statistics.median(found), 2),
                    "min": round(min(found), 2),
                    "max": round(max(found), 2),
                    "ours_over_theirs": round(turns.ratio(beside, found), 3),
                    "over_our_float32": round(over, 3),
                    "step_gib": held and round(held, 2),
                }
            )
            print(dict(list(results[-1].items())[6:]), flush=True)
    machine.append(args.out, results)


if __name__ == "__main__":
    main()
