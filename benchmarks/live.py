"""Whether networks keep up with a live source: `predict live:FILE`.

python benchmarks/live.py
python benchmarks/live.py --video FILE --networks bn_inception

A file is played at its own pace, and RGB difference looked at as fast as a network goes.
Weights are random, which costs the same time. A frame is late if no look had it.
"""

import argparse
import pathlib
import tempfile

import machine
import made_videos
import peers

MODALITY = "rgbdiff"
NETWORKS = {
    "bn_inception": "caffe",
    "resnet18": "tsn_pytorch_resnet",
    "mobileone_s4": "tsn_pytorch_resnet",
}
CLASSES = 101


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--video", type=pathlib.Path, help="default: ten seconds that are made")
    add("--networks", nargs="+", choices=list(NETWORKS), default=list(NETWORKS))
    add("--precision", nargs="+", default=["float32"], help="default: float32")
    add("--out", default="benchmarks/results/live.csv")
    return parser.parse_args()


def weights(name, folder):
    """Path of a network's random weights."""
    from tsn_keras.checkpoints import keras_file
    from tsn_keras.models.backbones import BACKBONES
    from tsn_keras.protocols.modalities import MODALITIES

    channels = MODALITIES[MODALITY].channels
    model = BACKBONES[name].build((224, 224, channels), CLASSES)
    peers.random_weights(model)
    path = folder / f"{name}.weights.h5"
    about = {"backbone": name, "modality": MODALITY, "protocol": NETWORKS[name]}
    keras_file.save(model, path, about)
    return path


def played(video, path, precision):
    """The prediction.live.Pace at the end of a video."""
    from tsn_keras.prediction import live, run
    from tsn_keras.prediction.settings import Settings
    from tsn_keras.video.live import Playing

    settings = Settings(quick=True, snippets=1, batch=1, precision=precision)
    scorer = run.predictor([str(path)], settings)
    with Playing(video) as source:
        for glance in live.watch(source, scorer):
            pace = glance.pace
    return pace


def main():
    args = parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        video = args.video or made_videos.make(folder / "made.mp4", 0)
        for name in args.networks:
            path = weights(name, folder)
            for precision in args.precision:
                pace = played(video, path, precision)
                print(f"{name} {precision}: {pace}", flush=True)
                rows.append(
                    {
                        **machine.facts(),
                        "network": name,
                        "precision": precision,
                        "modality": MODALITY,
                        "frames": pace.frames,
                        "frames_per_s": round(pace.frames / pace.seconds, 2),
                        "looks_per_s": round(pace.looks / pace.seconds, 2),
                        "late": pace.late,
                    }
                )
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
