"""Speed of the whole evaluation, from JPEG files to scores, over the network's.

python benchmarks/evaluation.py

The one contender runs the pipeline of `tsn_keras.eval` over videos on disk,
the other only the network on as many crops that are in memory already; they
take turns. Also the peak memory of the evaluation's process.
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

CROPS = 10


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=6, help="default: 6")
    parser.add_argument("--batch", type=int, default=5, help="snippets (default: 5)")
    parser.add_argument("--videos", type=int, default=2, help="a round (default: 2)")
    parser.add_argument("--modality", nargs="+", default=["rgb", "flow"])
    parser.add_argument("--out", default="benchmarks/results/evaluation.csv")
    return parser.parse_args()


def _prepare(modality):
    from tsn_keras.engine import console

    with console.quiet_frameworks():
        import tensorflow  # noqa: F401 - loaded here with the command's settings
    import peers

    from tsn_keras import config
    from tsn_keras.models.bn_inception import BNInception

    rule = config.PREPROCESS[modality]
    model = BNInception((224, 224, rule.channels))
    peers.random_weights(model)
    return rule, model


def evaluation(modality, folders, counts, batch):
    """Files to scores; measures images a second."""
    rule, model = _prepare(modality)
    from tsn_keras.data import frames, pipeline
    from tsn_keras.engine import inference

    distribution = inference.strategy()
    scorer = inference.scorer(lambda: model, rule)
    step = inference.stepper(scorer, distribution)
    snippets = pipeline.plan(dict(enumerate(counts)), rule.snippet_length, 25)
    prefixes = frames.Prefixes().of(modality)
    dataset = pipeline.for_test(folders, snippets, rule, prefixes, batch)

    def measure():
        start = time.perf_counter()
        done = sum(len(t) for _, t, _ in inference.run(step, dataset, distribution))
        assert done == len(snippets.tick)
        speed = CROPS * done / (time.perf_counter() - start)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        return speed, peak

    measure()
    return measure, None


def forward(modality, images, batch):
    """Crops in memory to scores; measures images a second."""
    rule, model = _prepare(modality)
    import tensorflow as tf

    from tsn_keras.engine import inference

    side = rule.crop_size
    step = tf.function(inference.network(lambda: model))
    random = np.random.default_rng(0)
    crops = random.integers(-128, 128, (CROPS * batch, side, side, rule.channels))
    crops = tf.constant(crops, tf.float32)

    def measure():
        start = time.perf_counter()
        for _ in range(images // (CROPS * batch)):
            step(crops).numpy()
        return images / (time.perf_counter() - start), 0

    step(crops)
    measure()
    return measure, None


def main():
    args = parse_args()
    from tsn_keras.data import demo, frames

    rows = []
    with tempfile.TemporaryDirectory() as root:
        videos = [v for v in demo.split().test if not v.id.endswith("03")]
        videos = videos[: args.videos]
        demo.prepare(root, videos)
        folders = [str(frames.locate(root, video)) for video in videos]
        counts = [frames.count(pathlib.Path(f), ["img_"]) for f in folders]
        for modality in args.modality:
            images = 25 * CROPS * len(videos)
            contenders = {
                "whole": turns.Contender(
                    evaluation, modality, folders, counts, args.batch
                ),
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
