"""Weight files of other programs: safetensors, TensorFlow.js, older ones of Keras."""

import io
import json
import pathlib
import struct
import tempfile

import h5py
import json_edits
import makers
import mutators
import numpy as np
import small_network
from harness import MARKER
from hdf5_kinds import edited, load

# What numbers of files elsewhere are: a model that has them was filled from there.
_ELSEWHERE = 1234.5
_MANY = 12_000  # arrays; more than any reader takes


def _load(path):
    """Reads weights as commands do; numbers of other files must not come in."""
    model = load(path)
    for variable in model.weights:
        assert not (np.asarray(variable) == _ELSEWHERE).all(), "read a file elsewhere"
    return model


def _other_arrays(random, arrays):
    """Arrays of other names, shapes, types and values."""
    arrays = dict(arrays)
    for _ in range(random.choice((1, 1, 2, 4))):
        name, how = random.choice(list(arrays)), random.randrange(8)
        array = arrays[name]
        if how == 0 and len(arrays) > 1:
            del arrays[name]
        elif how == 1:
            arrays[random.choice(json_edits.NAMES)] = arrays.pop(name)
        elif how == 2:
            shape = (array.shape[::-1], (*array.shape, 1), (1, *array.shape), (-1,))
            arrays[name] = array.reshape(random.choice(shape))
        elif how == 3:
            arrays[name] = array.astype(random.choice(("f2", "f8")))
        elif how == 4:
            arrays[name] = np.zeros(random.choice(((0,), (0, 5), (), (1,) * 12)), "f4")
        elif how == 5:
            edges = (np.nan, np.inf, -np.inf, 3e38, -0.0, 1e-45)
            arrays[name] = np.full_like(array, random.choice(edges))
        elif how == 6:
            arrays[f"{name}{random.choice(json_edits.NAMES)}"] = array
        elif random.random() < 0.1:
            arrays.update((f"{name}{k}", np.zeros(0, "f4")) for k in range(_MANY))
    return arrays


# Safetensors: eight bytes of the header's length, the header, the numbers


def _make_safetensors():
    arrays = small_network.as_torch(small_network.model())
    arrays["module.stem_bn.num_batches_tracked"] = np.array(7.0)
    good = small_network.safetensors(arrays, {"format": "pt"})
    length = int.from_bytes(good[:8], "little")
    header, data = json.loads(good[8 : 8 + length]), good[8 + length :]

    def make(random):
        how = random.randrange(6)
        if how == 0:
            return mutators.of_bytes(random, good, makers.near_the_names)
        if how == 1:
            return mutators.of_bytes(random, good[: 8 + length]) + data
        if how == 2:
            changed = _other_arrays(random, arrays)
            changed = {n.replace("\ud800", "?"): a for n, a in changed.items()}
            return small_network.safetensors(changed, {"format": "pt"})
        if how == 3:
            text = random.choice(makers.TEXTS).encode("utf-8", "surrogatepass")
        else:
            text = json_edits.edited(random, header)
        told = len(text)
        if random.random() < 0.2:
            edges = (0, 1, told - 1, told + 1, 2**23, 2**31, 2**63, 2**64 - 1)
            told = random.choice(edges)
        return struct.pack("<Q", told % 2**64) + text + data

    return good, make


# TensorFlow.js: several files, which lie in one as JSON


def _packed(files, links=()):
    """One file of several.

    Args:
        files: {name: bytes}.
        links: {name: where the link of that name leads to}.
    """
    files = {name: data.hex() for name, data in files.items()}
    return json.dumps({"files": files, "links": dict(links)}).encode()


def _read_tfjs(path):
    packed = json.loads(path.read_bytes())
    with tempfile.TemporaryDirectory() as outer:
        folder = pathlib.Path(outer, "model")
        folder.mkdir()
        for name, data in packed["files"].items():
            (folder / name).write_bytes(bytes.fromhex(data))
        for name, target in packed["links"].items():
            (folder / name).unlink(missing_ok=True)
            (folder / name).symlink_to(target)
        return _load(folder / "model.json")


def _make_tfjs():
    arrays = small_network.as_keras(small_network.model())
    files = small_network.tfjs(arrays)
    shards = [name for name in files if name != "model.json"]
    model = json.loads(files["model.json"])
    outside = tempfile.TemporaryDirectory()
    stolen = pathlib.Path(outside.name, MARKER)  # Who opens it is seen.

    def make(random, keep=outside):
        changed, links, how = dict(files), {}, random.randrange(8)
        shard = random.choice(shards)
        size = len(files[shard])
        stolen.write_bytes(np.full(size // 4, _ELSEWHERE, "f4").tobytes())
        if how == 0:
            changed["model.json"] = mutators.of_bytes(random, files["model.json"])
        elif how == 1:
            changed["model.json"] = random.choice(makers.TEXTS).encode()
        elif how <= 3:
            changed["model.json"] = json_edits.edited(random, model)
        elif how == 4:
            changed = small_network.tfjs(
                _other_arrays(random, arrays), random.choice((1, 2, 7, 60))
            )
        elif how == 5:
            lengths = (0, 1, size - 1, size + 1, 2 * size, 10**6)
            changed[shard] = files[shard][:1] * random.choice(lengths)
            if random.random() < 0.3:
                del changed[shard]
        elif how == 6:
            changed["model.json"] = _elsewhere(random, files["model.json"], shard)
            changed["model.json"] = changed["model.json"].replace(
                b"STOLEN", str(stolen).encode()
            )
        else:
            targets = (
                stolen,
                stolen,
                stolen,
                "/dev/zero",
                "/proc/self/environ",
                shard,
                "model.json",
            )
            links[shard] = str(random.choice(targets))
        return _packed(changed, links)

    return _packed(files), make


def _elsewhere(random, model, shard):
    """A model.json that names a file in another place."""
    names = (
        *(f"../{MARKER}", "STOLEN", f"x/../../{MARKER}", f"./{MARKER}", "/dev/zero"),
        *("file://STOLEN", f"%2e%2e/{MARKER}", f"..\\{MARKER}", ".", "..", "~/x"),
        *(f"{shard}/", f"./{shard}", f"{shard}\0.txt", "model.json", "\x1b[2J"),
    )
    text = model.decode().replace(json.dumps(shard), json.dumps(random.choice(names)))
    return text.encode()


# Keras' older files


def _whole_model(data):
    """The same weights as a file that holds the network, too."""
    buffer = io.BytesIO()
    with h5py.File(io.BytesIO(data)) as source, h5py.File(buffer, "w") as target:
        target.attrs["model_config"] = '{"class_name": "Functional"}'
        group = target.create_group("model_weights")
        for name in source:
            source.copy(name, group)
        for name, value in source.attrs.items():
            group.attrs[name] = value
    return buffer.getvalue()


def _relisted(random, data, stolen):
    """Changes the lists of layers and weights, or where they lead to."""
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        root = file.get("model_weights", file)
        layers = [name for name in root if len(root[name].attrs["weight_names"])]
        layer = random.choice(layers)
        group, name = random.choice(
            ((root, "layer_names"), (root[layer], "weight_names"))
        )
        how = random.randrange(7)
        if how <= 2:
            _list_anew(random, group, name)
        elif how == 3:  # A layer elsewhere that would fit.
            del root[layer]
            root[layer] = h5py.ExternalLink(stolen, layer)
        elif how == 4:
            weight = root[layer].attrs["weight_names"][0].decode()
            shape = root[layer][weight].shape
            place = [(stolen, 0, int(np.prod(shape)) * 4)]
            del root[layer][weight]
            root[layer].create_dataset(weight, shape, "f4", external=place)
        elif how == 5:
            other = random.choice(layers)
            link = h5py.SoftLink(f"{root.name}/{other}") if other != layer else root
            del root[layer]
            root[layer] = link
        else:
            texts = ["y" * 4001] + [""] * random.choice((10, 2000))
            group.attrs.create(name, np.array(texts, object), dtype=h5py.string_dtype())
    return _one_text(buffer.getvalue()) if how == 6 else buffer.getvalue()


def _one_text(data):
    """Lets all references of a list lead to its first text."""
    data = bytearray(data)
    at = data.find(struct.pack("<I", 4001))
    while at >= 0 and not any(data[at + 16 : at + 20]) and at + 32 <= len(data):
        end = at + 16
        while end + 16 <= len(data) and not any(data[end : end + 4]):
            data[end : end + 16] = data[at : at + 16]
            end += 16
        at = data.find(struct.pack("<I", 4001), end)
    return bytes(data)


def _list_anew(random, group, name):
    listed = [text.decode() for text in group.attrs[name]]
    how = random.randrange(6)
    if how == 0:
        names = [text.replace("\0", "?") for text in json_edits.NAMES]
        room = 60_000 // len(listed)  # Longer ones are no attribute any more.
        names = [text.encode("utf-8", "replace")[:room] for text in names]
        place = random.randrange(len(listed))
        listed[place] = random.choice(names)
    elif how == 1:
        listed.insert(0, random.choice(listed))
    elif how == 2:
        listed = random.sample(listed, random.randrange(len(listed) + 1))
    elif how == 3:
        del group.attrs[name]
        for number in range(random.choice((1, 3, 900))):
            group.attrs[f"{name}{number}"] = np.array(
                [listed[number % len(listed)]], "S"
            )
        return
    elif how == 4:
        values = (
            3,
            [1.5],
            "a",
            np.zeros((2, 2)),
            h5py.Empty("S1"),
            b"\xff",
            ["é"] * 99,
        )
        group.attrs[name] = random.choice(values)
        return
    else:
        listed = [f"../{one}" for one in listed]
    texts = [one.encode() if isinstance(one, str) else one for one in listed]
    group.attrs[name] = np.array(texts, f"S{max(map(len, texts), default=1) or 1}")


def _make_older_keras():
    outside = tempfile.TemporaryDirectory()
    network = small_network.model()

    def older(path):
        pathlib.Path(path).write_bytes(
            small_network.FORMATS["Keras HDF5"](network, outside.name).read_bytes()
        )

    good = makers.bytes_of(older, ".h5")
    goods = [good, good, _whole_model(good)]
    network.set_weights([np.full_like(a, _ELSEWHERE) for a in network.get_weights()])
    stolen = str(small_network.FORMATS["Keras HDF5"](network, outside.name))

    def make(random, keep=outside):
        data, how = random.choice(goods), random.randrange(8)
        if how <= 3:
            data = _relisted(random, data, stolen)
        elif how <= 5:
            data = edited(random, data)
        if how in (3, 6, 7):
            data = mutators.of_bytes(random, data, makers.near_the_names)
        return data

    return good, make


def kinds():
    """See hdf5_kinds.kinds."""
    return {
        "safetensors": (".safetensors", _make_safetensors, _load),
        "TensorFlow.js": (".tfjs", _make_tfjs, _read_tfjs),
        "older Keras files": (".h5", _make_older_keras, _load),
    }
