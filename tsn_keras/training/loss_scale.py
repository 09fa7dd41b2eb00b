"""The factor on the loss that keeps float16 gradients out of the denormals.

Keras' LossScaleOptimizer looks at the gradients of one replica, before their
sum; with several devices they can disagree. Here all are asked, and a batch
whose gradients overflow is computed again with half the factor, so that no
update is lost and the batches stay in step with the iterations. (It draws new
dropout then, and moves the statistics of trainable batch norms once more.)
"""

START = 2.0**15
GROWTH = 2000  # updates without overflow until the factor is doubled


class LossScale:
    """A factor that halves at an overflow, and doubles after many good updates.

    Attributes:
        value: the factor, a power of two.
    """

    def __init__(self):
        self.value = START
        self._good = 0

    def lower(self):
        """Halves after an overflow; returns whether that is possible."""
        self._good = 0
        if self.value <= 1:
            return False
        self.value /= 2
        return True

    def count(self):
        """Notes an update without overflow."""
        self._good += 1
        if self._good == GROWTH:
            self._good = 0
            self.value *= 2

    @property
    def state(self):
        """What a run that resumes needs."""
        return [self.value, self._good]

    @state.setter
    def state(self, state):
        self.value, self._good = float(state[0]), int(state[1])
