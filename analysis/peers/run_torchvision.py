"""torchvision: ImageFolder, its transforms and PyTorch's DataLoader, the network in this process. Started by
bench-extract with name=value arguments; saves the features and prints the seconds of its loop as JSON: imports,
the folder's scan and the loading of the network left out."""
import json
import sys
import time

import numpy as np
import torch
from torchvision import datasets, transforms

given = dict(argument.split("=", 1) for argument in sys.argv[1:])
torch.set_num_threads(int(given["cores"]))
batch, optimised = int(given["batch"]), given["network"] == "optimised"


def numbers(name: str) -> list[float]:
    return [float(part) for part in given[name].split(",")]


def network() -> torch.nn.Module:
    """The scripted network but its last children; frozen, fused and for images channels last on request."""
    scripted = torch.jit.load(given["model"]).eval()
    drop = int(given["drop_last"])
    if drop:
        scripted = torch.jit.script(torch.nn.Sequential(*list(scripted.children())[:-drop])).eval()
    return torch.jit.optimize_for_inference(scripted) if optimised else scripted


size = [transforms.Resize(int(given["resize"]))] if int(given["resize"]) else []
size += [transforms.CenterCrop(int(given["crop"]))] if int(given["crop"]) else []
images = datasets.ImageFolder(
    given["images"],
    transforms.Compose([*size, transforms.ToTensor(), transforms.Normalize(numbers("mean"), numbers("std"))]),
)
loader = torch.utils.data.DataLoader(images, batch_size=batch, num_workers=int(given["workers"]))
net = network()
layout = torch.channels_last if optimised else torch.contiguous_format

with torch.inference_mode():
    net(torch.zeros((batch, *images[0][0].shape)).contiguous(memory_format=layout))  # compiles
    start = time.perf_counter()
    parts = []
    for pixels, _ in loader:
        features = net(pixels.contiguous(memory_format=layout))
        if features.dim() == 4:
            features = features.mean((2, 3))
        parts.append(features.flatten(1).numpy())
    features = np.concatenate(parts)
    end = time.perf_counter()

np.save(given["out"], features)
print(json.dumps({"seconds": end - start, "images": len(images)}))
