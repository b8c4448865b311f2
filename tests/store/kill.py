"""A run killed at any moment leaves a file that opens, with the rows that were written, and that
goes on with another number of ranks."""
import os
import random
import signal
import subprocess
import time

import h5py
import numpy as np

from support import BLOCK, DRIVER, MPI, features, folder, run

ROWS = 1000


def kill_one_rank(where, ranks, victim, ranks_after):
    path = f"{where}/run-{ranks}-{victim}.h5"
    begun = run(ranks, "begin", path, ROWS, victim)
    assert begun.returncode != 0
    assert not os.path.exists(path) and os.path.exists(path + ".partial")
    with h5py.File(path + ".partial", "r") as f:
        done = f["samples/block_done"][...]
        written = np.repeat(done, BLOCK)[:ROWS].astype(bool)
        assert 0 < done.sum() < len(done), done.sum()
        assert (f["features"][...][written] == features(ROWS)[written]).all()
    resumed = run(ranks_after, "resume", path)
    assert resumed.returncode == 0 and resumed.stderr == "", resumed.stderr
    assert resumed.stdout == f"partial, {done.sum()} blocks kept\n", resumed.stdout
    assert os.path.exists(path) and not os.path.exists(path + ".partial")
    with h5py.File(path, "r") as f:
        assert (f["features"][...] == features(ROWS)).all()


def ranks_below(process):
    """The ranks that a launcher started, itself (Open MPI) or through a process of its own (MPICH)."""
    with open(f"/proc/{process}/task/{process}/children") as f:
        children = [int(child) for child in f.read().split()]
    ranks = [child for child in children if os.path.samefile(f"/proc/{child}/exe", DRIVER)]
    return ranks + [rank for child in children if child not in ranks for rank in ranks_below(child)]


def kill_all_at_random(where, ranks, delay):
    """All ranks at once, while they do nothing but change the file's structure."""
    path = f"{where}/storm.h5"
    job = subprocess.Popen([MPI, str(ranks), DRIVER, "storm", path], stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL, text=True)
    assert job.stdout.readline() == "begun\n"
    time.sleep(delay)
    running = ranks_below(job.pid)
    assert len(running) == ranks, running
    for rank in running:  # mpirun itself would let them end in order
        os.kill(rank, signal.SIGKILL)
    job.wait()
    opened = run(2, "open", path)
    assert opened.returncode == 0, f"killed after {delay:.3f} s: {opened.stderr}"


with folder() as where:
    kill_one_rank(where, 1, 0, 3)
    kill_one_rank(where, 2, 1, 1)
    kill_one_rank(where, 4, 2, 2)
    source = random.Random(1)
    for trial in range(4):
        kill_all_at_random(where, 1 + trial % 3, source.uniform(0, 0.5))
