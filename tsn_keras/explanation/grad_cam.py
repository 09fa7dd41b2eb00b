"""Which places of a network's last maps a score comes from.

Grad-CAM: Selvaraju et al., https://arxiv.org/abs/1610.02391, equations 1 and 2.
Grad-CAM++: Chattopadhay et al., https://arxiv.org/abs/1710.11063, equations 10 and 19.
"""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf

from tsn_keras.common.catalogue import Catalogue
from tsn_keras.common.errors import InputError
from tsn_keras.evaluation import attending
from tsn_keras.models import last_maps, over_time
from tsn_keras.models.preprocessing import network_input
from tsn_keras.pipeline import transforms


def _grad_cam(maps, gradients):
    weights = gradients.mean(axis=(1, 2), keepdims=True)
    return (weights * maps).sum(axis=-1)


def _grad_cam_plus_plus(maps, gradients):
    if maps.min() < 0:
        raise InputError(
            "Grad-CAM++ is for maps without negative values, as behind a ReLU, and the "
            "last maps of this network have some: take `method` grad_cam"
        )
    square = gradients**2
    sums = maps.sum(axis=(1, 2), keepdims=True)
    below = 2 * square + sums * gradients**3
    # Where a gradient is not positive its weight is multiplied by 0.
    counts = gradients > 0
    alpha = np.divide(square, below, out=np.zeros_like(square), where=counts)
    weights = (alpha * gradients * counts).sum(axis=(1, 2), keepdims=True)
    return (weights * maps).sum(axis=-1)


@dataclasses.dataclass(frozen=True)
class Method:
    """How maps and gradients become heat.

    Attributes:
        name: what users call it.
        title: what people call it.
        of: function (maps [N, h, w, C], gradients of the score, the same shape) to
            [N, h, w], before the ReLU.
    """

    name: str
    title: str
    of: Callable


METHODS = Catalogue(
    "method",
    (
        Method("grad_cam", "Grad-CAM", _grad_cam),
        Method("grad_cam++", "Grad-CAM++", _grad_cam_plus_plus),
    ),
)


class Network:
    """A network that tells its last maps and their gradients.

    Its batch norms are not folded: folding changes what the last maps are.

    Args:
        weights: checkpoints.loading.Weights.
        view: protocols.records.View, the look at videos.

    Raises:
        InputError: the weights cannot be used, or the network has no maps.
    """

    def __init__(self, weights, view):
        self.stream = weights.stream
        self.view = self.stream.seen(view)
        self.outputs = attending.outputs(weights)
        if self.view.together:
            side = 0 if self.view.crops.whole else self.stream.side_of(self.view)
            model = weights.build(side, self.view.steps)
            model = over_time.scores_of_video(model)
        else:
            model = attending.build(weights, self.stream.side_of(self.view))
        self._body, self._rest = last_maps.split(model)
        self._run = tf.function(self._maps, autograph=False, reduce_retracing=True)

    def _maps(self, pixels, slopes):
        maps = self._body(network_input(pixels, self.stream), training=False)
        maps = tf.nest.flatten(maps)  # Keras returns a single one without its list.
        with tf.GradientTape() as tape:
            tape.watch(maps)
            total = tf.reduce_sum(slopes * self._rest(maps, training=False))
        return maps, tape.gradient(total, maps)

    def __call__(self, snippet, slopes):
        """Looks at a snippet, or at all that are seen together.

        Args:
            snippet: uint8 [H, W, planes]; [T, H, W, planes] of those together.
            slopes: float [crops, outputs], how the score grows with each output.

        Returns:
            list, for each of the network's last maps: (maps [T, crops, h, w, C], their
            gradients of the score, the same shape); T is 1 of one snippet.
        """
        steps = snippet if self.view.together else snippet[None]
        cut = transforms.cut(steps, self.view, self.stream)  # [T, crops, S, S, planes]
        slopes = tf.constant(slopes, tf.float32)
        if not self.view.together:
            pairs = zip(*self._run(cut[0], slopes), strict=True)
            return [(m.numpy()[None], g.numpy()[None]) for m, g in pairs]
        # One crop after the other, as in scoring: all take much memory.
        parts = [
            self._run(cut[None, :, crop], slopes[crop : crop + 1])
            for crop in range(cut.shape[1])
        ]
        return [
            tuple(np.stack([part[k][n] for part in parts], axis=1) for k in (0, 1))
            for n in range(len(parts[0][0]))
        ]


def heat(method, found):
    """The heat of each of a network's last maps, before the ReLU.

    Args:
        method: Method.
        found: what Network gave.

    Returns:
        list of float32 [T, crops, h, w].
    """
    return [
        method.of(*(a.reshape(-1, *a.shape[2:]) for a in (maps, gradients))).reshape(
            maps.shape[:-1]
        )
        for maps, gradients in found
    ]


def in_frame(maps, windows, side, size):
    """The heat of crops at their places in the frame.

    A place that few crops see is as hot as one that all see: the sum over the crops
    that see it times the number of crops over theirs.

    Args:
        maps: float32 [crops, h, w], not negative.
        windows: protocols.crops.Window of each crop.
        side: of the crops in pixels; None: they are the whole frame.
        size: (height, width) of the frame.

    Returns:
        float32 [height, width]; 0 where no crop is.
    """
    total, seen = np.zeros(size, np.float32), np.zeros(size, np.float32)
    height, width = size if side is None else (side, side)
    for one, window in zip(maps, windows, strict=True):
        large = cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR)
        if window.mirrored:
            large = large[:, ::-1]
        rows = slice(window.top, window.top + height)
        columns = slice(window.left, window.left + width)
        total[rows, columns] += large
        seen[rows, columns] += 1
    return total * len(windows) / np.maximum(seen, 1)
