"""What was published of the weights that score files are of."""

from collections.abc import Mapping, Sequence

from tsn_keras.checkpoints import presets
from tsn_keras.protocols.catalogue import PROTOCOLS
from tsn_keras.protocols.modalities import MODALITIES
from tsn_keras.protocols.records import Stream
from tsn_keras.scores.fusion import FUSION


def of_stream(about: Mapping[str, object]) -> tuple[float, str] | None:
    """The published figure of the test that a score file is of.

    Args:
        about: what the file says of itself.

    Returns:
        (percent, full name of the figure); None where its weights are not the published
        ones, or its test is another.
    """
    preset = _preset(about)
    if preset is None or preset.accuracy is None or not _is_own_test(about, preset):
        return None
    return preset.accuracy, preset.metric


def of_fusion(
    abouts: Sequence[Mapping[str, object]], weights: Sequence[float] | None
) -> tuple[float, str] | None:
    """The published figure of the fusion of score files, by the published weights."""
    found = [_preset(about) for about in abouts]
    if weights is None or None in map(of_stream, abouts):
        return None
    if {preset.modality for preset in found} != presets.FUSED:
        return None
    if len({(preset.dataset, preset.split) for preset in found}) > 1:
        return None
    own = [_stream(preset).fusion_weight for preset in found]
    if any(w * own[0] != o * weights[0] for w, o in zip(weights, own, strict=True)):
        return None
    of_row = found[0].dataset, FUSION, found[0].split
    figure = presets.published(*of_row)
    return None if figure is None else (figure, presets.metric_of(*of_row))


def _preset(about):
    """The preset whose file the weights were, or None."""
    found = presets.trained_on(*map(about.get, ("dataset", "modality", "split")))
    if found is None:
        return None
    if found.sha256 is None:
        # Where no digest was published, the name decides, as in an evaluation.
        named = about.get("weights") in (found.name, *found.files)
        return found if named else None
    return found if about.get("weights_sha256") == found.sha256 else None


def _is_own_test(about, preset):
    """Whether a file's test is that of its preset's protocol."""
    stream = _stream(preset)
    view = stream.test
    own = (preset.protocol, view.snippets, view.crops.count)
    told = tuple(map(about.get, ("protocol", "snippets", "crops")))
    over_time = about.get("over_time", stream.protocol.over_time)
    return told == own and over_time == stream.protocol.over_time


def _stream(preset):
    return Stream(MODALITIES[preset.modality], PROTOCOLS[preset.protocol])
