"""Official split files, and the original's list files, as records.

The rules are those of pyActionRecog/benchmark_db.py; what a user has on disk
is what the data sets' own archives unpack to.
"""

import collections
import dataclasses

from tsn_keras import config
from tsn_keras.data import storage

# data/hmdb51_splits/class_list.txt: the label order of the reference models.
# It is not sorted (kick_ball before kick, sword_exercise before sword).
HMDB51_CLASSES = tuple(
    "brush_hair cartwheel catch chew clap climb climb_stairs dive draw_sword dribble "
    "drink eat fall_floor fencing flic_flac golf handstand hit hug jump kick_ball kick "
    "kiss laugh pick pour pullup punch push pushup ride_bike ride_horse run "
    "shake_hands shoot_ball shoot_bow shoot_gun sit situp smile smoke somersault stand "
    "swing_baseball sword_exercise sword talk throw turn walk wave".split()
)

# classInd.txt, by class index less 1.
UCF101_CLASSES = tuple(
    "ApplyEyeMakeup ApplyLipstick Archery BabyCrawling BalanceBeam BandMarching "
    "BaseballPitch Basketball BasketballDunk BenchPress Biking Billiards BlowDryHair "
    "BlowingCandles BodyWeightSquats Bowling BoxingPunchingBag BoxingSpeedBag "
    "BreastStroke BrushingTeeth CleanAndJerk CliffDiving CricketBowling CricketShot "
    "CuttingInKitchen Diving Drumming Fencing FieldHockeyPenalty FloorGymnastics "
    "FrisbeeCatch FrontCrawl GolfSwing Haircut Hammering HammerThrow HandstandPushups "
    "HandstandWalking HeadMassage HighJump HorseRace HorseRiding HulaHoop IceDancing "
    "JavelinThrow JugglingBalls JumpingJack JumpRope Kayaking Knitting LongJump Lunges "
    "MilitaryParade Mixing MoppingFloor Nunchucks ParallelBars PizzaTossing "
    "PlayingCello PlayingDaf PlayingDhol PlayingFlute PlayingGuitar PlayingPiano "
    "PlayingSitar PlayingTabla PlayingViolin PoleVault PommelHorse PullUps Punch "
    "PushUps Rafting RockClimbingIndoor RopeClimbing Rowing SalsaSpin ShavingBeard "
    "Shotput SkateBoarding Skiing Skijet SkyDiving SoccerJuggling SoccerPenalty "
    "StillRings SumoWrestling Surfing Swing TableTennisShot TaiChi TennisSwing "
    "ThrowDiscus TrampolineJumping Typing UnevenBars VolleyballSpiking WalkingWithDog "
    "WallPushups WritingOnBoard YoYo".split()
)

SPLITS = (1, 2, 3)
UCF101_VIDEOS = {  # split: (train, test)
    1: (9537, 3783),
    2: (9586, 3734),
    3: (9624, 3696),
}
HMDB51_VIDEOS_PER_CLASS = (70, 30)  # train, test
_HMDB51_CODES = {"0": None, "1": 0, "2": 1}  # unused, train, test

# Folder names of the data sets' own archives.
ARCHIVE_FOLDERS = {"hmdb51": "testTrainMulti_7030_splits", "ucf101": "ucfTrainTestlist"}


class AnnotationError(config.InputError):
    """An annotation file is missing, or not what it should be."""


@dataclasses.dataclass(frozen=True)
class Video:
    """One video of a split.

    Attributes:
        id: the video's name, which is also its frame folder's name; for a list
            file the path as listed.
        label: class index, 0-based.
        folder: name of the class folder that may hold the frame folder, or "".
        listed_frames: number of files according to a list file, else None.
    """

    id: str
    label: int
    folder: str = ""
    listed_frames: int | None = None


@dataclasses.dataclass(frozen=True)
class Split:
    """Videos to train on, videos to test on, and the names of the classes."""

    train: tuple[Video, ...]
    test: tuple[Video, ...]
    classes: tuple[str, ...]


def read(dataset, folder, split):
    """Reads split 1, 2 or 3 of "ucf101" or "hmdb51" from its official files.

    Args:
        dataset: "ucf101" or "hmdb51".
        folder: path or address of the folder with the files, or of one that
            holds the folder that the official archive unpacks to, or
            `annotations`.
        split: 1, 2 or 3.

    Returns:
        Split; UCF101 in the order of its lists, HMDB51 by class, then in the
        order of its files. (The original takes HMDB51's files in the order in
        which the file system returns them, so its order differs by machine.)

    Raises:
        AnnotationError: a file is missing or malformed, or the number of
            videos is not the official one.
    """
    if split not in SPLITS:
        raise AnnotationError(f"`split` must be 1, 2 or 3. Received: {split!r}")
    reader = {"ucf101": _read_ucf101, "hmdb51": _read_hmdb51}[dataset]
    probe = {"ucf101": "classInd.txt", "hmdb51": "brush_hair_test_split1.txt"}[dataset]
    folder = storage.path(folder)
    for place in (folder, folder / "annotations", folder / ARCHIVE_FOLDERS[dataset]):
        if (place / probe).is_file():
            return reader(place, split)
    raise AnnotationError(
        f"no {dataset} annotations in {folder} (looked for {probe} there, in "
        f"annotations/ and in {ARCHIVE_FOLDERS[dataset]}/): unpack the official "
        f"archive of train/test splits there, or name its folder (--annotations, "
        f"data.annotations)"
    )


def _read_ucf101(folder, split):
    classes = []
    for number, line in _lines(folder / "classInd.txt"):
        fields = line.split()
        if len(fields) != 2 or fields[0] != str(len(classes) + 1):
            raise _malformed(folder / "classInd.txt", number, line, "<index> <class>")
        classes.append(fields[1])
    _expect(folder / "classInd.txt", len(classes), len(UCF101_CLASSES), "classes")
    labels = {name: label for label, name in enumerate(classes)}
    lists = []
    for part, expected in zip(("train", "test"), UCF101_VIDEOS[split], strict=True):
        path = folder / f"{part}list{split:02d}.txt"
        videos = []
        for number, line in _lines(path):
            # The index that train lists add is ignored, as in the original.
            name, slash, file = line.split()[0].partition("/")
            if not slash or name not in labels:
                raise _malformed(path, number, line, "<class>/<video>.avi")
            # The label is the directory's: files of the class HandstandPushups
            # are spelled v_HandStandPushups_*.
            videos.append(Video(file.split(".")[0], labels[name], name))
        _expect(path, len(videos), expected, "videos")
        lists.append(_unique(path, videos))
    return Split(*lists, tuple(classes))


def _read_hmdb51(folder, split):
    parts = ([], [])
    for label, name in enumerate(HMDB51_CLASSES):
        path = folder / f"{name}_test_split{split}.txt"
        counts = [0, 0]
        for number, line in _lines(path):
            video, _, code = line.rpartition(" ")
            video = video.rstrip()
            if code not in _HMDB51_CODES or not video.endswith(".avi"):
                raise _malformed(path, number, line, "<video>.avi <0, 1 or 2>")
            part = _HMDB51_CODES[code]
            if part is not None:
                parts[part].append(Video(video[: -len(".avi")], label, name))
                counts[part] += 1
        for count, expected in zip(counts, HMDB51_VIDEOS_PER_CLASS, strict=True):
            _expect(path, count, expected, "videos of a part")
    return Split(*(_unique(folder, videos) for videos in parts), HMDB51_CLASSES)


def read_list(path):
    """Reads a list file: `path frames label` a line (build_file_list.py).

    Args:
        path: the file. Paths in it may contain spaces.

    Returns:
        tuple of Video, in the order of the file.

    Raises:
        AnnotationError: the file is missing, empty or malformed, or lists a
            video twice.
    """
    path = storage.path(path)
    videos = []
    for number, line in _lines(path):
        fields = line.rsplit(maxsplit=2)
        if len(fields) != 3 or not (fields[1].isdecimal() and fields[2].isdecimal()):
            raise _malformed(path, number, line, "<folder> <frames> <label>")
        videos.append(Video(fields[0], int(fields[2]), "", int(fields[1])))
    if not videos:
        raise AnnotationError(f"{path} lists no video")
    return _unique(path, videos)


def read_names(path):
    """Reads a file with the name of a class a line, in the order of the labels.

    Returns:
        tuple of str.

    Raises:
        AnnotationError: the file is missing, empty, no text, or names one twice.
    """
    path = storage.path(path)
    names = [line.removeprefix("\ufeff") for _, line in _lines(path)]
    if not names:
        raise AnnotationError(f"{path} names no class")
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise AnnotationError(f"{path} names {twice[0]} twice")
    return tuple(names)


def _lines(path):
    """Yields (number, stripped line) of the lines that are not empty."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise AnnotationError(f"{path} is not a text file: {error}") from None
    except OSError as error:
        raise AnnotationError(
            f"cannot read {path}: {error.strerror or error}"
        ) from None
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield number, line.strip()


def _malformed(path, number, line, form):
    return AnnotationError(
        f"{path}:{number}: expected `{form}`. Received: {line[:80]!r}"
    )


def _expect(path, count, expected, what):
    if count != expected:
        raise AnnotationError(
            f"{path} has {count} {what}; the official file has {expected}: "
            f"is it complete? For videos of your own use --dataset list"
        )


def _unique(path, videos):
    counts = collections.Counter(video.id for video in videos)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise AnnotationError(f"{path} lists {len(twice)} videos twice, as {twice[0]}")
    return tuple(videos)
