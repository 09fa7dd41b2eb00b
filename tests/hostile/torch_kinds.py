"""PyTorch's files: of a network, in both forms, and ones that are made to hurt."""

import copy
import io
import zipfile

import mutators
import numpy as np
import small_network
import torch_writer
from torch_writer import Call, Global, Storage, tensor

_EDGES = (0, 1, -1, 7, 2**31, 2**47, 2**48, 2**63, True, None, "a", 2.5, (), (1,) * 40)
_CLASSES = (
    *("os system", "builtins eval", "collections defaultdict", "torch Size"),
    *("numpy.core.multiarray scalar", "numpy dtype", "_codecs encode", "torch device"),
    *("torch._utils _rebuild_parameter", "torch._tensor _rebuild_from_type_v2"),
)


def make(model, program):
    """(bytes of a good file, function of a random.Random to those of a bad one).

    Args:
        model: of the small network.
        program: function of a random.Random and a pickle to another pickle.
    """
    state = {n: tensor(a) for n, a in small_network.as_torch(model).items()}
    moments = {
        k: {"step": 3, "exp_avg": value} for k, value in enumerate(state.values())
    }
    top = {"state_dict": state, "optimizer": {"state": moments}, "epoch": 3}
    top["args"] = Call(Global("argparse Namespace"), (), state={"lr": 0.1})
    goods = [write(top) for write in torch_writer.FORMS.values()]

    def bad(random):
        how = random.randrange(6)
        if how == 0:
            return mutators.of_bytes(random, random.choice(goods))
        if how == 1:  # Where the directory, or the storages' keys, are.
            return mutators.of_bytes(random, random.choice(goods), _at_the_end)
        write = random.choice(list(torch_writer.FORMS.values()))
        if how == 2:
            return write(top, pickle_of=lambda data: mutators.of_bytes(random, data))
        if how == 3:
            return write(top, pickle_of=lambda data: program(random, data))
        if how == 4:
            return _other_archive(random, top)
        return write(_edited(random, top))

    return goods[0], bad


def _at_the_end(random, length):
    return max(0, length - 1 - int(random.expovariate(1 / 200)))


def _other_archive(random, top):
    """Members that are changed, missing, twice there, or packed."""
    with zipfile.ZipFile(io.BytesIO(torch_writer.as_zip(top))) as archive:
        members = {n.partition("/")[2]: archive.read(n) for n in archive.namelist()}
    for _ in range(random.choice((1, 1, 3))):
        name, how = random.choice(list(members)), random.randrange(4)
        if how == 0:
            del members[name]
        elif how == 1:
            members[random.choice(("data.pkl", "byteorder", name, "data/0"))] = b"big"
        elif how == 2:
            members[name] = bytes(random.choice((0, 1, 10**6)))
        else:
            members[name] = mutators.of_bytes(random, members[name])
    methods = (zipfile.ZIP_STORED,) * 3 + (zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)
    return torch_writer.zipped(members, random.choice(methods))


def _edited(random, top):
    """Tensors that lie outside their storages, or all in one; objects of any class."""
    top = copy.copy(top)
    state = top["state_dict"] = dict(top["state_dict"])
    names = list(state)
    for _ in range(random.choice((1, 1, 2, 4))):
        name, how = random.choice(names), random.randrange(7)
        storage, *places = state[name].arguments[:4]
        if how <= 1:
            number = random.randrange(3)
            edge = random.choice(_EDGES)
            many = random.choice(((edge,), (edge, edge), (2,) * 6, (0, edge)))
            places[number] = random.choice((edge, many))
        elif how == 2:
            storage = copy.copy(storage)
            storage.count = random.choice(_EDGES)
        elif how == 3:
            storage = copy.copy(storage)
            kinds = [*torch_writer.STORAGES.values(), "UntypedStorage", "QInt8Storage"]
            storage.kind = random.choice(kinds)
        elif how == 4:  # Tensors of one storage, each as large as it.
            numbers = Storage("FloatStorage", np.zeros(10**5, "f4"))
            each = torch_writer.view(numbers, 0, (10**5,), (1,))
            state.update((f"a{k}", each) for k in range(random.choice((2, 300))))
        elif how == 5:
            top["more"] = random.choice((torch_writer.laughs(), state, [top] * 3))
        else:
            call = Call(Global(random.choice(_CLASSES)), ("true", *places), state=(1,))
            random.choice((state, top))["more"] = call
        if how <= 3:
            state[name] = Call(state[name].function, (storage, *places))
    return top
