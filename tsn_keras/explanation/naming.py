"""Classes by name."""

import difflib

from tsn_keras.common.errors import InputError, short

TOP = "top"  # the best one


def label(name, classes):
    """The index of a class.

    Args:
        name: of the class, in letters of either case; None or "top": the best one.
        classes: names of the classes.

    Returns:
        int, or None for the best one.

    Raises:
        InputError: there is no such class.

    Example:
        >>> label("Wave", ("clap", "wave"))
        1
    """
    if name is None or name == TOP:
        return None
    if not isinstance(name, str):
        raise InputError(f"`class_name` must be the name of a class, not {name!r}")
    known = {own.casefold(): at for at, own in enumerate(classes)}
    found = classes.index(name) if name in classes else known.get(name.casefold())
    if found is None:
        near = difflib.get_close_matches(name.casefold(), known, 5, 0.5)
        names = [classes[known[key]] for key in near] or list(classes[:5])
        raise InputError(
            f"there is no class {short(name)!r} among the {len(classes)} of the "
            f"weights; names like it, or the first ones: {', '.join(names)}"
        )
    return found
