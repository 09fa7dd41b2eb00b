"""The video files that benchmarks read: a user's, or clips that are made.

Those are like Kinetics': ten seconds at 340 x 256, in H.264 with a key frame every 250
frames at most, so that nothing can be sought in them.
"""

import pathlib

import numpy as np

FRAMES, SIZE = 250, (340, 256)


def paths(named, count, folder):
    """Paths of video files.

    Args:
        named: folder of a user's files, or None for clips that are made.
        count: number of files, spread over those that there are; None for all of a
            user's, or 8 that are made.
        folder: where clips are made.

    Returns:
        list of pathlib.Path.
    """
    from tsn_keras.video import sources

    if named is None:
        return [
            make(pathlib.Path(folder, f"{k}.mp4"), k)
            for k in range(8 if count is None else count)
        ]
    found = [source.path for source in sources.find(named)]
    return found[:: max(1, len(found) // (count or len(found)))][:count]


def of_stream(paths, stream, classes):
    """They as datasets.records.VideoFile under a protocols.records.Stream."""
    from tsn_keras.datasets.records import VideoFile
    from tsn_keras.video import seeking

    return tuple(
        VideoFile(
            path.stem, k % classes, path, files=0, frames=seeking.count(path)
        ).under(stream)
        for k, path in enumerate(paths)
    )


def make(path, seed):
    """Writes a clip of moving noise; returns its path."""
    import av
    import cv2

    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (40, 120, 3), dtype=np.uint8)
    wide = cv2.resize(small, (SIZE[0] + 2 * FRAMES, SIZE[1]))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p"
        for k in range(FRAMES):
            image = np.ascontiguousarray(wide[:, 2 * k : 2 * k + SIZE[0]])
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path
