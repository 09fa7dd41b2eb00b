"""Explains predictions: what commands and the public API call."""

import dataclasses
import pathlib

import numpy as np

from tsn_keras.common import console, progress


def explain(predictor, source, name=None, method="grad_cam", listener=progress.SILENT):
    """Explains why a video has the score of a class that it has.

    Args:
        predictor: prediction.predictor.Predictor.
        source: see its `predict`.
        name: of the class; None or "top": the best one.
        method: "grad_cam" or "grad_cam++".
        listener: is shown how far it has come.

    Returns:
        results.Explanation.

    Raises:
        InputError: the video or a network cannot be used, or there is no such class or
            method.
        OSError: the video cannot be read.
    """
    # Imported here: TensorFlow takes seconds.
    with console.quiet_frameworks():
        from tsn_keras.explanation.explainer import Explainer
    found = Explainer(predictor, method).explain(source, name, listener)
    of_array = isinstance(source, np.ndarray)
    video = "frames" if of_array else pathlib.Path(source).name
    return dataclasses.replace(found, video=video)
