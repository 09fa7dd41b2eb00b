"""The training step of a segment network in PyTorch, eager, channels last.

As tsn-pytorch trains: the first batch norm is trainable, the others are frozen,
average consensus of raw scores, cross-entropy, clipping of the global norm, SGD
with momentum and L2. Without dropout, so that its numbers can be compared.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
import peers
import torch_networks

from tsn_keras.models import bn_inception

FIRST = "conv1/7x7_s2"


@dataclasses.dataclass(frozen=True)
class Peer:
    """A network with random weights, here and in PyTorch.

    Attributes:
        ours: function to (keras.Model, record of its backbone).
        theirs: function of that model to (function of a torch.Tensor [N, C, H, W] to
            scores [N, classes], (kernels, biases, variables of the first norm)).
    """

    ours: Callable
    theirs: Callable


def pytorch(theirs, threads, precision, rate, clip):
    """Makes a training step.

    Args:
        theirs: what Peer.theirs returns.
        threads: of the processor.
        precision: "float32" or "bfloat16", by autocast.
        rate: learning rate; of biases twice that, without decay.
        clip: greatest norm of the gradient.

    Returns:
        Function from (float32 [B, K, H, W, C], int [B]) to the loss before the
        update.
    """
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
    forward, (kernels, biases, norm) = theirs
    optimizer = torch.optim.SGD(
        [
            {"params": kernels, "lr": rate, "weight_decay": 5e-4},
            {"params": biases, "lr": 2 * rate, "weight_decay": 0.0},
            {"params": norm, "lr": rate, "weight_decay": 0.0},
        ],
        momentum=0.9,
    )
    everything = [*kernels, *biases, *norm]

    def step(images, labels):
        segments = images.shape[1]
        merged = images.reshape(-1, *images.shape[2:])
        x = torch.from_numpy(merged).permute(0, 3, 1, 2)  # channels last
        optimizer.zero_grad()
        with torch.autocast("cpu", enabled=precision == "bfloat16"):
            scores = forward(x)
        scores = scores.float().reshape(-1, segments, scores.shape[-1]).mean(1)
        loss = functional.cross_entropy(scores, torch.from_numpy(labels).long())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(everything, clip)
        optimizer.step()
        return loss.item()

    return step


def _our_bn_inception():
    model = bn_inception.BNInception(classes=101, dropout=0.0)
    peers.random_weights(model)
    return model, bn_inception.BN_INCEPTION


def _their_bn_inception(model):
    import torch
    from torch.nn import functional

    convolutions, norms, groups = {}, {}, ([], [], [])
    for name in bn_inception.base_channels():
        layer = model.get_layer(name.replace("/", "_"))
        weight, bias = _parameters(torch, *peers._oihw(layer))
        with torch.no_grad():
            weight.data = weight.data.contiguous(memory_format=torch.channels_last)
        convolutions[name] = weight, bias, layer.strides[0], layer.pad
        groups[0].append(weight)
        groups[1].append(bias)
        values = model.get_layer(f"{layer.name}_bn").get_weights()
        norms[name] = [torch.from_numpy(a.copy()) for a in values]
    for value in norms[FIRST][:2]:
        groups[2].append(value.requires_grad_())
    kernel, offset = model.get_layer("fc-action").get_weights()
    kernel, offset = _parameters(torch, np.ascontiguousarray(kernel.T), offset)
    groups[0].append(kernel)
    groups[1].append(offset)

    def conv(x, name):
        weight, bias, stride, pad = convolutions[name]
        slope, shift, mean, variance = norms[name]
        x = functional.conv2d(x, weight, bias, stride, pad)
        trainable = name == FIRST
        x = functional.batch_norm(
            x, mean, variance, slope, shift, trainable, 0.1, peers.EPSILON
        )
        return functional.relu(x, inplace=True)

    def pool(x, mode, stride, pad):
        if mode == "max":
            return functional.max_pool2d(x, 3, stride, pad, ceil_mode=True)
        return functional.avg_pool2d(x, 3, stride, pad, ceil_mode=True)

    def forward(x):
        x = peers._walk(x, conv, pool, lambda parts: torch.cat(parts, 1))
        x = functional.avg_pool2d(x, 7).flatten(1)
        return functional.linear(x, kernel, offset)

    return forward, groups


def _our_resnet50():
    return torch_networks.ours("resnet50", dropout=0.0)


def _their_resnet50(_):
    import torch

    network = torch_networks.module("resnet50").to(memory_format=torch.channels_last)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    norms[0].train()
    for norm in norms[1:]:
        norm.requires_grad_(False)
    kernels = [m.weight for m in network.modules() if isinstance(m, torch.nn.Conv2d)]
    head = network.fc
    first = [norms[0].weight, norms[0].bias]
    return network, ([*kernels, head.weight], [head.bias], first)


def _parameters(torch, *arrays):
    return [torch.from_numpy(array.copy()).requires_grad_() for array in arrays]


PEERS = {
    "bn_inception": Peer(_our_bn_inception, _their_bn_inception),
    "resnet50": Peer(_our_resnet50, _their_resnet50),
}
