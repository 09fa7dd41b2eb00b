"""Trains the demo weights from scratch.

python weights/train_demo.py

Writes demo_rgb.weights.h5 and demo_flow.weights.h5 beside this file, in about
fifteen minutes on two cores. `python -m tsn_keras.eval --dataset demo` tells what
they are worth: 25.0 and 29.2 % alone, 97.9 % fused, with those that lie here.
"""

import argparse
import pathlib

import keras
import numpy as np
import tensorflow as tf
import tqdm

from tsn_keras import config
from tsn_keras.checkpoints import keras_file
from tsn_keras.data import demo, frames, pipeline, transforms
from tsn_keras.models.bn_inception import BNInception
from tsn_keras.models.tsn import TSN

WIDTH = 0.125
SEGMENTS = 3
BATCH = 16  # videos
EPOCHS = 15
LEARNING_RATE = 3e-3
SEED = 1


def batches(root, modality):
    """Batches of ([B, K, 224, 224, C], labels [B]), for EPOCHS epochs."""
    preprocess = config.PREPROCESS[modality]
    prefixes = frames.Prefixes().of(modality)
    videos = demo.split().train
    folders = [frames.locate(root, video) for video in videos]
    counts = [frames.count(folder, prefixes) for folder in folders]
    paths = tf.constant([str(folder) for folder in folders])
    counts, labels = tf.constant(counts), tf.constant([v.label for v in videos])
    size, channels = preprocess.crop_size, preprocess.channels
    random = tf.random.Generator.from_seed(SEED)

    def read(index):
        length = counts[index] // SEGMENTS
        starts = length - preprocess.snippet_length + 1
        offsets = random.uniform((SEGMENTS,), 0, starts, tf.int32)
        ticks = 1 + offsets + length * tf.range(SEGMENTS)
        steps = tf.range(preprocess.snippet_length)
        snippets = tf.stack(
            [
                pipeline.read_snippet(
                    paths[index], ticks[k] + steps, preprocess, prefixes
                )
                for k in range(SEGMENTS)
            ]
        )
        # One crop of the ten for all snippets of the video.
        crops = transforms.ten_crop(snippets, size, modality == "flow")
        crop = crops[:, random.uniform((), 0, 10, tf.int32)]
        crop = tf.ensure_shape(crop, (SEGMENTS, size, size, channels))
        return transforms.subtract_mean(crop, preprocess.mean), labels[index]

    dataset = tf.data.Dataset.range(len(videos))
    dataset = dataset.shuffle(len(videos), seed=SEED).repeat(EPOCHS)
    # In order and one at a time: the random numbers must come in one order.
    return dataset.map(read).batch(BATCH).prefetch(2)


def train(root, modality):
    """Returns the trained backbone."""
    keras.utils.set_random_seed(SEED)
    channels = config.PREPROCESS[modality].channels
    backbone = BNInception(
        (224, 224, channels), classes=len(demo.CLASSES), dropout=0.2, width=WIDTH
    )
    steps = len(demo.split().train) // BATCH * EPOCHS
    schedule = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)
    model = TSN(backbone, SEGMENTS)
    model.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    model.fit(
        batches(root, modality), steps_per_epoch=steps // 10, epochs=10, verbose=2
    )
    return backbone


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--modality", nargs="+", default=["rgb", "flow"])
    parser.add_argument(
        "--out", type=pathlib.Path, default=pathlib.Path(__file__).parent
    )
    args = parser.parse_args()
    root = config.cache_folder() / demo.FOLDER
    videos = demo.split().train
    with tqdm.tqdm(desc="making training videos", total=len(videos)) as bar:
        demo.prepare(root, videos, bar.update)
    for modality in args.modality:
        backbone = train(root, modality)
        about = {
            "architecture": "bn_inception",
            "modality": modality,
            "channels": config.PREPROCESS[modality].channels,
            "classes": len(demo.CLASSES),
            "width": WIDTH,
            "protocol": "caffe",
            "source": "weights/train_demo.py",
        }
        keras_file.save(backbone, args.out / f"demo_{modality}.weights.h5", about)
        print(f"{modality}: {np.sum([w.size for w in backbone.get_weights()])} numbers")


if __name__ == "__main__":
    main()
