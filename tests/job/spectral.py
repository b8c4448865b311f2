"""`embed --init spectral`: one result at any number of ranks and threads and after a stop; what has no such start is
refused in one line, or begins as PCA has it where `spectral,pca` says so. A program without PETSc says so."""
import os

import numpy as np

from harness import digests, expect, finish, folder, run, succeed

OUT = folder()
RNG = np.random.default_rng(5)
CLOUD, PIECES = os.path.join(OUT, "cloud.npy"), os.path.join(OUT, "pieces.npy")
points = RNG.normal(size=(600, 6))
np.save(CLOUD, points)
np.save(PIECES, points + 100 * (np.arange(600) % 2)[:, None])


def command(name, *options, features=CLOUD):
    return ["embed", "--features", features, "--out", os.path.join(OUT, name), "--perplexity", 10,
            "--early-iterations", 20, "--iterations", 40, *options]


def map_of(name, *options, ranks=1, features=CLOUD):
    done = succeed(*command(name, *options, features=features), ranks=ranks)
    return digests(os.path.join(OUT, name))["/embedding/coordinates"], done.stderr + done.stdout


def results():
    whole, _ = map_of("whole.h5", "--init", "spectral")
    for ranks, threads in ((2, 2), (3, 1), (4, 1)):
        assert map_of(f"{ranks}.h5", "--init", "spectral", "--threads", threads, ranks=ranks)[0] == whole, ranks
    pca, _ = map_of("pca.h5")
    assert pca != whole
    # stopped at once, gone on with at another number of ranks
    stopped = run(*command("stopped.h5", "--init", "spectral", "--time-limit", "0:00:00.001"), ranks=2)
    assert stopped.returncode == 75, stopped
    assert map_of("stopped.h5", "--init", "spectral", ranks=3)[0] == whole
    # where there is a spectral start, `spectral,pca` is that; where there is none, PCA's, with a warning
    assert map_of("either.h5", "--init", "spectral,pca", ranks=2)[0] == whole
    found, said = map_of("fallback.h5", "--init", "spectral,pca", features=PIECES, ranks=2)
    assert "the start is that of --init pca" in said and "in pieces" in said, said
    assert found == map_of("pieces.h5", features=PIECES)[0]


def errors():
    expect(1, "in pieces", of=command("bad1.h5", "--init", "spectral", features=PIECES))
    expect(1, "-eps_max_it", of=command("bad2.h5", "--init", "spectral", "--petsc", "-eps_max_it 1 -eps_ncv 4"))
    expect(1, "PETSc", "nonesuch", of=command("bad3.h5", "--init", "spectral", "--petsc", "-eps_type nonesuch"))
    expect(2, "-eps_tool", of=command("bad4.h5", "--init", "spectral,pca", "--petsc", "-eps_tool 1"))


expect(2, "--init is pca", of=command("bad5.h5", "--petsc", "-eps_monitor"))
if "no PETSc" in succeed("--version").stdout:
    for start in "spectral", "spectral,pca":
        expect(1, "built without PETSc", of=command("bad6.h5", "--init", start))
    assert not os.path.exists(os.path.join(OUT, "bad6.h5"))
else:
    results()
    errors()
finish()
