"""Figures of a run: where their points and bars lie is what the run file holds."""
import json
import os
import re
import xml.etree.ElementTree

import h5py
import numpy as np
from PIL import Image

import runfile
from harness import expect, finish, folder, run, succeed

AT = folder()
SVG = "{http://www.w3.org/2000/svg}"


def check(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def draw(run_file, figure, *words, name="figure.svg", ranks=1):
    path = os.path.join(AT, name)
    succeed("render", run_file, "--figure", figure, "--plot", path, *words, ranks=ranks)
    return path


def texts(path):
    return ["".join(t.itertext()).strip() for t in xml.etree.ElementTree.parse(path).iter(SVG + "text")]


def colored(path, color):
    """The lines and areas of a colour: their corners, as [count, 2] each."""
    found = []
    for group in xml.etree.ElementTree.parse(path).iter():
        style = " ".join(group.attrib.values())
        if group.tag in (SVG + "polygon", SVG + "path") and color in style:
            numbers = re.findall(r"-?\d+\.?\d*", group.get("points") or group.get("d"))
            found.append(np.array(numbers, float).reshape(-1, 2))
    return found


def check_line(corners, x, y, what):
    """A line through the values, up to the scales of the axes: both coordinates are linear in them."""
    check(len(corners) == len(x), f"{what}: {len(corners)} points of {len(x)}")
    for axis, values in ((corners[:, 0], x), (corners[:, 1], y)):
        slope, base = np.polyfit(values, axis, 1)
        worst = np.abs(slope * values + base - axis).max()
        check(worst < 0.6 and abs(slope) * np.ptp(values) > 100, f"{what}: off by {worst} pixels")
    check(np.polyfit(y, corners[:, 1], 1)[0] < 0, f"{what}: large is up")


def check_history(run_file, entries, panels):
    path = draw(run_file, "history")
    lines = [c for c in colored(path, "rgb( 63, 144, 218)") if len(c) == len(entries["iteration"])]
    check(len(lines) == panels, f"{len(lines)} panels of {panels}")
    values = (entries["kl"], np.log10(entries["gradient_norm"]), np.log10(entries["span"]) if panels == 3 else None)
    for corners, y in zip(lines, values):
        check_line(corners, entries["iteration"], y, "history")
    shown = texts(path)
    for word in ("KL divergence", "Gradient norm", "Iteration", "exaggeration 12", "exaggeration 1"):
        check(word in shown, f"{word} is in {shown}")
    check(("Span of the map" in shown) == (panels == 3), shown)


def check_png(run_file, figure):
    first = draw(run_file, figure, "--dpi", 100, name="a.png")
    for ranks in (2, 3, 4):
        again = draw(run_file, figure, "--dpi", 100, name="b.png", ranks=ranks)
        check(open(first, "rb").read() == open(again, "rb").read(), f"{figure}: the same bytes on {ranks} ranks")
    for size, pixels in (("8x8", (800, 800)), ("3x4", (300, 400)), ("12x4", (1200, 400))):
        image = Image.open(draw(run_file, figure, "--dpi", 100, "--size", size, name="c.png")).convert("RGB")
        a = np.asarray(image).astype(int)
        check(image.size == pixels, f"{figure} {size}: {image.size}")
        border = np.concatenate([a[0], a[-1], a[:, 0], a[:, -1]])
        check((border == 255).all(), f"{figure} {size}: nothing is cut at the border")
    check(open(draw(run_file, figure, name="c.pdf"), "rb").read(5) == b"%PDF-", f"{figure}: a PDF")


def check_stages(run_file, accounts):
    path = draw(run_file, "stages")
    bars = colored(path, "rgb( 63, 144, 218)") + colored(path, "rgb(169, 205, 240)")
    widths = sorted(np.ptp(b[:, 0]) for b in bars)
    means = sorted(s["mean"] for account in accounts for s in account["stages"])
    check(len(widths) == len(means), f"{len(widths)} bars of {len(means)}")
    scale = widths[-1] / means[-1]
    check(np.abs(np.array(widths) - scale * np.array(means)).max() < 1, f"bars are as long as stages: {widths}, {means}")
    shown = texts(path)
    for account in accounts:
        for stage in account["stages"]:
            check(stage["stage"].strip() in shown, f"{stage['stage']} is in {shown}")
            percent = f"({100 * stage['mean'] / account['seconds']:.1f} %)"
            check(any(percent in t for t in shown), f"{percent} is in {shown}")
    return shown


def main():
    x = os.path.join(AT, "x.npy")
    np.save(x, np.random.default_rng(0).normal(size=(800, 6)).astype("f4"))
    run_file = os.path.join(AT, "run.h5")
    succeed("embed", "--features", x, "--out", run_file, "--perplexity", 10, "--repulsion", "mesh", ranks=2)
    with h5py.File(run_file) as f:
        entries = f["history"][...]
        account = json.loads(f.attrs["embed_stages"])
        extent = np.ptp(f["embedding/coordinates"][...], axis=0).max()
    check(abs(entries["span"][-1] - extent) < 1e-5 * extent, f"the last span is the map's: {entries['span'][-1]}, {extent}")
    check(account["ranks"] == 2 and not account["resumed"], account)
    names = [s["stage"] for s in account["stages"]]
    check("neighbours" in names and "  mesh transform" in names, names)
    whole = sum(s["mean"] for s in account["stages"] if not s["stage"].startswith(" "))
    check(0.5 * account["seconds"] < whole <= account["seconds"] * 1.01, f"{whole} of {account['seconds']} s")
    check_history(run_file, entries, 3)
    shown = check_stages(run_file, [account])
    check(any(t.startswith("embed:") and "2 ranks" in t for t in shown), shown)
    for figure in ("history", "stages"):
        check_png(run_file, figure)

    # a file from before the span was kept, and two steps, whose names are nobody's to run
    kept = [n for n in entries.dtype.names if n != "span"]
    old = np.zeros(len(entries), np.dtype([(n, entries.dtype[n]) for n in kept]))
    for name in kept:
        old[name] = entries[name]
    hostile = "'; system 'touch ran' #`touch ran`\"$(touch ran)"
    steps = [{"ranks": 4, "threads": 2, "resumed": True, "seconds": 10.0,
              "stages": [{"stage": hostile, "count": 1, "min": 1.0, "mean": 2.0, "max": 3.5}]},
             {"ranks": 1, "threads": 1, "resumed": False, "seconds": 8.0,
              "stages": [{"stage": "one", "count": 1, "min": 4.0, "mean": 4.0, "max": 4.0},
                         {"stage": "  part", "count": 1, "min": 0.5, "mean": 0.5, "max": 0.5}]}]
    xy = np.random.default_rng(1).normal(size=(10, 2))
    before = runfile.write(os.path.join(AT, "old.h5"), xy, history=old, extract_stages=json.dumps(steps[0]),
                           embed_stages=json.dumps(steps[1]))
    check_history(before, old, 2)
    shown = check_stages(before, [steps[0] | {"stages": [steps[0]["stages"][0] | {"stage": hostile[:39] + "…"}]}, steps[1]])
    check(any("last job" in t for t in shown), shown)
    check("ran" not in os.listdir(AT) and not os.path.exists("ran"), "no name is run")

    none = runfile.write(os.path.join(AT, "none.h5"), xy)
    picture = os.path.join(AT, "none.png")
    expect(2, "no history", of=("render", none, "--figure", "history", "--plot", picture))
    expect(2, "how long its stages took", of=("render", none, "--figure", "stages", "--plot", picture))
    bad = runfile.write(os.path.join(AT, "bad.h5"), xy, embed_stages='{"stages": [{"stage": 3}]}')
    expect(2, "embed_stages", of=("render", bad, "--figure", "stages", "--plot", picture))
    expect(2, "2 to 200", of=("render", run_file, "--figure", "history", "--plot", picture, "--size", "1x1"))
    check(not os.path.exists(picture) and run("render", none, "--figure", "x", "--plot", picture).returncode == 2, "x")
    finish()


main()
