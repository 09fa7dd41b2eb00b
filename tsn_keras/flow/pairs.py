"""Flow of many pairs of frames, several at once, in order and in bounded memory."""

import collections
import concurrent.futures
import threading

import cv2


def compute(pairs, make, threads=1):
    """Computes the flow of pairs of frames.

    Args:
        pairs: iterable of (tag, previous, following); taken as needed.
        make: function that makes a function of the two frames; one is made
            for each thread.
        threads: pairs that are computed at once.

    Yields:
        (tag, what the function returned) in the order of the pairs.
    """
    # One core a thread: several pairs at once gain more than TV-L1's own threads.
    cv2.setNumThreads(1)
    local = threading.local()

    def work(tag, previous, following):
        if not hasattr(local, "flow"):
            local.flow = make()
        return tag, local.flow(previous, following)

    if threads == 1:
        yield from (work(*pair) for pair in pairs)
        return
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        waiting = collections.deque()
        try:
            for pair in pairs:
                waiting.append(pool.submit(work, *pair))
                # As many pairs wait as are computed, so that no thread is idle.
                if len(waiting) >= 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
