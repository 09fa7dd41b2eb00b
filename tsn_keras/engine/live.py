"""What a webcam sees: a JSON line for each look, until it ends or Ctrl-C."""

import collections
import json

import joblib
import numpy as np

from tsn_keras.data import clip
from tsn_keras.engine import console, predictor


def watch(source, request, window):
    """Scores the newest snippet again and again.

    Each look is at one snippet in the centre crop; the line is of the mean over
    the last looks. While a look is computed, the camera goes
    on, and the next look is at what is there then.

    Args:
        source: data.webcam.Webcam.
        request: prediction.Request.
        window: looks of the mean.

    Returns:
        (dict for the last line of output, exit status).
    """
    threads = request.workers or joblib.cpu_count()
    model = predictor.Predictor(
        request.weights,
        request.settings,
        predictor.Protocol(1, 1),
        classes=request.classes,
        precision=request.precision,
        batch=1,
        threads=threads,
    )
    looks = 0
    windows = {m: collections.deque(maxlen=window) for m in model.weights}
    console.say("Ctrl-C stops")
    last = None
    try:
        while (newest := source.newest()) is not None:
            number, frames = newest
            for modality, scored in windows.items():
                snippet = clip.snippet_of_frames(
                    frames, model.preprocess[modality], model.settings, threads
                )
                scored.append(model.score(modality, snippet[None])[0])
            looks += 1
            fused = model.fuse({m: np.stack(w) for m, w in windows.items()})
            best = model.best(fused["probabilities"], request.top)
            last = {"frame": number, "looks": min(looks, window), "top": best}
            print(json.dumps(last, ensure_ascii=False), flush=True)
        console.say("the camera has ended")
    except KeyboardInterrupt:
        console.say("")
    return {"video": request.video, "looks": looks, "last": last}, console.EXIT_OK
