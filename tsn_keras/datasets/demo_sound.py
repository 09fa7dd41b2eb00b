"""The demo data set of sound: clips of equal frames, whose sound alone differs.

Six kinds of sound are its classes; pitch, speed, loudness and noise vary from clip to
clip, so that no class is told by one of them alone.
"""

from tsn_keras.datasets import demo

# To be raised whenever the generated sound changes, so that no old copy is used.
VERSION = 1
FOLDER = f"demo-sound-v{VERSION}"

CLASSES = ("chirp_down", "chirp_up", "clicks", "noise", "tone", "warble")
VIDEOS_PER_CLASS = {"train": 16, "test": 4}


def split():
    """The data set's only split, a Split."""
    return demo.split(CLASSES, VIDEOS_PER_CLASS)


def _make(root, videos, progress=None):
    """Makes the files of videos; see rendering.prepare."""
    # Imported when needed: a command that only prints its help renders nothing.
    from tsn_keras.datasets import rendering, sound_rendering

    rendering.prepare(root, videos, progress, sound_rendering.fill)


DEMO_SOUND = demo.generated("demo_sound", FOLDER, CLASSES, split, _make)
