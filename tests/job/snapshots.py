"""Maps on the way to the embedding: the same on any number of ranks, also after kills and stops at any moment; and
the film that is made of them."""
import os
import signal
import time

import h5py
import numpy as np
from PIL import Image

from harness import (content, differences, errors_of, expect, finish, folder, kill_all, ranks_of, run, start, succeed,
                     wait_for)

AT = folder()
X, Y = os.path.join(AT, "x.npy"), os.path.join(AT, "y.npy")
rng = np.random.default_rng(5)
labels = rng.integers(0, 3, 1500)
features = (rng.normal(size=(1500, 8)) + 4 * np.eye(8)[labels]).astype("f4")
np.save(X, features)
np.save(Y, labels)


def words(out, every=20, iterations=130, **more):
    options = {"perplexity": 12, "early-iterations": 60, "iterations": iterations, "snapshot-every": every,
               "checkpoint-every": 30, "neighbours": "approximate", "threads": 1, **{k.replace("_", "-"): v for k, v in more.items()}}
    return ["embed", "--features", X, "--labels", Y, "--out", out,
            *(w for name, value in options.items() for w in (f"--{name}", str(value)))]


def check(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def check_values(path):
    """A snapshot is what a run of so many iterations gives, but for the centring at its end."""
    with h5py.File(path) as f:
        maps = f["snapshots/coordinates"][...].reshape(10, 1500, 2)
        check(list(f["snapshots/iteration"][...]) == list(range(0, 190, 20)), f["snapshots/iteration"][...])
        check(f.attrs["snapshot_every"] == b"20", "the wish is in the file")
    for number, late in ((3, 0), (7, 80)):
        short = os.path.join(AT, "short.h5")
        succeed(*words(short, every=0, iterations=late), "--fresh")
        with h5py.File(short) as f:
            xy = f["embedding/coordinates"][...]
            check("snapshots" not in f or not len(f["snapshots"]), "no snapshots without the option")
        gap = np.abs((maps[number] - maps[number].mean(axis=0)) - (xy - xy.mean(axis=0))).max()
        check(gap < 1e-4 * np.ptp(xy), f"snapshot {number}: {gap}")


def check_order(rows):
    """So many rows that the descent has an order of its own: snapshots are in the order of the input."""
    x, path = os.path.join(AT, "long.npy"), os.path.join(AT, "long.h5")
    np.save(x, np.random.default_rng(6).normal(size=(rows, 4)).astype("f4"))
    short = ["--perplexity", 4, "--early-iterations", 4, "--iterations", 0, "--snapshot-every", 4, "--out", path]
    succeed("embed", "--features", x, *short, ranks=2)
    with h5py.File(path) as f:
        last, xy = f["snapshots/coordinates"][rows:], f["embedding/coordinates"][...]
    check(np.abs(last - last.mean(axis=0) - xy + xy.mean(axis=0)).max() < 1e-4 * np.ptp(xy), "rows in their order")


def disturb(path, after, how, ranks):
    """Starts the job, waits until so many snapshots are there, and kills or stops it."""
    job = start(*words(path), ranks=ranks)
    until = time.monotonic() + 60
    while time.monotonic() < until and job.poll() is None:
        try:
            with h5py.File(path, "r", locking=False) as f:
                if np.count_nonzero(f["snapshots/iteration"][...]) >= after:
                    break
        except (OSError, KeyError, RuntimeError):
            pass  # not yet, or in the middle of a change
        time.sleep(0.005)
    if how == signal.SIGKILL:
        kill_all(job.pid)
    else:
        for process in ranks_of(job):
            os.kill(process, how)
    return wait_for(job).returncode


def check_resumed(expected):
    for after, how, ranks in ((1, signal.SIGKILL, 2), (3, signal.SIGKILL, 3), (5, signal.SIGTERM, 2)):
        path = os.path.join(AT, "resumed.h5")
        for name in os.listdir(AT):
            if name.startswith("resumed"):
                os.remove(os.path.join(AT, name))
        code = disturb(path, after, how, ranks)
        if code == 75:
            wrong = run(*words(path, every=40), ranks=2)
            check(wrong.returncode == 2 and "--snapshot-every 20" in errors_of(wrong)[0], wrong.stderr)
        for again in range(3):  # a job that was killed may be killed again
            if again == 0 and code != 0:
                disturb(path, after + 1, how, ranks)
        succeed(*words(path), ranks=4)
        check(not differences(content(path), expected), f"{how}: {differences(content(path), expected)}")
        print("resumed after", after, "snapshots, exit code", code)


def check_film(path):
    for name in ("film.gif", "film.png"):
        film = os.path.join(AT, name)
        succeed("render", path, "--figure", "animation", "--plot", film, "--size", "4x4", "--dpi", 150)
        first = open(film, "rb").read()
        succeed("render", path, "--figure", "animation", "--plot", film, "--size", "4x4", "--dpi", 150, ranks=3)
        check(open(film, "rb").read() == first, f"{name}: the same bytes on three ranks")
        image = Image.open(film)
        check(image.is_animated and image.size == (200, 200), f"{name}: {image.size}")
        if name.endswith("png"):
            check(image.n_frames == 10, f"{name}: {image.n_frames} frames")
        widths = []
        for frame in (0, 5, 9):
            image.seek(frame)
            pixels = np.asarray(image.convert("RGB")).astype(int)
            check((np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]) > 200).all(), "nothing is cut")
            blue = (np.abs(pixels - [0x3F, 0x90, 0xDA]).max(axis=2) < 24)
            blue[:, 160:] = False  # the legend's
            widths.append(np.ptp(np.nonzero(blue)[1]) + 1 if blue.any() else 0)
        check(widths[2] > 20 and widths[1] > 5, f"{name}: the class spreads over the frame: {widths}")
    single = os.path.join(AT, "short.h5")
    expect(2, "no snapshots", "--snapshot-every", of=("render", single, "--figure", "animation", "--plot", film))
    expect(2, ".gif", of=("render", path, "--figure", "animation", "--plot", os.path.join(AT, "x.pdf")))


whole = os.path.join(AT, "whole.h5")
succeed(*words(whole), ranks=1)
expected_content = content(whole)
check_values(whole)
for count in (2, 3, 4):
    other = os.path.join(AT, f"ranks{count}.h5")
    succeed(*words(other, threads=count), ranks=count)
    check(not differences(content(other), expected_content), f"{count} ranks: {differences(content(other), expected_content)}")
check_resumed(expected_content)
check_order(17000)
check(run("verify", whole).returncode == 0, "a file with snapshots is whole")
said = succeed(*words(os.path.join(AT, "short.h5"), every=0, iterations=80)).stderr
check("without snapshots" not in said, said)
said = succeed(*words(os.path.join(AT, "short.h5"), every=10, iterations=80)).stderr
check("without snapshots" in said and "--fresh" in said, said)
expect(2, "--snapshot-every 1", "1000", of=words(os.path.join(AT, "many.h5"), every=1, iterations=2000))
check_film(whole)
finish()
