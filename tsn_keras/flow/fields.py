"""The flow of pairs of frames, by whatever the settings ask for."""

from tsn_keras.flow import opencv, pairs, warped
from tsn_keras.flow.settings import PARAMETERS


def compute(frame_pairs, settings, cores=1, sharing=1):
    """Computes the flow of pairs of frames, several at once.

    Args:
        frame_pairs: iterable of (tag, previous, following), the frames uint8 [H, W];
            taken as needed.
        settings: FlowSettings.
        cores: of this process, for flow.
        sharing: callers that share them.

    Yields:
        (tag, fields) in the order of the pairs: (flow,), then warped flow and then
        backward flow, from `following` to `previous`, where the settings ask for
        them; each float32 [H, W, 2], pixels.

    Raises:
        DeviceError: there is no such device, or it failed.
    """
    if not settings.on_device:
        threads = cores // sharing

        def make():
            # OpenCV's object keeps its pyramids: each thread has its own.
            return _fields(settings, opencv.tvl1(PARAMETERS[settings.parameters]))
    else:
        # Loaded when it is wanted: Keras takes seconds.
        from tsn_keras.flow import engine as flow_engine

        engine = flow_engine.of(settings, cores)
        threads = engine.pairs // sharing

        def make():
            return _fields(settings, engine)

    yield from pairs.compute(frame_pairs, make, max(1, threads))


def _fields(settings, compute):
    """Makes a function of two frames to a tuple of flow fields."""
    forward = warped.Compensator(compute) if settings.warped else _plain(compute)
    if not settings.backward:
        return forward
    return lambda previous, following: (
        *forward(previous, following),
        compute(following, previous),
    )


def _plain(compute):
    return lambda previous, following: (compute(previous, following),)
