"""TV-L1 by OpenCV's class.

Zach, Pock, Bischof: "A Duality Based Approach for Realtime TV-L1 Optical Flow",
DAGM 2007, as implemented by OpenCV's `cv2.optflow.DualTVL1OpticalFlow`.
"""

import cv2


def tvl1(parameters):
    """Makes a function that computes TV-L1 flow; not to be shared by threads.

    Args:
        parameters: settings.Parameters.

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
