"""Camera motion between two frames, and flow from which it is taken out.

"Warped flow" of TSN (section 3.2), after improved trajectories (Wang and
Schmid, ICCV 2013, section 3.1): points matched between the frames, a homography
by RANSAC, the second frame warped back by it, flow to that. The original's tool
(dense_flow src/dense_warp_flow_gpu.cpp, include/warp_flow.h) matches SURF
points; SURF is patented and no part of OpenCV's packages, so SIFT stands for
it. Its faults are left out: it matched the first frame of the video where the
previous was meant, moved the corners of the wrong frame, and read their
vertical motion from the wrong place.
"""

import cv2
import numpy as np

# The original's numbers: dense_warp_flow_gpu.cpp:32-33,107-148.
CORNERS = 1000
MIN_MATCHES = 50
MIN_INLIERS = 25
INLIER_DISTANCE = 1.0  # pixels
MARGIN = 5  # pixels at the border that are not trusted

# Lowe (IJCV 2004, section 7.1): a match whose second best is nearly as good is
# more often wrong than right.
_RATIO = 0.8


class Compensator:
    """Estimates and takes out camera motion; not to be shared by threads.

    Args:
        flow: function of two grey images to the flow between them, [H, W, 2].
    """

    def __init__(self, flow):
        self._flow = flow
        self._detector = cv2.SIFT_create(nfeatures=CORNERS)
        self._matcher = cv2.BFMatcher(cv2.NORM_L2)

    def __call__(self, previous, following):
        """Computes flow as it is and without the camera's motion.

        Args:
            previous: uint8 [H, W].
            following: uint8 [H, W].

        Returns:
            (flow, warped flow), float32 [H, W, 2], x and y in pixels.
        """
        flow = self._flow(previous, following)
        homography = self.homography(previous, following, flow)
        if homography is None:
            return flow, flow
        return flow, self._flow(previous, warp_back(previous, following, homography))

    def homography(self, previous, following, flow):
        """Estimates the camera's motion.

        Args:
            previous: uint8 [H, W].
            following: uint8 [H, W].
            flow: float [H, W, 2] from the one to the other.

        Returns:
            float64 [3, 3] from points of `previous` to those of `following`,
            or None if too few points agree on one.
        """
        matches = [self._features(previous, following), _corners(previous, flow)]
        before, after = np.concatenate(matches, axis=1)
        if len(before) <= MIN_MATCHES:
            return None
        # OpenCV seeds its RANSAC anew at each call: the same points give the
        # same homography.
        homography, inliers = cv2.findHomography(
            before, after, cv2.RANSAC, INLIER_DISTANCE
        )
        if homography is None or np.count_nonzero(inliers) <= MIN_INLIERS:
            return None
        return homography

    def _features(self, previous, following):
        """Matched SIFT points, float32 [2, n, 2]."""
        none = np.zeros((2, 0, 2), np.float32)
        found = [
            self._detector.detectAndCompute(image, None)
            for image in (previous, following)
        ]
        (points, features), (other_points, other_features) = found
        if len(points) < 2 or len(other_points) < 2:
            return none
        pairs = self._matcher.knnMatch(features, other_features, k=2)
        good = [a for a, b in pairs if a.distance < _RATIO * b.distance]
        if not good:
            return none
        before = [points[match.queryIdx].pt for match in good]
        after = [other_points[match.trainIdx].pt for match in good]
        return np.array([before, after], np.float32)


def _corners(image, flow):
    """Corners of an image and where flow takes them, float32 [2, n, 2]."""
    found = cv2.goodFeaturesToTrack(image, CORNERS, 0.001, 3)
    if found is None:
        return np.zeros((2, 0, 2), np.float32)
    before = found[:, 0]
    column, row = np.rint(before).astype(int).T
    return np.array([before, before + flow[row, column]], np.float32)


def warp_back(previous, following, homography):
    """Warps a frame so that the camera seems not to have moved.

    Args:
        previous: uint8 [H, W].
        following: uint8 [H, W].
        homography: [3, 3], from points of `previous` to those of `following`.

    Returns:
        uint8 [H, W]: `following` in the place of `previous`. What lies outside
        `following`, or within 5 pixels of its border, is that of `previous`,
        where no motion is the best guess.
    """
    height, width = previous.shape
    y, x = np.mgrid[:height, :width].astype(np.float64)
    points = np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
    column, row, depth = homography @ points
    with np.errstate(divide="ignore", invalid="ignore"):
        column, row = (column / depth).astype("f4"), (row / depth).astype("f4")
    column, row = column.reshape(height, width), row.reshape(height, width)
    inside = (column >= MARGIN) & (column <= width - 1 - MARGIN)
    inside &= (row >= MARGIN) & (row <= height - 1 - MARGIN)
    inside &= depth.reshape(height, width) > 0
    warped = cv2.remap(following, column, row, cv2.INTER_LINEAR)
    return np.where(inside, warped, previous)
