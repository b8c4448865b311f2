#!/usr/bin/env python3
"""Pictures from outside: what is in the files, where points lie, and that nothing is run or left behind."""
import base64
import html
import io
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import xml.etree.ElementTree
import zlib

import numpy as np
from PIL import Image, ImageFont

DRIVER = os.path.abspath(sys.argv[1])
FAILURES = []
BLUE, ORANGE, RED = (0x3F, 0x90, 0xDA), (0xFF, 0xA9, 0x0E), (0xBD, 0x1F, 0x01)
UNKNOWN = (0xBA, 0xBA, 0xBA)
# the enums of shardsne/render.h
POINTS, DENSITY = 0, 1
ONE_COLOR, BY_CLASS, BY_DENSITY, BY_VALUE = 0, 1, 2, 3
WITHOUT, NUMBERS, NAMES = 0, 1, 2


def check(condition, what):
    if not condition:
        FAILURES.append(what)
        print(f"FAILED: {what}", file=sys.stderr)


class Drawing:
    """A folder for pictures, and another, to be left empty, for the program's scratch files."""

    def __init__(self, below):
        self.below = below
        self.scratch = os.path.join(below, "scratch")
        self.pictures = os.path.join(below, "pictures")
        os.mkdir(self.scratch)
        os.mkdir(self.pictures)

    def path(self, name):
        return os.path.join(self.pictures, name)

    def draw(self, name, xy, labels, names=None, classes=None, width=8, height=8, dpi=300, alpha=0.6, mode=POINTS,
             color=BY_CLASS, text=WITHOUT, flags=None, title="-", values=None, gnuplot=None, environment=None, before=None):
        data, texts = os.path.join(self.below, "data"), "-"
        with open(data, "wb") as f:
            values = np.zeros(len(xy)) if values is None else values
            f.write(np.asarray(xy, "<f4").tobytes() + np.asarray(labels, "<i4").tobytes() + np.asarray(values, "<f4").tobytes())
        if names is not None:
            texts = os.path.join(self.below, "names")
            with open(texts, "wb") as f:
                f.write(b"".join(n + b"\0" for n in names))
        classes = classes or (len(names) if names else max(labels) + 1)
        variables = {**os.environ, "TMPDIR": self.scratch, **(environment or {})}
        variables.pop("SHARDSNE_GNUPLOT", None)
        if gnuplot:
            variables["SHARDSNE_GNUPLOT"] = gnuplot
        arguments = [self.path(name), data, len(xy), texts, classes, width, height, dpi, alpha, mode, color, text,
                     ("" if text == NUMBERS else "l") if flags is None else flags, title]
        result = subprocess.run([DRIVER, *map(str, arguments)], capture_output=True, text=True, env=variables,
                                cwd=self.below, preexec_fn=before, timeout=120)
        check(os.listdir(self.scratch) == [], f"{name}: no scratch files stay: {os.listdir(self.scratch)}")
        return result

    def good(self, name, *arguments, **options):
        result = self.draw(name, *arguments, **options)
        check(result.returncode == 0 and not result.stderr, f"{name} is drawn: {result.stderr}")
        with open(self.path(name), "rb") as f:
            return f.read()

    def bad(self, name, code, words, *arguments, **options):
        before = os.listdir(self.pictures)
        result = self.draw(name, *arguments, **options)
        check(result.returncode == code, f"{name}: code {result.returncode} is {code}: {result.stderr}")
        check(len(result.stderr.splitlines()) == 1, f"{name}: one line: {result.stderr}")
        for word in words:
            check(word in result.stderr, f"{name}: `{word}` is in: {result.stderr}")
        check(os.listdir(self.pictures) == before, f"{name}: the folder is as it was: {os.listdir(self.pictures)}")


def blend(color, alpha=0.6):
    return np.array([round(255 - alpha * (255 - c)) for c in color])


def near(pixels, color, tolerance=2):
    return (np.abs(pixels.astype(int) - np.array(color)) <= tolerance).all(axis=2)


def chunks(png):
    at, found = 8, []
    while at < len(png):
        size = int.from_bytes(png[at:at + 4], "big")
        kind, data = png[at + 4:at + 8], png[at + 8:at + 8 + size]
        check(zlib.crc32(kind + data) == int.from_bytes(png[at + 8 + size:at + 12 + size], "big"), f"CRC of {kind}")
        found.append((kind, data))
        at += size + 12
    return found


# The corners of the unit square and its middle; the fourth and the last are unknown and absent.
CROSS = [(0, 0), (1, 0), (0, 1), (1, 1), (0.5, 0.5), (float("nan"), 0.2)]
CROSS_LABELS = [0, 1, 2, -1, 0, 0]


def check_png(d):
    """Without a legend the square is the canvas less a margin of 2 %: 48 of 2400 pixels."""
    png = d.good("cross.png", CROSS, CROSS_LABELS, text=NUMBERS)
    check(png == d.good("again.png", CROSS, CROSS_LABELS, text=NUMBERS), "the same input gives the same bytes")
    density = [data for kind, data in chunks(png) if kind == b"pHYs"]
    check(density == [(11811).to_bytes(4, "big") * 2 + b"\1"], f"300 dots an inch: {density}")
    image = Image.open(d.path("cross.png")).convert("RGB")
    check(image.size == (2400, 2400), f"8 inches at 300 dots: {image.size}")
    pixels = np.asarray(image)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    check((border == 255).all(), "nothing is cut at the border, which is white")
    places = {(48, 2352): BLUE, (2352, 2352): ORANGE, (48, 48): RED, (2352, 48): UNKNOWN, (1200, 1200): BLUE}
    diameter = 9 * 1.3 * 2304 / 2400 * 300 / 72  # points with text on them, as a part of the square
    for (x, y), color in places.items():
        mine = near(pixels[max(y - 40, 0):y + 40, max(x - 40, 0):x + 40], blend(color))
        rows, columns = np.nonzero(mine)
        check(len(rows) > 0.5 * np.pi / 4 * diameter**2, f"a point of {color} at {x}, {y}: {len(rows)}")
        middle = (columns.min() + columns.max()) / 2 + max(x - 40, 0), (rows.min() + rows.max()) / 2 + max(y - 40, 0)
        check(abs(middle[0] - x) < 2 and abs(middle[1] - y) < 2, f"its centre {middle} is at {x}, {y}")
        check(abs(np.ptp(columns) + 1 - diameter) < 4, f"its diameter {np.ptp(columns) + 1} is {diameter}")
    dark = (pixels.max(axis=2) < 0x70)
    check(dark[2340:2364, 40:56].any(), "a number on the point of class 1")
    check(not dark[36:60, 2340:2364].any(), "no number on the unknown point")
    points = near(pixels, blend(BLUE)).sum()
    one = d.good("one.png", CROSS, CROSS_LABELS, color=ONE_COLOR)
    colors = near(np.asarray(Image.open(d.path("one.png")).convert("RGB")), blend(BLUE)).sum()
    check(one and colors > 1.3 * points, "without colour all points have the first")


def check_resolution(d):
    """The same picture at another density: each block of 3 x 3 pixels on average."""
    rng = np.random.default_rng(0)
    xy, labels = rng.random((200, 2)), rng.integers(0, 3, 200)
    names = [b"one", b"two", b"three"]
    d.good("300.png", xy, labels, names)
    d.good("100.png", xy, labels, names, dpi=100)
    fine = Image.open(d.path("300.png")).convert("RGB").resize((800, 800), Image.BOX)
    coarse = Image.open(d.path("100.png")).convert("RGB")
    check(coarse.size == (800, 800), "8 inches at 100 dots")
    gap = np.abs(np.asarray(fine).astype(int) - np.asarray(coarse)).mean()
    check(gap < 1.5, f"pictures at 100 and 300 dots an inch look the same: {gap}")
    d.good("wide.png", xy, labels, names, width=6, height=2, dpi=50)
    check(Image.open(d.path("wide.png")).size == (300, 100), "6 x 2 inches at 50 dots")


def check_alpha_and_order(d):
    """Two half opaque points at one place show a blend of both; of many points, both classes show."""
    xy = np.repeat([[0.5, 0.5]], 2, axis=0)
    d.good("alpha.png", np.vstack([xy, CROSS[:2]]), [0, 1, 0, 1], alpha=0.5, names=[b"a", b"b"])
    pixels = np.asarray(Image.open(d.path("alpha.png")).convert("RGB"))
    once = [blend(BLUE, 0.5), blend(ORANGE, 0.5)]
    over = [blend_over(once[0], ORANGE), blend_over(once[1], BLUE)]
    check(near(pixels, once[0]).any() and near(pixels, once[1]).any(), "half opaque points")
    check(any(near(pixels, c, 3).any() for c in over), "one shows through the other")
    check(near(pixels, BLUE).any() and near(pixels, ORANGE).any(), "the legend's markers are opaque")
    n = 2000
    xy = np.random.default_rng(4).random((n, 2))
    d.good("order.png", np.tile(xy, (2, 1)), np.repeat([0, 1], n), alpha=1, names=[b"a", b"b"])
    pixels = np.asarray(Image.open(d.path("order.png")).convert("RGB"))[:, :2000]
    shares = near(pixels, BLUE).sum(), near(pixels, ORANGE).sum()
    check(0.5 < shares[0] / shares[1] < 2, f"neither class hides the other: {shares}")


def blend_over(below, color, alpha=0.5):
    return np.round(alpha * np.array(color) + (1 - alpha) * below)


def oklab(rgb):
    """B. Ottosson, 2020, of 8-bit sRGB."""
    c = np.asarray(rgb) / 255
    c = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055)**2.4)
    lms = np.cbrt(c @ np.array([[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
                                [0.0883024619, 0.2817188376, 0.6299787005]]).T)
    return lms @ np.array([[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
                           [0.0259040371, 0.7827717662, -0.8086757660]]).T


def opened(d, name):
    return np.asarray(Image.open(d.path(name)).convert("RGB"))


def check_density(d):
    rng = np.random.default_rng(5)
    many, few = rng.normal((0.25, 0.25), 0.04, (40000, 2)), rng.normal((0.75, 0.75), 0.04, (4000, 2))
    lone = [(0, 0), (1, 1), (0.0, 1.0), (0.75, 0.25)]
    xy = np.vstack([many, few, lone])
    # in each place nine of ten rows of the first blob are of class 0, half of those of the second
    labels = np.concatenate([(np.arange(40000) % 10 == 0), (np.arange(4000) % 2 == 0), [2, 2, 2, -1]]).astype(int)
    whole = d.good("density.png", xy, labels, mode=DENSITY, dpi=100, flags="")
    check(whole == d.good("density2.png", xy, labels, mode=DENSITY, dpi=100, flags="p"), "counted in parts: the same bytes")
    pixels = opened(d, "density.png")
    check((pixels[[0, 1, -2, -1]] == 255).all() and (pixels[:, [0, 1, -2, -1]] == 255).all(), "a white border")
    place = lambda x, y: (round(16 + 768 * (1 - y)), round(16 + 768 * x))
    for (x, y), share in (((0.25, 0.25), 0.1), ((0.75, 0.75), 0.5)):
        row, column = place(x, y)
        seen = oklab(pixels[row - 20:row + 20, column - 20:column + 20].reshape(-1, 3)).mean(0)
        mixed = (1 - share) * oklab(BLUE) + share * oklab(ORANGE)
        white = oklab((255, 255, 255))
        # on the way from white to the mean of the shares, and far enough
        way = np.dot(seen - white, mixed - white) / np.dot(mixed - white, mixed - white)
        off = np.linalg.norm(seen - white - way * (mixed - white))
        check(off < 0.015 and 0.4 < way <= 1.001, f"a mean of the classes' colours at {x}, {y}: {way:.3f}, off by {off:.4f}")
    dense = pixels[place(0.25, 0.25)[0] - 9:place(0.25, 0.25)[0] + 9, 199:217].mean()
    sparse = pixels[place(0.25, 0.25)[0] - 9:place(0.25, 0.25)[0] + 9, place(0.25 + 0.1, 0)[1]:place(0.25 + 0.12, 0)[1]].mean()
    check(dense + 10 < sparse, f"the denser the darker: {dense}, {sparse}")
    for x, y in lone:
        row, column = place(x, y)
        spot = pixels[max(row - 8, 0):row + 9, max(column - 8, 0):column + 9].astype(int)
        rows, columns = np.nonzero(spot.min(axis=2) < 240)
        check(len(rows) > 0, f"a row that is alone can be seen at {x}, {y}")
        if len(rows):
            gap = abs(rows.mean() + max(row - 8, 0) - row) + abs(columns.mean() + max(column - 8, 0) - column)
            check(gap < 3, f"it is where it belongs: {gap:.1f} pixels off")
    check((pixels[480:, 560:760] == 255).mean() > 0.97, "nothing where there is nothing")
    d.good("density.svg", xy, labels, [b"blue", b"orange", b"red"], mode=DENSITY, text=NAMES)
    with open(d.path("density.svg")) as f:
        svg = f.read()
    check(svg.count("<image") == 1, "one image")
    check("paint-order: stroke; stroke: #ffffff" in svg, "names with a halo")
    check(sorted(svg_texts(svg)) == ["blue", "blue", "no label", "orange", "orange", "red", "red"], "and text as text")


def check_equal_bytes(d):
    """Any mode and colour twice, a part at a time."""
    rng = np.random.default_rng(6)
    xy, labels, values = rng.normal(size=(3000, 2)), rng.integers(-1, 5, 3000), rng.normal(size=3000)
    values[::50] = np.nan
    for mode in (POINTS, DENSITY):
        for color in (ONE_COLOR, BY_CLASS, BY_DENSITY, BY_VALUE):
            options = dict(mode=mode, color=color, text=NAMES, values=values, dpi=60, title="x")
            check(d.good("one.png", xy, labels, flags="ld", **options) == d.good("two.png", xy, labels, flags="ldp", **options),
                  f"the same bytes in parts: mode {mode}, colours {color}")


def check_axes(d):
    xy, labels = [(0, 0), (4, 0), (0, 1), (4, 1)], [0, 0, 0, 0]
    for flags, (left, right, top, bottom) in (("", (16, 784, 304, 496)), ("s", (16, 784, 16, 784))):
        d.good("axes.png", xy, labels, dpi=100, flags=flags)
        rows, columns = np.nonzero(opened(d, "axes.png").min(axis=2) < 240)
        radius = 9 * 100 / 72 / 2 * (1 if flags else 0.5)
        found = columns.min() + radius, columns.max() + 1 - radius, rows.min() + radius, rows.max() + 1 - radius
        check(np.abs(np.subtract(found, (left, right, top, bottom))).max() < 2.5, f"axes {flags or 'equal'}: {found}")
    for xy in ([(3, 7)], [(0, 5), (1, 5)], [(-2, 1e30), (-2, -1e30)]):
        d.good("line.png", xy, [0] * len(xy), dpi=100, flags="")
        rows, columns = np.nonzero(opened(d, "line.png").min(axis=2) < 240)
        check(len(rows) > 20 and rows.min() > 2 and columns.max() < 798, f"{xy} is drawn")
        check(len(xy) > 1 or abs(rows.mean() - 399.5) + abs(columns.mean() - 399.5) < 2, "a row by itself in the middle")


def check_many_as_image(d):
    """More than some thousand points in an SVG: an image that looks as gnuplot's own points do."""
    rng = np.random.default_rng(8)
    xy, labels = rng.random((6000, 2)), rng.integers(0, 3, 6000)
    svg = d.good("many.svg", xy, labels, [b"a", b"b", b"c"], dpi=150).decode()
    check(svg.count("<use xlink:href='#gpPt6'") == 3 and svg.count("<image") == 1, "markers of the legend alone")
    check(svg_texts(svg) == ["a", "b", "c"], "text as text")
    data = base64.b64decode(re.search(r"<image[^>]*base64,([^']*)'", svg).group(1))
    image = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
    d.good("many.png", xy, labels, [b"a", b"b", b"c"], dpi=150)
    points = opened(d, "many.png").astype(int)[:, :1000]
    check(image.shape == (1200, 1200, 3), f"a pixel a dot: {image.shape}")
    gap = np.abs(image[:, :1000] - points).mean()
    check(gap < 4 and (points < 250).mean() > 0.1, f"the same picture: {gap}")
    d.good("many.pdf", xy, labels, [b"a", b"b", b"c"])
    with open(d.path("many.pdf"), "rb") as f:
        pdf = f.read()
    check(pdf.count(b"/Subtype /Image") == 1 and b"/Font" in pdf, "an image and text in the PDF")
    few = d.good("few.svg", xy[:4000], labels[:4000], [b"a", b"b", b"c"]).decode()
    check("<image" not in few and few.count("#gpPt6'") > 4000, "fewer are drawn one by one")


def boxes(svg):
    """Where texts of an SVG are: text, left, top, right, bottom, by the widths of DejaVu Sans."""
    found = []
    for x, y, size, weight, anchor, text in re.findall(
            r'translate\(([-\d.]+),([-\d.]+)\)"[^>]*font-size="([\d.]+)" ( font-weight="bold")? *text-anchor="(\w+)">\s*'
            r'<text>([^<]*)</text>', svg):
        face = "DejaVuSans-Bold.ttf" if weight else "DejaVuSans.ttf"
        width = ImageFont.truetype(face, 100).getlength(html.unescape(text)) * float(size) / 100
        left = float(x) - {"start": 0, "middle": width / 2, "end": width}[anchor]
        found.append((text, left, float(y) - float(size), left + width, float(y)))
    return found


def check_names_apart(d):
    """Classes on top of each other: every name is shown, inside, and none over another."""
    rng = np.random.default_rng(9)
    names = [b"a rather long name %d" % i for i in range(25)]
    labels = np.arange(5000) % 25
    for center in ((0.5, 0.5), (0.0, 0.0), (1.0, 0.9)):
        xy = np.vstack([rng.normal(center, 0.01, (4996, 2)).clip(0, 1), [(0, 0), (1, 1), (0, 1), (1, 0)]])
        found = boxes(d.good("names.svg", xy, labels, names, color=ONE_COLOR, text=NAMES).decode())
        check(sorted(f[0] for f in found) == sorted(n.decode() for n in names), f"every class is named once: {len(found)}")
        for i, (text, left, top, right, bottom) in enumerate(found):
            check(left >= 0 and top >= 0 and right <= 768 and bottom <= 768, f"{text} lies inside: {left} {top} {right} {bottom}")
            for other in found[:i]:
                check(right <= other[1] or other[3] <= left or bottom <= other[2] or other[4] <= top, f"{text} over {other[0]}")
    xy = np.vstack([np.column_stack([np.full(3, i / 3), np.full(3, j / 3)]) for i in range(4) for j in range(4)])
    found = boxes(d.good("medians.svg", xy + [[-0.01, 0], [0, 0.01], [0.2, 0.3]] * 16, np.repeat(np.arange(16), 3),
                         color=ONE_COLOR, text=NAMES).decode())
    low, high = (xy[:, 0] - 0.01).min(), (xy[:, 0] + 0.2).max()
    for text, left, _, right, _ in found:
        x = 15.36 + (int(text) // 4 / 3 - low) * 737.28 / (xy[:, 1].max() + 0.3 - xy[:, 1].min())
        check(abs((left + right) / 2 - x - 737.28 * (1 - (high - low) / 1.3) / 2) < 3, f"class {text} is named at its median")
    labels = np.concatenate([np.full(3000, 7), rng.integers(0, 300, 3000)])
    svg = d.good("crowd.svg", rng.random((6000, 2)) * 0.2, labels, [b"class number %d" % i for i in range(300)], text=NAMES)
    found = boxes(svg.decode())
    check(40 < len(found) < 300 and "class number 7" in [f[0] for f in found], f"a crowd is thinned: {len(found)} of 300")


def check_text_in_png(d):
    """The halo, the title and the theme, in pixels."""
    rng = np.random.default_rng(10)
    xy = rng.random((4000, 2))
    title = "A title of some length, which has to become smaller so that all of it fits above a picture of four inches, and more"
    for flags, ground in (("l", 255), ("ld", None)):
        d.good("text.png", xy, np.zeros(4000, int), [b"WWWW"], width=4, height=4, text=NAMES, flags=flags, title=title)
        pixels = opened(d, "text.png").astype(int)
        background = np.array([255] * 3 if ground else [0x14, 0x16, 0x1A])
        border = np.concatenate([pixels[:4].reshape(-1, 3), pixels[-4:].reshape(-1, 3), pixels[:, :4].reshape(-1, 3),
                                 pixels[:, -4:].reshape(-1, 3)])
        check((border == background).all(), f"nothing is cut at the border, {flags}")
        head = np.abs(pixels[:45] - background).sum(axis=2) > 200
        columns = np.nonzero(head.any(axis=0))[0]
        check(head.sum() > 500 and columns.min() > 8 and columns.max() < 1192, f"the title lies inside: {columns[[0, -1]]}")
        check(np.ptp(columns) > 800, "and is as large as it may be")
    # around the letters of a name nothing but background: a ring within the halo's reach
    d.good("halo.png", xy, np.zeros(4000, int), [b"H"], color=ONE_COLOR, width=4, height=4, text=NAMES, alpha=1)
    pixels = opened(d, "halo.png").astype(int)
    letter = np.abs(pixels - 0x20).max(axis=2) < 8
    rows, columns = np.nonzero(letter)
    check(letter.sum() > 60, f"a letter: {letter.sum()}")
    beside = pixels[rows.min() + 2:rows.max() - 1, columns.min() - 2]
    check((beside >= 245).mean() > 0.9, f"a halo beside it: {beside}")


def check_values(d):
    xy = np.column_stack([np.linspace(0, 1, 101), np.zeros(101)])
    values = np.linspace(-3, 7, 101)
    values[50] = np.nan
    values[0], values[100] = -3, 7
    labels = np.zeros(101, int)
    svg = d.good("values.svg", xy, labels, color=BY_VALUE, values=values, alpha=1).decode()
    check(svg_texts(svg) == ["-2", "0", "2", "4", "6", "value of a row"], f"ticks: {svg_texts(svg)}")
    uses = re.findall(r"translate\(([\d.]+),[\d.]+\) scale\([\d.]+\)' color='rgb\(([ \d,]+)\)'", svg)
    colors = [tuple(map(int, c.split(","))) for _, c in sorted(uses, key=lambda u: float(u[0]))]
    check(len(colors) == 101 and colors[50] == UNKNOWN, f"a row without a value is gray: {colors[50]}")
    lab = oklab(np.delete(colors, 50, axis=0))
    steps = np.linalg.norm(np.diff(lab, axis=0), axis=1)
    check((np.diff(lab[:, 0]) < 0).all() and steps.max() / np.median(steps) < 2.2, "values in even steps from light to dark")
    d.good("values.png", xy, labels, color=BY_VALUE, values=values)
    ends = [near(opened(d, "values.png"), c, 0)[:, 2000:].sum() for c in (colors[0], colors[100])]
    check(min(ends) > 50, f"the scale's ends are the points' colours: {ends}")
    rng = np.random.default_rng(11)
    d.good("mean.png", rng.random((20000, 2)), np.zeros(20000, int), color=BY_VALUE, mode=DENSITY, flags="", dpi=100,
           values=np.arange(20000) % 2)
    middle = oklab(opened(d, "mean.png")[300:500, 300:500].reshape(-1, 3)).mean(0)
    half = oklab(colors[48])
    check(np.linalg.norm(middle - half) < 0.06, f"in a density the mean of the values: {middle}, {half}")


def check_without_fonts(d):
    """No text then, but a picture; in an SVG the text is there for whoever looks at it."""
    path = os.path.join(d.below, "fonts.conf")
    with open(path, "w") as f:
        f.write(f"<fontconfig><cachedir>{d.below}/cache</cachedir></fontconfig>")
    rng = np.random.default_rng(12)
    options = dict(names=[b"one", b"tw\xc3\xb6"], text=NAMES, title="title", environment={"FONTCONFIG_FILE": path})
    for name in ("fontless.png", "fontless.pdf", "fontless.svg"):
        d.good(name, rng.random((500, 2)), np.arange(500) % 2, **options)
    pixels = opened(d, "fontless.png")
    check(near(pixels, BLUE).sum() > 100 and (pixels[:4] == 255).all(), "points without text")
    with open(d.path("fontless.svg")) as f:
        check(sorted(svg_texts(f.read())) == ["one", "one", "title", "tw\u00f6", "tw\u00f6"], "an SVG needs no fonts")


def svg_texts(svg):
    """What an SVG shows as text that is not empty, the space of no width that keeps \\U+ apart taken out."""
    root = xml.etree.ElementTree.fromstring(svg)
    return [t.text.replace("\u200b", "") for t in root.iter("{http://www.w3.org/2000/svg}text") if t.text]


HOSTILE = ["$(touch ran)", "`touch ran`", '\'; system("touch ran"); \'', '"; system("touch ran"); "', "'.system('touch ran').'",
           "''", "'", "'''; !touch ran", "{/=50 big}", "@macro", "%s %d %n", "\\", "ends\\", "\\U+0041 \\n \\101", "#no", "<b>&amp;",
           "a b", "~^_", "\u05e9\u05dc\u05d5\u05dd", "\u6f22\u5b57", "\u00e9", "-1", "| touch ran", "$1", "*"]


def check_names(d):
    names = [n.encode() for n in HOSTILE] + [b"two\nlines\t", b"\xff\xfe bytes", b"x" * 300]
    expected = HOSTILE + ["two\ufffdlines\ufffd", "\ufffd\ufffd bytes", "x" * 39 + "\u2026"]
    xy = np.random.default_rng(1).random((len(names), 2))
    labels = np.arange(len(names))
    shown = svg_texts(d.good("names.svg", xy, labels, names, text=NAMES))
    for name in expected:
        check(name in shown, f"{name!r} is shown as it is")
    check(len(shown) == len(expected), f"one text a class: {len(shown)}")
    for name in ("names.png", "names.pdf"):
        d.good(name, xy, labels, names, text=NAMES)
    for where, _, files in os.walk(d.below):
        check("ran" not in files, f"no name was run in {where}")
    # a character that no font has is drawn by pango as large as the picture
    pixels = np.asarray(Image.open(d.path("names.png")).convert("RGB"))
    check((pixels[:16] == 255).all() and (pixels[-16:] == 255).all(), "text stays inside")
    check((pixels.max(axis=2) < 0x60).mean() < 0.02, "text is small")


def check_legend(d):
    rng = np.random.default_rng(2)
    names = [b"class%d" % i for i in range(60)]
    shown = svg_texts(d.good("twenty.svg", rng.random((20, 2)), np.arange(20), names))
    check(shown == [f"class{i}" for i in range(20)], f"20 classes of 60 have colours: {shown}")
    shown = svg_texts(d.good("many.svg", rng.random((21, 2)), np.arange(21), names))
    check(shown == [], f"more have none, and no legend: {shown}")
    shown = svg_texts(d.good("some.svg", rng.random((4, 2)), [2, -1, 0, 7], classes=9))
    check(shown == ["0", "2", "7", "no label"], f"numbers of the classes that occur: {shown}")
    check(svg_texts(d.good("none.svg", rng.random((4, 2)), [2, -1, 0, 7], color=ONE_COLOR)) == [], "no colours, no legend")
    shown = svg_texts(d.good("text.svg", rng.random((4, 2)), [2, -1, 0, 7], text=NUMBERS))
    check(sorted(shown) == ["0", "2", "7"], f"labels without names as they are: {shown}")
    shown = svg_texts(d.good("text2.svg", rng.random((3, 2)), [2, -1, 0], [b"a", b"b", b"c"], text=NUMBERS, flags="l"))
    check(sorted(shown) == ["1", "1  a", "3", "3  c", "no label"], f"class numbers from 1, and what they mean: {shown}")


def check_svg(d):
    svg = d.good("cross.svg", CROSS, CROSS_LABELS, text=NUMBERS).decode()
    check(svg == d.good("again.svg", CROSS, CROSS_LABELS, text=NUMBERS).decode(), "the same SVG twice")
    root = xml.etree.ElementTree.fromstring(svg)
    check((root.get("width"), root.get("height")) == ("768", "768"), "8 inches of 96")
    uses = re.findall(r"translate\(([\d.]+),([\d.]+)\) scale\(([\d.]+)\)' color='rgb\(([ \d,]+)\)' opacity='([\d.]+)'", svg)
    found = {(round(float(x)), round(float(y))): tuple(map(int, c.split(","))) for x, y, _, c, _ in uses}
    places = {(15, 753): BLUE, (753, 753): ORANGE, (15, 15): RED, (753, 15): UNKNOWN, (384, 384): BLUE}
    check(found == places, f"points of the SVG: {found}")
    check({u[4] for u in uses} == {"0.60"}, "their opacity")
    check(all(abs(float(u[2]) - 9 * 1.3 / 2 * 0.96 * 96 / 72) < 0.05 for u in uses), f"their radius: {uses[0][2]}")


def check_pdf(d):
    pdf = d.good("cross.pdf", CROSS, CROSS_LABELS)
    check(re.search(rb"/MediaBox\s*\[\s*0 0 576 576\s*\]", pdf) is not None, "8 inches of 72 points")
    streams = [zlib.decompress(s) for s in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S) if s[:1] == b"x"]
    check(any(b"0.247059 0.564706 0.854902 rg" in s for s in streams), "the first colour")
    date = re.search(rb"/CreationDate \(D:(\d+)", pdf)
    if not date:
        print("cairo keeps the date of a PDF out of sight: bytes not compared")
        return
    check(date.group(1) == b"20000101000000", "no date of drawing")
    elsewhere = d.good("again.pdf", CROSS, CROSS_LABELS, environment={"TZ": "Asia/Tokyo"})
    check(pdf == elsewhere, "the same PDF twice")


def script(d, name, text):
    path = os.path.join(d.below, name)
    with open(path, "w") as f:
        f.write("#!/bin/sh\n" + text)
    os.chmod(path, 0o755)
    return path


def check_gnuplot_failing(d):
    later = "`shardsne render` draws it later"
    cases = (
        ("complains", "echo >&2; echo >&2 'the script is bad'; exit 1", ["exit status 1", "the script is bad", later]),
        ("complains2", "exit 1", ["exit status 1", later]),
        ("marks", "printf '\\nset x\\n    ^\\n\"s\" line 1: what?\\n' >&2; exit 2", ["exit status 2", "line 1: what?"]),
        ("killed", "kill -9 $$", ["signal 9", later]),
        ("hangsup", "exec <&- >&- 2>&-; exit 0", ["not whole"]),
        ("half", "printf '\\211PNG\\r\\n\\032\\n'", ["not whole"]),
        ("terminal", "echo 'line 2: unknown or ambiguous terminal type' >&2; exit 1", ["pngcairo", "gnuplot-nox"]),
    )
    for name, text, words in cases:
        d.bad(name + ".png", 1, words, CROSS, CROSS_LABELS, gnuplot=script(d, name, text))
    d.bad("missing.png", 1, ["not found", "gnuplot-nox", "SHARDSNE_GNUPLOT", later], CROSS, CROSS_LABELS,
          gnuplot="no-such-gnuplot")
    d.bad("missing2.png", 1, ["not found"], CROSS, CROSS_LABELS, gnuplot="./no-such-gnuplot")
    d.bad("folder.png", 1, ["cannot be run"], CROSS, CROSS_LABELS, gnuplot=d.pictures)
    relative = script(d, "wrapper", f'exec "{shutil.which("gnuplot")}" "$@"\n')
    d.good("relative.png", CROSS, CROSS_LABELS, gnuplot="./" + os.path.basename(relative))


def check_files_failing(d):
    d.bad("picture.gif", 2, [".png", ".svg", ".pdf"], CROSS, CROSS_LABELS)
    d.bad("no/such/folder.png", 1, ["no/such/folder.png", "No such file"], CROSS, CROSS_LABELS)
    os.mkdir(d.path("taken.png"))
    d.bad("taken.png", 1, ["taken.png"], CROSS, CROSS_LABELS)
    os.rmdir(d.path("taken.png"))
    d.bad("scratch.png", 1, ["TMPDIR"], CROSS, CROSS_LABELS, environment={"TMPDIR": "/no/such"})
    with open(d.path("kept.png"), "w") as f:
        f.write("an earlier picture")

    def limit():  # stands for a full disk: no file may pass 4 KiB
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))

    d.bad("kept.png", 1, ["not whole"], CROSS, CROSS_LABELS, before=limit)
    many = np.random.default_rng(3).random((1000, 2))
    d.bad("kept.png", 1, ["File too large", "TMPDIR"], many, np.zeros(1000, int), before=limit)
    with open(d.path("kept.png")) as f:
        check(f.read() == "an earlier picture", "an earlier picture outlives a failure")


def check_options_refused(d):
    for words, options in ((["inches"], {"width": 0}), (["inches"], {"height": "nan"}), (["opacity"], {"alpha": 1.5}),
                           (["dots"], {"dpi": 0}), (["32767"], {"width": 100, "dpi": 1000})):
        d.bad("refused.png", 2, words, CROSS, CROSS_LABELS, **options)
    d.bad("empty.png", 1, ["nothing to draw"], [(float("nan"), 1)], [0])
    d.bad("numbers.png", 2, ["no points to write numbers on"], CROSS, CROSS_LABELS, mode=DENSITY, text=NUMBERS)


def check_taste(d):
    """A user's own settings change nothing."""
    home = os.path.join(d.below, "home")
    os.mkdir(home)
    for folder in (home, d.below):
        with open(os.path.join(folder, ".gnuplot"), "w") as f:
            f.write("set border 31 lw 9\nset pointsize 9\nset title 'mine'\n")
    taste = {"HOME": home, "GNUTERM": "dumb", "GNUPLOT_PS_DIR": home, "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE"}
    mine = d.good("taste.png", CROSS, CROSS_LABELS, environment=taste)
    check(mine == d.good("plain.png", CROSS, CROSS_LABELS), "the picture does not depend on who draws it")


def main():
    if not shutil.which("gnuplot"):
        print("skipped: there is no gnuplot")
        return 77
    for group in (check_png, check_resolution, check_alpha_and_order, check_names, check_legend, check_svg, check_pdf,
                  check_density, check_equal_bytes, check_axes, check_many_as_image, check_names_apart, check_text_in_png,
                  check_values, check_without_fonts, check_gnuplot_failing, check_files_failing, check_options_refused, check_taste):
        with tempfile.TemporaryDirectory() as below:
            group(Drawing(below))
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
