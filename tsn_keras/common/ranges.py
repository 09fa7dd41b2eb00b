"""What a setting may be, and the words that say so."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Range:
    """The numbers that a setting may have; what is no number is in none.

    Attributes:
        least: the smallest.
        most: the largest: more is a slip, or fits no machine.
        above: whether `least` itself is too small.
        below: whether `most` itself is too large.
    """

    least: float
    most: float
    above: bool = False
    below: bool = False

    def __contains__(self, value):
        return self.least <= value <= self.most and not (
            (self.above and value == self.least) or (self.below and value == self.most)
        )

    def __str__(self):
        if self.above:
            return f"above {self.least} and at most {self.most}"
        without = f", without {self.most}" if self.below else ""
        return f"from {self.least} to {self.most}{without}"


@dataclasses.dataclass(frozen=True)
class OneOf:
    """The values that a setting may have."""

    values: tuple

    def __contains__(self, value):
        return value in self.values

    def __str__(self):
        return f"one of {', '.join(map(str, self.values))}"


@dataclasses.dataclass(frozen=True)
class Each:
    """Lists of numbers of a range.

    Attributes:
        each: Range of every number.
        most: how many there may be.
    """

    each: Range
    most: int

    def __contains__(self, values):
        return len(values) <= self.most and all(value in self.each for value in values)

    def __str__(self):
        return f"numbers each {self.each}, and at most {self.most}"


class Increasing(Each):
    """The same in increasing order."""

    def __contains__(self, values):
        return list(values) == sorted(set(values)) and super().__contains__(values)

    def __str__(self):
        return f"increasing, each {self.each}, and at most {self.most} numbers"
