"""Shares of a split for the jobs of an array, and the score files of all of them."""

import dataclasses
import pathlib
import re

from tsn_keras.common.errors import InputError

_MOST = 100_000  # jobs
_FORM = re.compile(r"([0-9]{1,6})/([0-9]{1,6})")


@dataclasses.dataclass(frozen=True)
class Shard:
    """Every `count`-th video of a split, from the `number`-th on, counted from 1.

    Neighbours in a split are mostly of one class and length: so every shard has
    videos of all classes, and takes about as long.

    Example:
        >>> shard = Shard.read("2/3")
        >>> shard.of(("a", "b", "c", "d", "e")), str(shard)
        (('b', 'e'), '2/3')
    """

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> "Shard":
        """Reads "i/n".

        Raises:
            InputError: it is no share.
        """
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count <= _MOST:
            raise InputError(
                f'`shard` must be like "2/8", the second of eight shares, not {text!r}'
            )
        return cls(number, count)

    def of(self, videos: tuple) -> tuple:
        """This share of the videos of a split.

        Raises:
            InputError: there are fewer videos than shards.
        """
        if self.count > len(videos):
            raise InputError(
                f"`shard` is {self}, but there are {len(videos)} videos: take as many "
                f"shards or fewer"
            )
        return videos[self.number - 1 :: self.count]

    def place(self, path: pathlib.Path) -> pathlib.Path:
        """The score file of this share of what `path` is to hold.

        Example:
            >>> Shard(2, 8).place(pathlib.PurePosixPath("scores/s.h5")).name
            's_shard2of8.h5'
        """
        return path.with_name(
            f"{path.stem}_shard{self.number}of{self.count}{path.suffix}"
        )

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"


def find(path: pathlib.Path) -> tuple[pathlib.Path, ...]:
    """Finds the score files of all shards of what a score file is to hold.

    Args:
        path: the score file, as it is without shards.

    Returns:
        path of each shard, in order; none where there are no shards.

    Raises:
        InputError: some shards are there, but not all of them.
    """
    form = re.escape(path.stem) + r"_shard([0-9]{1,6})of([0-9]{1,6})"
    form = re.compile(form + re.escape(path.suffix))
    there = {}  # {number of shards: numbers of those that are there}
    if path.parent.is_dir():
        for name in sorted(one.name for one in path.parent.iterdir()):
            if found := form.fullmatch(name):
                number, count = map(int, found.groups())
                if 1 <= number <= count <= _MOST:
                    there.setdefault(count, set()).add(number)
    lacking = {}
    for count, numbers in sorted(there.items()):
        shards = [Shard(number, count) for number in range(1, count + 1)]
        missing = [shard for shard in shards if shard.number not in numbers]
        if not missing:
            return tuple(shard.place(path) for shard in shards)
        lacking[count] = missing
    if lacking:
        raise InputError(_told(path, lacking))
    return ()


def _told(path, lacking):
    """Names the shards that are missing."""
    count, missing = min(lacking.items(), key=lambda found: len(found[1]))
    shown = ", ".join(map(str, missing[:10]))
    more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
    return (
        f"of {count} shards of {path} {len(missing)} are missing: {shown}{more}. Run "
        f"each with `shard`; or, to score without shards, delete the files of the "
        f"others, as {_present(path, count, missing)}"
    )


def _present(path, count, missing):
    lacks = {shard.number for shard in missing}
    return next(
        shard.place(path)
        for shard in (Shard(number, count) for number in range(1, count + 1))
        if shard.number not in lacks
    )
