"""Optical flow: OpenCV's TV-L1, TV-L1 in keras.ops, warped flow, stored levels."""
