"""Pipelines of training and of the validation between its updates."""

import dataclasses
import functools
import itertools

import numpy as np
import tensorflow as tf

from tsn_keras.datasets.records import VideoFile
from tsn_keras.pipeline import (
    draws,
    framing,
    parallel,
    reading,
    resizing,
    stacking,
    transforms,
    video_reading,
)
from tsn_keras.pipeline.labels import Labels
from tsn_keras.pipeline.passes import Passes
from tsn_keras.protocols.augmentations import Augmentation
from tsn_keras.protocols.records import Stream, View


@dataclasses.dataclass(frozen=True)
class Share:
    """The part of every batch that is read here.

    A batch is divided among machines, and each machine's part among its
    devices, in order.

    Attributes:
        machine: number of this machine, from 0.
        machines: how many there are.
        devices: of each machine.
    """

    machine: int = 0
    machines: int = 1
    devices: int = 1

    def of(self, dataset, batch):
        """Keeps the rows of this machine.

        Args:
            dataset: of (row, number), number counted over all batches.
            batch: rows of a batch, a multiple of `machines`.
        """
        if self.machines == 1:
            return dataset
        rows = batch // self.machines
        return dataset.filter(
            lambda _, number: number // rows % self.machines == self.machine
        )

    def size(self, batch):
        """Rows of a device."""
        return batch // (self.machines * self.devices)


@dataclasses.dataclass(frozen=True)
class Batches:
    """What a training batch is made of.

    Attributes:
        folders: datasets.records.FrameFolder, or VideoFile, of each video.
        stream: protocols.records.Stream.
        segments: K, snippets of a video.
        batch: videos in a batch, over all machines and devices.
        seed: decides everything that is drawn.
        augmentation: one of protocols.augmentations, or None for the protocol's.
        labels: labels.Labels.
        power: of the sizes of classes that videos are drawn by; see passes.Passes.
    """

    folders: tuple
    stream: Stream
    segments: int
    batch: int
    seed: int = 0
    augmentation: Augmentation | None = None
    labels: Labels = Labels()
    power: float = 1.0

    @functools.cached_property
    def _passes(self):
        return Passes(self.folders, self.power)

    @property
    def _augmentation(self):
        return self.augmentation or self.stream.protocol.augmentation

    @property
    def _colours(self):
        """How colours are shifted, or None: of what has no colours they are not."""
        is_image = self.stream.modality.is_image
        return self._augmentation.colours if is_image else None

    def _draws(self, number):
        """What is drawn: (mirroring, the crop's, a number a segment, the colours')."""
        crop, shift = self._augmentation.draws, self._colours
        counts = 1, crop, self.segments, 0 if shift is None else shift.draws
        drawn = draws.draw(self.seed, number, sum(counts))
        mirroring, of_crop, of_ticks, of_colours = tf.split(drawn, counts)
        if self.stream.protocol.draws_together:
            shared = draws.together(self.seed, number // self.batch)
            of_ticks = tf.concat([shared, of_ticks[1:]], axis=0)
        return mirroring[0], of_crop, of_ticks, of_colours

    def _files(self):
        """Number of files of each video, int32."""
        return tf.constant([folder.files for folder in self.folders], tf.int32)

    def _segments(self):
        """Function of (index of a video, ticks [K]) to pixels [K, h, w, planes]."""
        paths = tf.constant([str(folder.path) for folder in self.folders])
        firsts = tf.constant([folder.first for folder in self.folders], tf.int32)
        files, stream = self._files(), self.stream
        bounds = stacking.bounds(self.folders, stream.modality)
        are_files = [isinstance(folder, VideoFile) for folder in self.folders]

        def from_frames(index, ticks):
            bound = None if bounds is None else bounds[index]
            return reading.segments(
                *(paths[index], files[index], ticks, stream, firsts[index], bound)
            )

        def from_file(index, ticks):
            numbers = reading.segment_numbers(files[index], ticks, stream)
            numbers += firsts[index] - 1
            return video_reading.decoded(paths[index], numbers, stream, framed=False)[0]

        if len(set(are_files)) == 1:
            return from_file if are_files[0] else from_frames
        of_file = tf.constant(are_files)
        return lambda index, ticks: tf.cond(
            of_file[index],
            lambda: from_file(index, ticks),
            lambda: from_frames(index, ticks),
        )

    def for_training(self, first=0, share=Share()):
        """Pipeline of training batches, infinite.

        Each pass over the videos is in an order of its own, see passes.Passes. What is
        drawn for the n-th video of all passes depends on the seed and n alone: a run
        that resumes at n draws what an undisturbed one draws. Of each segment one
        snippet, at random inside it (video_data_layer.cpp:123-142); for all of a video
        one crop size, place and mirroring (data_transformer.cpp:148-326). A video that
        is mirrored has the label of its mirror image.

        Args:
            first: number of videos that were seen before, a multiple of the batch.
            share: Share.

        Returns:
            tf.data.Dataset of (uint8 [b, K, S, S, planes], labels), b videos
            of a device, device by device, float32 pixels of modalities that stack
            displacements; labels are int32 [b], or float32
            [b, classes] of 0 and 1 where videos have several. A file that cannot be
            read is an error when its batch is taken.
        """
        total = self._passes.length
        start = first // total
        dataset = tf.data.Dataset.range(start, np.iinfo(np.int64).max)
        dataset = dataset.flat_map(self._one_pass).skip(first - start * total)
        return self._of_share(dataset, self._reader(), share)

    def for_fit(self):
        """Pipeline of one pass over the videos, drawn anew at each iteration.

        For `keras.Model.fit`, which iterates once an epoch. The n-th iteration draws
        what the n-th pass of `for_training` draws.

        Returns:
            tf.data.Dataset as that of `for_training`; the last batch of a pass may
            be smaller.
        """
        passes = itertools.count()

        def one_pass(_):
            # Counted in Python: a dataset keeps no state between iterations.
            epoch = tf.numpy_function(lambda: np.int64(next(passes)), [], tf.int64)
            return self._one_pass(tf.ensure_shape(epoch, ()))

        dataset = tf.data.Dataset.range(1).flat_map(one_pass)
        dataset = parallel.batches(dataset, self._reader(), self.batch)
        return dataset.apply(tf.data.experimental.assert_cardinality(self._batches))

    @property
    def _batches(self):
        """Batches of a pass, the smaller last one included."""
        return -(-self._passes.length // self.batch)

    def _one_pass(self, epoch):
        """The videos in the order of a pass: a dataset of (index, number)."""
        total = self._passes.length
        numbers = epoch * total + tf.range(total, dtype=tf.int64)
        order = self._passes.of(self.seed, epoch)
        return tf.data.Dataset.from_tensor_slices((order, numbers))

    def _reader(self):
        """Function of a row of `_one_pass` to (uint8 [K, S, S, planes], label)."""
        files, label = self._files(), self.labels.of(self.folders)
        stream, segments, load = self.stream, self.segments, self._segments()
        rule, shift = self._augmentation, self._colours
        resize = resizing.of(rule)
        shape = (segments, *(stream.fixed_size or ()), stream.modality.planes)

        @transforms.as_it_is
        def read(index, number):
            mirroring, of_crop, of_ticks, of_colours = self._draws(number)
            ticks = draws.train_ticks(stream, files[index], segments, of_ticks)
            snippets = load(index, ticks)
            if not stream.modality.cropped:
                return tf.ensure_shape(snippets, shape), label(index)
            if rule.frame_size is not None:
                snippets = tf.stack(
                    [
                        framing.by_shorter_side(one, rule.frame_size)
                        for one in tf.unstack(snippets)
                    ]
                )
            window = draws.window(tf.shape(snippets)[1:3], rule, stream, of_crop)
            side = stream.protocol.crop_size
            crops = transforms.resized_crop(snippets, window, side, resize)
            if shift is not None:
                crops = transforms.shifted(crops, draws.colours(shift, of_colours))
            if not rule.mirrors:
                return crops, label(index)
            is_mirrored = mirroring % 2 == 1
            mirrored = transforms.mirror(crops, stream.modality)
            return tf.where(is_mirrored, mirrored, crops), label(index, is_mirrored)

        return read

    @property
    def _view(self) -> View:
        """How the original tests while it trains, at this number of segments.

        The network that is trained takes crops of the training's side.
        """
        view = self.stream.protocol.quick.with_snippets(self.segments)
        return dataclasses.replace(self.stream.seen(view), side=None)

    def for_validation(self, share=Share()):
        """Pipeline of all videos in order, deterministic and infinite.

        Of each segment the snippet in its middle, and the centre of its frames,
        as the original tests while it trains (video_data_layer.cpp:135-142,
        data_transformer.cpp:237-242).

        Args:
            share: Share.

        Returns:
            tf.data.Dataset as that of `for_training`. A pass fills its last batch
            up with black videos of label -1.
        """
        total, stream = len(self.folders), self.stream
        padded = -(-total // self.batch) * self.batch
        side = stream.protocol.crop_size
        shape = (self.segments, side, side, stream.modality.planes)
        read = self._middle_reader()

        @transforms.as_it_is
        def row(index, _):
            return tf.cond(
                index < total,
                lambda: read(tf.cast(index, tf.int32)),
                lambda: (
                    tf.zeros(shape, stream.modality.pixel_type),
                    self.labels.none(self.folders),
                ),
            )

        dataset = tf.data.Dataset.range(padded).repeat().enumerate()
        dataset = dataset.map(lambda number, index: (index, number))
        return self._of_share(dataset, row, share)

    def _of_share(self, dataset, function, share):
        """Batches of the devices of a Share."""
        dataset, size = share.of(dataset, self.batch), share.size(self.batch)
        return parallel.batches(dataset, function, size, drop_remainder=True)

    def for_test(self):
        """Pipeline of one pass over all videos in order; see `for_validation`.

        Returns:
            tf.data.Dataset as that of `for_fit`.
        """
        dataset = tf.data.Dataset.range(len(self.folders), output_type=tf.int32)
        return parallel.batches(dataset, self._middle_reader(), self.batch)

    def _middle_reader(self):
        """Function of a video's index to (uint8 [K, S, S, planes], label)."""
        label = self.labels.of(self.folders)
        view, stream, load = self._view, self.stream, self._segments()
        if view.crops.count != 1:
            raise ValueError(f"validation takes one crop, not {view.crops.name}")
        length = stream.modality.length
        ticks = tf.constant([view.ticks(f.files, length) for f in self.folders])

        @transforms.as_it_is
        def read(index):
            snippets = load(index, ticks[index])
            return transforms.cut(snippets, view, stream)[:, 0], label(index)

        return read

    def training_files(self, first, videos):
        """Files that training reads, to find out why it failed.

        Args:
            first: number of videos that were seen before.
            videos: number of videos to look at.

        Yields:
            (FrameFolder, [numbers of each snippet's files]) of each video.
        """
        total = self._passes.length
        for number in range(first, first + videos):
            epoch, place = divmod(number, total)
            folder = self.folders[int(self._passes.of(self.seed, epoch)[place])]
            _, _, drawn, _ = self._draws(number)
            ticks = draws.train_ticks(self.stream, folder.files, self.segments, drawn)
            yield (
                folder,
                [
                    folder.numbered(self.stream.numbers(int(tick), folder.files))
                    for tick in ticks
                ],
            )

    def validation_files(self):
        """Files that the validation reads; see `training_files`."""
        length = self.stream.modality.length
        for folder in self.folders:
            yield (
                folder,
                [
                    folder.numbered(self.stream.numbers(tick, folder.files))
                    for tick in self._view.ticks(folder.files, length)
                ],
            )
