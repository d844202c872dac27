"""Writes facts.json beside it: facts of torchvision's networks that the tests compare ours with.

    python3 -m venv /tmp/tv && /tmp/tv/bin/pip install torch torchvision timm
    SHUFFLENET=/tmp/ShuffleNet-Series/ShuffleNetV1 /tmp/tv/bin/python makeFacts.py [NETWORK ...]

MobileNet-v1, which torchvision does not have, is timm's, ShuffleNet-v1 that of its authors (megvii-model/ShuffleNet-Series).
With names of networks, only their facts are written anew.

For each network
- tensors, parameters and sha256 of the network with 1000 classes: the hash is that of the lines "name d0,d1,...", sorted,
  joined by line feeds, of its state dict without the counters num_batches_tracked;
- logits of a small one (10 classes, narrow hidden layers where these are huge) for one batch, its weights and pictures being
  numbers that the tests can make again (`number`), and those of its auxiliary heads.
"""

import hashlib
import json
import os
import pathlib
import sys

import numpy
import torch
import torchvision
from torch import nn

CLASSES = 10
HIDDEN = 48
# Side and batch of the small networks.
SIZES = {"alexnet": (71, 2), "googlenet": (96, 2), "inception_v3": (299, 1), "vgg": (40, 2), "default": (64, 2)}
NETWORKS = """
alexnet googlenet inception_v3 vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn resnet18 resnet34 resnet50 resnet101
resnet152 resnext50_32x4d wide_resnet50_2 squeezenet1_0 squeezenet1_1 densenet121 densenet169 densenet201 mobilenet_v2
mobilenet_v3_small mobilenet_v3_large shufflenet_v2_x0_5 shufflenet_v2_x1_0 shufflenet_v2_x1_5 shufflenet_v2_x2_0 mnasnet0_5
mnasnet0_75 mnasnet1_0 mnasnet1_3 efficientnet_b0 efficientnet_b1 efficientnet_b2 efficientnet_b3 regnet_y_400mf convnext_tiny
mobilenet_v1 shufflenet_v1_x0_5 shufflenet_v1_x1_0 shufflenet_v1_x1_5 shufflenet_v1_x2_0
""".split()

# What the weights of batch norms are multiplied by: squeeze-and-excitation halves its input, about, and the logits would not
# depend on the pictures any more.
GAINS = {"efficientnet": 1.4, "mobilenet_v3": 1.2}


def gain(name):
    return next((value for key, value in GAINS.items() if name.startswith(key)), 1)


def number(name, shape):
    """Values in [0, 1): the finaliser of MurmurHash3 over FNV-1a of the name plus the position."""
    seed = 2166136261
    for byte in name.encode():
        seed = ((seed ^ byte) * 16777619) & 0xFFFFFFFF
    size = int(numpy.prod(shape))
    h = (numpy.arange(size, dtype=numpy.uint64) + seed).astype(numpy.uint32)
    with numpy.errstate(over="ignore"):
        h ^= h >> numpy.uint32(16)
        h *= numpy.uint32(0x85EBCA6B)
        h ^= h >> numpy.uint32(13)
        h *= numpy.uint32(0xC2B2AE35)
        h ^= h >> numpy.uint32(16)
    return (h.astype(numpy.float64) / 2**32).reshape(shape)


def weight(name, shape, gain):
    u = number(name, shape)
    if len(shape) > 1:
        return (2 * u - 1) * numpy.sqrt(6 / numpy.prod(shape[1:]))
    if name.endswith("running_var"):
        return 0.5 + u
    if name.endswith("weight"):
        return gain * (0.5 + 0.5 * u)
    return 0.1 * (2 * u - 1)


def tensors(model):
    return {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}


def options(name):
    if name == "googlenet":
        return {"weights": None, "aux_logits": True, "transform_input": False, "init_weights": False}
    if name == "inception_v3":
        return {"weights": None, "aux_logits": True, "transform_input": False, "init_weights": False}
    return {"weights": None}


def make(name, classes):
    if name == "mobilenet_v1":
        import timm

        return timm.create_model("mobilenetv1_100", num_classes=classes).eval()
    if name.startswith("shufflenet_v1_x"):
        sys.path.append(os.environ["SHUFFLENET"])
        from network import ShuffleNetV1

        model = ShuffleNetV1(n_class=classes, model_size=f"{name[-3]}.{name[-1]}x", group=3)
        model.globalpool = nn.AdaptiveAvgPool2d(1)
        return model.eval()
    return getattr(torchvision.models, name)(num_classes=classes, **options(name)).eval()


def narrow(name, model):
    """The hidden dense layers of AlexNet and VGG with HIDDEN units."""
    first, second, last = [layer for layer in model.classifier if isinstance(layer, nn.Linear)]
    narrowed = iter([nn.Linear(first.in_features, HIDDEN), nn.Linear(HIDDEN, HIDDEN), nn.Linear(HIDDEN, CLASSES)])
    layers = [next(narrowed) if isinstance(layer, nn.Linear) else layer for layer in model.classifier]
    model.classifier = nn.Sequential(*layers).eval()


def logits(name):
    model = make(name, CLASSES)
    if name == "alexnet" or name.startswith("vgg"):
        narrow(name, model)
    with torch.no_grad():
        for key, value in tensors(model).items():
            value.copy_(torch.from_numpy(weight(key, tuple(value.shape), gain(name)).astype(numpy.float32)))
    side, batch = SIZES.get("vgg" if name.startswith("vgg") else name, SIZES["default"])
    x = torch.from_numpy((2 * number("input", (batch, 3, side, side)) - 1).astype(numpy.float32))
    # The auxiliary heads read what these modules put out.
    heads = {"googlenet": {"aux1": "inception4a", "aux2": "inception4d"}, "inception_v3": {"AuxLogits": "Mixed_6e"}}
    auxiliary = {}

    def listen(head):
        def hook(_module, _inputs, output):
            auxiliary[head] = getattr(model, head)(output)

        return hook

    for head, module in heads.get(name, {}).items():
        getattr(model, module).register_forward_hook(listen(head))
    with torch.no_grad():
        result = {"side": side, "batch": batch, "gain": gain(name), "logits": rounded(model(x))}
    if auxiliary:
        result["auxiliary"] = {head: rounded(value) for head, value in auxiliary.items()}
    return result


def rounded(values):
    return [float(f"{value:.7g}") for value in values.flatten().tolist()]


def facts(name):
    model = make(name, 1000)
    lines = sorted(f"{key} {','.join(map(str, value.shape))}" for key, value in tensors(model).items())
    return {
        "tensors": len(lines),
        "parameters": sum(value.numel() for value in model.parameters()),
        "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest(),
    }


def main():
    path = pathlib.Path(__file__).with_name("facts.json")
    networks = json.loads(path.read_text())["networks"] if sys.argv[1:] else {}
    result = {"torchvision": torchvision.__version__, "torch": torch.__version__, "networks": networks}
    for name in sys.argv[1:] or NETWORKS:
        result["networks"][name] = {**facts(name), **logits(name)}
        print(name, file=sys.stderr)
    text = json.dumps(result, indent=1)
    path.write_text(text + "\n")


main()
