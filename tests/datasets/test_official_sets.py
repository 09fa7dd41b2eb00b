"""Annotation files of large data sets, made here in their official forms."""

import hashlib
import json

import pytest

from tsn_keras.common import progress
from tsn_keras.common.text import TextFileError
from tsn_keras.datasets import activitynet as activitynet_set
from tsn_keras.datasets import annotations, frames, hvu, selection, training_sets
from tsn_keras.datasets import something as something_set
from tsn_keras.datasets.catalogue import DATASETS
from tsn_keras.datasets.records import Choice, Seconds, Video


def read(name, folder):
    return DATASETS[name].read(Choice(name, annotations=folder), None)


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_text = isinstance(content, str)
        path.write_text(content if is_text else json.dumps(content))


def classes_of(count):
    """Names as those of Kinetics: with spaces, an apostrophe, brackets."""
    special = ["answering questions", "massaging person's head", "curling (sport)"]
    return special + [f"zz class {k:03d}" for k in range(count - len(special))]


def kinetics(count, names=("train.csv", "val.csv"), more=("is_cc", "0")):
    head = f"label,youtube_id,time_start,time_end,split,{more[0]}"
    parts = {}
    for part, name in enumerate(names):
        rows = [
            f'"{label}",{part}b-_{k:08d},{k},{k + 10},{name[:-4]},{more[1]}'
            for k, label in enumerate(classes_of(count))
        ]
        parts[name] = "\n".join([head, *rows, ""])
    return parts


@pytest.mark.parametrize("count", [400, 600, 700])
@pytest.mark.parametrize(
    "names",
    [
        ("train.csv", "validate.csv"),
        ("annotations/kinetics_train.csv", "annotations/kinetics_val.csv"),
        ("kinetics-{}_train.csv", "kinetics-{}_val.csv"),
    ],
)
def test_kinetics(tmp_path, count, names):
    write(tmp_path, kinetics(count, [name.format(count) for name in names]))
    split = read(f"kinetics{count}", tmp_path)
    assert (len(split.train), len(split.test)) == (count, count)
    assert split.classes == tuple(sorted(classes_of(count)))
    assert split.classes[:2] == ("answering questions", "curling (sport)")
    video = split.test[1]
    assert (video.id, video.label) == ("1b-_00000001_000001_000011", 2)
    assert video.folder == "massaging_person's_head"
    assert not split.multi_label


@pytest.mark.parametrize(
    "place",
    [
        "0b-_00000000_000000_000010",
        "answering_questions/{}",
        "answering questions/{}",
        "rawframes_train/answering_questions/{}",
        "train/answering questions/{}",
        "train/{}",
    ],
)
def test_where_clips_of_kinetics_lie(tmp_path, place):
    write(tmp_path, kinetics(400))
    video = read("kinetics400", tmp_path).train[0]
    folder = tmp_path / place.format(video.id)
    assert frames.locate(tmp_path, video) is None
    folder.mkdir(parents=True)
    assert frames.locate(tmp_path, video) == folder


LINE = "zz class 003,abcdefghijk,1,11,val\n"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("train.csv", None, "no kinetics400 annotations .*train.csv or kinetics_tr"),
        ("val.csv", None, "looked for val.csv or validate.csv .*`annotations`"),
        ("val.csv", "", "val.csv:1: expected `label,youtube_id,time_start,time_end`"),
        ("val.csv", "a,b,c,d\n" + LINE, "val.csv:1: expected `label"),
        ("val.csv", "HEAD", "val.csv lists no video"),
        ("val.csv", "HEAD" + LINE.replace("1,11", "x,11"), "val.csv:2: expected"),
        ("val.csv", "HEAD" + LINE.replace("1,11", "-1,11"), "val.csv:2: expected"),
        ("val.csv", "HEAD" + LINE.replace("1,11", "1e99,11"), "val.csv:2: expected"),
        ("val.csv", "HEAD" + LINE.replace("abc", "../"), "val.csv:2: expected"),
        ("val.csv", "HEAD" + LINE + LINE, "lists 1 videos twice, as abcdefghijk_00"),
        ("val.csv", "HEAD" + LINE.replace("zz", "xx"), "class 'xx class 003' is not"),
        ("val.csv", 'HEAD"a', "val.csv:2: is not CSV"),
        ("train.csv", "HEAD" + LINE, "train.csv has 1 classes; the official.* 400"),
        ("train.csv", "\0", r"has the character '\\x00'"),
    ],
)
def test_kinetics_errors(tmp_path, name, text, words):
    write(tmp_path, kinetics(400))
    (tmp_path / name).unlink()
    if text is not None:
        if name == "train.csv":  # The classes of the other part are asked for first.
            write(tmp_path, {"val.csv": "HEAD" + LINE})
        write(tmp_path, {name: text})
    for path in tmp_path.iterdir():
        head = "label,youtube_id,time_start,time_end,split\n"
        path.write_text(path.read_text().replace("HEAD", head))
    with pytest.raises(TextFileError, match=words):
        read("kinetics400", tmp_path)


def test_minikinetics_by_ids(tmp_path):
    write(tmp_path, kinetics(400))
    for part, name in enumerate(("train", "val")):
        ids = [f"{part}b-_{k:08d}" for k in range(199, -1, -1)]
        write(tmp_path, {f"{name}_ytid_list.txt": "\n".join(ids)})
    split = read("minikinetics_ids", tmp_path)
    assert split.classes == tuple(sorted(classes_of(400)[:200]))
    assert split.train[0].id == "0b-_00000199_000199_000209"
    assert split.train[0].label == 199
    assert split.test[-1].folder == "answering_questions"
    write(tmp_path, {"val_ytid_list.txt": "unknown"})
    with pytest.raises(TextFileError, match="val_ytid.*:1: video 'unknown' is not in"):
        read("minikinetics_ids", tmp_path)
    write(tmp_path, {"val_ytid_list.txt": "0b-_00000000"})
    with pytest.raises(TextFileError, match="'0b-_00000000' is not in .*val.csv"):
        read("minikinetics_ids", tmp_path)


def omnisource(count=200):
    rows = [f"v-_{k:03d}.mp4 {(7 * k) % count}" for k in range(count)]
    return {
        "annotations/kinetics_200/k200_train.txt": "\n".join(rows),
        "annotations/kinetics_200/k200_val.txt": "w.mp4 3\n",
        "annotations/k200_actions.txt": "\n".join(f"action {k}" for k in range(count)),
    }


def test_minikinetics_of_omnisource(tmp_path):
    write(tmp_path, omnisource())
    split = read("minikinetics", tmp_path)
    assert len(split.classes) == 200
    assert (split.train[2].id, split.train[2].label) == ("v-_002.mp4", 14)
    folder = tmp_path / "kinetics_200_train/v-_002"
    folder.mkdir(parents=True)
    assert frames.locate(tmp_path, split.train[2]) == folder
    write(tmp_path, {"annotations/kinetics_200/k200_val.txt": "w.mp4 200"})
    with pytest.raises(TextFileError, match="w.mp4 has label 200; .* 200 classes"):
        read("minikinetics", tmp_path)
    write(tmp_path, omnisource(199))
    with pytest.raises(TextFileError, match="has 199 classes; the official.* 200"):
        read("minikinetics", tmp_path)


# The six of Something-Something whose videos become each other's when mirrored.
TURNED = [
    "Pulling [something] from left to right",
    "Pulling [something] from right to left",
    "Turning the camera left while filming [something]",
    "Turning the camera right while filming [something]",
    "Putting [something] upright on the table",
    "Plugging [something] into [something] but pulling it right out",
]
THINGS = TURNED + [f"Doing thing {k} with [something]" for k in range(168)]
PLAIN = [name.replace("[", "").replace("]", "") for name in THINGS]


def something(version):
    parts = {"train": PLAIN, "validation": PLAIN[:5]}
    if version == 1:
        files = dict.fromkeys(parts, "")
        for part, names in parts.items():
            files[part] = "\n".join(f"{k + 10};{name}" for k, name in enumerate(names))
        files["labels"] = "\n".join(PLAIN)
        return {f"something-something-v1-{k}.csv": v for k, v in files.items()}
    files = {
        part: [
            {"id": str(k + 10), "label": "holding potato", "template": THINGS[k]}
            for k in range(len(names))
        ]
        for part, names in parts.items()
    }
    files["labels"] = {name: str(173 - k) for k, name in enumerate(PLAIN)}
    return {f"something-something-v2-{k}.json": v for k, v in files.items()}


def test_something_something_v1(tmp_path):
    write(tmp_path, something(1))
    split = read("sthv1", tmp_path)
    assert split.classes == tuple(PLAIN)
    assert (len(split.train), len(split.test)) == (174, 5)
    assert split.train[7] == Video("17", 7, "20bn-something-something-v1")
    assert split.mirrored[:6] == (1, 0, 3, 2, 4, 5)


def test_something_something_v2(tmp_path):
    write(tmp_path, something(2))
    split = read("sthv2", tmp_path)
    assert split.classes == tuple(PLAIN[::-1])
    assert split.train[7] == Video("17", 166, "20bn-something-something-v2")
    # In the order of the numbers.
    assert split.mirrored[-6:] == (168, 169, 171, 170, 173, 172)
    files = something(2)
    for old in files:
        new = old.replace("something-something-v2-", "labels/")
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / old).rename(tmp_path / new)
    assert read("sthv2", tmp_path) == split


@pytest.mark.parametrize(
    ("version", "part", "content", "words"),
    [
        (1, "labels", "\n".join(PLAIN[:9]), "has 9 classes; the official file has 174"),
        (1, "labels", "a\na", "names a twice"),
        (1, "train", "10,a", "train.csv:1: expected `<id>;<class>`"),
        (1, "train", "x;a", "train.csv:1: expected"),
        (1, "train", "1;unknown", "class 'unknown' of video 1 is not in"),
        (1, "validation", "", "validation.csv lists no video"),
        (2, "labels", [], "is not a JSON object"),
        (2, "labels", {"a": 0}, "the number of class 'a' is 0"),
        (2, "labels", {"a": "1"}, "do not count from 0 without gaps"),
        (2, "labels", {"a\n": "0"}, r"class 'a\\n' has the character"),
        (2, "train", {}, "is not a JSON array"),
        (2, "train", [{"id": "1"}], "expected objects with 'template', of type str"),
        (2, "train", [{"id": 1, "template": "a"}], "with 'id', of type str"),
        (2, "train", [{"id": "1", "template": "a"}], "class 'a' of video 1 is not in"),
        (2, "train", [], "train.json lists no video"),
        (2, "train", "[" * 10**6, "nested too deeply"),
    ],
)
def test_something_something_errors(tmp_path, version, part, content, words):
    files = something(version)
    name = next(name for name in files if part in name)
    write(tmp_path, {**files, name: content})
    with pytest.raises(TextFileError, match=words):
        read(f"sthv{version}", tmp_path)


MIT = {
    "moments_categories.txt": "clapping,0\nadult+female+singing,2\npraying,1\n",
    "trainingSet.csv": "praying/a_1.mp4,praying,4,1\nclapping/yt-b_2.mp4,clapping,3,0",
    "validationSet.csv": "adult+female+singing/c.mp4,adult+female+singing,5,0\n",
}
MMIT = {
    "annotations/moments_categories.txt": MIT["moments_categories.txt"],
    "annotations/trainingSet.csv": "praying/a_1.mp4,1,0\nb.mp4,2\n",
    "annotations/validationSet.csv": "c.mp4,2,0,2\n",
}


def test_moments_in_time(tmp_path):
    write(tmp_path, MIT)
    split = read("mit", tmp_path)
    assert split.classes == ("clapping", "praying", "adult+female+singing")
    assert split.train == (
        Video("praying/a_1", 1, "training"),
        Video("clapping/yt-b_2", 0, "training"),
    )
    assert split.test == (Video("adult+female+singing/c", 2, "validation"),)
    folder = tmp_path / "rawframes/training/praying/a_1"
    folder.mkdir(parents=True)
    assert frames.locate(tmp_path, split.train[0]) == folder


def test_multi_moments(tmp_path):
    write(tmp_path, MMIT)
    split = read("mmit", tmp_path)
    assert split.train == (
        Video("praying/a_1", 0, "videos", aliases=("a_1",), labels=(0, 1)),
        Video("b", 2, "videos", labels=(2,)),
    )
    assert split.test[0].labels == (0, 2)
    assert split.multi_label
    assert DATASETS["mmit"].multi_label


@pytest.mark.parametrize(
    ("name", "file", "text", "words"),
    [
        ("mit", "moments_categories.txt", "clapping 0", ":1: expected `<class>,<numb"),
        ("mit", "moments_categories.txt", "a,0\nb,2", "do not count from 0"),
        ("mit", "moments_categories.txt", "a,0\na,1", "names a class twice"),
        ("mit", "moments_categories.txt", "", "do not count from 0"),
        ("mit", "trainingSet.csv", "flying/a.mp4,x,1,1", ":1: expected `<class>/<vid"),
        ("mit", "trainingSet.csv", "praying,praying", ":1: expected `<video>.mp4,..."),
        ("mit", "validationSet.csv", "", "validationSet.csv lists no video"),
        ("mmit", "trainingSet.csv", "a.mp4", ":1: expected `<value>,<value>`"),
        ("mmit", "trainingSet.csv", "a.mp4,1,x", ":1: expected `<video>.mp4,<number"),
        ("mmit", "trainingSet.csv", "a.mp4,3", "<number from 0 to 2>"),
        ("mmit", "trainingSet.csv", "a.mp4,1\na.mp4,2", "lists 1 videos twice, as a"),
    ],
)
def test_moments_errors(tmp_path, name, file, text, words):
    write(tmp_path, {"mit": MIT, "mmit": MMIT}[name])
    write(tmp_path / ("annotations" if name == "mmit" else ""), {file: text})
    with pytest.raises(TextFileError, match=words):
        read(name, tmp_path)


def activitynet(count=200):
    """With a root and a branch in the taxonomy; numbers as JSON writes them."""
    leaves = [f"Leaf {count - k:03d}" for k in range(count)]
    taxonomy = [{"nodeName": "Root", "parentName": None, "nodeId": 0}]
    taxonomy += [{"nodeName": "Branch", "parentName": "Root", "nodeId": 1}]
    taxonomy += [{"nodeName": leaf, "parentName": "Branch"} for leaf in leaves]
    found = [
        {"segment": [0.01, 23], "label": "Leaf 002"},
        {"segment": [30.5, 100], "label": "Leaf 001"},
    ]
    database = {
        "-1EC1ZP6aC4": {"subset": "testing", "duration": 5, "annotations": []},
        "tra_n": {"subset": "training", "duration": 100, "annotations": found},
        "val-d": {"subset": "validation", "duration": 9.5, "annotations": found[1:]},
    }
    return {"version": "V", "taxonomy": taxonomy, "database": database}


def test_activitynet(tmp_path):
    content = activitynet()
    both = {**content["database"]["tra_n"], "subset": "validation"}
    content["database"]["val-2"] = both
    write(tmp_path, {"activity_net.v1-3.min.json": content})
    write(tmp_path, {"activity_net.v1-2.min.json": activitynet(100)})
    split = read("activitynet", tmp_path)
    assert split.classes[:2] == ("Leaf 001", "Leaf 002")
    # The label of a whole video is that of its first annotation.
    assert split.train == (Video("v_tra_n", 1, aliases=("tra_n",), duration=100),)
    # A test accepts any of its labels.
    assert split.test == (
        Video("v_val-d", 0, aliases=("val-d",), labels=(0,), duration=9.5),
        Video("v_val-2", 0, aliases=("val-2",), labels=(0, 1), duration=100),
    )
    assert not split.multi_label
    assert len(read("activitynet12", tmp_path).classes) == 100
    clips = read("activitynet_clips", tmp_path)
    names = ("v_tra_n", "tra_n")
    assert clips.train == (
        Video("v_tra_n 1", 1, aliases=names, clip=Seconds(0.01, 23, 100)),
        Video("v_tra_n 2", 0, aliases=names, clip=Seconds(30.5, 100, 100)),
    )
    assert read("activitynet12_clips", tmp_path).train == clips.train


def test_the_rate_of_whole_videos_of_activitynet_is_known(tmp_path):
    write(tmp_path, {"activity_net.v1-3.min.json": activitynet()})
    for number in range(1, 191):
        write(tmp_path / "v_val-d", {f"img_{number:05d}.jpg": ""})
    choice = Choice("activitynet", root=tmp_path)
    videos = selection.find_test_set(choice, progress.SILENT)
    (folder,) = selection.select(videos, ("img_",)).folders
    assert (folder.files, folder.rate) == (190, 20.0)


def test_one_label_of_activitynets_videos_is_validated(tmp_path, monkeypatch):
    """In training, which knows one label a video; a test knows all."""
    content = activitynet(1)
    both = content["database"]["tra_n"]["annotations"]
    both[0]["label"] = both[1]["label"]
    write(tmp_path, {"activity_net.v1-3.min.json": content})
    for name in ("tra_n", "val-d"):
        write(tmp_path / name, {"img_00001.jpg": ""})
    choice = Choice("activitynet", root=tmp_path)
    monkeypatch.setitem(activitynet_set._CLASSES, "1-3", 1)
    found = training_sets.find(choice, ("img_",), progress.SILENT)
    test = selection.find_test_set(choice, progress.SILENT)
    for chosen in (found.train, found.validation):
        assert [(one.label, one.labels) for one in chosen.folders] == [(0, ())]
    assert [video.labels for video in test.videos] == [(0,)]
    assert not found.multi_label


def test_clips_of_activitynet_are_parts_of_folders(tmp_path):
    """generate_rawframes_filelist.py:78-90 by hand, for 200 files in 100 seconds."""
    write(tmp_path, {"activity_net.v1-3.min.json": activitynet()})
    for number in range(200):
        for prefix in ("img_", "flow_x_"):
            path = tmp_path / "rawframes/v_tra_n" / f"{prefix}{number + 1:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    choice = Choice("activitynet_clips", root=tmp_path)
    _, root, split = selection.read(choice)
    videos = selection.VideoSet("a", None, root, split.train, split.classes)
    chosen = selection.select(videos, ("img_",))
    # int(.01 * 2) = 0 to int(23 * 2) = 46; int(30.5 * 2) = 61 to the last, 199.
    assert [(f.first, f.files) for f in chosen.folders] == [(1, 47), (62, 139)]
    assert chosen.folders[1].numbered([1, 139]) == [62, 200]


@pytest.mark.parametrize(
    ("seconds", "files", "expected"),
    [
        ((0, 100, 100), 10, (0, 10)),
        ((100, 100, 100), 10, (9, 1)),
        ((99, 120, 100), 1, (0, 1)),
        ((20, 10, 100), 100, (20, 1)),
        ((12.34, 56.78, 117.9), 3537, (370, 1334)),
    ],
)
def test_seconds_to_files(seconds, files, expected):
    assert Seconds(*seconds).within(files) == expected


def edited(path, value):
    content = activitynet()
    place = content
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return content


VIDEO = ("database", "tra_n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ([], "is not a JSON object"),
        ({}, "expected objects with 'taxonomy', of type list"),
        (edited(("taxonomy",), [{}]), "expected objects with 'nodeName'"),
        (edited(("taxonomy",), []), "has 0 classes; the official file has 200"),
        (edited(("database",), []), "'database', of type dict"),
        (edited(("database",), {}), "lists no video"),
        (edited(("database", "a/b"), {}), "video 'a/b' has a slash"),
        (edited((*VIDEO, "subset"), 3), "'subset', of type str"),
        (edited((*VIDEO, "duration"), 0), "video tra_n has .* a duration of 0 sec"),
        (edited((*VIDEO, "annotations"), []), "video tra_n has 0 annotations"),
        (edited((*VIDEO, "annotations"), [{"label": "Root"}]), "'segment', of type"),
        (
            edited((*VIDEO, "annotations"), [{"label": "Root", "segment": [0, 1]}]),
            "label 'Root' of video tra_n is no leaf",
        ),
        (
            edited(
                (*VIDEO, "annotations"), [{"label": "Leaf 001", "segment": [-1, 2]}]
            ),
            "a segment that is not",
        ),
        (edited(("version",), float("nan")), "NaN, which is not a finite number"),
    ],
)
def test_activitynet_errors(tmp_path, content, words):
    write(tmp_path, {"activity_net.v1-3.min.json": content})
    with pytest.raises(TextFileError, match=words):
        read("activitynet", tmp_path)
    with pytest.raises(TextFileError, match=words):
        read("activitynet_clips", tmp_path)


def diving48(count=48):
    words = [["Back", "15som", f"{k:02d}Twis", "FREE"] for k in range(count)]
    rows = [
        {"vid_name": f"_8Vy3dlHg2w_{k:05d}", "label": k, "start_frame": 0}
        for k in (5, 3)
    ]
    return {
        "Diving48_vocab.json": words,
        "Diving48_V2_train.json": rows,
        "Diving48_V2_test.json": [{**rows[0], "vid_name": "other"}],
    }


def test_diving48(tmp_path):
    write(tmp_path, diving48())
    split = read("diving48", tmp_path)
    assert split.classes[5] == "Back+15som+05Twis+FREE"
    assert split.train[0] == Video("_8Vy3dlHg2w_00005", 5, "rgb")
    assert split.test == (Video("other", 5, "rgb"),)


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("vocab", diving48(47)["Diving48_vocab.json"], "has 47 classes; .* 48"),
        ("vocab", [["a"]], "expected arrays of 4 words"),
        ("vocab", {}, "is not a JSON array"),
        ("V2_train", [{"vid_name": "a", "label": 48}], "a has label 48"),
        ("V2_train", [{"vid_name": "a", "label": True}], "'label', of type int"),
        (
            "V2_train",
            [{"vid_name": "a\n", "label": 1}],
            r"vid_name 'a\\n' has the char",
        ),
        ("V2_train", [{"vid_name": "", "label": 1}], "vid_name '' is empty"),
        ("V2_test", [{"vid_name": "a", "label": 1}] * 2, "lists 1 videos twice, as a"),
        ("V2_test", [], "lists no video"),
        ("V2_test", "{", "is not JSON"),
    ],
)
def test_diving48_errors(tmp_path, file, content, words):
    write(tmp_path, {**diving48(), f"Diving48_{file}.json": content})
    with pytest.raises(TextFileError, match=words):
        read("diving48", tmp_path)


def tags():
    rows = [
        f"{category}_{k:04d},{category}"
        for category, count in hvu.CATEGORIES.items()
        for k in range(count - 1, -1, -1)
    ]
    return "\n".join(["Tag,Category", *rows])


def hvu_files(names=("HVU_Tags_Categories_V1.0", "HVU_Train_V1.0", "HVU_Val_V1.0")):
    head = "Tags,youtube_id,time_start,time_end\n"
    return {
        f"{names[0]}.csv": tags(),
        f"{names[1]}.csv": head
        + "scene_0007|action_0738|action_0000,OLpWTpTC4P8,57,67\n"
        + "object_0000|scene_0001,xsPKW4tZZBc,233,243.0\n",
        f"{names[2]}.csv": head + "action_0001|scene_0000,abc,0.5,10.5\n",
    }


def test_hvu(tmp_path):
    assert sum(hvu.CATEGORIES.values()) == 3142
    write(tmp_path, hvu_files())
    actions, scenes = (read(f"hvu_{kind}", tmp_path) for kind in ("action", "scene"))
    assert len(actions.classes) == 739
    assert actions.classes[738] == "action_0738"
    (video,) = actions.train
    assert (video.id, video.labels) == ("OLpWTpTC4P8_000570_000670", (0, 738))
    folder = tmp_path / "rawframes_train" / video.id
    folder.mkdir(parents=True)
    assert frames.locate(tmp_path, video) == folder
    assert [v.labels for v in scenes.train] == [(7,), (1,)]
    assert [v.id for v in scenes.test] == ["abc_000005_000105"]
    assert scenes.multi_label
    with pytest.raises(TextFileError, match="Val_V1.0.csv lists no video of this part"):
        read("hvu_object", tmp_path)


def test_hvu_as_mmaction2_calls_its_files(tmp_path):
    names = ("hvu_categories", "hvu_train", "hvu_val")
    write(tmp_path / "annotations", hvu_files(names))
    assert len(read("hvu_scene", tmp_path).train) == 2


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        (
            "Tags_Categories",
            "Tag,Category\na,b",
            ":2: expected `<tag>,<category>, each",
        ),
        ("Tags_Categories", "Tag,Category\na,action\na,scene", ":3: .* each tag once"),
        (
            "Tags_Categories",
            "Tag,Category\na,action",
            "has 0 tags of the scenes; .* 248",
        ),
        ("Tags_Categories", "", "has 0 tags of the scenes"),
        ("Train", "T,i,s,e\nscene_0000|nothing,abc,1,2", ":2: .*with known tags"),
        ("Train", "T,i,s,e\nscene_0000,a/b,1,2", ":2: expected `<tag>"),
        ("Train", "T,i,s,e\nscene_0000,ab,1", ":2: expected `<value>"),
        ("Train", "T,i,s,e\n" + "scene_0000,ab,1,2\n" * 2, "lists 1 videos twice"),
    ],
)
def test_hvu_errors(tmp_path, file, text, words):
    write(tmp_path, {**hvu_files(), f"HVU_{file}_V1.0.csv": text})
    with pytest.raises(TextFileError, match=words):
        read("hvu_scene", tmp_path)


def test_mirrored_labels():
    found = annotations.mirrored(tuple(PLAIN))
    assert found[:6] == (1, 0, 3, 2, 4, 5)
    assert found[6:] == tuple(range(6, 174))
    assert all(found[found[label]] == label for label in range(174))
    assert annotations.mirrored(("left", "up")) is None


def test_training_is_told_which_labels_a_mirror_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(something_set, "COUNT", 2)
    rows = "1;Pushing from left to right\n2;Pushing from right to left"
    for part, text in (
        ("labels", rows.replace("1;", "").replace("2;", "")),
        ("train", rows),
        ("validation", rows.replace("1;", "3;").replace("2;", "4;")),
    ):
        write(tmp_path, {f"something-something-v1-{part}.csv": text})
    for video in "1234":
        (tmp_path / video).mkdir()
        (tmp_path / video / "00001.jpg").touch()
    found = training_sets.find(Choice("sthv1", root=tmp_path), ("",), None)
    assert found.mirrored == (1, 0)
    assert (found.count, len(found.validation.folders)) == (2, 2)
    # Runs of before are resumed: nothing new is in the digest of such folders.
    rows = json.dumps([("1", 0, 1), ("2", 1, 1)]).encode()
    assert found.digest == hashlib.sha256(rows).hexdigest()
    for video in "12":
        path = tmp_path / video / "00001.jpg"
        path.rename(path.with_name("00000.jpg"))
    again = training_sets.find(Choice("sthv1", root=tmp_path), ("",), None)
    assert again.digest != found.digest


def test_every_set_that_reads_several_labels_says_so():
    several = {name for name, dataset in DATASETS.items() if dataset.multi_label}
    kinds = {f"hvu_{kind}" for kind in hvu.CATEGORIES}
    assert several == kinds | {"mmit", "list_multilabel", "thumos14"}
