"""Views of videos as a protocol's test makes them, in the layouts of the originals."""

import numpy as np

from tsn_keras.datasets.selection import FrameFolder
from tsn_keras.pipeline import snippets, transforms
from tsn_keras.pipeline.from_video import Decoding
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream


def stream_of(protocol, modality="rgb", prefixes=None):
    """A stream, for files of other names if asked."""
    return Stream(MODALITIES[modality].with_prefixes(prefixes or {}), protocol)


def of_files(path, stream):
    """Crops of the test of a frame folder, through the pipeline of `eval`.

    Returns:
        uint8 [snippets, crops, S, S, planes], images in B, G, R.
    """
    files = len(list(path.glob(f"{stream.modality.prefixes[0]}*.jpg")))
    folders = [FrameFolder(path.name, 0, path, files)]
    plan = snippets.plan(folders, stream, stream.protocol.test)
    batches = list(snippets.for_test(folders, plan, stream, 4))
    video, tick, _, crops = (
        np.concatenate([batch[k] for batch in batches]) for k in range(4)
    )
    crops = crops[video == 0]
    _, order = stream.protocol.test.distinct(files, stream.modality.length)
    assert tick[video == 0].tolist() == list(range(order.max() + 1))
    return crops[order]


def of_video(path, stream):
    """Crops of the test of a video, as `predict` makes them; see `of_files`."""
    view, video = stream.protocol.test, Decoding().opened(path)
    ticks, order = view.distinct(video.images(stream), stream.modality.length)
    frames = [frame for _, frame in video.snippets(ticks.tolist(), stream)]
    return np.asarray(transforms.cut(np.stack(frames), view, stream))[order]


def of_mmaction2(crops, stream):
    """`of_files` in the layout of its golden arrays: all frames of crop 0 first.

    Returns:
        uint8 [views, S, S, 3], R, G, B; of flow [views * planes, S, S], x and y.
    """
    views = crops.swapaxes(0, 1).reshape(-1, *crops.shape[2:])
    if stream.modality.is_flow:
        return views.transpose(0, 3, 1, 2).reshape(-1, *views.shape[1:3])
    return views[..., ::-1]
