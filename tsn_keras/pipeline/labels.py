"""Labels of videos as a batch has them: a number each, or a row of zeros and ones."""

import dataclasses
import itertools

import tensorflow as tf

from tsn_keras.datasets.records import are_several


@dataclasses.dataclass(frozen=True)
class Labels:
    """How the labels of a data set become those of a batch.

    Attributes:
        classes: how many there are; needed where videos have several labels.
        mirrored: for each label that of the mirrored video, as
            datasets.records.Split says; None where mirroring changes none.
    """

    classes: int = 0
    mirrored: tuple[int, ...] | None = None

    def of(self, folders):
        """Function of a video's index, and whether it is mirrored, to its label.

        Args:
            folders: datasets.records.FrameFolder of each video, all with one label
                or all with several.

        Returns:
            function (int32, bool) to int32 []; or to float32 [classes] of 0 and 1.

        Raises:
            ValueError: videos have several labels, and `classes` is not given.

        Example:
            >>> import pathlib
            >>> from tsn_keras.datasets.records import FrameFolder
            >>> video = FrameFolder("a", 0, pathlib.Path("a"), 8, labels=(0, 2))
            >>> Labels(4, mirrored=(1, 0, 2, 3)).of((video,))(0, True).numpy()
            array([0., 1., 1., 0.], dtype=float32)
        """
        swap = self._swap()
        if not are_several(folders):
            labels = tf.constant([folder.label for folder in folders], tf.int32)
            return lambda index, is_mirrored=False: swap(labels[index], is_mirrored)
        if not self.classes:
            raise ValueError("`classes` must be given where videos have several labels")
        # Their sets one after another: a table of ones and zeros has a gigabyte for
        # HVU's half a million videos and 1,678 objects.
        sets = [folder.labels for folder in folders]
        values = tf.constant(list(itertools.chain(*sets)), tf.int32)
        ends = tf.constant([0, *itertools.accumulate(map(len, sets))], tf.int32)

        def several(index, is_mirrored=False):
            own = swap(values[ends[index] : ends[index + 1]], is_mirrored)
            # Of a video without a label all are zeros.
            shown = tf.one_hot(own, self.classes, on_value=True, off_value=False)
            return tf.cast(tf.reduce_any(shown, axis=0), tf.float32)

        return several

    def _swap(self):
        """Function of labels, and whether their video is mirrored, to its labels."""
        if self.mirrored is None:
            return lambda labels, is_mirrored: labels
        table = tf.constant(self.mirrored, tf.int32)
        return lambda labels, is_mirrored: tf.where(
            is_mirrored, tf.gather(table, labels), labels
        )

    def none(self, folders):
        """The label of what is no video: -1, as often as `of` gives numbers."""
        if are_several(folders):
            return tf.fill((self.classes,), -1.0)
        return tf.constant(-1)
