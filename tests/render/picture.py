#!/usr/bin/env python3
"""Pictures from outside: what is in the files, where points lie, and that nothing is run or left behind."""
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
from PIL import Image

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
    xy = np.column_stack([np.linspace(0.4, 0.6, 2 * n) % 0.05 * 4 + 0.4, np.linspace(0, 1, 2 * n) % 0.01 * 20 + 0.4])
    d.good("order.png", xy, np.repeat([0, 1], n), alpha=1, names=[b"a", b"b"])
    pixels = np.asarray(Image.open(d.path("order.png")).convert("RGB"))[:, :2000]
    shares = near(pixels, BLUE).sum(), near(pixels, ORANGE).sum()
    check(0.5 < shares[0] / shares[1] < 2, f"neither class hides the other: {shares}")


def blend_over(below, color, alpha=0.5):
    return np.round(alpha * np.array(color) + (1 - alpha) * below)


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
                  check_gnuplot_failing, check_files_failing, check_options_refused, check_taste):
        with tempfile.TemporaryDirectory() as below:
            group(Drawing(below))
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
