"""A GPU under Keras: images a second of a K=3 training step, pairs a second of TV-L1.

    KERAS_BACKEND=jax python benchmarks/accelerator.py
    KERAS_BACKEND=torch python benchmarks/accelerator.py

The step is `train_on_batch` of a compiled model on crops in memory: it counts moving
them to the device, and leaves out reading files. What nvidia-smi calls utilisation is
the share of time in which the GPU worked at anything. Runs on any device; no
TensorFlow is needed.
"""

import argparse
import concurrent.futures
import statistics
import subprocess
import threading
import time

import keras
import machine
import motion
import numpy as np

import tsn_keras as tsn
from tsn_keras.flow import devices
from tsn_keras.flow import engine as engines
from tsn_keras.flow.settings import FlowSettings
from tsn_keras.models import training_rules
from tsn_keras.models.bn_inception import BN_INCEPTION
from tsn_keras.models.resnet import RESNET50_CAFFE
from tsn_keras.training import initialisation

SEGMENTS, CLASSES = 3, 51
SIZE = (340, 256)  # width and height of the frames whose flow is computed
QUERY = ("nvidia-smi", "--query-gpu=utilization.gpu,name", "--format=csv,noheader")


def parse_args():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--videos", type=int, default=32, help="of a step (default: 32)")
    add("--steps", type=int, default=10, help="that are timed (default: 10)")
    add("--batch", type=int, default=64, help="pairs of frames at once (default: 64)")
    add("--device", choices=("cpu", "gpu"), default="gpu", help="of the flow")
    add("--out", default="benchmarks/results/accelerator.csv")
    return parser.parse_args()


class Watch(threading.Thread):
    """Looks twice a second how busy the GPU is, if there is one."""

    def __init__(self):
        super().__init__(daemon=True)
        self.name_of_gpu, self.seen = "", []
        self.start()

    def run(self):
        while True:
            try:
                asked = subprocess.run(QUERY, capture_output=True, text=True)
            except FileNotFoundError:
                return
            share, _, self.name_of_gpu = asked.stdout.strip().partition(" %, ")
            self.seen.append(int(share))
            time.sleep(0.5)

    def since(self, mark):
        """Median of what was seen since then, or "" where nothing was."""
        return round(statistics.median(self.seen[mark:])) if self.seen[mark:] else ""


def training(args, record, precision, watch):
    """Images a second, and the GPU's utilisation meanwhile."""
    keras.backend.clear_session()
    with initialisation.policy(precision):
        backbone = record.build((224, 224, 3), classes=CLASSES, dropout=0.8)
        training_rules.set_batch_norm(backbone, "first")
        model = tsn.TSN(backbone, segments=SEGMENTS)
    model.compile(tsn.CaffeSGD(1e-3, clip=40), "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    shape = (args.videos, SEGMENTS, 224, 224, 3)
    images = 50 * random.normal(size=shape).astype(np.float32)
    labels = random.integers(0, CLASSES, args.videos)
    for _ in range(2):
        float(model.train_on_batch(images, labels))
    mark, start = len(watch.seen), time.perf_counter()
    for _ in range(args.steps):
        loss = model.train_on_batch(images, labels)
    float(loss)  # Computed only now, where steps are queued.
    passed = time.perf_counter() - start
    return args.videos * SEGMENTS * args.steps / passed, watch.since(mark)


def flow(args, watch):
    """Pairs a second of TV-L1 with the original's parameters."""
    devices.leave_cores_to_lanes()
    engine = engines.of(FlowSettings("original", args.device, args.batch), 1)
    makers = list(motion.MOTIONS.values())
    made = [makers[k % len(makers)](SIZE, k) for k in range(2 * args.batch)]
    pairs = [np.stack([pair.previous, pair.following]) for pair in made]
    engine.warm_up(*pairs[0].shape[1:])
    with concurrent.futures.ThreadPoolExecutor(engine.pairs) as pool:
        list(pool.map(lambda pair: engine(*pair), pairs))
        mark, start = len(watch.seen), time.perf_counter()
        list(pool.map(lambda pair: engine(*pair), pairs))
        return len(pairs) / (time.perf_counter() - start), watch.since(mark)


def main():
    args = parse_args()
    watch = Watch()
    rows = []

    def note(what, precision, unit, found):
        rate, busy = found
        rows.append(
            {
                **machine.facts(),
                "gpu": watch.name_of_gpu,
                "backend": keras.backend.backend(),
                "what": what,
                "precision": precision,
                "videos": args.videos if unit == "images/s" else "",
                "unit": unit,
                "rate": round(rate, 1),
                "utilisation": busy,
            }
        )
        print({key: rows[-1][key] for key in list(rows[-1])[6:]}, flush=True)

    note("TV-L1", "float32", "pairs/s", flow(args, watch))
    for record in (RESNET50_CAFFE, BN_INCEPTION):
        for precision in ("float32", "bfloat16"):
            found = training(args, record, precision, watch)
            note(record.title, precision, "images/s", found)
    machine.append(args.out, rows)


if __name__ == "__main__":
    main()
