"""Folders in which one network is shared, in the form of keras-hub's presets.

    config.json         what the network is
    model.weights.h5    its weights, which say the same of themselves
    preprocessor.json   what makes its input of pixels, as Keras writes a layer
    class_names.txt     a name a line, where the names are known
    metadata.json       versions, number of parameters, day
    README.md           the model card

Names of files and keys are those of keras_hub/src/utils/preset_utils.py. Nothing of
such a folder is run: what is read of it is JSON and Keras' plain arrays. `sharing`
writes them.
"""

from tsn_keras.checkpoints import keras_file
from tsn_keras.common import json_text, text
from tsn_keras.common.errors import InputError

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
PREPROCESSOR, CLASSES = "preprocessor.json", "class_names.txt"
METADATA, CARD = "metadata.json", "README.md"
FILES = (CONFIG, WEIGHTS, PREPROCESSOR, CLASSES, METADATA, CARD)
MODULE = "tsn_keras"  # What `config.json` says, so that no other library takes it.
# What is said twice, so that a folder of which a file was exchanged is noticed.
_AGREE = ("backbone", "modality", "protocol", "channels", "classes")
_MAX_JSON = 2**20  # bytes


def is_one(folder):
    """Whether a folder, here or elsewhere, says that it is of this form."""
    return (folder / CONFIG).is_file()


def weights_in(folder):
    """The weight file of a folder, once what it says of itself agrees.

    Raises:
        InputError: it is another library's, a file is missing, or `config.json` and the
            weights say different things.
        OSError: it is no such folder, or a file cannot be read.
    """
    path = folder / WEIGHTS
    if not is_one(folder):
        raise IsADirectoryError(
            f"{folder} is a folder, not a weight file, and has no {CONFIG} as a preset "
            f"folder has"
        )
    content = text.read_bytes(folder / CONFIG, _MAX_JSON)
    try:
        found = json_text.parse(content, f"{folder / CONFIG}")
    except ValueError as error:
        raise InputError(str(error)) from None
    module = found.get("module")
    if not isinstance(module, str) or module.partition(".")[0] != MODULE:
        raise InputError(
            f"{folder} is a preset of {str(module)[:80]!r}, not of {MODULE}: open it "
            f"with that"
        )
    if not path.is_file():
        raise InputError(f"{folder} has no {WEIGHTS}: is it complete?")
    config, (about, _) = found.get("config"), keras_file.shapes(path)
    for key in _AGREE:
        told = [
            said.get(key) if isinstance(said, dict) else None
            for said in (config, about)
        ]
        if told[0] != told[1]:
            raise InputError(
                f"{folder}: {key} is {str(told[0])[:80]} in {CONFIG}, but "
                f"{str(told[1])[:80]} in {WEIGHTS}: is one of them of another network?"
            )
    return path
