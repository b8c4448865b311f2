"""Scanning folders against Python's os.walk in the order of torchvision's ImageFolder, on bytes."""
import os
import random
import sys
import tempfile

from driver import check, finish, run

EXTENSIONS = (b".jpg", b".jpeg", b".png", b".ppm", b".bmp", b".pgm", b".tif", b".tiff", b".webp")


def scan(folder):
    """(samples as (label, name), classes, files left out), or the text of the error."""
    out = run(sys.argv[1], "scan", os.fsdecode(folder))
    line, _, rest = out.partition(b"\n")
    if line.startswith(b"error"):
        return line
    count, class_count, ignored = map(int, line.split()[1:])
    words = rest.split(b"\0")
    check(len(words) == 2 * count + class_count + 1 and words[-1] == b"", "strings and their zeros")
    samples = [(int(words[2 * i]), words[2 * i + 1]) for i in range(count)]
    return samples, words[2 * count:-1], ignored


def image_folder(root):
    """What torchvision.datasets.ImageFolder lists."""
    classes = sorted(e.name for e in os.scandir(root) if e.is_dir())
    samples, ignored = [], sum(not e.is_dir() for e in os.scandir(root))
    for label, name in enumerate(classes):
        for folder, _, files in sorted(os.walk(os.path.join(root, name), followlinks=True)):
            for file in sorted(files):
                if file.lower().endswith(EXTENSIONS):
                    samples.append((label, os.path.relpath(os.path.join(folder, file), root)))
                else:
                    ignored += 1
    return samples, classes, ignored


def touch(*parts):
    path = os.path.join(*parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    open(path, "wb").close()


NASTY = [b"a", b"a-b", b"a b", b"a.b", b"A", b"\xff\xfe", b"\xc3\xa9", b"-", b".hidden", b"new\nline", b"tab\t", b"'q'",
         b'"', b"%s%n", b"*", b"\\", b"z" * 200, b"10", b"9", b"\xe2\x82\xac", b"\xf0\x9f\x90\x88", b"a\x7f", b"~"]


def test_tree(root):
    dice = random.Random(11)
    for number in range(1500):
        parts = [dice.choice(NASTY) for _ in range(dice.randint(1, 5))]
        extension = dice.choice(EXTENSIONS + (b".JPG", b".PnG", b".txt", b"", b".jpg.bak", b"jpg"))
        touch(root, *parts, b"%d%s%s" % (number % 40, dice.choice(NASTY), extension))
    for name in NASTY:
        touch(root, name, b"one.png")
    touch(root, b"a", b".jpg")
    touch(root, b"a", b"folder.jpg", b"inside.txt")  # a folder with an image's name is no image
    touch(root, b"beside.jpg")
    touch(root, b"README")
    with tempfile.TemporaryDirectory() as other:
        other = os.fsencode(other)
        touch(other, b"deep", b"linked.jpg")
        os.symlink(other, os.path.join(root, b"class link"))
        os.symlink(other, os.path.join(root, b"a", b"link"))
        os.symlink(os.path.join(other, b"deep", b"linked.jpg"), os.path.join(root, b"a", b"to file.jpg"))
        os.symlink(b"nowhere", os.path.join(root, b"a", b"broken.jpg"))
        os.symlink(b"itself.jpg", os.path.join(root, b"a", b"itself.jpg"))
        truth, answer = image_folder(root), scan(root)
        check(len(truth[0]) > 1000, "a tree worth scanning")
        check(answer == truth, "rows, labels, classes and the count left out are torchvision's")
        check(scan(root + b"/") == truth, "a closing slash changes nothing")


def test_flat(root):
    for name in b"b.jpg", b"a.PNG", b"10.jpg", b"9.jpg", b"notes.txt", b".jpeg":
        touch(root, name)
    names = [b".jpeg", b"10.jpg", b"9.jpg", b"a.PNG", b"b.jpg"]
    check(scan(root) == ([(-1, name) for name in names], [], 1), "a flat folder")


def test_errors(root):
    check(scan(root).startswith(b"error 2") and b"no images" in scan(root), "an empty folder")
    check(scan(root + b"/none").startswith(b"error 2"), "no folder")
    touch(root, b"good", b"x.jpg")
    check(scan(root + b"/good/x.jpg").startswith(b"error 2"), "a file is no folder")
    touch(root, b"last", b"x.txt")
    check(scan(root).startswith(b"error 2") and b"/last: a class folder without images" in scan(root), "an empty class")
    touch(root, b"last", b"y.png")
    os.symlink(b"..", os.path.join(root, b"good", b"loop"))
    check(scan(root).startswith(b"error 1") and b"/good/loop: a link back to" in scan(root), "a loop")
    os.remove(os.path.join(root, b"good", b"loop"))
    os.symlink(b"../last", os.path.join(root, b"good", b"no loop"))
    check(scan(root)[0] == [(0, b"good/x.jpg"), (0, b"good/no loop/y.png"), (1, b"last/y.png")], "two ways to a folder")


for test in test_tree, test_flat, test_errors:
    with tempfile.TemporaryDirectory() as place:
        test(os.fsencode(place))
finish()
