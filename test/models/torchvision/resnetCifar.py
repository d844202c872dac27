"""Writes resnetCifar.json beside it: logits of ResNets for CIFAR, by PyTorch's own layers, that the tests compare ours with.

    python3 -m venv /tmp/tv && /tmp/tv/bin/pip install torch numpy && /tmp/tv/bin/python resnetCifar.py CHECKPOINT

`reproducible`: depth 20 and 32, weights and pictures that the tests can make again (`number` of makeFacts.py).
`checkpoint`: the published ResNet-20 in CHECKPOINT (akamaster/pytorch_resnet_cifar10), for the same pictures.
"""

import json
import pathlib
import sys

import numpy
import torch
import torch.nn.functional as F

NUMBER = pathlib.Path(__file__).with_name("makeFacts.py").read_text().split("def tensors")[0]
exec(NUMBER)  # number and weight


def shapes(depth, classes=10):
    result = {"conv1.weight": (16, 3, 3, 3)}
    norm = lambda name, c: {f"{name}.{part}": (c,) for part in ("weight", "bias", "running_mean", "running_var")}
    result.update(norm("bn1", 16))
    channels = 16
    for stage, out in enumerate((16, 32, 64), 1):
        for index in range((depth - 2) // 6):
            name = f"layer{stage}.{index}"
            result[f"{name}.conv1.weight"] = (out, channels, 3, 3)
            result.update(norm(f"{name}.bn1", out))
            result[f"{name}.conv2.weight"] = (out, out, 3, 3)
            result.update(norm(f"{name}.bn2", out))
            channels = out
    return {**result, "linear.weight": (classes, 64), "linear.bias": (classes,)}


def forward(w, x):
    def bn(name, x):
        return F.batch_norm(x, w[f"{name}.running_mean"], w[f"{name}.running_var"], w[f"{name}.weight"], w[f"{name}.bias"])

    x = F.relu(bn("bn1", F.conv2d(x, w["conv1.weight"], padding=1)))
    for stage in (1, 2, 3):
        index = 0
        while f"layer{stage}.{index}.conv1.weight" in w:
            name = f"layer{stage}.{index}"
            stride = 2 if stage > 1 and index == 0 else 1
            y = F.relu(bn(f"{name}.bn1", F.conv2d(x, w[f"{name}.conv1.weight"], stride=stride, padding=1)))
            y = bn(f"{name}.bn2", F.conv2d(y, w[f"{name}.conv2.weight"], padding=1))
            if stride == 2:
                x = torch.stack([torch.zeros_like(x[:, 0, ::2, ::2])] * (x.shape[1] // 2) + list(x[:, :, ::2, ::2].unbind(1))
                                + [torch.zeros_like(x[:, 0, ::2, ::2])] * (x.shape[1] // 2), 1)
            x = F.relu(x + y)
            index += 1
    return F.linear(x.mean((2, 3)), w["linear.weight"], w["linear.bias"])


def rounded(values):
    return [float(f"{value:.7g}") for value in values.flatten().tolist()]


x = torch.from_numpy((2 * number("input", (2, 3, 32, 32)) - 1).astype(numpy.float32))
result = {"torch": torch.__version__, "reproducible": {}}
with torch.no_grad():
    for depth in (20, 32):
        w = {name: torch.from_numpy(weight(name, shape).astype(numpy.float32)) for name, shape in shapes(depth).items()}
        result["reproducible"][depth] = rounded(forward(w, x))
    loaded = torch.load(sys.argv[1], map_location="cpu", weights_only=True)["state_dict"]
    w = {name.removeprefix("module."): value for name, value in loaded.items()}
    result["checkpoint"] = rounded(forward(w, x))
pathlib.Path(__file__).with_name("resnetCifar.json").write_text(json.dumps(result, indent=1) + "\n")
