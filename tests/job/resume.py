"""Nothing is lost: a killed extraction is gone on with, at another number of ranks, to the same bits; the
same command on a finished file does nothing; --fresh starts over."""
import os
import random
import time

import h5py

from harness import MODEL, digests, draw_sample, folder, kill_all, start, succeed, wait_for

OUT = folder()
IMAGES = draw_sample(120)


ONE, SEVERAL = ["--drop-last", 1], ["--layer", "pool,conv3,relu4:in"]


def command(path, layers=ONE):
    return ["extract", "--images", IMAGES, "--model", MODEL, *layers, "--batch", 8, "--out", path, "--threads", 1]


def begin(path, layers=ONE):
    """The job, as soon as it has begun to write; and when that was."""
    job = start(*command(path, layers), ranks=2)
    while not os.path.exists(path + ".partial") and job.poll() is None:
        time.sleep(0.005)
    return job, time.time()


def kill_midway(path, delay, layers=ONE):
    """Kills all ranks at once, `delay` seconds after the file appeared."""
    job, _ = begin(path, layers)
    time.sleep(delay)
    kill_all(job.pid)
    job.communicate()


def kills():
    whole = os.path.join(OUT, "whole.h5")
    job, began = begin(whole)
    assert wait_for(job).returncode == 0
    seconds = time.time() - began
    expected = digests(whole)["/features"]
    chance = random.Random(0)
    midway = 0
    for attempt in range(8):
        path = os.path.join(OUT, f"killed{attempt}.h5")
        # the first at once, while the file is being made
        kill_midway(path, 0.8 * seconds * chance.random() if attempt else 0)
        midway += os.path.exists(path + ".partial")
        succeed(*command(path), ranks=1 + attempt % 4)
        assert digests(path)["/features"] == expected, f"attempt {attempt} differs"
        assert not os.path.exists(path + ".partial")
    print(f"8 kills, {midway} of them midway: 8 equal digests")
    assert midway > 0


def blocks_done(path):
    """Of a file that a kill has left; None where it is in the middle of a change."""
    try:
        with h5py.File(path, "r") as f:
            return f["samples/block_done"][...].astype(bool)
    except (OSError, KeyError):
        return None


def several_layers():
    """The same of several layers: no row is of one layer alone, whenever the kill came."""
    whole = os.path.join(OUT, "layers.h5")
    job, began = begin(whole, SEVERAL)
    assert wait_for(job).returncode == 0
    seconds, expected = time.time() - began, digests(whole)
    assert {"/features", "/features_2", "/features_3"} < set(expected)
    midway = 0
    for attempt, share in enumerate((0.1, 0.25, 0.4, 0.55, 0.7)):
        path = os.path.join(OUT, f"layers{attempt}.h5")
        kill_midway(path, share * seconds, SEVERAL)
        done = blocks_done(path + ".partial")
        midway += done is not None and done.any() and not done.all()
        succeed(*command(path, SEVERAL), ranks=(1, 3, 4, 1, 3)[attempt])
        assert digests(path) == expected, f"attempt {attempt} differs"
    print(f"5 kills among several layers, {midway} of them midway: 5 times equal digests")
    assert midway > 0


def repeats():
    path, plot = os.path.join(OUT, "run.h5"), os.path.join(OUT, "map.png")
    run = ["run", *command(path)[1:], "--plot", plot, "--dpi", 50, "--perplexity", 8, "--early-iterations", 20,
           "--iterations", 20]
    succeed(*run)
    before = digests(path)
    again = succeed(*run, ranks=3).stderr
    assert again.count("kept") == 2, again
    assert digests(path) == before
    # another perplexity that needs fewer neighbours must be asked for, and then finds them anew
    embed = ["embed", path, "--early-iterations", 20, "--iterations", 30, "--perplexity", 8]
    again = succeed(*embed, "--fresh", ranks=2).stderr
    assert "neighbours: " in again and "kept" in again, again
    with h5py.File(path) as f:
        assert f["history"]["iteration"][-1] == 50
    succeed(*run, "--fresh", ranks=2)
    assert digests(path) == before


kills()
several_layers()
repeats()
