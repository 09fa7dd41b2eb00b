"""Small videos and networks for tests of whole commands."""

import cv2
import keras
import numpy as np

from tsn_keras.checkpoints import keras_file
from tsn_keras.models import bn_inception

CLASSES = 6
WIDTH = 0.05


def make_video(folder, count, seed, size=(340, 256)):
    """Writes `count` RGB and flow files of smooth noise."""
    folder.mkdir(parents=True)
    random = np.random.default_rng(seed)
    for number in range(1, count + 1):
        for prefix, channels in (("img_", 3), ("flow_x_", 1), ("flow_y_", 1)):
            small = random.integers(0, 256, (8, 10, channels), dtype=np.uint8)
            image = cv2.resize(small, size, interpolation=cv2.INTER_LINEAR)
            cv2.imwrite(str(folder / f"{prefix}{number:05d}.jpg"), image)


def make_weights(path, channels, seed=0, classes=CLASSES, **about):
    """Writes a small network whose scores differ from image to image."""
    keras.utils.set_random_seed(seed)
    model = bn_inception.BNInception((224, 224, channels), classes, width=WIDTH)
    random = np.random.default_rng(seed)
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            shape = layer.gamma.shape
            slope, shift = random.uniform(1, 2, shape), random.normal(0, 0.3, shape)
            mean, variance = random.normal(0, 0.3, shape), random.uniform(1, 2, shape)
            layer.set_weights([slope, shift, mean, variance])
    kernel, bias = model.get_layer("fc-action").get_weights()
    model.get_layer("fc-action").set_weights([kernel * 1000, bias])
    keras_file.save(model, path, {"width": WIDTH, **about})
    return model


def make_case(root, counts=(27, 30, 12, 40)):
    """Videos a, b, c, ... with a list and weights for both streams.

    Returns:
        the arguments of `tsn_keras.eval` that evaluate them.
    """
    lines = []
    for index, count in enumerate(counts):
        name = "abcdefgh"[index]
        size = (340, 256) if index % 2 == 0 else (320, 240)
        make_video(root / "data" / name, count, index, size)
        lines.append(f"{name} {count} {index}")
    (root / "list.txt").write_text("\n".join(lines))
    make_weights(root / "rgb.weights.h5", 3)
    make_weights(root / "flow.weights.h5", 10, seed=1)
    return arguments(root)


def arguments(root):
    """Those of `tsn_keras.eval` that evaluate what make_case has made in a folder."""
    return [
        *("--dataset", "list", "--annotations", str(root / "list.txt")),
        *("--data", str(root / "data"), "--scores", str(root / "s.h5")),
        *("--weights", str(root / "rgb.weights.h5"), str(root / "flow.weights.h5")),
    ]
