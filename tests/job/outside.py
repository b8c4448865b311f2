"""The program as its users meet it: the file read by h5py, features against PyTorch's own, the picture's
size, export, configuration, records, help and version."""
import json
import os
import sys

import h5py
import numpy as np
from PIL import Image

from harness import MODEL, SOURCE, draw_sample, folder, run, succeed

OUT = folder()
IMAGES = draw_sample(20)
RUN = os.path.join(OUT, "run.h5")


def rows_of(images):
    """(path, label) in ImageFolder's order, by its definition."""
    rows = []
    for label, name in enumerate(sorted(d.name for d in os.scandir(images) if d.is_dir())):
        for root, _, files in sorted(os.walk(os.path.join(images, name), followlinks=True)):
            rows += [(os.path.join(root, f), label) for f in sorted(files)]
    return rows


def make():
    log = os.path.join(OUT, "log.jsonl")
    done = succeed("run", "--images", IMAGES, "--model", MODEL, "--drop-last", 1, "--out", RUN, "--plot",
                   os.path.join(OUT, "map.png"), "--dpi", 100, "--perplexity", 12, "--early-iterations",
                   100, "--iterations", 150, "--log", log, ranks=3)
    for word in ("stage", "neighbours", "repulsion", "network", "share", "done in"):
        assert word in done.stderr, f"{word} is not in the closing account"
    records = [json.loads(line) for line in open(log)]
    kinds = {r["event"] for r in records}
    assert {"start", "iteration", "stage", "end"} <= kinds, kinds
    assert records[-1]["event"] == "end" and records[-1]["code"] == 0
    assert records[0]["ranks"] == 3


def check_file():
    rows = rows_of(IMAGES)
    with h5py.File(RUN) as f:
        assert f["features"].shape == (240, 64) and f["features"].dtype == np.float32
        assert (f["labels"][...] == [label for _, label in rows]).all()
        names = [n.decode() for n in f["samples/name"][...]]
        assert names == [os.path.relpath(p, IMAGES) for p, _ in rows]
        classes = [c.decode() for c in f["classes"][...]]
        assert classes == sorted(os.listdir(IMAGES))
        assert (f["samples/status"][...] == 1).all()
        y, z = f["embedding/coordinates"][...], f["embedding/normalized"][...]
        assert np.isfinite(y).all()
        expected = (y - y.min(0)) / (y.max(0) - y.min(0))
        assert np.abs(z - expected).max() < 1e-6 and z.min() == 0 and z.max() == 1
        history = f["history"][...]
        assert history["iteration"][-1] == 250 and history["kl"][-1] < history["kl"][0]
        check_neighbours(f["features"][...], f["neighbours/index"][...], f["neighbours/distance"][...])
        described = []
        f.visititems(lambda name, o: described.append((name, o.attrs.get("description"))))
        for name, text in described:
            assert text is not None or isinstance(f[name], h5py.Group), f"{name} is not described"
        assert json.loads(f.attrs["embed_options"])["perplexity"] == "12"
        return f["features"][...], rows


def check_neighbours(x, index, distance):
    x = x.astype(np.float64)
    d = np.sqrt(((x[:, None] - x[None]) ** 2).sum(2))
    np.fill_diagonal(d, np.inf)
    k = index.shape[1]
    assert k == 36
    assert np.abs(np.sort(d, 1)[:, :k] - distance).max() < 1e-4 * d[np.isfinite(d)].max()
    assert np.abs(np.take_along_axis(d, index.astype(np.int64), 1) - distance).max() < 1e-4


def check_features(features, rows):
    """Against PyTorch in this process."""
    try:
        import torch
    except ImportError:
        print("PyTorch is not installed for Python: features not compared")
        return
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = np.stack([np.asarray(Image.open(p).convert("RGB"), np.float64) / 255 for p, _ in rows])
    x = torch.from_numpy(((x - mean) / std).transpose(0, 3, 1, 2).astype(np.float32))
    model = torch.jit.load(MODEL).eval()
    with torch.no_grad():
        for child in list(model.children())[:-1]:
            x = child(x)
    gap = np.abs(x.flatten(1).numpy() - features).max()
    print(f"features against PyTorch: largest gap {gap:.1e} of {np.abs(features).max():.2f}")
    assert gap < 1e-4


def check_picture():
    picture = Image.open(os.path.join(OUT, "map.png"))
    assert picture.size == (800, 800), picture.size
    assert abs(picture.info["dpi"][0] - 100) < 0.1


def check_export():
    to = os.path.join(OUT, "arrays")
    succeed("export", RUN, "--to", to, ranks=2)
    with h5py.File(RUN) as f:
        assert (np.load(os.path.join(to, "features.npy")) == f["features"][...]).all()
        target = np.load(os.path.join(to, "target.npy"))
        assert target.dtype == np.int64 and (target == f["labels"][...]).all()
        assert (np.load(os.path.join(to, "embedding.npy")) == f["embedding/coordinates"][...]).all()


def check_other_inputs():
    """The same features as a matrix give the same embedding, whatever file they come in."""
    options = ["--perplexity", 12, "--early-iterations", 100, "--iterations", 150]
    arrays = os.path.join(OUT, "arrays")
    with h5py.File(RUN) as f:
        expected = f["embedding/coordinates"][...]
    for i, x in enumerate((os.path.join(arrays, "features.npy"), RUN + ":/features")):
        other = os.path.join(OUT, f"other{i}.h5")
        succeed("embed", "--features", x, "--labels", os.path.join(arrays, "target.npy"), "--out", other,
                *options, ranks=2)
        with h5py.File(other) as f:
            assert (f["embedding/coordinates"][...] == expected).all()
            assert (f["labels"][...] == np.load(os.path.join(arrays, "target.npy"))).all()
    start = os.path.join(OUT, "start.npy")
    np.save(start, expected)
    succeed("embed", "--features", os.path.join(arrays, "features.npy"), "--out", other, "--init", start,
            "--perplexity", 12, "--early-iterations", 0, "--iterations", 0, "--fresh")
    with h5py.File(other) as f:
        assert (f["embedding/coordinates"][...] == expected).all()


def check_options():
    config = os.path.join(OUT, "job.ini")
    with open(config, "w") as f:
        f.write("# settings\nperplexity = 9\nearly-iterations = 5\niterations = 5\nquiet = yes\n")
    other = os.path.join(OUT, "config.h5")
    done = succeed("embed", "--features", RUN + ":/features", "--out", other, "--config", config,
                   "--iterations", 7)
    assert done.stderr == "", done.stderr
    with h5py.File(other) as f:
        made = json.loads(f.attrs["embed_options"])
        assert made["perplexity"] == "9" and made["iterations"] == "7", made
    for command in ("run", "extract", "embed", "render", "info", "export"):
        text = succeed(command, "--help").stdout
        assert "usage: shardsne " + command in text and "for example" in text
        assert max(map(len, text.splitlines())) <= 80, command
    assert "libtorch" in succeed("--version").stdout
    assert run().returncode == 2 and run("--help").returncode == 0


make()
check_features(*check_file())
check_picture()
check_export()
check_other_inputs()
check_options()
