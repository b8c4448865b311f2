"""One result: the same bits for any number of ranks and threads, for the whole job over the sample, with a
bad image in it, and for the embedding of a matrix (MNIST where it is at hand)."""
import gzip
import os

import numpy as np

from harness import SHARED, MODEL, digests, draw_sample, folder, succeed


EVERY = [(ranks, threads) for ranks in (1, 2, 3, 4) for threads in (1, 2)]
SOME = [(1, 2), (2, 1), (3, 2), (4, 1)]


def check(name, make, cases=EVERY):
    expected = None
    for ranks, threads in cases:
        path = make(ranks, threads)
        found = digests(path, ranks=1 + (ranks + threads) % 3)
        expected = expected or found
        assert found == expected, f"{name}: {ranks} ranks x {threads} threads gave {found}, not {expected}"
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

    expected = check(f"embed of {rows} rows", make, SOME)

    def make_plain(ranks, threads):
        path = os.path.join(out, "run.h5")
        succeed("embed", "--features", x, "--out", path, "--early-iterations", 50, "--iterations", 50,
                "--threads", threads, ranks=ranks, env={"SHARDSNE_SIMD": "plain"})
        return path

    assert check("the same without vector instructions", make_plain, [(2, 1)]) == expected

    def make_otherwise(ranks, threads):
        path = os.path.join(out, "run.h5")
        succeed("embed", "--features", x, "--out", path, "--early-iterations", 50, "--iterations", 50,
                "--neighbours", "approximate", "--repulsion", "mesh", "--metric", "cosine", "--pca", 30,
                "--perplexity", "10,30", "--tail-df", 0.7, "--threads", threads, ranks=ranks)
        return path

    check(f"embed of {rows} rows, approximate neighbours, mesh, cosine, PCA, two perplexities",
          make_otherwise, SOME)


def few_rows():
    """Fewer blocks of rows than ranks."""
    out = folder()
    np.save(os.path.join(out, "x.npy"), np.random.default_rng(1).normal(size=(40, 3)))

    def make(ranks, threads):
        path = os.path.join(out, "run.h5")
        succeed("embed", "--features", os.path.join(out, "x.npy"), "--out", path, "--perplexity", 5,
                "--iterations", 100, "--threads", threads, ranks=ranks)
        return path

    check("embed of 40 rows", make, [(1, 2), (4, 1)])


sample()
matrix()
few_rows()
