"""The engine's options from outside: what the approximate search reports is true, neighbours are kept for other
schedules, several perplexities, tails, an early end, a dry run, and what is refused."""
import json
import os

import h5py
import numpy as np

from harness import errors_of, folder, run, succeed

OUT = folder()
ROWS, K = 3000, 30
QUICK = ("--early-iterations", 50, "--iterations", 50)


def path(name):
    return os.path.join(OUT, name)


def make_features():
    """Thirty clusters of unequal size in 20 dimensions."""
    random = np.random.default_rng(3)
    centres = 4 * random.normal(size=(30, 20))
    label = np.minimum(random.geometric(0.1, ROWS) - 1, 29)
    x = (centres[label] + random.normal(size=(ROWS, 20))).astype(np.float32)
    np.save(path("x.npy"), x)
    return x


def embed(name, *options, ranks=2):
    log = path(name + ".jsonl")
    done = succeed("embed", "--features", path("x.npy"), "--out", path(name), "--perplexity", K // 3, "--log", log,
                   *options, ranks=ranks)
    with open(log) as f:
        events = [json.loads(line) for line in f]
    os.remove(log)
    return events, done.stderr


def only(events, kind):
    found = [e for e in events if e["event"] == kind]
    assert found, kind
    return found[-1]


def neighbours(name):
    with h5py.File(path(name)) as f:
        return f["neighbours/index"][...], f["neighbours/distance"][...]


def coordinates(name):
    with h5py.File(path(name)) as f:
        return f["embedding/coordinates"][...]


def brute_force(x, k, distance):
    d = distance(x.astype(np.float64))
    np.fill_diagonal(d, np.inf)
    index = np.argsort(d, axis=1, kind="stable")[:, :k]
    return index, np.take_along_axis(d, index, 1)


def euclidean(x):
    square = (x * x).sum(1)
    return np.sqrt(np.maximum(square[:, None] + square[None] - 2 * x @ x.T, 0))


def cosine(x):
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return 1 - x @ x.T


def recall(found, true):
    return np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, true)])


def searches(x):
    true, far = brute_force(x, K, euclidean)
    events, _ = embed("exact.h5", "--neighbours", "exact", *QUICK)
    assert only(events, "neighbours")["search"] == "exact"
    index, distance = neighbours("exact.h5")
    assert recall(index, true) > 0.9999 and np.abs(distance - far).max() < 1e-4
    events, _ = embed("approximate.h5", "--neighbours", "approximate", "--recall", 0.9, *QUICK)
    told = only(events, "neighbours")
    measured = recall(neighbours("approximate.h5")[0], true)
    assert told["search"] == "approximate" and measured > 0.88, measured
    assert abs(told["recall"] - measured) < 0.02, (told, measured)
    print(f"recall: reported {told['recall']:.4f}, true {measured:.4f}")


def metrics(x):
    true, far = brute_force(x, K, cosine)
    embed("cosine.h5", "--metric", "cosine", *QUICK)
    index, distance = neighbours("cosine.h5")
    assert recall(index, true) > 0.999 and np.abs(distance - far).max() < 1e-5
    centred = x.astype(np.float64) - x.mean(0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    true, far = brute_force(centred @ vectors[:, ::-1][:, :7], K, euclidean)
    embed("pca.h5", "--pca", 7, *QUICK)
    index, distance = neighbours("pca.h5")
    assert recall(index, true) > 0.999 and np.abs(distance - far).max() < 1e-4


def reuse(x):
    """Neighbours serve other schedules and smaller perplexities, and no other space or features; the map is that
    of a file of its own."""
    later = (*QUICK, "--late-exaggeration", 2)
    embed("anew.h5", *later)
    done = run("embed", "--features", path("x.npy"), "--out", path("exact.h5"), "--perplexity", K // 3,
               "--neighbours", "exact", *later)
    assert done.returncode == 2 and "late-exaggeration" in done.stderr, done.stderr
    for options, made in [(later, "kept"), ((*later, "--perplexity", 7), "kept"), ((*later, "--pca", 5), "found"),
                          ((*later, "--perplexity", 12), "found"), (later, "kept"),
                          ((*later, "--neighbours", "approximate", "--recall", 0.9), "kept")]:
        events, _ = embed("exact.h5", "--fresh", *options)
        assert only(events, "neighbours")["made"] == made, (options, made)
        if options == later:
            assert np.array_equal(coordinates("exact.h5"), coordinates("anew.h5"))
    with h5py.File(path("exact.h5"), "r+") as f:
        f["neighbours/index"][77, 3] = 4_000_000_000
    events, said = embed("exact.h5", "--fresh", *later)
    assert only(events, "neighbours")["made"] == "found" and "damaged" in said
    assert np.array_equal(coordinates("exact.h5"), coordinates("anew.h5"))
    np.save(path("y.npy"), x[::-1])
    succeed("embed", "--features", path("y.npy"), "--out", path("exact.h5"), "--fresh", *QUICK)
    assert not np.array_equal(coordinates("exact.h5"), coordinates("anew.h5"))


def perplexities():
    embed("wide.h5", "--perplexity", "10,100", *QUICK)
    assert neighbours("wide.h5")[0].shape == (ROWS, 300)


def tails_and_ends():
    embed("one.h5", *QUICK)
    embed("heavy.h5", "--tail-df", 0.5, *QUICK)
    assert not np.array_equal(coordinates("one.h5"), coordinates("heavy.h5"))
    _, said = embed("flat.h5", "--stop-when-flat", 0.05, "--early-iterations", 100, "--iterations", 5000)
    with h5py.File(path("flat.h5")) as f:
        history = f["history"][...]
    assert 150 <= history["iteration"][-1] < 5000, history["iteration"]
    assert history["kl"][-2] - history["kl"][-1] < 0.05 * history["kl"][-2]


def dry_run():
    events, said = embed("none.h5", "--dry-run")
    told = only(events, "forecast")
    assert told["bytes"] >= 2 * told["bytes_a_rank"] * 0.9 and told["seconds"] > 0
    assert "memory" in said and "is in" not in said and not os.path.exists(path("none.h5")) and not os.path.exists(path("none.h5.partial"))


def refused():
    for options, words in [(("--perplexity", "30,"), "--perplexity"), (("--perplexity", "0.5"), "--perplexity"),
                           (("--metric", "manhattan"), "--metric"), (("--mesh-order", 5), "--mesh-order"),
                           (("--tail-df", 0), "--tail-df"), (("--recall", 1.5), "--recall")]:
        done = run("embed", "--features", path("x.npy"), "--out", path("refused.h5"), *options, ranks=2)
        lines = errors_of(done)
        assert done.returncode == 2 and len(lines) == 1 and words in lines[0], (options, done.stderr)
    x = np.load(path("x.npy"))
    x[1234] = 0
    np.save(path("zero.npy"), x)
    done = run("embed", "--features", path("zero.npy"), "--out", path("refused.h5"), "--metric", "cosine", ranks=2)
    lines = errors_of(done)
    assert done.returncode == 1 and len(lines) == 1 and "1234" in lines[0], done.stderr


x = make_features()
searches(x)
metrics(x)
reuse(x)
perplexities()
tails_and_ends()
dry_run()
refused()
