"""One result: the same bits for any number of ranks and threads, for the whole job over the sample, with a
bad image in it, and for the embedding of a matrix (MNIST where it is at hand)."""
import gzip
import os

import numpy as np

from harness import SHARED, MODEL, digests, draw_sample, folder, succeed


def check(name, make, ranks=(1, 2, 3, 4), threads=(1, 2)):
    expected = None
    for r in ranks:
        for t in threads:
            path = make(r, t)
            found = digests(path, ranks=1 + (r + t) % 3)
            expected = expected or found
            assert found == expected, f"{name}: {r} ranks x {t} threads gave {found}, not {expected}"
            os.remove(path)
    print(f"{name}: equal;", ", ".join(f"{k} {v[:8]}" for k, v in expected.items()))
    return expected


def sample():
    images, out = draw_sample(25), folder()
    with open(os.path.join(images, sorted(os.listdir(images))[3], "0007.png"), "wb") as f:
        f.write(b"not an image")

    def make(ranks, threads):
        path = os.path.join(out, "run.h5")
        succeed("run", "--images", images, "--model", MODEL, "--drop-last", 1, "--batch", 16,
                "--max-bad", 1, "--out", path, "--plot", os.path.join(out, "map.png"), "--dpi", 60,
                "--perplexity", 10, "--early-iterations", 60, "--iterations", 60, "--threads", threads,
                ranks=ranks)
        return path

    found = check("run over the sample", make)
    for name in ("/features", "/neighbours/index", "/neighbours/distance", "/embedding/coordinates"):
        assert name in found


def matrix():
    out = folder()
    x, rows = os.path.join(out, "x.npy"), 1000
    images = os.path.join(SHARED, "data", "mnist", "mnist-70k-images-idx3-ubyte.gz")
    if os.path.exists(images):
        rows = 2000
        with gzip.open(images) as f:
            f.read(16)
            np.save(x, np.frombuffer(f.read(rows * 784), np.uint8).reshape(rows, 784).astype(np.float32))
    else:
        np.save(x, np.random.default_rng(0).normal(size=(rows, 40)).astype(np.float32))

    def make(ranks, threads):
        path = os.path.join(out, "run.h5")
        succeed("embed", "--features", x, "--out", path, "--early-iterations", 50, "--iterations", 50,
                "--threads", threads, ranks=ranks)
        return path

    check(f"embed of {rows} rows", make)


def few_rows():
    """Fewer blocks of rows than ranks."""
    out = folder()
    np.save(os.path.join(out, "x.npy"), np.random.default_rng(1).normal(size=(40, 3)))

    def make(ranks, threads):
        path = os.path.join(out, "run.h5")
        succeed("embed", "--features", os.path.join(out, "x.npy"), "--out", path, "--perplexity", 5,
                "--iterations", 100, "--threads", threads, ranks=ranks)
        return path

    check("embed of 40 rows", make, ranks=(1, 4))


sample()
matrix()
few_rows()
