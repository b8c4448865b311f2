"""Maps from outside: one picture for any number of ranks, whatever its mode and colours; purity and the parts of KL
against numpy's; what is chosen when nothing is asked for; what is refused, and what it says."""
import hashlib
import os
import re

import h5py
import numpy as np
from PIL import Image

from harness import expect, finish, folder, run, succeed

OUT = folder()
RUN, FEW, MANY, BARE = (os.path.join(OUT, n) for n in ("run.h5", "few.h5", "many.h5", "bare.h5"))
SCHEDULE = ("--early-iterations", 30, "--iterations", 30, "--quiet")


def array(name, values):
    path = os.path.join(OUT, name)
    np.save(path, values)
    return path


def embed(path, features, *more):
    succeed("embed", "--features", features, "--out", path, *SCHEDULE, *more, ranks=2)


def render(path, *options, ranks=1, name="map.png"):
    plot = os.path.join(OUT, name)
    done = succeed("render", path, "--plot", plot, "--quiet", *options, ranks=ranks)
    with open(plot, "rb") as f:
        return f.read(), done.stderr


def pixels(*arguments, **options):
    render(*arguments, **options)
    return np.asarray(Image.open(os.path.join(OUT, "map.png")).convert("RGB")).astype(int)


def texts(path, *options):
    svg = render(path, *options, name="map.svg")[0].decode()
    return re.findall(r"<text[^>]*>\s*(?:<tspan[^>]*>)?([^<]+)", svg), svg


def make_inputs():
    """Two clouds whose rows carry the other's class here and there, and rows of no class."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 95)
    features = rng.normal(size=(190, 8)) + 6 * labels[:, None]
    labels[[5, 40, 120]] = 1 - labels[[5, 40, 120]]
    labels[[7, 150]] = -1
    embed(FEW, array("x.npy", features.astype(np.float32)), "--labels", array("y.npy", labels), "--perplexity", 6)
    many = rng.normal(size=(2500, 6)) + 5 * np.repeat(np.eye(6)[:5], 500, axis=0)
    embed(RUN, array("xr.npy", many.astype(np.float32)), "--labels", array("yr.npy", np.repeat(np.arange(5), 500)), "--perplexity", 8)
    embed(BARE, os.path.join(OUT, "x.npy"), "--perplexity", 6)
    embed(MANY, os.path.join(OUT, "xr.npy"), "--labels", array("ym.npy", np.arange(2500) // 50), "--perplexity", 8)


def check_ranks():
    values = array("values.npy", np.random.default_rng(1).normal(size=2500))
    cases = [("density", color) for color in ("label", "density", "purity", "kl", values)] + [("points", "label"), ("points", "kl")]
    for mode, color in cases:
        found = {hashlib.md5(render(RUN, "--mode", mode, "--color", color, "--dpi", 50, ranks=r)[0]).hexdigest()
                 for r in ((1, 2, 3, 4) if mode == "density" and color in ("label", "kl") else (1, 3))}
        assert len(found) == 1, f"--mode {mode} --color {color}: not the same picture on any number of ranks"
    for name in "map.svg", "map.pdf":
        assert render(RUN, "--mode", "density", ranks=1, name=name) == render(RUN, "--mode", "density", ranks=4, name=name)
    print("one picture:", len(cases), "cases")


def check_purity():
    with h5py.File(FEW) as f:
        near, labels = f["neighbours/index"][:, :15].astype(int), f["labels"][...]
    known = labels[near] >= 0
    share = np.where(labels >= 0, ((labels[near] == labels[:, None]) & known).sum(1) / known.sum(1), np.nan)
    assert np.nanmin(share) == 0 and np.nanmax(share) == 1, "the rows of the wrong class are among the other's"
    # the scale of purity is turned, so that what is mixed stands out; of 190 values none is beyond a tail
    other = array("mixed.npy", 1 - share)
    options = ("--legend", "no", "--text", "none", "--dpi", 60)
    gap = np.abs(pixels(FEW, "--color", "purity", *options) - pixels(FEW, "--color", other, *options))
    assert gap.max() <= 3, f"purity is the share of neighbours of the same class: {gap.max()}"
    print("purity: as numpy has it")


def conditional(distance, perplexity):
    """p_j|i of each row, by bisection for beta."""
    square = (distance**2).astype(float)
    square -= square[:, :1]
    low, high = np.zeros(len(square)), np.full(len(square), np.inf)
    beta = np.ones(len(square))
    for _ in range(200):
        p = np.exp(-beta[:, None] * square)
        p /= p.sum(1, keepdims=True)
        entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(1)
        flat = entropy > np.log(perplexity)
        low, high = np.where(flat, beta, low), np.where(flat, high, beta)
        beta = np.where(np.isinf(high), 2 * beta, (low + high) / 2)
    return p


def check_kl():
    with h5py.File(FEW) as f:
        near, distance, xy = f["neighbours/index"][...].astype(int), f["neighbours/distance"][...], f["embedding/coordinates"][...]
        kl = f["history"]["kl"][-1]
    rows = len(xy)
    p = np.zeros((rows, rows))
    np.put_along_axis(p, near, conditional(distance, 6), 1)
    p = (p + p.T) / (2 * rows)
    kernel = 1 / (1 + ((xy[:, None].astype(float) - xy[None])**2).sum(2))
    np.fill_diagonal(kernel, 0)
    q = kernel / kernel.sum()
    part = np.where(p > 0, p * np.log(np.where(p > 0, p, 1) / np.where(q > 0, q, 1)), 0).sum(1) * rows
    assert abs(part.mean() - kl) < 1e-4 * kl, f"numpy's KL {part.mean()} is the program's {kl}"
    options = ("--legend", "no", "--text", "none", "--dpi", 60)
    gap = np.abs(pixels(FEW, "--color", "kl", *options) - pixels(FEW, "--color", array("part.npy", part), *options))
    assert gap.max() <= 6, f"the parts of KL are numpy's: {gap.max()}"
    print(f"parts of KL: as numpy has them, mean {part.mean():.4f}, from {part.min():.2f} to {part.max():.2f}")


def check_choices():
    shown, svg = texts(FEW)
    assert {"0", "1", "no label"} <= set(shown) and shown.count("1") > 60, "few points have their numbers on them"
    shown, svg = texts(RUN)
    assert sorted(shown) == sorted(2 * [str(c) for c in range(5)]), f"names at medians, and a legend: {shown}"
    assert svg.count("gpPt6'") > 2500 and "<image" not in svg
    shown, svg = texts(MANY)
    assert len(shown) == 50 == len(set(shown)), f"50 classes: names without a legend: {len(shown)}"
    shown, svg = texts(BARE)
    assert "points in 1/10,000 of the map" in shown, f"without labels: by density, with a scale: {shown}"
    assert texts(RUN, "--mode", "density", "--text", "none", "--legend", "no")[0] == []
    assert "My map" in texts(RUN, "--title", "My map")[0]
    border = pixels(RUN, "--theme", "dark", "--dpi", 60)[[0, -1]]
    assert (border == [0x14, 0x16, 0x1A]).all(), "a dark background"
    equal, stretched = (pixels(RUN, "--axes", a, "--dpi", 60, "--text", "none", "--legend", "no").min(2) < 250
                        for a in ("equal", "stretched"))
    assert abs(stretched.any(1).sum() - stretched.any(0).sum()) <= 2, "both axes equally long"
    with h5py.File(RUN) as f:
        extent = np.ptp(f["embedding/coordinates"][...], axis=0)
    found = equal.any(0).sum() / equal.any(1).sum()
    assert abs(found - extent[0] / extent[1]) < 0.03, f"the same scale on both: {found}, {extent[0] / extent[1]}"
    # the recipe that the program began as: numbers on points, no axes, nothing beside them
    shown, svg = texts(FEW, "--text", "label", "--legend", "no", "--axes", "stretched")
    assert set(shown) == {"0", "1"} and len(shown) == 188, f"a number for each row with a class: {len(shown)}"
    print("choices: by what there is")


def check_refused():
    plot = os.path.join(OUT, "refused.png")
    for options, code, says in (
            (("--color", "labels"), 2, ["--color", "purity", "labels"]),
            (("--color", array("short.npy", np.zeros(7))), 2, ["7 x 1", "190 x 1"]),
            (("--color", array("nothing.npy", np.full(190, np.nan))), 2, ["no row has a finite value"]),
            (("--mode", "density", "--text", "label"), 2, ["no points to write numbers on"]),
            (("--mode", "dense"), 2, ["--mode", "density"])):
        expect(code, *says, of=["render", FEW, "--plot", plot, *options])
    for options, says in ((("--color", "label"), ["no labels"]), (("--color", "purity"), ["needs labels"]),
                          (("--text", "name"), ["no labels"])):
        expect(2, *says, of=["render", BARE, "--plot", plot, *options])
    with h5py.File(FEW, "r+") as f:
        f.attrs.modify("neighbours_complete", np.bytes_(b"no"))
    for color in "purity", "kl":
        expect(2, f"--color {color} needs the neighbours", "embed", of=["render", FEW, "--plot", plot, "--color", color])
    assert not os.path.exists(plot)
    config = os.path.join(OUT, "fonts.conf")
    with open(config, "w") as f:
        f.write(f"<fontconfig><cachedir>{OUT}/cache</cachedir></fontconfig>")
    done = run("render", RUN, "--plot", plot, "--dpi", 50, env={"FONTCONFIG_FILE": config, "DISPLAY": ""}, ranks=2)
    assert done.returncode == 0 and done.stderr.count("no font") == 1, f"without fonts: {done.stderr}"


make_inputs()
check_purity()
check_kl()
check_choices()
check_ranks()
check_refused()
finish()
