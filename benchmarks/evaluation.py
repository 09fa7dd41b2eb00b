"""Speed of the whole evaluation, from files to scores, over the network's.

python benchmarks/evaluation.py
python benchmarks/evaluation.py --modality rgb --source videos

The one contender runs the pipeline of `tsn_keras.eval` over videos on disk,
the other only the network on as many crops that are in memory already; they
take turns. Also the peak memory of the evaluation's process. With --source videos
the files are H.264 instead of JPEG.
"""

import argparse
import pathlib
import resource
import statistics
import tempfile
import time

import machine
import numpy as np
import turns


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
    parser.add_argument("--out", help="default: evaluation.csv or, of videos, another")
    args = parser.parse_args()
    if args.source == "videos" and args.modality != ["rgb"]:
        parser.error("--source videos is for --modality rgb")
    name = "evaluation" + "_of_videos" * (args.source == "videos")
    args.out = args.out or f"benchmarks/results/{name}.csv"
    return args


def encode(folder, path):
    """Writes the images of a frame folder as a video."""
    import av
    import cv2

    with av.open(str(path), "w") as container:
        images = [cv2.imread(str(path)) for path in sorted(folder.glob("img_*.jpg"))]
        stream = container.add_stream("libx264", rate=25)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _prepare(modality):
    from tsn_keras.common import console

    with console.quiet_frameworks():
        import tensorflow  # noqa: F401 - loaded here with the command's settings
    import peers

    from tsn_keras.models.bn_inception import BNInception
    from tsn_keras.protocols.caffe import CAFFE
    from tsn_keras.protocols.modalities import MODALITIES
    from tsn_keras.protocols.records import Stream

    stream = Stream(MODALITIES[modality], CAFFE)
    model = BNInception(stream.input_shape)
    peers.random_weights(model)
    return stream, model


def evaluation(modality, folders, batch):
    """Files to scores; measures images a second."""
    stream, model = _prepare(modality)
    from tsn_keras.checkpoints import loading
    from tsn_keras.evaluation import inference
    from tsn_keras.pipeline import distribution, snippets

    view = stream.protocol.test
    devices = distribution.of_this_machine()
    with tempfile.TemporaryDirectory() as folder, devices.scope():
        path = pathlib.Path(folder, "random.weights.h5")
        model.save_weights(path)
        del model  # An evaluation has the weights from the file alone.
        scorer = inference.scorer(loading.find(path), view)
    step = inference.stepper(scorer, devices)
    plan = snippets.plan(folders, stream, view)
    dataset = snippets.for_test(folders, plan, stream, batch)

    def measure():
        start = time.perf_counter()
        done = sum(len(t) for _, t, *_ in inference.run(step, dataset, devices))
        assert done == len(plan.tick)
        speed = view.crops.count * done / (time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return speed, peak

    measure()
    return measure, None


def forward(modality, images, batch):
    """Crops in memory to scores; measures images a second."""
    stream, model = _prepare(modality)
    import tensorflow as tf

    from tsn_keras.evaluation import inference

    step = tf.function(inference.network(model))
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


def main():
    args = parse_args()
    from tsn_keras.datasets import demo, frames, rendering, selection
    from tsn_keras.protocols.caffe import CAFFE

    rows = []
    with tempfile.TemporaryDirectory() as root:
        split = demo.split()
        videos = tuple(v for v in split.test if not v.id.endswith("03"))
        videos = videos[: args.videos]
        rendering.prepare(root, videos)
        if args.source == "videos":
            root = pathlib.Path(root, "videos")
            root.mkdir()
            for video in videos:
                folder = frames.locate(root.parent, video)
                encode(folder, root / f"{video.id}.mp4")
        found = selection.VideoSet("demo", 1, root, videos, split.classes)
        folders = selection.select(found, ("img_",), images=True).folders
        for modality in args.modality:
            images = CAFFE.test.snippets * CAFFE.test.crops.count * len(videos)
            contenders = {
                "whole": turns.Contender(evaluation, modality, folders, args.batch),
                "network": turns.Contender(forward, modality, images, args.batch),
            }
            found = turns.rounds(contenders, args.rounds)
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
            print({k: rows[-1][k] for k in list(rows[-1])[6:]}, flush=True)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
