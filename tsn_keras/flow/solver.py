"""The iterations of TV-L1 at one scale; equation numbers are those of `tvl1`."""

import dataclasses

import numpy as np
from keras import ops

from tsn_keras.flow import bicubic, median

# Where g of (4) is smaller, the image is flat and shows no motion. OpenCV's value,
# FLT_EPSILON.
_FLAT = np.finfo(np.float32).eps


def require(**checks):
    """Raises ValueError for the first argument whose check fails.

    Args:
        checks: (value, whether it is good, what it must be) by name.
    """
    for name, (value, good, wanted) in checks.items():
        if not good:
            raise ValueError(f"{name} is {value!r}: it must be {wanted}")


@dataclasses.dataclass(frozen=True)
class Solver:
    """Improves flow between images of one scale; see `tvl1.tvl1`."""

    tau: float
    lambda_: float
    theta: float
    warps: int
    iterations: int
    outer_iterations: int
    epsilon: float
    median_filter: int
    subpixels: int | None

    def __post_init__(self):
        positive = ("tau", "lambda_", "theta")
        counts = ("warps", "iterations", "outer_iterations")
        values = dataclasses.asdict(self)
        require(
            **{k: (values[k], values[k] > 0, "above 0") for k in positive},
            **{k: (values[k], values[k] >= 1, "at least 1") for k in counts},
            epsilon=(self.epsilon, self.epsilon >= 0, "0 or more"),
            median_filter=(
                self.median_filter,
                self.median_filter in median.SIDES,
                f"one of {median.SIDES}",
            ),
            subpixels=(
                self.subpixels,
                self.subpixels is None or self.subpixels >= 1,
                "at least 1, or None",
            ),
        )

    def __call__(self, previous, following, right, down):
        """Improves flow.

        Args:
            previous, following: float32 [N, H, W].
            right, down: float32 [N, H, W], the flow to begin with, pixels.

        Returns:
            List of two float32 [N, H, W].
        """
        count, height, width = previous.shape
        grid = _Grid(height, width)
        reader = bicubic.Reader(
            [following, *_central_differences(following)], self.subpixels
        )
        flat = ops.reshape(previous, (count, -1))
        flow = [grid.framed(ops.reshape(u, (count, -1))) for u in (right, down)]
        nothing = ops.zeros_like(flow[0])

        def warp(number, *state):
            changed = self._iterations(grid, reader, flat, state)
            return number + 1, *changed

        # The dual variables are kept from warp to warp.
        state = ops.while_loop(
            lambda number, *state: number < self.warps,
            warp,
            (0, *flow, nothing, nothing, nothing, nothing),
        )[1:]
        return [ops.reshape(grid.at(u), previous.shape) for u in state[:2]]

    def _iterations(self, grid, reader, previous, state):
        """One warp: (2) around the flow of `state`, then the iterations."""
        right, down = grid.at(state[0]), grid.at(state[1])
        image, across, along = reader(right, down)
        steepness = across * across + along * along
        data = _Data(
            across,
            along,
            # One division a warp instead of one an iteration.
            inverse=1 / ops.maximum(steepness, _FLAT),
            # The part of (2) that does not depend on u.
            constant=image - across * right - along * down - previous,
        )
        # (7), as a sum over the pixels.
        bound = self.epsilon**2 * grid.pixels

        def more(limit):
            return lambda number, change, *_: ops.logical_and(
                number < limit, ops.any(change > bound)
            )

        def turn(number, change, *state):
            active = ops.expand_dims(change > bound, axis=1)
            new_change, *state = self._turn(grid, data, active, *state)
            change = ops.where(change > bound, new_change, change)
            return number + 1, change, *state

        def outer(number, change, *state):
            if self.median_filter > 1:
                state = (*self._filtered(grid, change > bound, *state[:2]), *state[2:])
            loop = ops.while_loop(more(self.iterations), turn, (0, change, *state))
            return number + 1, *loop[1:]

        largest = float(np.finfo(np.float32).max)
        change = ops.full((previous.shape[0],), largest, dtype="float32")
        if self.outer_iterations == 1:
            return outer(0, change, *state)[2:]
        return ops.while_loop(more(self.outer_iterations), outer, (0, change, *state))[
            2:
        ]

    def _turn(self, grid, data, active, right, down, p11, p12, p21, p22):
        """(4) to (6) for all pairs; those that are not active stay as they are.

        Their steps have the length zero: nothing has to be picked afterwards.
        """
        active = ops.cast(active, "float32")
        limit = self.lambda_ * self.theta * active
        theta = self.theta * active
        step = self.tau / self.theta * active
        framed = right, down
        before = right, down = grid.at(right), grid.at(down)
        # (2); its part without u is known.
        rho = data.constant + data.across * right + data.along * down
        # (4): its three cases are one value clipped to two bounds.
        amount = ops.minimum(ops.maximum(-rho * data.inverse, -limit), limit)
        # (5), v = u + amount * slope.
        flow = (
            right + amount * data.across + theta * grid.divergence(p11, p12),
            down + amount * data.along + theta * grid.divergence(p21, p22),
        )
        # (7), as one sum for both components: on processors sums take most of the time
        # of an iteration.
        change = ops.sum(
            ops.square(flow[0] - before[0]) + ops.square(flow[1] - before[1]), axis=1
        )
        framed = [grid.put(f, u) for f, u in zip(framed, flow, strict=True)]
        duals = []
        for u, dual in zip(framed, ((p11, p12), (p21, p22)), strict=True):
            # (6)
            slopes = grid.gradient(u)
            norm = 1 / (1 + step * ops.sqrt(sum(ops.square(s) for s in slopes)))
            duals += [
                grid.put(p, (grid.at(p) + step * slope) * norm)
                for p, slope in zip(dual, slopes, strict=True)
            ]
        return change, *framed, *duals

    def _filtered(self, grid, active, *flow):
        count = flow[0].shape[0]
        active = ops.expand_dims(active, axis=1)
        images = ops.concatenate([grid.at(u) for u in flow], axis=0)
        images = ops.reshape(images, (2 * count, grid.height, grid.width))
        images = ops.reshape(median.median(images, self.median_filter), (2, count, -1))
        return [
            grid.put(u, ops.where(active, images[k], grid.at(u)))
            for k, u in enumerate(flow)
        ]


@dataclasses.dataclass(frozen=True)
class _Data:
    """What the iterations of a warp have in common: float32 [N, H * W] each."""

    across: object
    along: object
    inverse: object
    constant: object


class _Grid:
    """Images as rows one after another, in a frame of one row before and behind.

    A neighbour is then a slice at another offset: no edge is asked for in the
    innermost loops, which the compilers turn into vector instructions.
    """

    def __init__(self, height, width):
        self.height, self.width = height, width
        self.pixels = height * width
        column = np.arange(self.pixels) % width
        row = np.arange(self.pixels) // width
        self._has_right, self._has_below = (
            ops.convert_to_tensor(has[None].astype(np.float32))
            for has in (column < width - 1, row < height - 1)
        )

    def framed(self, image):
        return ops.pad(image, [(0, 0), (self.width, self.width)])

    def put(self, framed, image):
        """Replaces the image in a frame: in place, where the compiler can."""
        return ops.slice_update(framed, (0, self.width), image)

    def at(self, framed, offset=0):
        start = self.width + offset
        return framed[:, start : start + self.pixels]

    def gradient(self, framed):
        """Forward differences, zero at the far border."""
        here = self.at(framed)
        return (
            (self.at(framed, 1) - here) * self._has_right,
            (self.at(framed, self.width) - here) * self._has_below,
        )

    def divergence(self, right, down):
        """Backward differences of framed dual variables.

        Before the first column stands the last of the row above: zero, as the
        gradient is there, and with it the dual variable.
        """
        return (
            self.at(right)
            - self.at(right, -1)
            + self.at(down)
            - self.at(down, -self.width)
        )


def _central_differences(images):
    """Slopes of images [N, H, W], whose border pixels are repeated outside."""
    slopes = []
    for axis in (2, 1):
        size = images.shape[axis]
        behind = np.minimum(np.arange(size) + 1, size - 1)
        before = np.maximum(np.arange(size) - 1, 0)
        slopes.append(
            (ops.take(images, behind, axis=axis) - ops.take(images, before, axis=axis))
            * 0.5
        )
    return slopes
