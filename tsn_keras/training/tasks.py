"""Several data sets in one training: a network with a classifier for each.

Two-Stream Convolutional Networks, NIPS 2014, section 5, multi-task learning: a further
softmax layer on the last hidden layer scores the classes of another data set. Each has
a loss of its own, over the videos of its data set alone, and what is trained is the sum
of the losses. Every update has videos of all. How many of each, and by what their
losses are divided, is not said: here each loss is the mean over its own videos.
"""

import dataclasses

import keras

from tsn_keras.models.records import Backbone
from tsn_keras.pipeline.labels import Labels
from tsn_keras.training import sources


@dataclasses.dataclass(frozen=True)
class Branch:
    """The network of a further data set.

    Attributes:
        model: keras.Model with the layers of the main backbone, but for the classifier.
        record: models.records.Backbone, whose `head` is the classifier's name.
    """

    model: keras.Model
    record: Backbone

    @property
    def head(self):
        """The classifier, a Keras layer."""
        return self.model.get_layer(self.record.head)


def of(settings, found, main, parts, replicas):
    """The further data sets of a run.

    Args:
        settings: tuple of config.TaskSettings.
        found: datasets.training_sets.Task of each.
        main: Batches of the main videos.
        parts: sub-batches of an update; of each as many, so that the sum of the
            gradients is that of the means over all.
        replicas: devices.

    Returns:
        list of sources.Source: each makes an update with every one of the main videos.

    Raises:
        InputError: a batch cannot be divided.
    """
    made = []
    for number, (one, task) in enumerate(zip(settings, found, strict=True), 1):
        sources.check(f"task {number}", one, parts, replicas)
        batches = dataclasses.replace(
            sources.further(main, number, one, parts),
            folders=task.videos.folders,
            labels=Labels(task.count, task.mirrored),
        )
        made.append(sources.Source(batches, parts))
    return made


def branch(backbone, record, classes, number):
    """A network with the layers of a backbone and a new classifier.

    Args:
        backbone: keras.Model.
        record: its models.records.Backbone.
        classes: of the new classifier, which is initialised as the backbone's.
        number: from 1; its name has it.

    Returns:
        Branch.
    """
    head = backbone.get_layer(record.head)
    name = f"{record.head}_task{number}"
    told = {**head.get_config(), "units": classes, "name": name}
    new = type(head).from_config(told)
    model = keras.models.clone_model(
        backbone, clone_function=lambda layer: new if layer is head else layer
    )
    return Branch(model, dataclasses.replace(record, head=name))
