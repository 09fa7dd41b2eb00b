"""Sound files in the place of frame folders, or of the images of video files."""

import dataclasses

from tsn_keras.common import storage
from tsn_keras.common.errors import InputError
from tsn_keras.datasets.records import DatasetError, FrameFolder, VideoFile
from tsn_keras.video import sound


def heard(folders):
    """The sound of videos.

    Args:
        folders: records.FrameFolder, or VideoFile, of each video.

    Returns:
        (tuple of VideoFile, whose paths are those of files with the sound; tuple of
        the ids of videos that have none; {id: reason} of those that cannot be used)

    Raises:
        DatasetError: the sound of a video was not extracted, or none has any.
    """
    kept, silent, failed = [], [], {}
    for folder in folders:
        try:
            found = _of(folder)
        except DatasetError:
            raise
        except (InputError, OSError) as error:
            failed[folder.id] = str(error)
            continue
        if found is None:
            silent.append(folder.id)
        else:
            kept.append(found)
    if folders and not kept and not failed:
        raise DatasetError(f"none of {len(folders)} videos has sound, as {silent[0]}")
    return tuple(kept), tuple(silent), failed


def _of(folder):
    """A VideoFile of a video's sound, or None where it has none."""
    if isinstance(folder, VideoFile):
        return folder if sound.is_in(folder.path) else None
    path = folder.path / sound.NAME
    if not (storage.is_remote(path) and path.lists_no_folders):
        names = storage.names(folder.path)
        if sound.NONE in names:
            return None
        if sound.NAME not in names:
            raise DatasetError(
                f"{folder.path} has no {sound.NAME}: extract the sound of the videos "
                f"too (`sound=True`); frames that are there stay as they are"
            )
    fields = {f.name: getattr(folder, f.name) for f in dataclasses.fields(FrameFolder)}
    # Its images are files, without the first frame.
    return SoundFile(**{**fields, "path": path}, frames=folder.files + 1)


@dataclasses.dataclass(frozen=True)
class SoundFile(VideoFile):
    """A video whose sound was extracted.

    Attributes:
        path: the file with the sound.
        files: number of the images beside it, whose times snippets have.
    """

    def under(self, stream):
        """The same: its images are those that were extracted."""
        return self
