"""Further sources of training videos, and when each takes its turn.

As MMAction2's OmniSource mixes videos of the web with those of a data set (0.x
mmaction/core/runner/omnisource_runner.py): an iteration is an update with a batch of
the main videos and, when a source is due, updates with batches of that source alone.
Losses are not added. The learning rate, its drops and the intervals count iterations;
all updates of one have its rate, and share velocities and statistics. `every` = 2 and
`updates` = 1 of three sources is what is called a ratio of 2:1:1:1 there.
"""

import dataclasses

from tsn_keras.common.errors import InputError
from tsn_keras.pipeline.training import Batches


@dataclasses.dataclass(frozen=True)
class Source:
    """A source of videos.

    Attributes:
        batches: pipeline.training.Batches of a part of an update.
        parts: of an update.
        updates: of an iteration that the source takes part in.
        every: of how many iterations it takes part in one, the first included.

    Example:
        >>> source = Source(Batches((), None, 3, batch=6), 2, updates=3, every=2)
        >>> [source.due(iteration) for iteration in range(4)]
        [3, 0, 3, 0]
        >>> [source.seen(iteration) for iteration in range(4)]
        [0, 36, 36, 72]
    """

    batches: Batches
    parts: int
    updates: int = 1
    every: int = 1

    def due(self, iteration):
        """Updates that an iteration makes, counted from 0."""
        return 0 if iteration % self.every else self.updates

    @property
    def videos(self):
        """Videos of an update."""
        return self.parts * self.batches.batch

    def seen(self, iteration):
        """Videos that were seen before an iteration."""
        turns = -(-iteration // self.every)
        return turns * self.updates * self.videos


def of(settings, selections, main, parts, replicas):
    """The sources of a run.

    Each update is divided into as many sub-batches as one of the main videos, so that
    clipping sees the same sums.

    Args:
        settings: tuple of config.SourceSettings.
        selections: datasets.selection.Selection of each.
        main: Batches of the main videos.
        parts: sub-batches of an update.
        replicas: devices.

    Returns:
        list of Source.

    Raises:
        InputError: a batch cannot be divided.
    """
    found = []
    for number, (one, chosen) in enumerate(zip(settings, selections, strict=True), 1):
        check(f"source {number}", one, parts, replicas)
        batches = dataclasses.replace(
            further(main, number, one, parts),
            folders=chosen.folders,
            segments=one.segments or main.segments,
        )
        found.append(Source(batches, parts, one.updates, one.every))
    return found


def check(name, one, parts, replicas):
    """Checks that a batch can be divided.

    Args:
        name: of the source or data set, for the message.
        one: its settings.
        parts, replicas: see `of`.

    Raises:
        InputError: it cannot.
    """
    if one.batch % (parts * replicas):
        raise InputError(
            f"batch of {name} is {one.batch}: must be a multiple of "
            f"{parts * replicas}, for {parts} sub-batches on {replicas} devices"
        )


def further(main, number, one, parts):
    """Batches of further videos, but for what they are.

    Args:
        main, parts: see `of`.
        number: of the source or data set, from 1.
        one: its settings.

    Returns:
        pipeline.training.Batches, of a part of an update.
    """
    return dataclasses.replace(
        main,
        batch=one.batch // parts,
        power=one.power,
        # Other draws than those of the main videos of the same number.
        seed=main.seed + number * 2**33,
    )
