"""Networks with a factor on every number of channels, and that factor found again."""


def scaled(channels, width):
    """Number of channels at `width`."""
    return max(1, round(channels * width))


def width_of(pairs):
    """Finds the width at which convolutions have these output channels.

    Args:
        pairs: iterable of (output channels, output channels at width 1).

    Returns:
        float.

    Raises:
        ValueError: no width gives these numbers; the text names one of them.
    """
    pairs = tuple(pairs)
    low = max((count - 0.5) / base for count, base in pairs)
    high = min((count + 0.5) / base for count, base in pairs)
    # Any width between them gives the same network; 0.25 reads better than
    # the middle.
    for width in (round((low + high) / 2, digits) for digits in range(17)):
        if all(scaled(base, width) == count for count, base in pairs):
            return width
    count, base = max(pairs, key=lambda pair: pair[0] / pair[1])
    other, other_base = min(pairs, key=lambda pair: pair[0] / pair[1])
    raise ValueError(
        f"no width gives its numbers of channels, as {count} for {base} and {other} "
        f"for {other_base}"
    )
