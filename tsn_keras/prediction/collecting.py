"""The scores of a video's snippets as they come, in the memory that they need."""

import numpy as np

from tsn_keras.common.errors import InputError


class Collected:
    """The scores of one stream of a video.

    Of a long video they are most of what is kept: a snippet of ten crops has ten times
    as many as its mean.

    Args:
        order: int [snippets], which of the distinct snippets each of them is.
        way: scores.joining.Way.
        keep_crops: whether the scores of all crops are kept too.

    Attributes:
        count: distinct snippets that are there.
    """

    def __init__(self, order, way, keep_crops):
        self.count = 0
        self._order, self._way, self._keep_crops = order, way, keep_crops
        self._distinct = int(order.max()) + 1
        self._parts = {}

    def add(self, scores, attention=None):
        """Adds the next distinct snippets.

        Args:
            scores: raw, float32 [n, crops, C].
            attention: float32 [n, crops], where the way needs it.

        Raises:
            InputError: they are not finite.
        """
        parts = {"mean": self._way.of_snippets(scores, "mean")}
        if self._way.over_time.crops is not None:
            parts["reduced"] = self._way.of_snippets(scores)
        if self._keep_crops:
            parts["crops"] = scores
        if attention is not None:
            parts["attention"] = attention.mean(axis=1)
        for name, part in parts.items():
            if not np.isfinite(part).all():
                raise InputError(
                    "the scores are not finite: are the weights damaged, or the "
                    "precision too low?"
                )
            if name not in self._parts:
                shape = self._distinct, *part.shape[1:]
                self._parts[name] = np.empty(shape, part.dtype)
            self._parts[name][self.count : self.count + len(part)] = part
        self.count += len(scores)

    @property
    def share(self):
        """How much of it is there, from 0 to 1."""
        return self.count / self._distinct

    def has(self, number):
        """Whether a snippet is there, counted from 0."""
        return number < len(self._order) and self._order[number] < self.count

    def snippet(self, number):
        """The mean over the crops of a snippet: float32 [C]."""
        return self._parts["mean"][self._order[number]]

    def _of(self, name):
        """What there is of all snippets; short videos repeat them."""
        found = self._parts[name]
        return found if len(self._order) == self._distinct else found[self._order]

    @property
    def snippets(self):
        """The mean over the crops of each snippet: float32 [snippets, C]."""
        return self._of("mean")

    @property
    def crops(self):
        """The raw scores, float32 [snippets, crops, C], if they were to be kept."""
        return self._of("crops")

    @property
    def attends(self):
        """Whether the network tells the attention of snippets."""
        return "attention" in self._parts

    @property
    def attention(self):
        """That of each snippet, before the softmax: float32 [snippets]."""
        return self._of("attention")

    @property
    def video(self):
        """The video's scores: float32 [C]."""
        attention = self.attention if self.attends else None
        reduced = "mean" if self._way.over_time.crops is None else "reduced"
        return self._way.over(self._of(reduced), attention)
