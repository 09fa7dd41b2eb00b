"""Pixels of decoded frames and their flow, as snippets read them from stored files."""

import cv2
import numpy as np

from tsn_keras.video import decode, jpeg


def are_backward(stream):
    """For each step of a snippet whether its flow goes back in time; list of bool."""
    modality = stream.modality
    return [prefixes != modality.prefixes for prefixes in modality.step_prefixes]


def snippet(steps, stream):
    """The pixels of a snippet.

    Args:
        steps: planes of each step: [H, W, planes], ready but for what is computed
            from displacements; see Decoding.stored_flow.
        stream: protocols.records.Stream.

    Returns:
        [height, width, planes].
    """
    planes = np.concatenate(steps, axis=-1)
    if stream.modality.stacking is None:
        return planes
    # Imported where they are needed: TensorFlow takes seconds.
    from tsn_keras.pipeline import framing, stacking

    found = stacking.stacked(planes, stream.modality.stacking)
    return framing.framed(stacking.levels(found), stream.protocol).numpy()


def _stored_size(frame, stream):
    height, width = stream.protocol.stored_size
    return cv2.resize(frame, (width, height))


def grey(frame, stream):
    """A decoded frame as flow is computed of it: uint8 [height, width]."""
    return cv2.cvtColor(_stored_size(frame, stream), cv2.COLOR_BGR2GRAY)


def stored(frame, stream):
    """A decoded frame as an image from which snippets are made.

    Args:
        frame: uint8 [h, w, 3], B, G, R.
        stream: protocols.records.Stream.

    Returns:
        uint8 [height, width, 3]: as an extraction stores it, JPEG and all; or as it
        is, see protocols.records.Protocol.direct.
    """
    protocol = stream.protocol
    return frame if protocol.direct else jpeg.stored(_stored_size(frame, stream))


def image(frame, stream):
    """A decoded frame as an image of the test."""
    return framed(stored(frame, stream), stream)


def framed(image, stream):
    """Resizes what is stored or decoded as a protocol does for its test.

    Args:
        image: uint8 [h, w, planes].
        stream: protocols.records.Stream.

    Returns:
        uint8 [height, width, planes].

    Raises:
        decode.VideoError: it is too narrow.
    """
    protocol = stream.protocol
    height, width = protocol.fixed_size or protocol.frame_size.of(*image.shape[:2])
    if image.shape[:2] == (height, width):
        return image
    if height * width > decode.MAX_PIXELS:
        raise decode.VideoError(
            f"frames of {image.shape[1]} x {image.shape[0]} are too narrow to be "
            f"resized to {width} x {height}"
        )
    if protocol.fixed_size is None and protocol.frame_size.resampling != "opencv":
        # Imported where it is needed: TensorFlow takes seconds.
        from tsn_keras.pipeline import resizing

        return resizing.of(protocol.frame_size)(image, height, width).numpy()
    return cv2.resize(image, (width, height))
