"""The analysis programs: the judge against plain sums over all pairs, the limits for a moment, and a
comparison of shardsne alone on 600 rows, whose figures must be the judge's own."""
import json
import os
import subprocess
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "job"))
from harness import MPI, SHARDSNE, SOURCE, folder, skip

try:
    import h5py
    import scipy
except ImportError as error:
    skip(error)

ANALYSIS = os.path.join(SOURCE, "analysis")
LIMITS = sys.argv[1]


def told(*command):
    """What a program prints."""
    done = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=300)  # fmt: skip
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


def clusters(rows, columns, seed):
    """Features of five classes, among them ten rows in one place, and their classes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, 5, rows)
    X = (3 * random.normal(size=(5, columns))[labels] + random.normal(size=(rows, columns))).astype(np.float32)
    X[20:30], labels[20:30] = X[20], labels[20]
    return X, labels


def squared(Y):
    return ((Y[:, None, :].astype(np.float64) - Y[None, :, :]) ** 2).sum(2)


def plain_figures(X, Y, labels, perplexity):
    """KL, knn10 and accuracy from the definitions, one row at a time."""
    n, k = len(X), int(3 * perplexity)
    D, E = squared(X), squared(Y)
    np.fill_diagonal(D, np.inf)
    np.fill_diagonal(E, np.inf)
    P = np.zeros((n, n))
    for i in range(n):
        near = np.lexsort((np.arange(n), D[i]))[:k]
        d, low, high = D[i, near] - D[i, near].min(), 1e-12, 1e12
        for _ in range(200):
            beta = np.sqrt(low * high)
            p = np.exp(-beta * d)
            p /= p.sum()
            entropy = -(p[p > 0] * np.log(p[p > 0])).sum()
            low, high = (beta, high) if entropy > np.log(perplexity) else (low, beta)
        P[i, near] = p
    P = (P + P.T) / (2 * n)
    K = 1 / (1 + E)
    Q, some = K / K.sum(), P > 0
    tens = [(set(np.lexsort((np.arange(n), D[i]))[:10]), np.lexsort((np.arange(n), E[i]))[:10]) for i in range(n)]
    same = np.mean([len(a & set(b)) / 10 for a, b in tens])
    votes = [np.bincount(labels[b]).argmax() for _, b in tens]
    return {"kl": (P[some] * np.log(P[some] / Q[some])).sum(), "knn10": same, "accuracy": np.mean(votes == labels)}


def test_judge():
    out = folder()
    X, labels = clusters(700, 9, 1)
    Y = (X[:, :2] * 3 + np.random.default_rng(2).normal(size=(700, 2))).astype(np.float32)
    x, y, l, cache = (os.path.join(out, name) for name in ("x.npy", "y.npy", "l.npy", "cache.npz"))
    np.save(x, X), np.save(y, Y), np.save(l, labels)
    expected = plain_figures(X, Y, labels, 12)
    for _ in range(2):  # the second time from the cache
        found = json.loads(
            told(sys.executable, os.path.join(ANALYSIS, "judge.py"), "--features", x, "--embedding", y,
                 "--labels", l, "--perplexity", 12, "--cache", cache)
        )  # fmt: skip
        for name, bound in (("kl", 1e-6), ("knn10", 1e-12), ("accuracy", 1e-12)):
            assert abs(found[name] - expected[name]) <= bound, (name, found[name], expected[name])
        assert os.path.exists(cache)


def test_searches():
    """Groups of columns, blocks of rows and the second, precise search find what sorting finds."""
    sys.path.insert(0, ANALYSIS)
    import judge

    X = np.repeat(clusters(1500, 5, 3)[0], 2, axis=0) + np.float32(1e3)  # norms that hide distances
    X[100:150] = X[100]  # more rows in one place than the search has room for
    D = squared((X - X.mean(0, dtype=np.float64)).astype(np.float32))
    np.fill_diagonal(D, np.inf)
    expected = np.sort(D, 1)[:, :20]
    torch = judge.torch
    for library in {torch, None}:
        judge.torch, judge.BLOCK_BYTES = library, 1 << 20
        found = judge.nearest(X, 20)
        assert np.allclose(found.squared, expected, rtol=1e-12, atol=0), "other distances than sorting finds"
        at = np.take_along_axis(D, found.index.astype(np.int64), 1)
        assert np.allclose(at, expected, rtol=1e-12, atol=0), "indices of other rows"
        assert all(len(set(row)) == 20 for row in found.index), "a row twice"
    judge.torch = torch


def test_limits():
    for ranks in (1, 2):
        found = json.loads(told(MPI, ranks, LIMITS, "--seconds", 0.01, "--threads", 1, "--rows", 1000))
        assert found["ranks"] == ranks and all(rate > 0 for rate in found["rates"].values()), found
        assert ("allreduce" in found["rates"]) == (ranks > 1)


def test_compare():
    out = folder()
    X, labels = clusters(700, 9, 4)
    x, l = os.path.join(out, "x.npy"), os.path.join(out, "l.npy")
    np.save(x, X), np.save(l, labels)
    told(sys.executable, os.path.join(ANALYSIS, "compare-peers"), "--only", "shardsne", "--features", x, "--labels", l,
         "--rows", 600, "--perplexity", 12, "--early-iterations", 50, "--iterations", 50, "--repeats", 2,
         "--program", SHARDSNE, "--out", os.path.join(out, "results"))  # fmt: skip
    with open(os.path.join(out, "results", "table.json")) as file:
        (row,) = json.load(file)["programs"]
    with h5py.File(os.path.join(out, "results", "shardsne-1.h5")) as run:
        Y = run["/embedding/coordinates"][...]
    expected = plain_figures(X[:600], Y, labels[:600], 12)
    assert abs(row["kl"] - expected["kl"]) < 1e-5 and row["runs"] == 2 and row["seconds"] > 0, (row, expected)
    assert row["peak_bytes"] > 1e6 and row["ratio"] == 1, row


test_judge()
test_searches()
test_limits()
test_compare()
