"""Writes timmNames.json beside it: for networks that timm calls otherwise, its names and shapes and torchvision's names.

    python3 -m venv /tmp/tv && /tmp/tv/bin/pip install torch torchvision timm && /tmp/tv/bin/python timmNames.py

Both libraries list the weights of these networks in the same order, but for RegNet's shortcuts. That the pairs are right is checked by the logits: with
timm's weights under torchvision's names, torchvision computes what timm computes.
"""

import json
import pathlib
import re

import timm
import torch
import torchvision

NETWORKS = {
    "convnext_tiny": "convnext_tiny",
    "regnet_y_400mf": "regnety_004",
    "vgg11": "vgg11",
    "mobilenet_v2": "mobilenetv2_100",
}


def weights(model):
    named = {name: value for name, value in model.state_dict().items() if not name.endswith("num_batches_tracked")}
    # RegNet's blocks: torchvision lists the shortcut first, timm last.
    block = lambda name: re.match(r"s\d+\.b\d+\.", name)
    blocks = list(dict.fromkeys(block(name)[0] if block(name) else name for name in named))
    place = lambda name: (blocks.index(block(name)[0] if block(name) else name), ".downsample." not in name)
    return {name: named[name] for name in sorted(named, key=place)}


result = {}
for name, other in NETWORKS.items():
    torch.manual_seed(0)
    theirs = timm.create_model(other, num_classes=5).eval()
    ours = getattr(torchvision.models, name)(num_classes=5).eval()
    with torch.no_grad():
        for key, value in weights(theirs).items():
            value.copy_(torch.rand_like(value) + 0.5 if key.endswith("running_var") or value.ndim == 1 and key.endswith("weight")
                        else torch.randn_like(value) * (2 / max(1, value[0].numel())) ** 0.5)
        pairs = list(zip(weights(theirs).items(), weights(ours).items(), strict=True))
        for (_, source), (_, target) in pairs:
            target.copy_(source.reshape(target.shape))
        x = torch.randn(2, 3, 224, 224)
        expected, actual = theirs(x), ours(x)
    assert torch.allclose(expected, actual, rtol=1e-4, atol=1e-4 * expected.abs().max()), (name, expected, actual)
    assert expected.std() > 1e-3, name
    # Statistics are called as the weights beside them.
    result[name] = [[key, list(value.shape), own] for (key, value), (own, _) in pairs if "running_" not in key]
text = ",\n".join(f'"{name}": [\n' + ",\n".join(json.dumps(pair) for pair in pairs) + "\n]" for name, pairs in result.items())
pathlib.Path(__file__).with_name("timmNames.json").write_text("{\n" + text + "\n}\n")
