"""Which files of a video make a snippet: arithmetic on ints, no input or output.

File numbers are 1-based, as the extraction tool names them.
"""


def eval_ticks(files, depth, snippets=25):
    """First file of each test snippet (tools/eval_net.py:76-90).

    The step is floored, so the end of the video is not covered, and a video
    too short for a step of 1 gives the same first snippet every time.

    Args:
        files: number of files of the modality, at least 1.
        depth: files in a snippet (1 for RGB, 5 for flow).
        snippets: number of snippets, at least 2.

    Returns:
        list of `snippets` ints, in [1, files].
    """
    if files < 1 or depth < 1 or snippets < 2:
        raise ValueError(
            "`files` and `depth` must be at least 1 and `snippets` at least 2. "
            f"Received: files={files}, depth={depth}, snippets={snippets}"
        )
    step = (files - depth) // (snippets - 1)
    if step <= 0:
        return [1] * snippets
    return [1 + i * step for i in range(snippets)]


def validation_ticks(files, depth, segments=3):
    """First file of each segment's middle snippet: deterministic.

    The original's rule while it trains (caffe video_data_layer.cpp:123-142,
    phase TEST): the middle of each segment; the first file of all if segments
    are too short for a snippet.

    Args:
        files: number of files of the modality, at least 1.
        depth: files in a snippet.
        segments: K.

    Returns:
        list of `segments` ints, in [1, files].
    """
    if files < 1 or depth < 1 or segments < 1:
        raise ValueError(
            "`files`, `depth` and `segments` must be at least 1. Received: "
            f"files={files}, depth={depth}, segments={segments}"
        )
    length = files // segments
    if length < depth:
        return [1] * segments
    return [1 + (length - depth + 1) // 2 + i * length for i in range(segments)]


def snippet_files(tick, files, depth):
    """Numbers of the files of the snippet at `tick` (eval_net.py:102-106).

    Past the end the last file is repeated.

    Returns:
        list of `depth` ints, in [1, files].
    """
    return [min(files, tick + offset) for offset in range(depth)]
