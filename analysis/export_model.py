#!/usr/bin/env python3
"""Export a network of PyTorch for shardsne, its preprocessing noted inside.

    export_model.py --torchvision resnet18 --weights DEFAULT --out resnet18.pt
    export_model.py --timm vit_small_patch16_224 --weights DEFAULT --out vit.pt
    export_model.py --module net.py:make --checkpoint weights.pth --out net.pt --resize 256 --crop 224
    export_model.py --pickled whole.pth --out net.pt
    export_model.py --torchvision resnet18 --pt2 resnet18.pt2 --batch 64 --layer avgpool

--module names a Python file and a function in it that returns the network (called without arguments);
--checkpoint a file of weights that torch.save made: a state_dict, alone or under "state_dict" or "model", also as
DistributedDataParallel saves it. Weights must fit without one missing or left over. --pickled names a file that
torch.save made of a whole network; the code of its classes must be on PYTHONPATH. Only load files that you trust: a
pickle is code.

The network is scripted; where that fails it is traced, which fixes what depends on values (--how says which). What
was written is read again and compared with the network itself, on other images and another number of them.

--pt2 writes an AOTInductor package, where torch is 2.6 or newer: machine code for this kind of processor, for batches
of just --batch images, for what the network or its --layer returns. shardsne runs it where its libtorch is as new.

How images are made ready is noted inside M.pt and M.pt2, as torchvision's weights or timm's configuration have it or
as the options here say, and `shardsne extract` goes by it unless it is told otherwise.
"""
from __future__ import annotations

import argparse
import importlib.util
import inspect
import json
import os
import sys
import sysconfig
import warnings
import zipfile
from pathlib import Path
from typing import Any, Callable, Iterator, NoReturn

import common

try:
    import torch
except ImportError:
    common.fail("this Python has no torch (Debian: apt install python3-torch, and run this with /usr/bin/python3)")

TOLERANCE = 1e-4  # of the largest value
NOTES = "preprocessing.json"


def essence(error: BaseException) -> str:
    """What an exception says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


# --- networks ------------------------------------------------------------------------------------


def no_weights(which: str, error: BaseException) -> NoReturn:
    common.fail(f"{which}: cannot be made with its weights ({essence(error)}): run this where they can be fetched, or give "
                "--weights none and --checkpoint")  # fmt: skip


def from_torchvision(options: argparse.Namespace) -> tuple[torch.nn.Module, dict[str, Any]]:
    try:
        from torchvision import models
    except ImportError:
        common.fail("--torchvision: this Python has no torchvision (Debian: apt install python3-torchvision)")
    if not hasattr(models, "get_model_builder"):
        common.fail("--torchvision: this torchvision is older than 0.14: install a newer one, or use --module")
    which, weights = f"--torchvision {options.torchvision}", None
    try:
        make = models.get_model_builder(options.torchvision)
        if options.weights != "none":
            weights = models.get_model_weights(options.torchvision)[options.weights]
    except (KeyError, ValueError):
        common.fail(f"{which} --weights {options.weights}: torchvision has no such network, or no such weights of it")
    arguments = {"weights": weights}
    if "weights_backbone" in inspect.signature(make).parameters:
        arguments["weights_backbone"] = None  # or it would fetch those, though others come after
    try:
        return make(**arguments), notes_of_torchvision(weights.transforms()) if weights else {}
    except Exception as error:  # of the network between us and the weights
        no_weights(which, error)


def notes_of_torchvision(transforms: Any) -> dict[str, Any]:
    """Of the preset that comes with weights, which for other tasks than classification lacks some."""
    def first(name: str) -> Any:
        return (getattr(transforms, name, None) or [None])[0]

    mean, std = (list(getattr(transforms, name, None) or []) for name in ("mean", "std"))
    kind = getattr(transforms, "interpolation", None)
    notes = {"resize": first("resize_size"), "crop": first("crop_size"), "interpolation": kind and kind.value,
             "mean": mean or None, "std": std or None, "channels": len(mean) or None}  # fmt: skip
    return {name: value for name, value in notes.items() if value is not None}


def from_timm(options: argparse.Namespace) -> tuple[torch.nn.Module, dict[str, Any]]:
    try:
        import timm
        from timm.data import resolve_data_config
    except ImportError:
        common.fail("--timm: this Python has no timm (`pip install timm` in an environment)")
    if options.weights not in ("DEFAULT", "none"):
        common.fail(f"--weights {options.weights}: timm's are part of the name, as in --timm NAME.TAG")
    try:
        network = timm.create_model(options.timm, pretrained=options.weights != "none", scriptable=True)
    except Exception as error:  # of timm, or of the network between us and the weights
        if options.weights == "none" or not timm.is_model(options.timm):
            common.fail(f"--timm {options.timm}: {essence(error)}")
        no_weights(f"--timm {options.timm}", error)
    config = resolve_data_config({}, model=network)
    channels, crop = config["input_size"][0], config["input_size"][-1]
    return network, {
        "resize": int(crop / config["crop_pct"]), "crop": crop, "interpolation": config["interpolation"],
        "mean": list(config["mean"]), "std": list(config["std"]), "channels": channels,
    }  # fmt: skip


def from_module(options: argparse.Namespace) -> tuple[torch.nn.Module, dict[str, Any]]:
    which = f"--module {options.module}"
    file, colon, function = options.module.rpartition(":")
    if not colon or not Path(file).is_file():
        common.fail(f"{which}: give FILE.py:FUNCTION, a file that is there")
    # It is imported as a script beside it would be: with its neighbours, which may have a `common` too.
    sys.path.insert(0, str(Path(file).resolve().parent))
    sys.modules.pop("common", None)
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    if spec is None:
        common.fail(f"{which}: {file} is no file of Python's: its name must end in .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
        if not hasattr(module, function):
            common.fail(f"{which}: {file} has no {function}")
        network = getattr(module, function)()
    except Exception as error:  # whatever the file raises
        common.fail(f"{which}: {essence(error)}{place_in(file, error)}")
    return checked(which, network), {}


def place_in(file: str, error: BaseException) -> str:
    """Where in the user's file an exception comes from."""
    trace, line = error.__traceback__, None
    while trace:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == Path(file).resolve():
            line = trace.tb_lineno
        trace = trace.tb_next
    return f" (line {line})" if line else ""


def from_pickle(options: argparse.Namespace) -> tuple[torch.nn.Module, dict[str, Any]]:
    which = f"--pickled {options.pickled}"
    network = loaded(which, options.pickled)
    if isinstance(network, dict):
        common.fail(f"{which}: a dict, not a whole network: give it as --checkpoint, with --module for the network")
    return checked(which, network), {}


def checked(which: str, network: Any) -> torch.nn.Module:
    if not isinstance(network, torch.nn.Module):
        common.fail(f"{which}: a {type(network).__name__}, not a torch.nn.Module")
    return network


def loaded(which: str, path: str) -> Any:
    """What torch.save put into a file."""
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except (AttributeError, ImportError) as error:
        common.fail(f"{which}: {essence(error)}: put the folder of that code on PYTHONPATH")
    except Exception as error:  # torch.load raises whatever the pickle does
        common.fail(f"{which}: cannot be read ({essence(error)}): give a file that torch.save made")


def load_checkpoint(network: torch.nn.Module, path: str) -> None:
    which = f"--checkpoint {path}"
    state = loaded(which, path)
    for wrapper in ("state_dict", "model"):
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
    if isinstance(state, torch.nn.Module):
        common.fail(f"{which}: a whole network: give it as --pickled")
    if not isinstance(state, dict):
        common.fail(f"{which}: a {type(state).__name__}, not a state_dict")
    wrapped = all(str(name).startswith("module.") for name in state)
    if wrapped and not set(state) <= set(network.state_dict()):  # a network may have a child `module`
        state = {name[len("module.") :]: value for name, value in state.items()}
    try:
        network.load_state_dict(state)
    except (RuntimeError, TypeError) as error:
        common.fail(f"{which}: {' '.join(str(error).split())}")


# --- what is written -----------------------------------------------------------------------------


class Layer(torch.nn.Module):
    """What a layer returns, the last time that the network calls it."""

    def __init__(self, network: torch.nn.Module, name: str) -> None:
        super().__init__()
        self.network, self.kept = network, []
        try:
            layer = network.get_submodule(name)
        except AttributeError:
            children = ", ".join(child for child, _ in network.named_children())
            common.fail(f"--layer {name}: the network has no such module; its children are: {children}")
        layer.register_forward_hook(lambda _module, _input, output: self.kept.append(output))

    def forward(self, images: torch.Tensor) -> Any:
        self.kept.clear()
        self.network(images)
        if not self.kept:
            raise RuntimeError("the layer is never called")
        return self.kept.pop()


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """Those in what a network returns, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from tensors(part)


def difference(found: Any, expected: Any) -> float:
    """The largest between two results, relative to the largest value of each tensor; infinite for other shapes
    and for NaN."""
    pairs, worst = list(zip(tensors(found), tensors(expected))), 0.0
    if len(pairs) != sum(1 for _ in tensors(expected)) or not pairs:
        return float("inf")
    for a, b in pairs:
        if a.shape != b.shape or not bool(torch.isfinite(a).all()):
            return float("inf")
        if b.numel():
            apart, most = float((a.double() - b.double()).abs().max()), float(b.double().abs().max())
            worst = max(worst, apart / (most or 1.0))
    return worst


def answer(network: torch.nn.Module, images: torch.Tensor) -> Any:
    """What the network returns for the images, which it must return numbers for."""
    shape = " x ".join(map(str, images.shape))
    try:
        value = network(images.clone())  # which a network may change in place
    except Exception as error:  # whatever the network raises
        common.fail(f"the network fails on images of {shape} ({essence(error)}): give the size that it takes with --crop, "
                    "and --channels")  # fmt: skip
    if not all(bool(torch.isfinite(t).all()) for t in tensors(value)):
        common.fail(f"the network returns NaN or infinity for random images of {shape}: look at its weights")
    return value


def scripted_or_traced(network: torch.nn.Module, images: torch.Tensor, how: str) -> tuple[torch.jit.ScriptModule, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if how != "trace":
            try:
                return torch.jit.script(network), "scripted"
            except Exception as error:  # the compiler's own kinds are not public
                if how == "script":
                    common.fail(f"cannot be scripted ({essence(error)}): use --how trace")
                common.say(f"cannot be scripted, so it is traced: {essence(error)}")
        try:
            return torch.jit.trace(network, images, check_trace=False), "traced"
        except Exception as error:  # as above
            common.fail(f"cannot be traced ({essence(error)}): change its forward, or take a part of it with --module")


def put(path: Path, how: str, write: Callable[[Path], None], read: Callable[[Path], Callable],
        network: torch.nn.Module, images: torch.Tensor, advice: str) -> None:  # fmt: skip
    """Writes a file beside `path` and, where what is read from it computes what the network does, moves it there."""
    partial = path.with_name(f"{path.stem}.partial{path.suffix}")
    expected = answer(network, images)
    try:
        write(partial)
        apart = difference(read(partial)(images.clone()), expected)
        if apart > TOLERANCE:
            common.fail(f"the {how} network computes something else (by {apart:.1e} of the largest value): {advice}")
        os.replace(partial, path)
    except Exception as error:  # of the file system, the compiler, or the network as it was read
        common.fail(f"{path}: the {how} network cannot be written and run ({essence(error)}): {advice}")
    finally:
        partial.unlink(missing_ok=True)
    print(f"{path}: {how}, {apart:.1e} from the network")


def write_torchscript(
    network: torch.nn.Module, options: argparse.Namespace, notes: dict[str, Any], shape: list[int]
) -> None:  # fmt: skip
    traced_with, images = torch.rand(2, *shape), torch.rand(3, *shape)
    answer(network, traced_with)
    exported, how = scripted_or_traced(network, traced_with, options.how)
    put(options.out, how, lambda path: exported.save(str(path), _extra_files={NOTES: json.dumps(notes)}),
        lambda path: torch.jit.load(str(path)), network, images,
        f"try --how {'script' if how == 'traced' else 'trace'}")  # fmt: skip


def has_packages() -> bool:
    """Whether torch makes AOTInductor packages as from 2.6 on."""
    return tuple(int(part) for part in torch.__version__.split(".")[:2]) >= (2, 6)


def write_package(
    network: torch.nn.Module, options: argparse.Namespace, notes: dict[str, Any], shape: list[int]
) -> None:  # fmt: skip
    network = Layer(network, options.layer) if options.layer else network
    images = torch.rand(options.batch, *shape)
    answer(network, images)

    def write(path: Path) -> None:
        # torch links with Python's folder of libraries first, where Debian may have another libtorch
        sysconfig.get_config_vars()["LIBDIR"] = str(Path(torch.__file__).parent / "lib")
        program = torch.export.export(network, (images,), strict=False)
        settings = {
            "aot_inductor.metadata": {"input": ",".join(map(str, images.shape))},
            "cpp.threads": 1,  # shardsne runs a batch a thread
        }
        torch._inductor.aoti_compile_and_package(program, package_path=str(path), inductor_configs=settings)
        with zipfile.ZipFile(path, "a") as package:
            package.writestr(f"data/extra/{NOTES}", json.dumps(notes))

    put(options.pt2, "compiled", write, lambda path: torch._inductor.aoti_load_package(str(path)), network,
        torch.rand(options.batch, *shape), "export it as TorchScript, with --out")  # fmt: skip


# --- the command line ----------------------------------------------------------------------------


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


def positive(text: str) -> int:
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return int(text)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--torchvision", metavar="NAME", help="a network of torchvision's")
    which.add_argument("--timm", metavar="NAME", help="a network of timm's")
    which.add_argument("--module", metavar="FILE.py:FUNCTION", help="a network of your own")
    which.add_argument("--pickled", metavar="FILE", help="a whole network that torch.save wrote")
    parser.add_argument("--weights", default="DEFAULT", metavar="W", help="of torchvision or timm; none: random [DEFAULT]")
    parser.add_argument("--checkpoint", metavar="FILE", help="weights of your own")
    parser.add_argument("--out", type=Path, metavar="M.pt", help="write TorchScript")
    parser.add_argument("--how", choices=("auto", "script", "trace"), default="auto", help="[auto]")
    parser.add_argument("--pt2", type=Path, metavar="M.pt2", help="write an AOTInductor package (torch 2.6 or newer)")
    parser.add_argument("--batch", type=positive, default=64, metavar="B", help="images a batch of M.pt2 [64]")
    parser.add_argument("--layer", metavar="NAME", help="what M.pt2 returns: this module's output [the network's]")
    parser.add_argument("--resize", type=positive, metavar="S", help="noted: the shorter side")
    parser.add_argument("--crop", type=positive, metavar="C", help="noted: the central square")
    parser.add_argument("--interpolation", choices=("bilinear", "bicubic"), help="noted")
    parser.add_argument("--mean", type=triple, metavar="R,G,B", help="noted: subtracted from colours in [0, 1]")
    parser.add_argument("--std", type=triple, metavar="R,G,B", help="noted: and divided by")
    parser.add_argument("--channels", type=int, choices=(1, 3), help="noted")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of random weights and images [0]")
    options = parser.parse_args()
    check_paths(options)
    return options


def check_paths(options: argparse.Namespace) -> None:
    """Before any network is made: that may take long."""
    if not options.out and not options.pt2:
        common.fail("nothing to write: give --out M.pt, --pt2 M.pt2 or both")
    if options.pt2 and not has_packages():
        common.fail(f"--pt2: torch {torch.__version__} makes no such packages: use one from 2.6 on, or --out")
    if options.pt2 and options.pt2.suffix != ".pt2":
        common.fail(f"--pt2 {options.pt2}: the name must end in .pt2")
    if options.layer and not options.pt2:
        common.fail("--layer is for --pt2: of M.pt, `shardsne extract --layer` takes any")
    for path in filter(None, (options.out, options.pt2)):
        if not path.resolve().parent.is_dir() or path.is_dir():
            common.fail(f"{path}: no file can be there: give a name in a folder that exists")


def main() -> None:
    options = read_options()
    torch.manual_seed(options.seed)
    make = (from_torchvision if options.torchvision else from_timm if options.timm else from_module if options.module
            else from_pickle)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of how some networks draw their first weights
        network, notes = make(options)
    if options.checkpoint:
        load_checkpoint(network, options.checkpoint)
    network.eval().float().requires_grad_(False)
    notes = add_noted(options, notes)
    side = notes.get("crop", 224)
    shape = [notes.get("channels", 3), side, side]
    if options.out:
        write_torchscript(network, options, notes, shape)
    if options.pt2:
        write_package(network, options, notes, shape)
    print(f"noted: {json.dumps(notes)}")


if __name__ == "__main__":
    main()
