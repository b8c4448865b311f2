#!/usr/bin/env python3
"""Judge an embedding against the data it came from, whatever program made it.

    judge.py --features X.npy --embedding RUN.h5:/embedding/coordinates [--labels y.npy]

X is [N, D], the embedding [N, 2], labels are [N]; each is FILE.npy or FILE.h5:/path. Prints one JSON object:

  kl        KL(P || Q). P: exact nearest neighbours (3 x perplexity of them), Gaussian widths calibrated to
            the perplexity, symmetrised; Q: Student t, its normaliser summed over all pairs. Lower is better.
  knn10     mean share of a point's 10 nearest neighbours in X that are among its 10 nearest in the map
  accuracy  share of labelled points whose label is the majority among their 10 nearest in the map (with
            --labels; the smallest label wins a tie; labels below 0 are unknown)

Compare only at one perplexity and one final exaggeration: more exaggeration lowers the first two. Takes
time proportional to N^2, memory to N. Needs numpy and scipy; torch makes it faster.
"""
from __future__ import annotations

import argparse
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from common import fail, load_matrix, load_rows, usable_cores  # first: it says so where numpy is missing

import numpy as np

try:
    import scipy.sparse
    from scipy.spatial import cKDTree
except ImportError:
    fail("scipy is missing; Debian: apt install python3-scipy")

try:
    import torch
except ImportError:
    torch = None

SPARE = 16  # candidates kept beyond k, to be measured directly
GROUP = 32  # columns that share a minimum in the search
BLOCK_BYTES = 1 << 25  # of a block of distances


# --- exact neighbours ----------------------------------------------------------------------------


class Neighbours(NamedTuple):
    """Row i's k nearest rows by (distance, index), itself excluded."""

    index: np.ndarray  # [N, k] int32 or int64
    squared: np.ndarray  # [N, k] float64, squared Euclidean distances, ascending


def _smallest(d: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Columns and values of the k smallest of each row of d, in no order.

    The k smallest lie in the k groups of columns with the smallest minima, so most columns are only
    looked at once. Column c is in group c % G: minima of groups run along the rows."""
    rows, columns = d.shape
    if columns <= k:
        return np.broadcast_to(np.arange(columns), d.shape), d
    groups = columns // GROUP
    if groups <= k:
        pick = np.argpartition(d, k - 1, axis=1)[:, :k]
        return pick, np.take_along_axis(d, pick, 1)
    whole = groups * GROUP
    least = d[:, :whole].reshape(rows, GROUP, groups).min(1)
    near = np.argpartition(least, k - 1, axis=1)[:, :k]
    pick = (near[:, None, :] + groups * np.arange(GROUP)[None, :, None]).reshape(rows, -1)
    rest = np.broadcast_to(np.arange(whole, columns), (rows, columns - whole))
    pick = np.concatenate([pick, rest], 1)
    value = np.take_along_axis(d, pick, 1)
    best = np.argpartition(value, k - 1, axis=1)[:, :k]
    return np.take_along_axis(pick, best, 1), np.take_along_axis(value, best, 1)


def _smallest_torch(d, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The same with torch, which shares rows out over the cores."""
    rows, columns = d.shape
    groups = columns // GROUP
    if groups <= k:
        value, pick = d.topk(min(k, columns), largest=False, sorted=False)
        return pick.numpy(), value.numpy()
    whole = groups * GROUP
    near = d[:, :whole].view(rows, GROUP, groups).amin(1).topk(k, largest=False, sorted=False)[1]
    pick = (near[:, None, :] + groups * torch.arange(GROUP)[None, :, None]).reshape(rows, -1)
    pick = torch.cat([pick, torch.arange(whole, columns).expand(rows, columns - whole)], 1)
    value, best = d.gather(1, pick).topk(k, largest=False, sorted=False)
    return pick.gather(1, best).numpy(), value.numpy()


def _candidates(X: np.ndarray, norms: np.ndarray, rows: np.ndarray, k: int, block: np.ndarray):
    """Columns of the k smallest |c|^2 - 2 q c for each of `rows`, itself excluded, and the largest of those
    values: a squared distance less |q|^2, with the rounding of a matrix product. `block` is room for all."""
    d = block[: len(rows)]
    if torch:
        torch.addmm(*map(torch.from_numpy, (norms, X[rows], X.T)), alpha=-2, out=torch.from_numpy(d))
    else:
        np.matmul(-2 * X[rows], X.T, out=d)
        d += norms
    d[np.arange(len(rows)), rows] = np.inf
    pick, value = _smallest_torch(torch.from_numpy(d), k) if torch else _smallest(d, k)
    return pick, value.max(1)


def _measure(X: np.ndarray, rows: np.ndarray, pick: np.ndarray, k: int):
    """Distances of the picked columns computed directly, and the k least by (distance, index)."""
    pick = np.sort(pick, 1)
    d = np.empty(pick.shape)
    step = max(1, BLOCK_BYTES // (8 * pick.shape[1] * X.shape[1]))
    for s in range(0, len(rows), step):
        apart = X[pick[s : s + step]].astype(np.float64)
        apart -= X[rows[s : s + step], None, :]
        d[s : s + step] = np.einsum("rkd,rkd->rk", apart, apart)
    order = np.argsort(d, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(pick, order, 1), np.take_along_axis(d, order, 1)


def _search(X: np.ndarray, rows: np.ndarray, k: int, found: Neighbours) -> np.ndarray:
    """Fills the neighbours of `rows` in X's precision; returns the rows that its rounding leaves in doubt."""
    n, dimension = X.shape
    norms = np.einsum("rd,rd->r", X, X)
    bound = 2 * (dimension + 8) * np.finfo(X.dtype).eps
    step = min(len(rows), max(1, BLOCK_BYTES // (X.itemsize * n)))
    distances = np.empty((step, n), X.dtype)
    doubtful = []
    for s in range(0, len(rows), step):
        block = rows[s : s + step]
        pick, edge = _candidates(X, norms, block, min(k + SPARE, n - 1), distances)
        found.index[block], found.squared[block] = _measure(X, block, pick, k)
        own = norms[block].astype(np.float64)
        missed = edge + own - bound * (own + norms.max()) < found.squared[block, -1]
        if k + SPARE < n - 1:
            doubtful.append(block[missed])
    return np.concatenate(doubtful) if doubtful else rows[:0]


def nearest(X: np.ndarray, k: int) -> Neighbours:
    """The k exact nearest neighbours of every row. Matrix products only choose candidates, whose distances
    are then computed directly in double precision; where the products' rounding might have hidden a
    neighbour, they are repeated in double precision."""
    n = len(X)
    X = np.ascontiguousarray(X - X.mean(0, dtype=np.float64), np.float32)
    found = Neighbours(np.empty((n, k), np.int32 if n < 2**31 else np.int64), np.empty((n, k)))
    doubtful = _search(X, np.arange(n), k, found)
    if len(doubtful):
        _search(X.astype(np.float64), doubtful, k, found)
    return found


def cached_neighbours(X: np.ndarray, k: int, cache: Path | None) -> Neighbours:
    """The k nearest, from `cache` where it holds at least k of the same rows, else computed and kept there."""
    digest = hashlib.sha256(np.ascontiguousarray(X)).hexdigest()
    if cache and cache.exists():
        try:
            with np.load(cache) as kept:
                if str(kept["digest"]) == digest and kept["index"].shape[1] >= k:
                    return Neighbours(kept["index"][:, :k], kept["squared"][:, :k])
        except (OSError, ValueError, KeyError) as error:
            fail(f"{cache}: not a cache of neighbours ({error}); remove it")
    found = nearest(X, k)
    if cache:
        partial = cache.with_suffix(".partial.npz")
        np.savez(partial, digest=digest, index=found.index, squared=found.squared)
        os.replace(partial, cache)
    return found


# --- the three figures ---------------------------------------------------------------------------


def conditional(squared: np.ndarray, perplexity: float) -> np.ndarray:
    """p(j|i) of each row: the Gaussian whose entropy is log(perplexity), by bisection on its precision."""
    d = squared - squared[:, :1]
    low, high = np.zeros(len(d)), np.full(len(d), np.inf)
    beta = 1 / np.maximum(d.mean(1), 1e-300)
    for _ in range(200):
        p = np.exp(-beta[:, None] * d)
        total = p.sum(1)
        excess = np.log(total) + beta * (p * d).sum(1) / total - np.log(perplexity)
        if (np.abs(excess) < 1e-9).all():
            break
        low, high = np.where(excess > 0, beta, low), np.where(excess > 0, high, beta)
        with np.errstate(invalid="ignore"):
            beta = np.where(np.isinf(high), 2 * beta, (low + high) / 2)
    p = np.exp(-beta[:, None] * d)
    return p / p.sum(1, keepdims=True)


def joint(found: Neighbours, perplexity: float) -> scipy.sparse.csr_matrix:
    """P of t-SNE: p_ij = (p(j|i) + p(i|j)) / 2N."""
    n, k = found.index.shape
    parts = [slice(s, s + 4096) for s in range(0, n, 4096)]
    with ThreadPoolExecutor(usable_cores()) as pool:
        p = np.concatenate(list(pool.map(lambda part: conditional(found.squared[part], perplexity), parts)))
    offsets = np.arange(0, n * k + 1, k, dtype=np.int64)
    one_way = scipy.sparse.csr_matrix((p.ravel(), found.index.ravel(), offsets), shape=(n, n))
    return (one_way + one_way.T.tocsr()) / (2 * n)


def normaliser(Y: np.ndarray, rows: int = 128, columns: int = 4096) -> float:
    """Z: the sum of 1 / (1 + |y_i - y_j|^2) over i != j. Each pair once, in tiles that stay in the cache:
    float32 within a tile's row (relative error about 1e-7), float64 above."""
    x, y = np.ascontiguousarray(Y.T, np.float32)

    def strip(s: int) -> float:
        e, total = min(s + rows, len(x)), 0.0
        for c in range(s, len(x), columns):
            near = x[s:e, None] - x[None, c : c + columns]
            near *= near
            up = y[s:e, None] - y[None, c : c + columns]
            up *= up
            near += up
            near += np.float32(1)
            np.reciprocal(near, out=near)
            total += 2 * near.sum(1).sum(dtype=np.float64)
            if c == s:  # the strip's own square has both halves, and the diagonal
                square = near[:, : e - s]
                total -= square.sum(dtype=np.float64) + (e - s)
        return total

    with ThreadPoolExecutor(usable_cores()) as pool:
        return sum(pool.map(strip, range(0, len(x), rows)))


def divergence(P: scipy.sparse.csr_matrix, Y: np.ndarray) -> float:
    """KL(P || Q) of a map Y [N, 2]."""
    log_z, total, step = np.log(normaliser(Y)), 0.0, 8192
    for s in range(0, P.shape[0], step):
        part = P[s : s + step].tocoo()
        p, keep = part.data, part.data > 0
        apart = Y[s + part.row] - Y[part.col]
        log_q = -np.log1p((apart * apart).sum(1)) - log_z
        total += float((p[keep] * (np.log(p[keep]) - log_q[keep])).sum())
    return total


def nearest_in_map(Y: np.ndarray, k: int) -> np.ndarray:
    """The k nearest of every point of the map, itself excluded, also where points coincide."""
    index = cKDTree(Y).query(Y, k + 1, workers=usable_cores())[1]
    itself = index == np.arange(len(Y))[:, None]
    itself[~itself.any(1), -1] = True  # more than k points in one place: leave any one out
    return index[~itself].reshape(len(Y), k)


def vote(labels: np.ndarray, near: np.ndarray) -> float:
    """Share of labelled rows whose label is the majority among the labelled `near`."""
    right, asked = 0, 0
    for s in range(0, len(near), 65536):
        around, own = np.sort(labels[near[s : s + 65536]], 1), labels[s : s + 65536]
        count = (around[:, :, None] == around[:, None, :]).sum(2) * (around >= 0)
        chosen = around[np.arange(len(around)), count.argmax(1)]  # sorted: the first is the smallest
        right += int(((chosen == own) & (own >= 0)).sum())
        asked += int((own >= 0).sum())
    return right / asked if asked else float("nan")


def judge(
    X: np.ndarray, Y: np.ndarray, labels: np.ndarray | None = None, perplexity: float = 30.0,
    cache: Path | None = None,
) -> dict[str, float]:  # fmt: skip
    """The figures of the map Y of the rows X."""
    n = len(X)
    if n < 3 or not 1 < perplexity <= n - 1:
        fail(f"perplexity {perplexity:g} of {n} rows: it must be above 1 and at most rows - 1")
    if Y.shape != (n, 2) or not np.isfinite(Y).all():
        fail(f"features {X.shape}, embedding {Y.shape}: rows differ, not 2-D, or not finite")
    if labels is not None and labels.shape != (n,):
        fail(f"features {X.shape}, labels {labels.shape}: one label a row is wanted")
    ten = min(10, n - 1)
    k = min(int(3 * perplexity), n - 1)
    found = cached_neighbours(X, max(k, ten), cache)
    near = nearest_in_map(Y, ten)
    P = joint(Neighbours(found.index[:, :k], found.squared[:, :k]), perplexity)
    figures: dict[str, float] = {"rows": n, "perplexity": perplexity, "kl": divergence(P, Y)}
    same = sum(int((found.index[:, c, None] == near).sum()) for c in range(ten))
    figures["knn10"] = same / (ten * n)
    if labels is not None:
        figures["accuracy"] = vote(labels, near)
    return figures


def load_labels(name: str | None, rows: int | None = None) -> np.ndarray | None:
    return None if name is None else np.asarray(load_rows(name, rows)).ravel().astype(np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--features", required=True, metavar="X", help="the data, X.npy or FILE.h5:/path")
    parser.add_argument("--embedding", required=True, metavar="Y", help="the map, Y.npy or FILE.h5:/path")
    parser.add_argument("--labels", metavar="L", help="classes, L.npy or FILE.h5:/path")
    parser.add_argument("--perplexity", type=float, default=30, metavar="P", help="of the affinities [30]")
    parser.add_argument("--cache", type=Path, metavar="FILE.npz", help="keep the neighbours of X here")
    options = parser.parse_args()
    X = load_matrix(options.features)
    Y = np.asarray(load_rows(options.embedding), np.float64)
    print(json.dumps(judge(X, Y, load_labels(options.labels), options.perplexity, options.cache)))


if __name__ == "__main__":
    main()
