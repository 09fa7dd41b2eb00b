"""Snippets of untrimmed videos: one every so often, as many as a video has room for."""

import dataclasses
import math
import re

from tsn_keras.common.errors import InputError

_LEAST_RATE = 0.02  # files a second; a slower video would repeat each 50 times
_FORM = re.compile(r"([0-9]{1,6})|([0-9]{1,3}(?:\.[0-9]{1,6})?)s")


@dataclasses.dataclass(frozen=True)
class Stride:
    """The distance from a snippet to the next one, in files or in time.

    TSN's journal version has a snippet a second (section 4.2); its published program
    one every 30 files, whatever their rate is (yjxiong/anet2016-cuhk
    pyActionRec/action_classifier.py:107-110).

    Attributes:
        files: from a snippet to the next; 0 where it is time.
        a_second: snippets a second, where it is time; else those that are taken for a
            second when windows are so many seconds long, as the program does.
    """

    files: int = 0
    a_second: int = 1

    @classmethod
    def read(cls, text: str) -> "Stride":
        """A stride as users write it.

        Args:
            text: files, or seconds with an "s" behind, of which a second is a multiple.

        Raises:
            InputError: it is neither.

        Example:
            >>> Stride.read("30"), Stride.read("0.5s")
            (Stride(files=30, a_second=1), Stride(files=0, a_second=2))
        """
        found = _FORM.fullmatch(text)
        if found and found[1] and int(found[1]):
            return cls(int(found[1]))
        if found and found[2] and 0 < float(found[2]) <= 1:
            a_second = round(1 / float(found[2]))
            if abs(a_second * float(found[2]) - 1) < 1e-6:
                return cls(a_second=a_second)
        raise InputError(
            f'`every` must be a number of files, as "30", or a whole part of a second, '
            f'as "1s" or "0.5s". Received: {text[:40]!r}'
        )

    @property
    def needs_rate(self) -> bool:
        """Whether it is time, for which the rate of a video must be known."""
        return not self.files

    def ticks(self, files: int, length: int, rate: float | None = None) -> list[int]:
        """First file of each snippet, counted from 1.

        Args:
            files: number of files of the modality, at least 1.
            length: files in a snippet; those that do not fit are left out, but for
                the first.
            rate: files a second.

        Raises:
            InputError: the rate must be known, and is not.

        Example:
            >>> Stride(30).ticks(70, 5), Stride().ticks(70, 5, 25.0)
            ([1, 31, 61], [1, 26, 51])
        """
        step = self.files
        if self.needs_rate:
            if not rate or not math.isfinite(rate) or rate <= 0:
                raise InputError(
                    "how many files a second there are is not known: take a snippet "
                    'every so many files instead (`every="30"`)'
                )
            if rate < _LEAST_RATE:
                raise InputError(
                    f"{rate:.4f} files a second are too few: are all frames extracted?"
                )
            step = rate / self.a_second
        room = max(0, files - length)  # the last start, counted from 0
        found = [math.floor(k * step) for k in range(math.floor(room / step) + 2)]
        return [1 + start for start in found if start <= room]

    def __str__(self) -> str:
        if self.needs_rate:
            more = "s" if self.a_second > 1 else ""
            return f"{self.a_second} snippet{more} a second"
        return f"a snippet every {self.files} files"
