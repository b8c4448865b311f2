#!/usr/bin/env python3
"""Export a network of PyTorch for shardsne, its preprocessing noted inside.

    export_model.py --torchvision resnet18 --weights DEFAULT --out resnet18.pt
    export_model.py --timm vit_small_patch16_224 --weights DEFAULT --out vit.pt
    export_model.py --module net.py:make --checkpoint weights.pth --out net.pt --resize 256 --crop 224

--module names a Python file and a function in it that returns the network (called without arguments);
--checkpoint a file of weights that torch.save made: a state_dict, alone or under "state_dict" or "model", also as
DistributedDataParallel saves it. Weights must fit without one missing or left over. Only load files that
you trust: a pickle is code.

The network is scripted; where that fails it is traced, which fixes what depends on values (--how says which). What
was written is read again and compared with the network itself.

How images are made ready is noted inside the file, as torchvision's weights or timm's configuration have it or as the
options here say, and `shardsne extract` goes by it unless it is told otherwise.
"""
from __future__ import annotations

import argparse
import importlib.util
import json
import warnings
from pathlib import Path
from typing import Any

import common

try:
    import torch
except ImportError:
    common.fail("this Python has no torch (Debian: apt install python3-torch, and run this with /usr/bin/python3)")

TOLERANCE = 1e-4  # of the largest value
NOTES = "preprocessing.json"


# --- networks ------------------------------------------------------------------------------------


def from_torchvision(options: argparse.Namespace) -> tuple[torch.nn.Module, dict[str, Any]]:
    try:
        from torchvision import models
    except ImportError:
        common.fail("--torchvision: this Python has no torchvision (Debian: python3-torchvision)")
    try:
        weights = None
        if options.weights != "none":
            weights = models.get_model_weights(options.torchvision)[options.weights]
        make = getattr(models, options.torchvision)
    except (AttributeError, KeyError, ValueError):
        common.fail(f"--torchvision {options.torchvision} --weights {options.weights}: torchvision has no such network, "
                    "or no such weights of it")  # fmt: skip
    return make(weights=weights), notes_of_torchvision(weights.transforms()) if weights else {}


def notes_of_torchvision(transforms: Any) -> dict[str, Any]:
    """Of the preset that comes with weights."""
    return {
        "resize": transforms.resize_size[0], "crop": transforms.crop_size[0],
        "interpolation": transforms.interpolation.value, "mean": list(transforms.mean), "std": list(transforms.std),
        "channels": 3,
    }  # fmt: skip


def from_timm(options: argparse.Namespace) -> tuple[torch.nn.Module, dict[str, Any]]:
    try:
        import timm
        from timm.data import resolve_data_config
    except ImportError:
        common.fail("--timm: this Python has no timm (`pip install timm` in an environment)")
    try:
        network = timm.create_model(options.timm, pretrained=options.weights != "none", scriptable=True)
    except RuntimeError as error:
        common.fail(f"--timm {options.timm}: {error}")
    config = resolve_data_config({}, model=network)
    channels, crop = config["input_size"][0], config["input_size"][-1]
    return network, {
        "resize": int(crop / config["crop_pct"]), "crop": crop, "interpolation": config["interpolation"],
        "mean": list(config["mean"]), "std": list(config["std"]), "channels": channels,
    }  # fmt: skip


def from_module(options: argparse.Namespace) -> tuple[torch.nn.Module, dict[str, Any]]:
    file, colon, function = options.module.rpartition(":")
    if not colon or not Path(file).is_file():
        common.fail(f"--module {options.module}: give FILE.py:FUNCTION, a file that is there")
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not hasattr(module, function):
        common.fail(f"--module {options.module}: {file} has no {function}")
    network = getattr(module, function)()
    if not isinstance(network, torch.nn.Module):
        common.fail(f"--module {options.module}: returns a {type(network).__name__}, not a torch.nn.Module")
    return network, {}


def load_checkpoint(network: torch.nn.Module, path: str) -> None:
    try:
        state = torch.load(path, map_location="cpu")
    except Exception as error:  # torch.load raises whatever the pickle does
        common.fail(f"--checkpoint {path}: cannot be read: {error}")
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if not isinstance(state, dict):
        common.fail(f"--checkpoint {path}: a {type(state).__name__}, not a state_dict")
    state = {name.removeprefix("module."): value for name, value in state.items()}
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        common.fail(f"--checkpoint {path}: {' '.join(str(error).split())}")


# --- the file ------------------------------------------------------------------------------------


def export(network: torch.nn.Module, images: torch.Tensor, how: str) -> tuple[torch.jit.ScriptModule, str]:
    if how != "trace":
        try:
            return torch.jit.script(network), "scripted"
        except Exception as error:  # the compiler's own kinds are not public
            if how == "script":
                common.fail(f"cannot be scripted, use --how trace: {str(error).strip().splitlines()[0]}")
            common.say(f"cannot be scripted, so it is traced: {str(error).strip().splitlines()[0]}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)
        return torch.jit.trace(network, images, check_trace=False), "traced"


def largest_difference(path: Path, network: torch.nn.Module, images: torch.Tensor) -> float:
    """Between the file and the network, relative to the largest value."""
    found, expected = torch.jit.load(str(path))(images), network(images)
    if not isinstance(expected, torch.Tensor):
        return 0.0  # a tuple or a dictionary: shardsne takes layers of it
    return float((found - expected).abs().max() / expected.abs().max())


def add_noted(options: argparse.Namespace, notes: dict[str, Any]) -> dict[str, Any]:
    """What is said on the command line comes last."""
    for name in ("resize", "crop", "interpolation", "mean", "std", "channels"):
        if getattr(options, name) is not None:
            notes[name] = getattr(options, name)
    if notes.get("interpolation") not in (None, "bilinear", "bicubic"):
        common.say(f"shardsne does not resize by {notes['interpolation']}: bicubic is noted")
        notes["interpolation"] = "bicubic"
    return notes


def triple(text: str) -> list[float]:
    values = [float(part) for part in text.split(",")]
    if len(values) != 3:
        raise argparse.ArgumentTypeError(f"`{text}` is not three numbers with commas between them")
    return values


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--torchvision", metavar="NAME", help="a network of torchvision's")
    which.add_argument("--timm", metavar="NAME", help="a network of timm's")
    which.add_argument("--module", metavar="FILE.py:FUNCTION", help="a network of your own")
    parser.add_argument("--weights", default="DEFAULT", metavar="W", help="of torchvision or timm; none: random [DEFAULT]")
    parser.add_argument("--checkpoint", metavar="FILE", help="weights of your own")
    parser.add_argument("--out", type=Path, required=True, metavar="M.pt", help="the file to write")
    parser.add_argument("--how", choices=("auto", "script", "trace"), default="auto", help="[auto]")
    parser.add_argument("--resize", type=int, metavar="S", help="noted: the shorter side")
    parser.add_argument("--crop", type=int, metavar="C", help="noted: the central square")
    parser.add_argument("--interpolation", choices=("bilinear", "bicubic"), help="noted")
    parser.add_argument("--mean", type=triple, metavar="R,G,B", help="noted: subtracted from colours in [0, 1]")
    parser.add_argument("--std", type=triple, metavar="R,G,B", help="noted: and divided by")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="noted")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of random weights [0]")
    return parser.parse_args()


def main() -> None:
    options = read_options()
    torch.manual_seed(options.seed)
    make = from_torchvision if options.torchvision else from_timm if options.timm else from_module
    network, notes = make(options)
    if options.checkpoint:
        load_checkpoint(network, options.checkpoint)
    network.eval().requires_grad_(False)
    notes = add_noted(options, notes)
    side = notes.get("crop") or 224
    images = torch.rand(2, notes.get("channels", 3), side, side)
    exported, how = export(network, images, options.how)
    exported.save(str(options.out), _extra_files={NOTES: json.dumps(notes)})
    difference = largest_difference(options.out, network, images)
    if not difference <= TOLERANCE:
        options.out.unlink()
        common.fail(f"the {how} network computes something else (by {difference:.1e} of the largest value): try --how "
                    f"{'script' if how == 'traced' else 'trace'}")  # fmt: skip
    print(f"{options.out}: {how}, {difference:.1e} from the network; noted: {json.dumps(notes)}")


if __name__ == "__main__":
    main()
