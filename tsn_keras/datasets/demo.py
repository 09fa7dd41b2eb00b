"""The demo data set: generated clips that need both streams.

Four textures in four motions make 16 classes. A frame tells only the texture,
flow tells only the motion; only their fusion tells the class. The ten-crop
test mirrors, so textures and motions are such that mirroring changes no class.
"""

from tsn_keras.common import files, storage
from tsn_keras.datasets.records import Dataset, DatasetError, Split, Video

# To be raised whenever the generated pixels change, so that no old copy is used.
VERSION = 1
FOLDER = f"demo-v{VERSION}"

TEXTURES = ("checks", "dots", "noise", "stripes")
MOTIONS = ("down", "in", "out", "up")
CLASSES = tuple(f"{texture}_{motion}" for texture in TEXTURES for motion in MOTIONS)
VIDEOS_PER_CLASS = {"train": 24, "test": 3}


def split(classes=CLASSES, videos_per_class=VIDEOS_PER_CLASS):
    """The only split of a demo, a Split.

    Args:
        classes: their names.
        videos_per_class: {"train": number, "test": number}.
    """
    parts = {
        part: tuple(
            Video(f"{name}_{part}{number:02d}", label, name)
            for label, name in enumerate(classes)
            for number in range(1, count + 1)
        )
        for part, count in videos_per_class.items()
    }
    return Split(parts["train"], parts["test"], classes)


def _make(root, videos, progress=None):
    """Makes the files of videos; see rendering.prepare."""
    # Imported when needed: a command that only prints its help draws nothing.
    from tsn_keras.datasets import rendering

    rendering.prepare(root, videos, progress)


def generated(name, folder, classes, only, make):
    """The Dataset of a demo.

    Args:
        name: of the data set.
        folder: of its files, in the user's cache.
        classes: their names.
        only: function without arguments to its only Split.
        make: see Dataset.
    """

    def read(_, root):
        if storage.is_remote(root):
            raise DatasetError(
                f"`data` is {root}: the demo is made in a folder of this machine"
            )
        return only()

    return Dataset(
        name=name,
        read=read,
        splits=(1,),
        classes=classes,
        usual_root=lambda: files.cache_folder() / folder,
        make=make,
    )


DEMO = generated("demo", FOLDER, CLASSES, split, _make)
