"""Optical flow: OpenCV's TV-L1 with named parameters, and how it is stored.

Zach, Pock, Bischof: "A Duality Based Approach for Realtime TV-L1 Optical Flow",
DAGM 2007, as implemented by OpenCV's `cv2.optflow.DualTVL1OpticalFlow`.
"""

import dataclasses

import cv2
import numpy as np

from tsn_keras import config

BOUND = 20  # pixels; tools/build_of.py:52


@dataclasses.dataclass(frozen=True)
class Parameters:
    """Parameters of TV-L1, by OpenCV's names.

    Attributes:
        tau: time step.
        lambda_: weight of the data term; smaller is smoother.
        theta: tightness of the coupling of data term and smoothness.
        scales: images in the pyramid.
        scale_step: size of each over that of the one below.
        warps: linearisations at each scale.
        epsilon: mean squared change of the flow at which iteration stops.
        inner_iterations: iterations between two median filters.
        outer_iterations: median filters of a warp, and their iterations.
        median: side of the median filter; 1 is none.
    """

    tau: float = 0.25
    lambda_: float = 0.15
    theta: float = 0.3
    scales: int = 5
    scale_step: float = 0.5
    warps: int = 5
    epsilon: float = 0.01
    inner_iterations: int = 300
    outer_iterations: int = 1
    median: int = 1

    def keywords(self):
        """As the keyword arguments of `data.tvl1.tvl1`."""
        values = dataclasses.asdict(self)
        values["iterations"] = values.pop("inner_iterations")
        values["median_filter"] = values.pop("median")
        return values


PARAMETERS = {
    # The class of OpenCV 2.4 that the original runs, on GPUs
    # (dense_flow src/dense_flow_gpu.cpp:28): up to 300 iterations at one
    # stretch, a pyramid by halves, no median filter. It also smooths before it
    # halves, which this class does not.
    "original": Parameters(),
    # The defaults of OpenCV 3 and 4, which most later tools use.
    "opencv4": Parameters(
        scale_step=0.8, inner_iterations=30, outer_iterations=10, median=5
    ),
}


class DeviceError(config.InputError):
    """A device cannot compute flow; the text says which, and what would help."""


def tvl1(parameters):
    """Makes a function that computes TV-L1 flow; not to be shared by threads.

    Args:
        parameters: Parameters.

    Returns:
        Function of two grey images, uint8 [H, W], to the motion from the first
        to the second: float32 [H, W, 2], x and y in pixels.
    """
    algorithm = cv2.optflow.DualTVL1OpticalFlow_create(
        tau=parameters.tau,
        lambda_=parameters.lambda_,
        theta=parameters.theta,
        nscales=parameters.scales,
        warps=parameters.warps,
        epsilon=parameters.epsilon,
        # OpenCV's own spelling.
        innnerIterations=parameters.inner_iterations,
        outerIterations=parameters.outer_iterations,
        scaleStep=parameters.scale_step,
        gamma=0.0,
        medianFiltering=parameters.median,
        useInitialFlow=False,
    )
    return lambda previous, following: algorithm.calc(previous, following, None)


def quantise(flow, bound=BOUND):
    """Flow in pixels to grey levels (dense_flow src/common.cpp:7-19).

    Args:
        flow: float array, pixels.
        bound: pixels that become 0 and 255; beyond it flow is cut off.

    Returns:
        uint8 array: round(255 * (v + bound) / (2 * bound)), half to even, so
        that no motion is 128.
    """
    levels = np.rint(255 * (np.asarray(flow, np.float64) + bound) / (2 * bound))
    return np.clip(levels, 0, 255).astype(np.uint8)
