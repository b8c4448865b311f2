#!/usr/bin/env python3
"""The contact map: each image once, in the best cells of all, and the classes' shares where there are too many."""
import os

import numpy as np
from PIL import Image
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree

import runfile
from harness import expect, finish, folder, succeed


def check(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def code(i):
    """Colours far enough apart to be read back from a picture, none of them gray or white."""
    return (i % 16 * 15, i // 16 % 16 * 15, 200 - i // 256 * 40)


def make(at, name, xy, labels):
    """A run file of points, each with a plain image of its number's colour."""
    images = os.path.join(at, name)
    os.mkdir(images)
    names = [b"%04d.png" % i for i in range(len(xy))]
    for i, file in enumerate(names):
        size = ((40, 30), (16, 16), (9, 20))[i % 3]
        Image.new("RGB", size, code(i)).save(os.path.join(images, file.decode()))
    return runfile.write(os.path.join(at, name + ".h5"), xy, labels, names=names, images=images)


def read_cells(path, side, count):
    """The point in each cell [side, side], -1 where there is none, by the colour of the cell's middle."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    height, width = pixels.shape[:2]
    cell = min(width, height) // side
    left, top = (width - cell * side) // 2, (height - cell * side) // 2
    codes = {code(i): i for i in range(count)}
    middle = pixels[top + cell // 2:top + side * cell:cell, left + cell // 2:left + side * cell:cell]
    return np.array([[codes.get(tuple(p), -1) for p in row] for row in middle])


def places(xy, side):
    """Points, and the cells' centres, in cells from the lower left corner."""
    at = (xy - xy.min(axis=0)) / np.ptp(xy, axis=0) * side
    x, y = np.meshgrid(np.arange(side) + 0.5, side - np.arange(side) - 0.5)
    return at, np.c_[x.ravel(), y.ravel()]


def check_best(grid, xy, side):
    """No assignment has a smaller sum of squares, but for the rounding to 64ths of a cell."""
    at, centres = places(xy, side)
    cost = ((at[:, None] - centres[None]) ** 2).sum(axis=2)
    rows, columns = linear_sum_assignment(cost)
    cells = np.flatnonzero(grid.ravel() >= 0)
    points = grid.ravel()[cells]
    check(sorted(points) == list(range(len(xy))), f"each image once: {len(set(points))} of {len(xy)}")
    ours, best = cost[points, cells].sum(), cost[rows, columns].sum()
    check(best - 1e-3 <= ours <= best * 1.002 + 0.02, f"the sum of squares {ours} is the least, {best}")


def kept(grid, xy):
    """The share of neighbouring cells whose points are among the 8 nearest."""
    near = cKDTree(xy).query(xy, k=9)[1][:, 1:]
    side, pairs = len(grid), []
    for r in range(side):
        for c in range(side):
            around = grid[max(r - 1, 0):r + 2, max(c - 1, 0):c + 2].ravel()
            pairs += [p in near[grid[r, c]] for p in around if p != grid[r, c]]
    return np.mean(pairs)


def main():
    at = folder()
    rng = np.random.default_rng(3)
    side = 24
    xy = rng.normal(size=(side * side, 2)) * [1, 0.5] + rng.integers(0, 2, (side * side, 1)) * [4, 3]
    labels = rng.integers(-1, 3, side * side)
    full = make(at, "full", xy, labels)
    picture = os.path.join(at, "full.png")
    options = ("--thumbnails", side, "--plot", picture, "--dpi", 90, "--size", "8x7")
    succeed("render", full, *options)
    image = Image.open(picture)
    check(image.size == (720, 630) and abs(image.info["dpi"][0] - 90) < 0.1, f"8 x 7 inches: {image.size}")
    grid = read_cells(picture, side, side * side)
    check_best(grid, xy, side)
    columns = np.argsort(xy[:, 0], kind="stable").reshape(side, side)
    simple = np.array([c[np.argsort(-xy[c, 1])] for c in columns]).T
    ours, rule = kept(grid, xy), kept(simple, xy)
    print(f"neighbours kept: {ours:.3f}; by sorting into columns: {rule:.3f}")
    check(ours > 1.4 * rule, "more than a simple rule keeps")
    with open(picture, "rb") as f:
        first = f.read()
    for ranks in (2, 3, 4):
        succeed("render", full, *options, "--threads", ranks, ranks=ranks)
        with open(picture, "rb") as f:
            check(f.read() == first, f"{ranks} ranks draw the same bytes")
    frame = np.asarray(image.convert("RGB")).astype(int)
    blue = (np.abs(frame - [0x3F, 0x90, 0xDA]) <= 1).all(axis=2).sum()
    check(blue > 0.5 * (labels == 0).sum() * 4 * 22, f"frames of class 0: {blue} pixels")

    few = make(at, "few", xy[:100], labels[:100])
    succeed("render", few, "--thumbnails", 13, "--plot", picture, "--dpi", 60, "--color", "none")
    check_best(read_cells(picture, 13, 100), xy[:100], 13)

    succeed("render", full, "--thumbnails", 10, "--plot", picture, "--dpi", 60)
    chosen = read_cells(picture, 10, side * side).ravel()
    check((chosen >= 0).all() and len(set(chosen)) == 100, "100 of the points, none twice")
    share = np.array([(labels == c).mean() for c in (-1, 0, 1, 2)]) * 100
    counts = np.array([(labels[chosen] == c).sum() for c in (-1, 0, 1, 2)])
    check((np.abs(counts - share) <= 2).all(), f"classes have their shares: {counts}, {share}")
    unlabelled = make(at, "unlabelled", xy, None)
    succeed("render", unlabelled, "--thumbnails", 10, "--plot", picture, "--dpi", 60)
    chosen = read_cells(picture, 10, side * side).ravel()
    far = np.mean(cKDTree(xy[chosen]).query(xy)[0] ** 2)
    lots = [np.mean(cKDTree(xy[rng.choice(len(xy), 100, replace=False)]).query(xy)[0] ** 2) for _ in range(200)]
    print(f"mean square of a point's distance to one shown: {far:.4f}; drawn by lot {np.mean(lots):.4f}, at best {min(lots):.4f}")
    check(far < min(lots), "those chosen are spread over the map")

    plain = runfile.write(os.path.join(at, "plain.h5"), xy)
    expect(2, "images are not at hand", "array", of=("render", plain, "--thumbnails", 10, "--plot", picture))
    expect(2, "PNG", of=("render", full, "--thumbnails", 10, "--plot", os.path.join(at, "x.pdf")))
    expect(2, "images a side", "--size", of=("render", full, "--thumbnails", 64, "--plot", picture, "--dpi", 30))
    finish()


main()
