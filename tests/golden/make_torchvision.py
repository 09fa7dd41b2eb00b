"""Makes torchvision_NAME.npz: what torchvision's own networks compute.

python tests/golden/make_torchvision.py NAME ...

NAME is "googlenet", "inception_v3" or "vgg16". Needs torch and torchvision (2.14.1 and
0.29.1 made the stored files, on a processor); the weights and inputs need NumPy only
and come from names, by the rule of the golden arrays of MMAction2. `transform_input`,
which normalises the input once more, is off: what is stored is what the network itself
does.

A file holds `state`, the names and shapes of a checkpoint as JSON, with those of the
auxiliary classifiers; per stage S of two images, [N, C, H, W], `S/shape`, `S/idx` and
`S/val` (64 values), `S/stats` (mean, deviation, minimum, maximum); `pooled` and
`scores`; and the same in float64 under `f64/`. VGG-16 has none of these: tsn-pytorch's
golden arrays have it.

Under `narrow/` are `state`, `width` and, in float64, `scores` of torchvision's network
with that part of its channels, of two images of the sides `sides`, at which windows
overhang.
"""

import hashlib
import importlib
import json
import pathlib
import sys

import numpy as np

CLASSES = 101
# Side of the whole network's images; by how much the narrow one is narrower, and the
# sides of its images.
WHOLE = {"googlenet": 224, "inception_v3": 299}
NARROW = {
    "googlenet": (8, (97, 130)),
    "inception_v3": (16, (118, 149)),
    "vgg16": (16, (224, 255)),
}


def uniform24(name, count):
    """`count` multiples of 2**-24 in [0, 1), from a name: splitmix64 as a counter."""
    digest = hashlib.sha256(name.encode()).digest()
    seed = np.uint64(int.from_bytes(digest[:8], "little"))
    with np.errstate(over="ignore"):
        z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z += seed
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float64) * 2.0**-24


def make_tensor(name, shape):
    """The float32 array (a counter: int64) of an entry of a checkpoint."""
    leaf = name.rpartition(".")[2]
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    values = uniform24(name, int(np.prod(shape)))
    if leaf in ("running_mean", "bias"):
        values = (values - 0.5) * 0.2
    elif leaf == "running_var" or len(shape) == 1:
        values = 0.5 + values
    else:
        bound = np.sqrt(6.0 / int(np.prod(shape[1:])))  # He, uniform.
        values = (values - 0.5) * (2.0 * bound)
    return values.astype(np.float32).reshape(shape)


def make_input(tag, count, height, width):
    """Pixels, uint8 [count, 3, height, width]: a level, cells of 32, and noise."""
    shape = (count, 3, height, width)

    def levels(part, rows, columns):
        found = uniform24(f"{tag}/{part}", count * 3 * rows * columns)
        return np.floor(found * 256).astype(np.int64).reshape(count, 3, rows, columns)

    coarse = levels("coarse", -(-height // 32), -(-width // 32))
    coarse = coarse.repeat(32, 2).repeat(32, 3)[:, :, :height, :width]
    fine = levels("fine", height, width)
    pixels = (4 * levels("base", 1, 1) + 3 * coarse + fine) // 8
    return np.broadcast_to(pixels, shape).astype(np.uint8)


def images(name, count, height, width):
    """What a network is given: float32 [count, height, width, 3] from -1 to 1."""
    pixels = make_input(f"input/{name}", count, height, width)
    return (pixels.transpose(0, 2, 3, 1).astype(np.float32) / 127.5) - np.float32(1)


def filled(model):
    """A module for inference with weights from their names, and its {name: shape}."""
    import torch

    shapes = {key: list(value.shape) for key, value in model.state_dict().items()}
    arrays = {key: make_tensor(key, tuple(shape)) for key, shape in shapes.items()}
    model.load_state_dict({key: torch.from_numpy(a) for key, a in arrays.items()})
    return model.eval(), shapes


def narrow(name, part):
    """torchvision's network with one channel of `part`, but for the input's."""
    import torch

    # Functions of the package hide its modules of the same name.
    googlenet, inception, vgg = (
        importlib.import_module(f"torchvision.models.{module}")
        for module in ("googlenet", "inception", "vgg")
    )

    def conv(inputs, outputs, **options):
        inputs = inputs if inputs == 3 else inputs // part
        module = googlenet if name == "googlenet" else inception
        return module.BasicConv2d(inputs, outputs // part, **options)

    def of(block):
        return lambda *sizes, **options: block(*sizes, conv_block=conv, **options)

    options = {"num_classes": CLASSES, "aux_logits": False, "init_weights": False}
    if name == "vgg16":
        channels = [c if c == "M" else c // part for c in vgg.cfgs["D"]]
        model = vgg.VGG(vgg.make_layers(channels), CLASSES, init_weights=False)
        for index, old in enumerate(model.classifier):
            if isinstance(old, torch.nn.Linear):
                outputs = CLASSES if index == 6 else old.out_features // part
                layer = torch.nn.Linear(old.in_features // part, outputs)
                model.classifier[index] = layer
    elif name == "googlenet":
        blocks = [conv, of(googlenet.Inception), of(googlenet.InceptionAux)]
        model = googlenet.GoogLeNet(blocks=blocks, **options)
        model.fc = torch.nn.Linear(1024 // part, CLASSES)
    else:
        parts = [getattr(inception, f"Inception{letter}") for letter in "ABCDE"]
        blocks = [conv, *map(of, parts), of(inception.InceptionAux)]
        model = inception.Inception3(inception_blocks=blocks, **options)
        model.fc = torch.nn.Linear(2048 // part, CLASSES)
    return filled(model)


def run(model, inputs, dtype):
    """{stage: array} of the network's children, and its scores."""
    import torch

    found, hooks = {}, []
    for stage, module in model.named_children():
        hooks.append(
            module.register_forward_hook(
                lambda _, __, output, stage=stage: found.setdefault(stage, output)
            )
        )
    inputs = torch.from_numpy(np.ascontiguousarray(inputs.transpose(0, 3, 1, 2)))
    with torch.no_grad():
        scores = model.to(dtype)(inputs.to(dtype))
    for hook in hooks:
        hook.remove()
    return {stage: value.numpy() for stage, value in found.items()}, scores.numpy()


def whole(name):
    """What a file holds of the whole network."""
    import torch
    import torchvision

    build = getattr(torchvision.models, name)
    model, shapes = filled(build(num_classes=CLASSES, init_weights=False))
    inputs = images(name, 2, WHOLE[name], WHOLE[name])
    kept = {"state": json.dumps(list(shapes.items()))}
    for prefix, dtype in (("", torch.float32), ("f64/", torch.float64)):
        stages, kept[f"{prefix}scores"] = run(model, inputs, dtype)
        kept[f"{prefix}pooled"] = stages["avgpool"].reshape(2, -1)
        for stage, array in stages.items():
            if array.ndim < 4 or stage in ("avgpool", "dropout"):
                continue
            index = np.floor(uniform24(f"{name}/{stage}", 64) * array.size)
            index = index.astype(np.int64)
            kept[f"{prefix}{stage}/shape"] = np.array(array.shape)
            kept[f"{prefix}{stage}/idx"] = index
            kept[f"{prefix}{stage}/val"] = array.ravel()[index]
            stats = [array.mean(), array.std(), array.min(), array.max()]
            kept[f"{prefix}{stage}/stats"] = np.array(stats, array.dtype)
    return kept


def main(name):
    import torch

    kept = whole(name) if name in WHOLE else {}
    part, sides = NARROW[name]
    model, shapes = narrow(name, part)
    kept["narrow/state"] = json.dumps(list(shapes.items()))
    kept["narrow/width"] = np.array(1 / part)
    kept["narrow/sides"] = np.array(sides)
    kept["narrow/scores"] = run(model, images(name, 2, *sides), torch.float64)[1]
    path = pathlib.Path(__file__).with_name(f"torchvision_{name}.npz")
    np.savez_compressed(path, **kept)


if __name__ == "__main__":
    for each in sys.argv[1:]:
        main(each)
