"""Which network a weight file is of, by its arrays."""

from collections.abc import Iterable, Mapping, Sequence

from tsn_keras.checkpoints.foreign import Tensors
from tsn_keras.checkpoints.transfer import read_facts
from tsn_keras.common.errors import InputError, short
from tsn_keras.models.backbones import BACKBONES
from tsn_keras.models.records import Backbone, Facts

# Share of a backbone's convolutions that a file must have by name, to be taken for one
# of it that has lost some.
_LEAST_LIKENESS = 0.5


class AmbiguousError(InputError):
    """A file is of one of several networks, and does not say of which."""


def of_tensors(
    path, tensors: Tensors, candidates: Iterable[Backbone], wanted: str | None = None
) -> tuple[Backbone, Facts]:
    """The backbone whose convolutions another program's file has by name.

    Args:
        path: the file, for messages.
        tensors: what is in it.
        candidates: Backbones that it may be of.
        wanted: name of that which it is taken for, if several fit alike.

    Raises:
        AmbiguousError: several fit alike, and none of them is wanted.
        InputError: none fits; or one does, but no width of it.
    """
    fault, found = None, []
    for backbone in candidates:
        try:
            likeness, facts = read_facts(tensors, backbone)
        except ValueError as error:
            fault = fault or f"{path} is not a scaled {backbone.title}: {error}"
            continue
        if facts is not None and likeness > _LEAST_LIKENESS:
            found.append((likeness, backbone, facts))
    most = max((likeness for likeness, *_ in found), default=None)
    fitting = [(one, facts) for likeness, one, facts in found if likeness == most]
    if not fitting:
        raise InputError(
            fault
            or f"{path} is {none_of_them()}; its first {tensors.layout.array}s are "
            f"{', '.join(map(short, list(tensors.arrays)[:5]))}"
        )
    left = [pair for pair in fitting if pair[0].is_marked(tensors.layers) is not False]
    if not left:
        one = fitting[0][0]
        raise InputError(
            f"{path} is no {one.title}: its layers without arrays are not those, such "
            f"as {', '.join(one.marks)}"
        )
    return _chosen(path, left, wanted)


def of_shapes(
    path,
    shapes: Mapping[str, tuple],
    candidates: Iterable[Backbone],
    wanted: str | None = None,
) -> tuple[Backbone, Facts] | None:
    """The first backbone that the arrays of a Keras file fit, or None.

    Args:
        path, candidates, wanted: see `of_tensors`.
        shapes: {path in the file: shape}.

    Raises:
        AmbiguousError, InputError: see `of_tensors`.
    """
    fault, fitting = None, []
    for backbone in candidates:
        try:
            facts = backbone.read_shapes(shapes)
        except ValueError as error:
            fault = fault or f"{path} is not a scaled {backbone.title}: {error}"
            continue
        if facts is not None:
            fitting.append((backbone, facts))
    if not fitting and fault:
        raise InputError(fault)
    return _chosen(path, fitting, wanted) if fitting else None


def none_of_them() -> str:
    """That a file is of no backbone, for messages."""
    titles = [backbone.title for backbone in BACKBONES.values()]
    return f"not a {', '.join(titles[:-1])} or {titles[-1]}"


def _chosen(path, fitting: Sequence[tuple[Backbone, Facts]], wanted):
    """The one that is wanted, or the first, unless a mark must tell them apart."""
    named = next((pair for pair in fitting if pair[0].name == wanted), None)
    if named is not None:
        return named
    marks = fitting[0][0].marks
    rivals = [one for one, _ in fitting if one.marks.keys() == marks.keys()]
    if marks and len(rivals) > 1:
        names = " or ".join(f'"{one.name}" ({one.title})' for one in rivals)
        raise AmbiguousError(
            f"{path} does not say whether its network has {', '.join(marks)}, which "
            f"has no arrays: name it with `backbone`, {names}; `tsn_keras.load` takes "
            f"that, and `convert`, whose files say it"
        )
    return fitting[0]
