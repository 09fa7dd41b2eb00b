"""What a network takes for a class: an image that is drawn by its gradient.

DeepDraw (auduno/deepdraw, deepdraw.ipynb), with which the paper's figure was made
(ECCV 2016, section 4.5), in its alternative set of two octaves, which needs no
auxiliary classifiers. The paper gives no parameters, and none for flow: those of flow
are ours.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from scipy import ndimage

from tsn_keras.common import progress
from tsn_keras.common.errors import InputError
from tsn_keras.models import over_time
from tsn_keras.models.preprocessing import network_input

# The noise that it begins with: light grey, or no motion.
_LIGHT, _MIDDLE, _DEVIATION = 200, 128, 8
_MOST = 255
# How far crops go from the centre, of the room that they have.
_SPREAD = 0.3


@dataclasses.dataclass(frozen=True)
class Octave:
    """A part of the work, at one size of the image.

    Attributes:
        scale: by what the image is enlarged before.
        iterations: steps.
        blur: standard deviation of the blur after each step, pixels, at the beginning
            and at the end.
        step: mean change of a grey level in a step, likewise.
    """

    scale: float
    iterations: int
    blur: tuple[float, float]
    step: tuple[float, float]

    def at(self, number):
        """(blur, step) of a step, counted from 0."""
        share = number / self.iterations
        return tuple(a + (b - a) * share for a, b in (self.blur, self.step))


OCTAVES = (
    Octave(1.0, 190, (2.5, 0.78), (11.0, 11.0)),
    Octave(1.2, 450, (0.936, 0.40), (6.0, 3.0)),
)


def octaves(iterations=None):
    """OCTAVES of other numbers of iterations.

    Args:
        iterations: one for each of them, at least 1; fewer than octaves: the rest is
            left out. None: theirs.

    Raises:
        InputError: they are no such numbers.
    """
    if iterations is None:
        return OCTAVES
    found = tuple(iterations)
    numbers = all(type(one) is int and one >= 1 for one in found)
    if not numbers or not 1 <= len(found) <= len(OCTAVES):
        raise InputError(
            f"`iterations` must be 1 to {len(OCTAVES)} integers of at least 1, one for "
            f"each octave, not {list(found)}"
        )
    return tuple(
        dataclasses.replace(octave, iterations=count)
        for octave, count in zip(OCTAVES, found, strict=False)
    )


class Network:
    """A network whose score of a class tells how its pixels should change.

    Args:
        weights: checkpoints.loading.Weights.

    Attributes:
        shape: of the pixels: (side, side, planes), with the steps before if it sees
            several together.
    """

    def __init__(self, weights):
        self.stream = weights.stream
        model, steps = weights.build(), weights.architecture.backbone.steps
        if steps:
            model = over_time.scores_of_video(model)
        self._model = model
        side, planes = self.stream.protocol.crop_size, self.stream.modality.planes
        self.shape = (*((steps,) if steps else ()), side, side, planes)
        self._run = tf.function(self._gradient, autograph=False)

    def _gradient(self, pixels, label):
        with tf.GradientTape() as tape:
            tape.watch(pixels)
            inputs = network_input(pixels, self.stream)[None]
            scores = self._model(inputs, training=False)[0]
            score = scores[label]
        return scores, tape.gradient(score, pixels)

    def __call__(self, pixels, label):
        """(raw scores float32 [classes], gradient of that of a class) of pixels."""
        scores, gradient = self._run(
            tf.constant(pixels, tf.float32), tf.constant(label)
        )
        return scores.numpy(), gradient.numpy()

    def noise(self, random):
        """What drawing begins with: float32 of `shape`, 0 to 255."""
        means = np.concatenate(
            [
                np.full(part.modality.planes, _start(part.modality))
                for part in self.stream.parts
            ]
        )
        return random.normal(means, _DEVIATION, self.shape).astype(np.float32)


def _start(modality):
    return _LIGHT if modality.is_image else _MIDDLE


def draw(network, label, parts, seed=0, bar=None):
    """Draws what raises the score of a class.

    Args:
        network: Network.
        label: index of the class.
        parts: Octaves in their order.
        seed: of the noise and of the places of crops.
        bar: common.progress.Bar that counts steps.

    Returns:
        float32 [side, side, planes], 0 to 255, with the steps before where the
        network sees several; `side` is that of the last octave.
    """
    bar = bar or progress.Bar()
    random = np.random.default_rng(seed)
    image = network.noise(random)
    side = network.shape[-2]
    for octave in parts:
        if octave.scale != 1:
            image = enlarged(image, octave.scale)
        for number in range(octave.iterations):
            room = image.shape[-2] - side
            window = (..., *(_part(room, side, random) for _ in range(2)), slice(None))
            blur, step = octave.at(number)
            scores, gradient = network(image[window], label)
            if not np.isfinite(scores).all():
                raise InputError("the scores are not finite: are the weights damaged?")
            image[window] = stepped(image[window], gradient, blur, step)
            bar.update()
    return image


def _part(room, side, random):
    """Where a crop is along an axis, around the centre: a slice of `side`."""
    first = 0
    if room:
        first = int(np.clip(random.normal(room / 2, _SPREAD * room), 0, room))
    return slice(first, first + side)


def stepped(pixels, gradient, blur, step):
    """Pixels after a step along the gradient.

    Args:
        pixels: [..., side, side, planes], 0 to 255.
        gradient: of the score, the same shape.
        blur: standard deviation in pixels.
        step: mean change of a value.

    Returns:
        the same shape, 0 to 255, each plane blurred.
    """
    size = np.abs(gradient).mean()
    # A score that no pixel moves: nothing but the blur is left.
    moved = pixels + step / size * gradient if size else pixels
    sigma = (*(0,) * (pixels.ndim - 3), blur, blur, 0)
    return ndimage.gaussian_filter(np.clip(moved, 0, _MOST), sigma)


def enlarged(image, scale):
    """An image [..., side, side, planes] enlarged by cubic splines."""
    factors = (*(1,) * (image.ndim - 3), scale, scale, 1)
    return ndimage.zoom(image, factors)
