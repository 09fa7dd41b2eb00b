"""The training step of a segment network in PyTorch, eager, channels last.

As tsn-pytorch trains: the first batch norm is live, the others are frozen,
average consensus of raw scores, cross-entropy, clipping of the global norm, SGD
with momentum and L2. Without dropout, so that its numbers can be compared.
"""

import numpy as np
import peers

from tsn_keras.models import bn_inception

FIRST = "conv1/7x7_s2"


def pytorch(model, threads, rate, clip, decay=5e-4, momentum=0.9):
    """Makes a training step with a Keras model's weights.

    Args:
        model: BNInception.
        threads: of the processor.
        rate: learning rate; of biases twice that, without decay.
        clip: greatest norm of the gradient.

    Returns:
        Function from (float32 [B, K, H, W, C], int [B]) to the loss before the
        update.
    """
    import torch
    from torch.nn import functional

    torch.set_num_threads(threads)
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
    optimizer = torch.optim.SGD(
        [
            {"params": groups[0], "lr": rate, "weight_decay": decay},
            {"params": groups[1], "lr": 2 * rate, "weight_decay": 0.0},
            {"params": groups[2], "lr": rate, "weight_decay": 0.0},
        ],
        momentum=momentum,
    )
    everything = [value for group in groups for value in group]

    def conv(x, name):
        weight, bias, stride, pad = convolutions[name]
        slope, shift, mean, variance = norms[name]
        x = functional.conv2d(x, weight, bias, stride, pad)
        live = name == FIRST
        x = functional.batch_norm(
            x, mean, variance, slope, shift, live, 0.1, peers.EPSILON
        )
        return functional.relu(x, inplace=True)

    def pool(x, mode, stride, pad):
        if mode == "max":
            return functional.max_pool2d(x, 3, stride, pad, ceil_mode=True)
        return functional.avg_pool2d(x, 3, stride, pad, ceil_mode=True)

    def step(images, labels):
        segments = images.shape[1]
        merged = images.reshape(-1, *images.shape[2:])
        x = torch.from_numpy(merged).permute(0, 3, 1, 2)  # channels last
        optimizer.zero_grad()
        x = peers._walk(x, conv, pool, lambda parts: torch.cat(parts, 1))
        x = functional.avg_pool2d(x, 7).flatten(1)
        scores = functional.linear(x, kernel, offset)
        scores = scores.reshape(-1, segments, scores.shape[-1]).mean(1)
        loss = functional.cross_entropy(scores, torch.from_numpy(labels).long())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(everything, clip)
        optimizer.step()
        return loss.item()

    return step


def _parameters(torch, *arrays):
    return [torch.from_numpy(array.copy()).requires_grad_() for array in arrays]
