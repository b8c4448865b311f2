"""Nothing is lost: a killed extraction is gone on with, at another number of ranks, to the same bits; the
same command on a finished file does nothing; --fresh starts over."""
import os
import random
import time

import h5py

from harness import MODEL, digests, draw_sample, folder, kill_all, start, succeed, wait_for

OUT = folder()
IMAGES = draw_sample(120)


def command(path):
    return ["extract", "--images", IMAGES, "--model", MODEL, "--drop-last", 1, "--batch", 8, "--out", path,
            "--threads", 1]


def begin(path):
    """The job, as soon as it has begun to write; and when that was."""
    job = start(*command(path), ranks=2)
    while not os.path.exists(path + ".partial") and job.poll() is None:
        time.sleep(0.005)
    return job, time.time()


def kill_midway(path, delay):
    """Kills all ranks at once, `delay` seconds after the file appeared."""
    job, _ = begin(path)
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
repeats()
