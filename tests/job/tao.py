"""`embed --optimizer tao`: at a minimum of KL, and lower than the descent's; one result at any number of ranks and
threads, whatever threads a BLAS would take, and after stops in the midst of TAO's iterations. What is out of place is
refused in one line; so is TAO in a program without PETSc."""
import os
import signal
import time

import h5py
import numpy as np

from harness import digests, expect, finish, folder, ranks_of, run, start, succeed, wait_for

OUT = folder()
RNG = np.random.default_rng(5)
CLOUD, LARGE = os.path.join(OUT, "cloud.npy"), os.path.join(OUT, "large.npy")
np.save(CLOUD, RNG.normal(size=(600, 6)))
np.save(LARGE, RNG.normal(size=(12000, 4)))


def path(name):
    return os.path.join(OUT, name)


def command(name, *options, features=CLOUD):
    return ["embed", "--features", features, "--out", path(name), "--perplexity", 10, "--early-iterations", 70,
            "--iterations", 120, "--optimizer", "tao", *options]


def map_of(name, *options, ranks=1, features=CLOUD, env=None):
    done = succeed(*command(name, *options, features=features), ranks=ranks, env=env)
    return digests(path(name))["/embedding/coordinates"], done.stderr + done.stdout


def history(name):
    with h5py.File(path(name), "r") as f:
        return f["/history"][...]


def minimum():
    """TAO ends where the gradient is as good as none, and from where a long descent ended goes on down: KL has many
    minima, so that two ways from one start need not compare."""
    _, said = map_of("converged.h5", "--iterations", 4000)
    assert "CONVERGED" in said, said
    succeed(*command("descent.h5", "--iterations", 1000, "--optimizer", "descent"))
    with h5py.File(path("descent.h5"), "r") as f:
        np.save(path("descent.npy"), f["/embedding/coordinates"][...])
    below = ("--init", path("descent.npy"), "--early-iterations", 0, "--iterations", 4000,
             "--petsc", "-tao_gatol 5e-3")  # of 150 KL
    _, said = map_of("below.h5", *below)
    assert "CONVERGED" in said, said
    for name, bound in (("converged.h5", 4e-3 / np.sqrt(600)), ("below.h5", 5e-3 / 150)):
        tao = history(name)
        later = tao[tao["iteration"] >= (70 if name == "converged.h5" else 0)]
        assert later["iteration"][-1] < 4000 and later["gradient_norm"][-1] < bound, later[-1]
        assert np.all(np.diff(later["kl"]) < 1e-6), later
    before, after = history("descent.h5"), history("below.h5")
    assert abs(after["kl"][0] - before["kl"][-1]) < 1e-5 and after["kl"][-1] < before["kl"][-1], (before, after)
    assert after["gradient_norm"][-1] < before["gradient_norm"][-1]


def results():
    whole, _ = map_of("whole.h5")
    for ranks, threads in ((2, 2), (3, 1), (4, 1)):
        assert map_of(f"{ranks}.h5", "--threads", threads, ranks=ranks)[0] == whole, ranks
    with h5py.File(path("whole.h5"), "r") as f:
        assert b"PETSc" in f.attrs["library_petsc"]
    found = {map_of(f"cg{r}.h5", "--petsc", "-tao_type cg", ranks=r)[0] for r in (1, 2)}
    assert len(found) == 1 and whole not in found
    exact = {map_of(f"late{r}.h5", "--late-exaggeration", 2, "--repulsion", "mesh", ranks=r)[0] for r in (1, 3)}
    assert len(exact) == 1
    # without an early phase, and from a spectral start: each solver takes its own options
    assert map_of("none.h5", "--early-iterations", 0)[0] != whole
    map_of("both.h5", "--init", "spectral", "--petsc", "-eps_tol 1e-8 -tao_type cg")


def blas_threads():
    """Vectors long enough for a BLAS to take threads, were it not held to one."""
    for options in ((), ("--init", "spectral")):
        short = ("--early-iterations", 10, "--iterations", 20, *options)
        found = {map_of(f"blas{len(options)}-{t}.h5", "--threads", t, *short, features=LARGE,
                        env={"OPENBLAS_NUM_THREADS": str(t)})[0] for t in (1, 2)}  # fmt: skip
        assert len(found) == 1, options


def resumed(name, options, whole, moment, init=()):
    """Stopped by a signal to one rank, gone on with at another number of ranks."""
    job = start(*command(name, *options, *init), ranks=2)
    until = time.monotonic() + 60
    time.sleep(moment)
    while job.poll() is None and not ranks_of(job) and time.monotonic() < until:
        time.sleep(0.01)
    for rank in ranks_of(job)[-1:]:
        os.kill(rank, signal.SIGUSR1)
    done = wait_for(job)
    assert done.returncode in (0, 75), done
    assert map_of(name, *options, *init, ranks=3)[0] == whole, name
    return done.returncode


def stops():
    for init in ((), ("--init", "spectral")):
        options = ("--iterations", 1500, "--repulsion", "exact", "--petsc", "-tao_gatol 1e-9", *init)
        begun = time.monotonic()
        whole, _ = map_of(f"long{len(init)}.h5", *options, ranks=2)
        took = time.monotonic() - begun
        codes = [resumed(f"stop{len(init)}-{i}.h5", options, whole, took * share)
                 for i, share in enumerate((0.3, 0.5, 0.7))]  # fmt: skip
        assert 75 in codes, "no signal came in time"
        every = ("--checkpoint-every", 37)
        assert map_of(f"every{len(init)}.h5", *options, *every, ranks=2)[0] == whole


def stopped_descent():
    """A spectral start whose descent was stopped midway goes on to the same bits at another number of ranks."""
    options = ("--optimizer", "descent", "--init", "spectral", "--iterations", 4000)
    begun = time.monotonic()
    whole, _ = map_of("spectral.h5", *options, ranks=2)
    took = time.monotonic() - begun
    assert 75 in [resumed(f"spectral{i}.h5", options, whole, took * share) for i, share in enumerate((0.4, 0.6, 0.8))]


def errors():
    expect(2, "-tao_tool", of=command("bad1.h5", "--petsc", "-tao_tool 1"))
    expect(2, "-tao_max_it", "--iterations", of=command("bad2.h5", "--petsc", "-tao_max_it 10"))
    expect(1, "PETSc", "nonesuch", of=command("bad3.h5", "--petsc", "-tao_type nonesuch"))
    expect(1, "PETSc", of=command("bad4.h5", "--petsc", "-tao_type nls"))
    expect(2, "--snapshot-every 30", "50", of=command("bad5.h5", "--snapshot-every", 30))
    expect(2, "--optimizer", "lmvm", of=command("bad6.h5", "--optimizer", "lmvm"))
    expect(2, "--optimizer", of=command("converged.h5", "--iterations", 4000, "--optimizer", "descent"))


if "no PETSc" in succeed("--version").stdout:
    expect(1, "built without PETSc", "--optimizer tao", of=command("bad7.h5"))
    assert not os.path.exists(path("bad7.h5"))
else:
    for test in (minimum, results, blas_threads, stops, stopped_descent, errors):
        began = time.monotonic()
        test()
        print(test.__name__, f"{time.monotonic() - began:.1f} s", flush=True)
finish()
