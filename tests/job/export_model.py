"""A network goes from Python into a file and through `extract`: its features are PyTorch's, with the
preprocessing that the file notes of itself, unless an option says otherwise."""
import json
import os
import subprocess
import sys

import h5py
import numpy as np

from harness import SOURCE, draw_sample, expect, finish, folder, run, skip, succeed

try:
    import torch
    from torchvision import datasets, models, transforms
except ImportError:
    skip("this Python has no torchvision (Debian: python3-torchvision)")

OUT = folder()
IMAGES = draw_sample(2)
EXPORT = os.path.join(SOURCE, "analysis", "export_model.py")

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3)
        self.head = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.head(torch.relu(self.conv(x)).mean((2, 3)))

class Untyped(Net):
    def forward(self, x, **options):  # the compiler of scripts does not take these
        return super().forward(x)

def make():
    return Net()

class Child(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.module = Net()

    def forward(self, x):
        return self.module(x)

class Pair(Net):
    def forward(self, x):
        return x, torch.rand_like(x)

class Void(Net):
    def forward(self, x):
        return super().forward(x) * float("nan")

def untyped():
    return Untyped()

def child():
    return Child()

def pair():
    return Pair()

def void():
    return Void()

def fails():
    raise ValueError("first\\nsecond")

def nothing():
    return 1
"""


def path(name):
    return os.path.join(OUT, name)


def export(*arguments, code=0, env=None):
    done = subprocess.run([sys.executable, EXPORT, *map(str, arguments)], capture_output=True, text=True,
                          env=dict(os.environ, **(env or {})))  # fmt: skip
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    assert code == 0 or len(done.stderr.splitlines()) == 1, done.stderr
    return done.stdout + done.stderr


def noted(model):
    files = {"preprocessing.json": ""}
    torch.jit.load(model, _extra_files=files)
    return json.loads(files["preprocessing.json"])


def expected(network, *steps, mean, std):
    images = datasets.ImageFolder(IMAGES, transforms.Compose([
        *steps, transforms.ToTensor(), transforms.Normalize(mean, std)]))
    with torch.no_grad():
        return network(torch.stack([image for image, _ in images])).numpy()


def check(model, name, wanted, *options):
    file = path(name + ".h5")
    said = succeed("extract", "--images", IMAGES, "--model", model, "--out", file, "--batch", 8, *options, ranks=2)
    with h5py.File(file, "r") as f:
        found = f["features"][...]
    error = np.abs(found - wanted).max() / np.abs(wanted).max()
    assert found.shape == wanted.shape and error < 1e-4, (name, found.shape, wanted.shape, error)
    return said.stderr + said.stdout


def torchvision():
    model = path("resnet.pt")
    export("--torchvision", "resnet18", "--weights", "none", "--out", model, "--resize", 48, "--crop", 40,
           "--interpolation", "bicubic", "--mean", "0.5,0.4,0.3", "--std", "0.2,0.3,0.4")  # fmt: skip
    assert noted(model) == {"resize": 48, "crop": 40, "interpolation": "bicubic", "mean": [0.5, 0.4, 0.3],
                            "std": [0.2, 0.3, 0.4]}  # fmt: skip
    torch.manual_seed(0)
    network = models.resnet18().eval()
    bicubic = transforms.Resize(48, interpolation=transforms.InterpolationMode.BICUBIC)
    wanted = expected(network, bicubic, transforms.CenterCrop(40), mean=[0.5, 0.4, 0.3], std=[0.2, 0.3, 0.4])
    assert "says of itself" in check(model, "noted", wanted)
    wanted = expected(network, bicubic, transforms.CenterCrop(36), mean=[0.5, 0.4, 0.3], std=[1, 1, 1])
    check(model, "overridden", wanted, "--crop", 36, "--std", "1,1,1")
    wanted = expected(network, mean=[0, 0, 0], std=[1, 1, 1])
    assert "says of itself" not in check(model, "preset", wanted, "--preset", "none")


def own():
    with open(path("net.py"), "w", encoding="utf-8") as f:
        f.write(NET)
    sys.path.insert(0, OUT)
    import net

    torch.manual_seed(5)
    network = net.make().eval()
    torch.save({"state_dict": {"module." + name: value for name, value in network.state_dict().items()}},
               path("weights.pth"))  # fmt: skip
    wanted = expected(network, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    for function, how in (("make", "scripted"), ("untyped", "traced")):
        model = path(function + ".pt")
        said = export("--module", path("net.py") + ":" + function, "--checkpoint", path("weights.pth"), "--out", model,
                      "--crop", 32)  # fmt: skip
        assert how in said, said
        check(model, function, wanted)
    check_checkpoints(net, network)
    other = path("other.pth")
    torch.save({"conv.weight": torch.zeros(1)}, other)
    net_py = path("net.py")
    for words, arguments in (
        ("no_such", ["--module", net_py + ":no_such"]), ("a int, not a torch.nn.Module", ["--module", net_py + ":nothing"]),
        ("give FILE.py:FUNCTION", ["--module", "nowhere.py:make"]),
        ("conv.bias", ["--module", net_py + ":make", "--checkpoint", other]),
        ("no such network", ["--torchvision", "resnet19"]),
        ("no such network", ["--torchvision", "resnet", "--weights", "none"]),  # a module of torchvision's
        ("give the size", ["--torchvision", "vit_b_16", "--weights", "none", "--crop", 40]),
        ("ValueError: first (line ", ["--module", net_py + ":fails"]),
        ("NaN", ["--module", net_py + ":void"]), ("something else", ["--module", net_py + ":pair"]),
        ("give it as --pickled", ["--module", net_py + ":make", "--checkpoint", path("whole.pth")]),
        ("on PYTHONPATH", ["--pickled", path("whole.pth")]),
        ("a folder that exists", ["--module", net_py + ":make", "--out", path("nowhere/x.pt")]),
    ):  # fmt: skip
        assert words in export("--out", path("x.pt"), *arguments, code=1), words
        assert not [name for name in os.listdir(OUT) if name.startswith("x.")], words
    assert "nothing to write" in export("--module", net_py + ":make", code=1)


def check_checkpoints(net, network):
    """Whole networks, a child that is called `module`, a file that imports its neighbour: the same weights all."""
    torch.save(network, path("whole.pth"))
    torch.save({"module." + name: value for name, value in network.state_dict().items()}, path("child.pth"))
    with open(path("neighbour.py"), "w", encoding="utf-8") as f:
        f.write("from net import make as made\nmake = lambda: made()\n")
    images = torch.rand(5, 3, 9, 9)
    for arguments in (
        ["--pickled", path("whole.pth")], ["--module", path("net.py:child"), "--checkpoint", path("child.pth")],
        ["--module", path("neighbour.py:make"), "--checkpoint", path("child.pth")],
    ):  # fmt: skip
        export(*arguments, "--out", path("same.pt"), env={"PYTHONPATH": OUT} if "--pickled" in arguments else {})
        assert torch.equal(torch.jit.load(path("same.pt"))(images), network(images)), arguments


def newer_than(version, *numbers):
    """Or as new."""
    return tuple(int(part) for part in version.split(".")[:2]) >= numbers


def package():
    """As machine code, where torch makes it; else a line that says so. `extract` runs it where its libtorch can."""
    arguments = ["--module", path("net.py:make"), "--pt2", path("net.pt2"), "--batch", 3, "--layer", "conv", "--crop", 32]
    arguments += ["--mean", "0.5,0.4,0.3", "--std", "0.2,0.2,0.2"]
    if not newer_than(torch.__version__, 2, 6):
        assert "use one from 2.6 on" in export(*arguments, code=1)
        return
    export(*arguments)
    torch.manual_seed(0)
    sys.path.insert(0, OUT)
    import net

    network, images = net.make().eval(), torch.rand(3, 3, 32, 32)
    found = torch._inductor.aoti_load_package(path("net.pt2"))(images)
    assert torch.allclose(found, network.conv(images), atol=1e-5), "the package's layer"
    extracted(network)


def extracted(network):
    """The package through the program, at 1 to 4 ranks: the features of PyTorch, in the same bits."""
    job = ["extract", "--images", IMAGES, "--model", path("net.pt2"), "--batch", 3, "--out", path("package.h5"), "--fresh"]
    if not newer_than(run("--version").stdout.split("libtorch ")[1], 2, 6):
        expect(2, "AOTInductor package", "2.6", of=job)
        return
    pixels = transforms.Compose([transforms.CenterCrop(32), transforms.ToTensor(),
                                 transforms.Normalize((0.5, 0.4, 0.3), (0.2, 0.2, 0.2))])  # fmt: skip
    images = torch.stack([image for image, _ in datasets.ImageFolder(IMAGES, pixels)])
    expected, bits = network.conv(images).mean((2, 3)).detach().numpy(), set()
    for ranks in (1, 2, 3, 4):
        succeed(*job, ranks=ranks)
        with h5py.File(path("package.h5")) as f:
            features = f["features"][:]
        bits.add(features.tobytes())
        assert np.abs(features - expected).max() < 1e-5 * np.abs(expected).max(), ranks
    assert len(bits) == 1, "the same bits at any number of ranks"
    for options, words in ((("--batch", 4), ["3 x 3 x 32 x 32", "--batch"]), (("--layer", "conv"), ["--layer"])):
        expect(2, *words, of=[*job, *options])
    expect(2, "no modules", "TorchScript", of=["model", path("net.pt2")])


def bad_notes():
    network = torch.jit.script(torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3)))
    for name, notes, words in (
        ("list", "[1]", ["no JSON object", "--preset"]), ("text", "resize", ["no JSON object"]),
        ("object", '{"mean": {"r": 1}}', ["mean", "not a value for --mean"]), ("two", '{"mean": [1, 2]}', ["mean"]),
        ("negative", '{"crop": -1}', ["preprocessing.json: crop"]), ("large", " " * (70 << 10), ["64 KiB"]),
    ):  # fmt: skip
        model = path(name + ".pt")
        network.save(model, _extra_files={"preprocessing.json": notes})
        job = ["extract", "--images", IMAGES, "--model", model, "--out", path("x.h5")]
        expect(2, *words, of=job)
        if name != "large":
            assert run(*job, "--fresh", "--preset", "none").returncode == 0, name


torchvision()
own()
package()
bad_notes()
finish()
