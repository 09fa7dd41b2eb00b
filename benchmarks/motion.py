"""Pairs of images whose motion is known exactly, by formulas.

A texture is a sum of sine waves, so that it has a value at every point: the
second image is the texture at the points that move to its pixels, without any
interpolation.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Pair:
    """Two images and the motion between them.

    Attributes:
        previous, following: uint8 [H, W].
        flow: float64 [H, W, 2], x and y in pixels, from the one to the other.
        counted: bool [H, W]: pixels whose motion can be seen: not those that are
            hidden in `following`, nor those that leave it.
    """

    previous: np.ndarray
    following: np.ndarray
    flow: np.ndarray
    counted: np.ndarray

    def error(self, flow):
        """Mean end-point error of a flow field over the counted pixels, pixels."""
        distance = np.sqrt(((flow - self.flow) ** 2).sum(-1))
        return float(distance[self.counted].mean())


def texture(seed, waves=60, shortest=5.0, longest=80.0):
    """Makes a function from points to grey levels, about 0 to 255.

    Amplitudes fall with frequency, as in photographs.
    """
    random = np.random.default_rng(seed)
    length = np.exp(random.uniform(np.log(shortest), np.log(longest), waves))
    angle, phase = random.uniform(0, 2 * np.pi, (2, waves))
    across, along = 2 * np.pi * np.array([np.cos(angle), np.sin(angle)]) / length
    weight = length / np.sqrt((length**2).sum() / 2)

    def at(x, y):
        value = np.zeros(np.shape(x))
        for k in range(waves):
            value += weight[k] * np.sin(across[k] * x + along[k] * y + phase[k])
        return 128 + 45 * value

    return at


def _image(values):
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)


def _points(size):
    width, height = size
    return np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))


def _inside(x, y, size):
    return (x >= 0) & (x <= size[0] - 1) & (y >= 0) & (y <= size[1] - 1)


def affine(size, seed, matrix, shift=(0, 0)):
    """The whole image moves: p to matrix @ (p - centre) + centre + shift."""
    look = texture(seed)
    x, y = _points(size)
    centre = (size[0] - 1) / 2, (size[1] - 1) / 2

    def moved(matrix, x, y):
        return (
            matrix[0][0] * x + matrix[0][1] * y,
            matrix[1][0] * x + matrix[1][1] * y,
        )

    to_x, to_y = moved(matrix, x - centre[0], y - centre[1])
    to_x, to_y = to_x + centre[0] + shift[0], to_y + centre[1] + shift[1]
    back = np.linalg.inv(matrix)
    from_x, from_y = moved(back, x - centre[0] - shift[0], y - centre[1] - shift[1])
    return Pair(
        _image(look(x, y)),
        _image(look(from_x + centre[0], from_y + centre[1])),
        np.stack([to_x - x, to_y - y], axis=-1),
        _inside(to_x, to_y, size),
    )


def occlusion(size, seed, disc_shift, ground_shift):
    """A disc moves over a ground that moves otherwise, and hides part of it."""
    disc, ground = texture(seed), texture(seed + 1000)
    x, y = _points(size)
    centre, radius = (size[0] / 2, size[1] / 2), min(size) / 4

    def within(x, y):
        return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2

    def seen(x, y, disc_shift, ground_shift):
        (dx, dy), (gx, gy) = disc_shift, ground_shift
        return np.where(
            within(x - dx, y - dy), disc(x - dx, y - dy), ground(x - gx, y - gy)
        )

    flow = np.where(within(x, y)[..., None], disc_shift, ground_shift)
    to_x, to_y = x + flow[..., 0], y + flow[..., 1]
    hidden = ~within(x, y) & within(to_x - disc_shift[0], to_y - disc_shift[1])
    return Pair(
        _image(seen(x, y, (0, 0), (0, 0))),
        _image(seen(x, y, disc_shift, ground_shift)),
        flow,
        _inside(to_x, to_y, size) & ~hidden,
    )


def _turn(degrees):
    angle = np.deg2rad(degrees)
    return [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]


def _zoom(factor):
    return [[factor, 0], [0, factor]]


_STILL = _zoom(1)

# Names and makers of (size, seed) to Pair.
MOTIONS = {
    "still": lambda size, seed: affine(size, seed, _STILL),
    "translation 1 px": lambda size, seed: affine(size, seed, _STILL, (1, 0)),
    "translation 0.3, -0.4 px": lambda size, seed: affine(
        size, seed, _STILL, (0.3, -0.4)
    ),
    "translation 3.7, 1.6 px": lambda size, seed: affine(
        size, seed, _STILL, (3.7, 1.6)
    ),
    "translation -11.2, 6.9 px": lambda size, seed: affine(
        size, seed, _STILL, (-11.2, 6.9)
    ),
    "rotation 0.5 degrees": lambda size, seed: affine(size, seed, _turn(0.5)),
    "rotation 3 degrees": lambda size, seed: affine(size, seed, _turn(3)),
    "zoom 1 %": lambda size, seed: affine(size, seed, _zoom(1.01)),
    "zoom -4 %": lambda size, seed: affine(size, seed, _zoom(0.96)),
    "occlusion, 2.5 px": lambda size, seed: occlusion(size, seed, (2.5, -1.2), (0, 0)),
    "occlusion, ground too": lambda size, seed: occlusion(
        size, seed, (-3.3, 0.4), (0.7, 0.6)
    ),
}
