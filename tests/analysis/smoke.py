"""The analysis programs: the judge against plain sums over all pairs, the limits for a moment, and a
comparison of shardsne alone on 600 rows, whose figures must be the judge's own; the cost model against runs
and against SimGrid."""
import csv
import json
import os
import shutil
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
LIMITS, COST = sys.argv[1:3]


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


def test_prediction():
    """All of the ranks' work is the one rank's; what is sent and waited for makes it slower than its share."""
    out = folder()
    told(sys.executable, os.path.join(ANALYSIS, "predict-scaling"), "--rows", "1e6", "--ranks", "1,4,64", "--cost", COST, "--out", out)
    with open(os.path.join(out, "prediction.json")) as file:
        one, four, many = json.load(file)
    assert one["bytes_received"] == 0 and four["bytes_received"] > many["bytes_received"] > 1e5
    assert one["seconds"] / 4 < four["seconds"] < one["seconds"] / 2, (one, four)
    assert 0.5 < many["efficiency"] <= 1.1 and os.path.exists(os.path.join(out, "prediction.png"))


def test_model_of_runs():
    """The transform's halves cross in the sizes that the model says; and times of a record are the stages'."""
    out = folder()
    x, record = os.path.join(out, "x.npy"), os.path.join(out, "r.jsonl")
    np.save(x, clusters(6000, 9, 5)[0])
    told(MPI, 2, SHARDSNE, "embed", "--features", x, "--out", os.path.join(out, "r.h5"), "--log", record, "--threads", 1,
         "--early-iterations", 30, "--iterations", 40)  # fmt: skip
    table = told(sys.executable, os.path.join(ANALYSIS, "check-cost-model"), "--cost", COST, record).splitlines()
    assert "6,000 rows, 2 ranks" in table[0], table
    line = {words[0]: words for words in (line.split() for line in table[3:]) if words}
    with open(record) as file:
        stages = {e["stage"]: e for e in map(json.loads, file) if e["event"] == "stage"}
    milliseconds = 1e3 * stages["attraction"]["max"] / stages["attraction"]["count"]
    assert abs(float(line["attraction"][1]) / milliseconds - 1) < 0.01, (line, milliseconds)
    assert 0.5 < float(line["transform"][-1]) < 2, table
    one = os.path.join(out, "one.jsonl")
    told(SHARDSNE, "embed", "--features", x, "--out", os.path.join(out, "one.h5"), "--log", one, "--threads", 1,
         "--early-iterations", 30, "--iterations", 40)  # fmt: skip
    check = [sys.executable, os.path.join(ANALYSIS, "check-cost-model"), "--cost", COST]
    table = told(*check, one, "--calibrate", one).splitlines()
    assert [line.split()[3] for line in table if line.startswith(("attraction", "transform"))] == ["1.00", "1.00"], table
    refuses("one rank is wanted", *check, one, "--calibrate", record)
    refuses("not the record", sys.executable, os.path.join(ANALYSIS, "check-cost-model"), "--cost", COST, os.devnull)


def test_simulation():
    """Where links are not shared, the simulator and the formulas agree; nothing is made twice."""
    if not shutil.which("smpirun"):
        print("no SimGrid here: its replay is not tested")
        return
    out = folder()
    simulate = [sys.executable, os.path.join(ANALYSIS, "simulate-scaling"), "--cost", COST, "--out", out, "--rows", "1e6"]
    told(*simulate, "--ranks", "1,8", "--platform", "fat-tree,dragonfly")
    with open(os.path.join(out, "simulated.json")) as file:
        points = json.load(file)
    assert [p["ranks"] for p in points] == [1, 8, 1, 8]
    for point in points:
        assert abs(point["seconds"] / point["formula_seconds"] - 1) < 0.03, point
    points[1]["seconds"] = 1.0
    with open(os.path.join(out, "simulated.json"), "w") as file:
        json.dump(points, file)
    assert "1,000" in told(*simulate, "--ranks", "1,8", "--platform", "fat-tree")
    refuses("--platform torus", *simulate, "--platform", "torus")


def refuses(word, *command):
    done = subprocess.run([str(w) for w in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1 and word in done.stderr and "Traceback" not in done.stderr, done.stderr


def made_up(folder, kind, ranks, seconds, digest="d"):
    """A point of a study, with one stage of which ranks take from 3/4 of the longest time to the whole."""
    os.makedirs(os.path.join(folder, "points"), exist_ok=True)
    stage = {"stage": "affinities", "count": 1000, "min": 0.5 * seconds, "mean": 0.75 * seconds, "max": seconds}
    point = {"kind": kind, "ranks": ranks, "threads": 1, "rows": None if kind == "strong" else 1000 * ranks}
    traffic = [{"during": during, "kind": "MPI_Alltoallv", "bytes_sent": 5000 * ranks * (ranks - 1), "max_sent": 6000 * (ranks - 1),
                "messages": 10 * ranks * (ranks - 1)} for during in ("descent", "command") if ranks > 1]  # fmt: skip
    run = {"point": point, "repeat": 1, "seconds": seconds, "stages": [stage], "iterations": 10, "digest": digest, "traffic": traffic,
           "start": {"version": "0", "revision": "r", "libraries": "none"},
           "ranks": [{"rank": r, "host": "h", "processor": "p", "peak_bytes": 1e6 * (r + 1)} for r in range(ranks)]}  # fmt: skip
    with open(os.path.join(folder, "points", f"{kind}-{ranks}x1-1.json"), "w") as file:
        json.dump(run, file)


def test_laws():
    """Times made by Amdahl's and Gustafson's laws: the report finds their serial share, and nothing unexplained."""
    out, study = folder(), [sys.executable, os.path.join(ANALYSIS, "scaling-study")]
    with open(os.path.join(out, "study.toml"), "w") as file:
        file.write('options = "embed"\n')
    for ranks in (1, 2, 4, 8):
        made_up(out, "strong", ranks, 100 * (0.1 + 0.9 / ranks))
        made_up(out, "weak", ranks, 100 * ranks / (ranks - 0.05 * (ranks - 1)), digest=f"d{ranks}")
    text = told(*study, "report", out)
    assert "Amdahl: a serial share of 10.00%, which leaves 0.0%" in text, text
    assert "Gustafson: a serial share of 5.00%, which leaves 0.0%" in text, text
    with open(os.path.join(out, "report", "strong.csv")) as file:
        rows = list(csv.DictReader(file))
    for row, ranks in zip(rows, (1, 2, 4, 8)):
        s = 1 / (0.1 + 0.9 / ranks)
        assert abs(float(row["speedup"]) - s) < 1e-9 and abs(float(row["efficiency"]) - s / ranks) < 1e-9, row
        assert ranks == 1 or abs(float(row["karp_flatt"]) - 0.1) < 1e-9, row
        assert float(row["load_balance"]) == 0.75 and float(row["communication_efficiency"]) == 1, row
        assert float(row["peak_bytes"]) == 1e6 * ranks, row
    for kind in ("strong", "weak"):  # ten iterations: of each rank 500 bytes to every other in one message, 600 at most
        with open(os.path.join(out, "report", f"{kind}-traffic.csv")) as file:
            rows = list(csv.DictReader(file))
        found = [[float(row[n]) for n in ("ranks", "bytes", "messages", "max_bytes")] for row in rows]
        assert found == [[r, 500 * (r - 1), r - 1, 600 * (r - 1)] for r in (2, 4, 8)], found
    assert "in all" in text and "3.42 KiB" in text, text
    made_up(out, "strong", 16, 1, digest="other")
    refuses("different digests", *study, "report", out)


def test_study():
    """A study here: all points are made once, and with another map at one of them it fails."""
    out, X = folder(), clusters(600, 9, 4)[0]
    x, toml, made = (os.path.join(out, name) for name in ("x.npy", "study.toml", "study"))
    np.save(x, X)
    study = [sys.executable, os.path.join(ANALYSIS, "scaling-study")]
    lines = [f'options = "embed --features {x} --perplexity 12 --early-iterations 20 --iterations 20"', "ranks = [1, 2]",
             "repeats = 2", "weak_rows = 300", f'launcher = "{MPI} RANKS"']  # fmt: skip
    with open(toml, "w") as file:
        file.write("\n".join(lines))
    run = [*study, "run", toml, "--out", made, "--program", SHARDSNE]
    text = told(*run)
    assert "Strong" in text and "Weak" in text and "2 in all" in text, text
    points = sorted(name for name in os.listdir(os.path.join(made, "points")) if name.endswith(".json"))
    assert len(points) == 8, points
    before = [os.stat(os.path.join(made, "points", name)).st_mtime_ns for name in points]
    told(*run)
    assert before == [os.stat(os.path.join(made, "points", name)).st_mtime_ns for name in points]
    with open(os.path.join(made, "report", "index.html")) as file:
        page = file.read()
    assert all(f"src='{kind}{end}.png'" in page and os.path.exists(os.path.join(made, "report", f"{kind}{end}.png"))
               for kind in ("strong", "weak") for end in ("", "-stages", "-memory", "-traffic"))  # fmt: skip
    with open(toml, "w") as file:
        file.write("\n".join([lines[0].replace("--perplexity 12", "--perplexity 11"), *lines[1:]]))
    refuses("other options", *run)
    for bad, word in (("ranks = [0]", "whole numbers"), ("rank = 1", "not known"), ('options = "paint"', "command")):
        with open(toml, "w") as file:
            file.write(bad + ("" if "options" in bad else '\noptions = "embed"'))
        refuses(word, *study, "run", toml, "--out", os.path.join(out, "none"), "--program", SHARDSNE)


test_judge()
test_searches()
test_limits()
test_compare()
test_prediction()
test_model_of_runs()
test_simulation()
test_laws()
test_study()
