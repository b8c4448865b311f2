"""`embed --optimizer tao`: one map at any number of ranks and threads and after stops, no farther from the minimum than
the descent's; what is out of place is refused in one line. A program without PETSc says so."""
import os

import h5py
import numpy as np

from harness import digests, expect, finish, folder, run, succeed

OUT = folder()
RNG = np.random.default_rng(8)
SMALL, LARGE = os.path.join(OUT, "small.npy"), os.path.join(OUT, "large.npy")
np.save(SMALL, RNG.normal(size=(400, 5)))
np.save(LARGE, RNG.normal(size=(6000, 4)))  # on a mesh, and with vectors that a BLAS would give to several threads
TAO = "--optimizer", "tao"


def command(name, *options, features=SMALL, early=60, iterations=120):
    return ["embed", "--features", features, "--out", os.path.join(OUT, name), "--perplexity", 10,
            "--early-iterations", early, "--iterations", iterations, *options]


def map_of(name, *options, ranks=1, **more):
    succeed(*command(name, *options, **more), ranks=ranks)
    return digests(os.path.join(OUT, name))["/embedding/coordinates"]


def history(name):
    with h5py.File(os.path.join(OUT, name)) as f:
        return f["/history"][...]


def check_bits():
    whole = map_of("whole.h5", *TAO)
    for ranks, threads in ((1, 3), (2, 2), (3, 1), (4, 1)):
        assert map_of(f"{ranks}.h5", *TAO, "--threads", threads, ranks=ranks) == whole, (ranks, threads)
    large = map_of("large.h5", *TAO, features=LARGE, early=20, iterations=60)
    again = map_of("large2.h5", *TAO, "--threads", 2, features=LARGE, early=20, iterations=60, ranks=2)
    assert again == large
    with h5py.File(os.path.join(OUT, "large.h5")) as f:
        assert "PETSc" in f.attrs["library_petsc"].decode(), dict(f.attrs)
    # conjugate gradients, and a spectral start before it: each has options of its own
    both = "--init", "spectral", "--petsc", "-eps_tol 1e-8 -tao_type cg"
    shape = {"features": LARGE, "early": 20, "iterations": 20}
    assert map_of("both.h5", *TAO, *both, **shape) == map_of("both2.h5", *TAO, *both, ranks=3, **shape)


def check_minimum():
    """With time enough both optimisers come to a minimum, TAO's no higher."""
    plenty = {"early": 100, "iterations": 3000}
    map_of("descent.h5", **plenty)
    map_of("tao.h5", *TAO, **plenty)
    descent, tao = history("descent.h5"), history("tao.h5")
    assert tao["kl"][-1] < 1.02 * descent["kl"][-1], (tao[-1], descent[-1])
    later = tao[tao["iteration"] >= 100]
    assert tao["gradient_norm"][-1] < 0.02 * later["gradient_norm"].max(), later
    assert len(later) > 2 and (np.diff(later["kl"]) < 1e-6).all(), later


def check_stops():
    """A stop that comes at once, one after the early iterations; each gone on with on other ranks."""
    whole = digests(os.path.join(OUT, "whole.h5"))["/embedding/coordinates"]
    for seconds in (0.001, 0.6, 0.8, 1.0):
        name = f"stopped{seconds}.h5"
        stopped = run(*command(name, *TAO, "--time-limit", f"0:00:0{seconds}"), ranks=2)
        assert stopped.returncode in (0, 75), stopped
        assert map_of(name, *TAO, ranks=3) == whole, seconds
    succeed(*command("kept.h5", *TAO, "--checkpoint-every", 50, "--snapshot-every", 50))
    with h5py.File(os.path.join(OUT, "kept.h5")) as f:
        assert list(f["/snapshots/iteration"][...]) == [0, 50, 100, 150], list(f["/snapshots/iteration"])


def check_errors():
    expect(2, "-tao_max_it", of=command("bad1.h5", *TAO, "--petsc", "-tao_max_it 5"))
    expect(2, "-tao_tipe", of=command("bad2.h5", *TAO, "--petsc", "-tao_tipe cg"))
    expect(1, "PETSc", "nonesuch", of=command("bad3.h5", *TAO, "--petsc", "-tao_type nonesuch"))
    expect(2, "--snapshot-every 30", of=command("bad4.h5", *TAO, "--snapshot-every", 30))


if "no PETSc" in succeed("--version").stdout:
    expect(1, "--optimizer tao", "built without PETSc", of=command("bad5.h5", *TAO))
else:
    check_bits()
    check_minimum()
    check_stops()
    check_errors()
finish()
