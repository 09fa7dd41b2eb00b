"""UCF101: 101 classes, three official splits."""

from tsn_keras.common import text
from tsn_keras.datasets import annotations
from tsn_keras.datasets.records import Split, Video

# classInd.txt, by class index less 1.
CLASSES = tuple(
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

ARCHIVE = "ucfTrainTestlist"  # the folder that it unpacks to
VIDEOS = {  # split: (train, test)
    1: (9537, 3783),
    2: (9586, 3734),
    3: (9624, 3696),
}


def read_split(folder, split):
    """Reads a split from the folder of the official files.

    Returns:
        Split, in the order of the lists.

    Raises:
        TextFileError: a file is missing or malformed, or the number of videos is
            not the official one.
    """
    classes = []
    for number, line in text.lines(folder / "classInd.txt"):
        fields = line.split()
        if len(fields) != 2 or fields[0] != str(len(classes) + 1):
            raise text.malformed(
                folder / "classInd.txt", number, line, "<index> <class>"
            )
        classes.append(fields[1])
    annotations.expect(folder / "classInd.txt", len(classes), len(CLASSES), "classes")
    labels = {name: label for label, name in enumerate(classes)}
    lists = []
    for part, expected in zip(("train", "test"), VIDEOS[split], strict=True):
        path = folder / f"{part}list{split:02d}.txt"
        videos = []
        for number, line in text.lines(path):
            # The index that train lists add is ignored, as in the original.
            name, slash, file = line.split()[0].partition("/")
            if not slash or name not in labels:
                raise text.malformed(path, number, line, "<class>/<video>.avi")
            # The label is the directory's: files of the class HandstandPushups
            # are spelled v_HandStandPushups_*.
            video = file.split(".")[0]
            videos.append(Video(video, labels[name], name, aliases=_spellings(video)))
        annotations.expect(path, len(videos), expected, "videos")
        lists.append(annotations.unique(path, videos))
    return Split(*lists, tuple(classes))


def _spellings(video):
    """Some copies spell the files of this class as their folder."""
    respelled = video.replace("v_HandStandPushups", "v_HandstandPushups")
    return () if respelled == video else (respelled,)


UCF101 = annotations.official("ucf101", CLASSES, "classInd.txt", (ARCHIVE,), read_split)
