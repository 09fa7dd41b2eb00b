"""Speed of the whole evaluation, from files to scores, over the network's.

python benchmarks/evaluation.py
python benchmarks/evaluation.py --modality rgb --source videos --network resnet50

The one contender runs the pipeline of `tsn_keras.eval` over videos on disk, under the
published test of the network; the other only the network on as many crops that are in
memory already; they take turns. Also the peak memory of the evaluation's process. With
--source videos the files are videos instead of JPEG: those of --clips, or clips that
are made, see made_videos.py. Their index is there, as in a run after its first pass.
"""

import argparse
import importlib
import pathlib
import resource
import statistics
import tempfile
import time

import machine
import made_videos
import numpy as np
import turns

# Network: (file in models/, its record, the protocol of its test).
NETWORKS = {
    "bn_inception": ("bn_inception", "BN_INCEPTION", "caffe"),
    "resnet50": ("resnet", "RESNET50", "mmaction2_s25_10crop224"),
}


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=6, help="default: 6")
    parser.add_argument("--batch", type=int, default=5, help="snippets (default: 5)")
    parser.add_argument("--videos", type=int, default=2, help="a round (default: 2)")
    parser.add_argument("--modality", nargs="+", default=["rgb", "flow"])
    parser.add_argument(
        "--source",
        choices=("frames", "videos"),
        default="frames",
        help="JPEG files, or video files (RGB only); default: frames",
    )
    parser.add_argument("--clips", type=pathlib.Path, help="folder of video files")
    parser.add_argument(
        "--network",
        choices=NETWORKS,
        default="bn_inception",
        help="default: bn_inception",
    )
    parser.add_argument("--out", help="default: evaluation.csv or, of videos, another")
    args = parser.parse_args()
    if args.source == "videos" and args.modality != ["rgb"]:
        parser.error("--source videos is for --modality rgb")
    if args.source != "videos" and (args.clips or args.network != "bn_inception"):
        parser.error("--clips and --network are for --source videos")
    name = "evaluation" + "_of_videos" * (args.source == "videos")
    args.out = args.out or f"benchmarks/results/{name}.csv"
    return args


def stream_of(network, modality):
    """protocols.records.Stream of a network's published test."""
    from tsn_keras.protocols.catalogue import PROTOCOLS
    from tsn_keras.protocols.modalities import MODALITIES
    from tsn_keras.protocols.records import Stream

    return Stream(MODALITIES[modality], PROTOCOLS[NETWORKS[network][2]])


def prepare(network, modality):
    """(Stream, model with random weights, record of its backbone)."""
    from tsn_keras.common import console

    with console.quiet_frameworks():
        import tensorflow  # noqa: F401 - loaded here with the command's settings
    import peers

    file, record, _ = NETWORKS[network]
    record = getattr(importlib.import_module(f"tsn_keras.models.{file}"), record)
    stream = stream_of(network, modality)
    # As many classes as its published weights have.
    classes = {"bn_inception": 101, "resnet50": 400}[network]
    model = record.build(stream.input_shape, classes=classes)
    peers.random_weights(model)
    return stream, model, record


def evaluation(network, modality, folders, batch, runtime="keras", precision="float32"):
    """Files to scores; measures images a second, reports scores of the first video."""
    stream, model, record = prepare(network, modality)
    from tsn_keras.checkpoints import keras_file, loading
    from tsn_keras.evaluation import inference
    from tsn_keras.pipeline import distribution, snippets

    view = stream.protocol.test
    devices = distribution.of_this_machine()
    with tempfile.TemporaryDirectory() as folder, devices.scope():
        path = pathlib.Path(folder, "random.weights.h5")
        about = {"backbone": record.name, "modality": modality}
        keras_file.save(model, path, {**about, "protocol": stream.protocol.name})
        del model  # An evaluation has the weights from the file alone.
        scorer = inference.scorer(loading.find(path), view, precision, runtime)
    step = inference.stepper(scorer, devices)
    plan = snippets.plan(folders, stream, view)
    dataset = snippets.for_test(folders, plan, stream, batch)

    def measure():
        start = time.perf_counter()
        done = sum(len(t) for _, t, *_ in inference.run(step, dataset, devices))
        assert done == len(plan.tick)
        return speed_since(start, view.crops.count * done)

    found = list(inference.run(step, dataset, devices))
    scores = np.concatenate([s[video == 0] for video, _, _, s in found])
    return measure, scores.mean((0, 1))


def speed_since(start, images):
    """(images a second, peak memory of this process in GiB)."""
    speed = images / (time.perf_counter() - start)
    return speed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def forward(network, modality, images, batch):
    """Crops in memory to scores; measures images a second."""
    stream, model, record = prepare(network, modality)
    import tensorflow as tf

    from tsn_keras.evaluation import inference

    step = tf.function(inference.network(model, record.fold))
    random = np.random.default_rng(0)
    size = stream.protocol.test.crops.count * batch
    crops = random.integers(-128, 128, (size, *stream.input_shape))
    crops = tf.constant(crops, tf.float32)

    def measure():
        start = time.perf_counter()
        for _ in range(images // size):
            step(crops).numpy()
        return images / (time.perf_counter() - start), 0

    step(crops)
    measure()
    return measure, None


def prepared(args, folder):
    """Function of a modality to datasets.records.FrameFolder of each video."""
    from tsn_keras.datasets import demo, rendering, selection

    if args.source == "videos":
        paths = made_videos.paths(args.clips, args.videos, folder)
        return lambda modality: made_videos.of_stream(
            paths, stream_of(args.network, modality), classes=2
        )
    split = demo.split()
    videos = tuple(v for v in split.test if not v.id.endswith("03"))[: args.videos]
    rendering.prepare(folder, videos)
    root = pathlib.Path(folder)
    found = selection.VideoSet("demo", 1, root, videos, split.classes)
    folders = selection.select(found, ("img_",)).folders
    return lambda _: folders


def main():
    args = parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folders_of = prepared(args, folder)
        for modality in args.modality:
            folders, stream = folders_of(modality), stream_of(args.network, modality)
            view = stream.protocol.test
            images = view.snippets * view.crops.count * len(folders)
            which = args.network, modality
            contenders = {
                "whole": turns.Contender(evaluation, *which, folders, args.batch),
                "network": turns.Contender(forward, *which, images, args.batch),
            }
            found = turns.rounds(contenders, args.rounds)
            for one in contenders.values():
                one.stop()
            whole, network = ([v for v, _ in found[k]] for k in ("whole", "network"))
            rows.append(
                {
                    **machine.facts(),
                    "modality": modality,
                    "batch": args.batch,
                    "rounds": args.rounds,
                    "whole_images_per_s": round(statistics.median(whole), 2),
                    "network_images_per_s": round(statistics.median(network), 2),
                    "whole_over_network": round(turns.ratio(whole, network), 3),
                    "peak_memory_gib": round(max(p for _, p in found["whole"]), 3),
                }
            )
            if args.source == "videos":
                rows[-1] |= {
                    "network": args.network,
                    "videos": args.clips.name if args.clips else "made",
                    "files": len(folders),
                    "test": str(view),
                }
            print({k: rows[-1][k] for k in list(rows[-1])[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
