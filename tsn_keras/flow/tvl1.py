"""TV-L1 optical flow of many pairs of images at once, on any device of Keras.

The method of Zach, Pock and Bischof (DAGM 2007), in the discrete form of
Sanchez, Meinhardt-Llopis and Facciolo (IPOL 2013,
http://www.ipol.im/pub/art/2013/26/), with the choices of OpenCV's
`cv2.optflow.DualTVL1OpticalFlow` where these leave some. Between images I0 and
I1 the flow u = (u1, u2) is sought that makes

(1)  E(u) = sum of lambda |rho(u)| + |grad u1| + |grad u2|

small, where

(2)  rho(u) = I1(x + u0) + <grad I1(x + u0), u - u0> - I0(x)

is the difference in brightness, linear around the flow u0 of the warp before.
A second field v and theta part the two terms:

(3)  E(u, v) = sum of lambda |rho(v)| + |u - v|^2 / (2 theta) + |grad u1| + |grad u2|

which is made smaller by iterations. In v, pixel by pixel (the thresholding step), with
g = |grad I1(x + u0)|^2:

(4)  v = u + grad I1(x + u0) * {  lambda theta   where rho(u) < -lambda theta g
                               { -lambda theta   where rho(u) >  lambda theta g
                               { -rho(u) / g     elsewhere

In u, through dual variables p1, p2 (Chambolle 2004), of which one step a turn is
taken:

(5)  u_d = v_d + theta div p_d
(6)  p_d = (p_d + tau/theta grad u_d) / (1 + tau/theta |grad u_d|)      d = 1, 2

(7)  iterations end when the mean over the pixels of |u - previous u|^2 is at
     most epsilon^2, or at their largest number.

grad u is made of forward differences, zero at the far border, div p of backward
ones, grad I1 of central ones over repeated border pixels. All this is done at each
scale of a pyramid, the coarsest first, `warps` times.

Unlike the papers, and like OpenCV's class, I1 and its gradient are read at
positions rounded to 1/32 pixel, with a = -0.75 in the cubic kernel and zero
outside: see `subpixels`.
"""

import numpy as np
from keras import ops

from tsn_keras.flow.solver import Solver, require

SMALLEST = 16  # pixels; coarser images are not used, as OpenCV's class does
SUBPIXELS = 32  # cv2.remap's, see `tvl1`


def tvl1(
    previous,
    following,
    *,
    tau=0.25,
    lambda_=0.15,
    theta=0.3,
    scales=5,
    scale_step=0.5,
    warps=5,
    iterations=300,
    outer_iterations=1,
    epsilon=0.01,
    median_filter=1,
    subpixels=SUBPIXELS,
    pairs_at_once=None,
):
    """Computes TV-L1 flow; to be compiled (tf.function, jax.jit) by the caller.

    The stopping rule (7) is exact for each pair: a pair whose iterations have ended
    stays as it is while others of its batch continue, so that flow does not depend
    on the batch.

    Args:
        previous: [N, H, W] of any number type, grey levels from 0 to 255; the
            shape must be known when it is compiled.
        following: the images after, as `previous`.
        tau: time step.
        lambda_: weight of the data term; smaller is smoother.
        theta: tightness of the coupling of data term and smoothness.
        scales: images in the pyramid, at most; none but the first has a side
            below 16 pixels.
        scale_step: size of each over that of the one below, between 0 and 1.
        warps: linearisations at each scale.
        iterations: of (4) to (6), at most, between two median filters.
        outer_iterations: how often these follow one another in a warp.
        epsilon: pixels, see (7).
        median_filter: side of the median filter before the iterations; 1 is none, 3
            and 5 are possible.
        subpixels: images are read at positions rounded to this part of a pixel,
            as OpenCV's class reads them; None: where they are.
        pairs_at_once: the largest number of pairs that are in work, to bound
            memory: about 30 numbers of 4 bytes a pixel of each, 10 MB at 340 x
            256. None: all.

    Returns:
        float32 [N, H, W, 2]: motion from `previous` to `following`, x and y
        in pixels.

    Raises:
        ValueError: of an argument out of range.
    """
    solver = Solver(
        tau=tau,
        lambda_=lambda_,
        theta=theta,
        warps=warps,
        iterations=iterations,
        outer_iterations=outer_iterations,
        epsilon=epsilon,
        median_filter=median_filter,
        subpixels=subpixels,
    )
    require(scales=(scales, scales >= 1, "at least 1"))
    require(
        scale_step=(scale_step, 0 < scale_step < 1, "between 0 and 1"),
        pairs_at_once=(
            pairs_at_once,
            pairs_at_once is None or pairs_at_once >= 1,
            "at least 1, or None",
        ),
    )
    shapes = tuple(previous.shape), tuple(following.shape)
    if shapes[0] != shapes[1] or len(shapes[0]) != 3 or not all(shapes[0]):
        raise ValueError(
            f"images must be two batches [N, H, W] of one known shape, not "
            f"{list(shapes[0])} and {list(shapes[1])}"
        )

    def flow(previous, following):
        images = (ops.cast(batch, "float32") for batch in (previous, following))
        return _coarse_to_fine(
            _pyramid(*images, scales, scale_step), scale_step, solver
        )

    if pairs_at_once is None or pairs_at_once >= shapes[0][0]:
        return flow(previous, following)
    return _in_parts(flow, previous, following, pairs_at_once)


def _in_parts(flow, previous, following, size):
    """Computes `size` pairs after `size` pairs, by one loop of the device."""
    count, height, width = previous.shape

    def part(start, whole):
        # The last ones overlap where the size does not divide the number.
        at = ops.minimum(start, count - size)
        one, other = (
            ops.slice(images, (at, 0, 0), (size, height, width))
            for images in (previous, following)
        )
        whole = ops.slice_update(whole, (at, 0, 0, 0), flow(one, other))
        return start + size, whole

    return ops.while_loop(
        lambda start, whole: start < count,
        part,
        (0, ops.zeros((count, height, width, 2), "float32")),
    )[1]


def _pyramid(previous, following, scales, step):
    """Pairs of images, each `step` times as large as the one before.

    Sizes round halves to even, as cv2.resize does with a factor.
    """
    pairs = [(previous, following)]
    while len(pairs) < scales:
        size = [int(np.rint(side * step)) for side in pairs[-1][0].shape[1:]]
        if min(size) < SMALLEST:
            break
        pairs.append(tuple(_resized(images, size, 1 / step) for images in pairs[-1]))
    return pairs


def _coarse_to_fine(pyramid, step, solver):
    flow = None
    for previous, following in reversed(pyramid):
        if flow is None:
            flow = [ops.zeros_like(previous)] * 2
        else:
            # Flow is in pixels of its own scale. OpenCV's factor, though sizes
            # that were rounded differ by another.
            size = previous.shape[1:]
            flow = [_resized(component, size) * (1 / step) for component in flow]
        flow = solver(previous, following, *flow)
    return ops.stack(flow, axis=-1)


def _resized(images, size, step=None):
    """Resizes by linear interpolation as cv2.resize does: float32 [N, H, W].

    Gathers, not products with matrices, which GPUs round to 10 bits.

    Args:
        images: float32 [N, H, W].
        size: (height, width) wanted.
        step: pixels between two of the result; None: what the sizes say.
    """
    for axis in (2, 1):
        source, target = images.shape[axis], size[axis - 1]
        if (source, step) == (target, None):
            continue
        place = (np.arange(target) + 0.5) * (step or source / target) - 0.5
        place = np.clip(place, 0, source - 1)
        before = place.astype(int)
        part = (place - before).astype(np.float32)
        part = ops.convert_to_tensor(part.reshape((-1, 1) if axis == 1 else (1, -1)))
        behind = np.minimum(before + 1, source - 1)
        images = ops.take(images, before, axis=axis) * (1 - part) + part * ops.take(
            images, behind, axis=axis
        )
    return images
