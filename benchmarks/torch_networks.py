"""ResNets, DenseNet-161 and Swin-Base of torchvision and timm, and ours beside them.

Theirs begin with random weights of a fixed seed, ours take those over as they would
from a checkpoint. Each peer is a function from float32 [N, 224, 224, 3] to raw scores
[N, 1000].
"""

import io

NETWORKS = {
    "resnet50": "ResNet-50",
    "resnet101": "ResNet-101",
    "densenet161": "DenseNet-161",
    "swin_base": "Swin-Base",
}


def module(name):
    """The network as a torch.nn.Module in inference mode."""
    import torch

    torch.manual_seed(0)
    if name == "swin_base":
        import timm

        found = timm.create_model("swin_base_patch4_window7_224")
    else:
        import torchvision

        found = getattr(torchvision.models, name)()
    if name == "densenet161":
        # MMAction2, and so ours, has no ReLU after the last norm.
        found.forward = lambda x: found.classifier(found.features(x).mean((2, 3)))
    for part in found.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            # Else a norm with its first statistics does nothing.
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.8, 1.2)
    return found.eval()


def ours(name, **options):
    """(keras.Model with the weights of `module`, record of its backbone).

    Options are those of the backbone's constructor.
    """
    from tsn_keras.checkpoints.foreign import TORCH, Tensors
    from tsn_keras.checkpoints.transfer import port
    from tsn_keras.models.backbones import BACKBONES

    record = BACKBONES.find(name)
    arrays = {key: value.numpy() for key, value in module(name).state_dict().items()}
    model = record.build((224, 224, 3), classes=1000, **options)
    port(Tensors("PyTorch", TORCH, arrays), model, record)
    return model, record


def pytorch(name, threads, precision="float32"):
    """PyTorch eager, channels last."""
    import torch

    torch.set_num_threads(threads)
    network = module(name).to(memory_format=torch.channels_last)
    autocast = precision == "bfloat16"

    def run(images):
        with torch.inference_mode(), torch.autocast("cpu", enabled=autocast):
            x = torch.from_numpy(images).permute(0, 3, 1, 2)  # channels last
            return network(x).float().numpy()

    return run


def onnx_model(name):
    """The network as ONNX; its runtimes fold the batch norms."""
    import torch

    file = io.BytesIO()
    torch.onnx.export(
        module(name),
        torch.zeros(2, 3, 224, 224),
        file,
        input_names=["images"],
        dynamic_axes={"images": {0: "n"}},
        opset_version=17,
        dynamo=False,
    )
    return file.getvalue()


def peer(name, runtime, threads, precision):
    """A peer by its name in inference.py."""
    import peers

    if runtime == "pytorch":
        return pytorch(name, threads, precision)
    return peers.of_onnx(runtime, onnx_model(name), threads, precision)
