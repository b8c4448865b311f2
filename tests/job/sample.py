#!/usr/bin/env python3
"""shardsne-draw-sample from outside: what it draws is reproducible, complete and of the right kind."""
import os
import subprocess
import sys
import tempfile

import numpy as np
from PIL import Image

PROGRAM = os.environ.get("SHARDSNE_DRAW_SAMPLE")
FAILURES = []


def check(condition, what):
    if not condition:
        FAILURES.append(what)
        print(f"FAILED: {what}", file=sys.stderr)


def draw(folder, *options):
    return subprocess.run([PROGRAM, folder, *options], capture_output=True, text=True)


def contents(folder):
    """{"class/0000.png": bytes} of everything below the folder."""
    files = {}
    for where, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(where, name)
            with open(path, "rb") as f:
                files[os.path.relpath(path, folder)] = f.read()
    return files


def pixels(folder, name):
    with Image.open(os.path.join(folder, name)) as image:
        return image.size, image.mode, np.asarray(image).astype(int)


def check_images(folder, files):
    check(len(os.listdir(folder)) == 12, "12 folders, one a class")
    expected = {os.path.join(c, f"{i:04}.png") for c in os.listdir(folder) for i in range(5)}
    check(set(files) == expected, "five images in each, numbered from 0000.png")
    seen = set()
    for name in sorted(files):
        size, mode, values = pixels(folder, name)
        check(size == (32, 32) and mode == "RGB", f"{name} is 32 x 32 RGB")
        check(values.std() > 10, f"{name} shows something")
        seen.add(values.tobytes())
    check(len(seen) == len(files), "no two images are alike")


def check_reproducible(below):
    one, two, other, more = (os.path.join(below, n) for n in ("one", "two", "other", "more"))
    for folder, options in ((one, ["--count", "5"]), (two, ["--count=5", "--seed", "0"]),
                            (other, ["--count", "5", "--seed", "7"]), (more, ["--count", "8"])):
        result = draw(folder, *options)
        check(result.returncode == 0 and not result.stderr, f"{options} succeeds: {result.stderr}")
    files = contents(one)
    check_images(one, files)
    check(contents(two) == files, "the same seed draws the same bytes")
    others = contents(other)
    check(set(others) == set(files), "another seed draws as many images")
    check(not set(others.values()) & set(files.values()), "another seed draws none of the same images")
    larger = contents(more)
    check(len(larger) == 12 * 8, "a larger count draws more")
    check(all(larger[name] == data for name, data in files.items()), "and begins with the same images")
    check(draw(one, "--count", "5").returncode == 0, "a folder that is there may be drawn into again")
    check(contents(one) == files, "with the same result")


def check_refused(result, code, *words):
    what = " ".join(result.args[1:])[-80:]
    check(result.returncode == code, f"`{what}` exits {code}, not {result.returncode}")
    lines = result.stderr.splitlines()
    check(len(lines) == 1, f"`{what}` says one line: {lines}")
    for word in words:
        check(word in result.stderr, f"`{what}` says {word!r}: {lines}")


def check_errors(below):
    file = os.path.join(below, "file")
    with open(file, "w") as f:
        f.write("in the way")
    check_refused(draw(file), 1, file, "in its place")
    check_refused(draw(os.path.join(file, "sample")), 1, file, "Not a directory")
    check_refused(draw(os.path.join(below, "absent", "sample")), 1, "absent", "No such file")
    with open(file) as f:
        check(f.read() == "in the way", "a file in the way is left as it was")
    held = os.path.join(below, "held")
    os.makedirs(os.path.join(held, "checkerboard", "0000.png"))  # a folder where an image belongs
    check_refused(draw(held), 1, os.path.join("checkerboard", "0000.png"), "cannot be written")
    check_refused(draw(os.path.join(below, "x" * 5000)), 2, "too long", "shorter")
    check_refused(subprocess.run([PROGRAM], capture_output=True, text=True), 2, "DIR")
    check_refused(draw(below, "--count", "0"), 2, "--count", "from 1 to 10000")
    check_refused(draw(below, "--seed", "-1"), 2, "--seed")
    check_refused(draw(below, "--cuont", "5"), 2, "count")
    check_refused(draw(below, "second"), 2, "second")
    shown = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True)
    check(shown.returncode == 0 and "--count N" in shown.stdout, "--help names the options")


def main():
    if not PROGRAM:
        print("skipped: SHARDSNE_DRAW_SAMPLE does not name the program")
        return 77
    with tempfile.TemporaryDirectory() as below:
        check_reproducible(below)
        check_errors(below)
    return 1 if FAILURES else 0


if __name__ == "__main__":
    sys.exit(main())
