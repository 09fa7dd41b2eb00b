"""Trains a TSN with `fit` under the backend that KERAS_BACKEND names.

    python tests/support/fit_check.py FOLDER

Prints as JSON, for arrays and for a data set, the losses of two epochs and what the
prediction of the first batch was before. The network, the pixels and the labels of
the arrays are made from fixed seeds; those of the data set come from frame folders in
FOLDER through `tsn_keras.dataset`.
"""

import json
import os
import sys

import numpy as np
import shallow

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def network():
    """A TSN of pixels, whose weights are the same under every backend."""
    import keras

    import tsn_keras
    from tsn_keras.models.bn_inception import BNInception

    backbone = BNInception(classes=3, width=0.05, dropout=0.0)
    random = np.random.default_rng(3)
    backbone.set_weights(
        [
            # Variances and slopes around 1, all else around 0.
            random.uniform(0.5, 1.5, w.shape)
            if w.path.endswith(("gamma", "moving_variance"))
            else random.normal(0, 0.1, w.shape)
            for w in backbone.weights
        ]
    )
    for layer in backbone.layers:
        layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
    return tsn_keras.TSN(
        backbone, segments=2, preprocess=tsn_keras.Preprocessing("rgb")
    )


def fitted(kind, folder):
    """What training on arrays, or on a data set of a folder, gives."""
    import keras

    import tsn_keras

    model = network()
    model.compile(
        tsn_keras.CaffeSGD(1e-3, clip=20.0), "sparse_categorical_crossentropy"
    )
    if kind == "arrays":
        random = np.random.default_rng(0)
        pixels = random.integers(0, 256, (4, 2, 224, 224, 3), dtype=np.uint8)
        labels = np.array([0, 1, 2, 1])
        before = model.predict(pixels, batch_size=2, verbose=0)
        given = {"x": pixels, "y": labels, "batch_size": 2, "shuffle": False}
    else:
        data = tsn_keras.dataset("folders", data=folder, segments=2, batch=2)
        before = model.predict(next(iter(data))[0], verbose=0)
        given = {"x": data}
    history = model.fit(**given, epochs=2, verbose=0)
    return {
        "backend": keras.backend.backend(),
        "before": np.asarray(before).tolist(),
        "losses": history.history["loss"],
    }


def main(folder):
    shallow.apply()
    print(json.dumps({kind: fitted(kind, folder) for kind in ("arrays", "dataset")}))


if __name__ == "__main__":
    main(*sys.argv[1:])
