"""Hostile input from outside: files, names and sizes meant to crash, to hang or to run something. Each
ends in time, with one line and the right code or as if nothing were wrong, and touches nothing else. On one
rank and on two in turn; with the word `all` every case on both."""
import glob
import itertools
import json
import os
import random
import shutil
import socket
import struct
import sys
import xml.etree.ElementTree
import zlib

import h5py
import numpy as np
from PIL import Image

from harness import MODEL, draw_sample, errors_of, expect, failures, finish, folder, run, succeed

OUT = folder()
SAMPLE = draw_sample(10)
FAST = ["--perplexity", 5, "--early-iterations", 10, "--iterations", 10]
TURNS = itertools.cycle([(1, 2)] if sys.argv[1:] == ["all"] else [(2,), (1,)])

# Commands in names find the file to make in the environment: no name of a file holds a slash.
TOUCHED = os.path.join(OUT, "touched")
WORK, SCRATCH = os.path.join(OUT, "work"), os.path.join(OUT, "scratch")
HERE = {"cwd": WORK, "env": {"TOUCHED": TOUCHED, "TMPDIR": SCRATCH, "HOME": WORK}}
os.mkdir(WORK)
os.mkdir(SCRATCH)
X = os.path.join(OUT, "x.npy")
np.save(X, np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))

COMMANDS = ["`touch $TOUCHED`", "$(touch $TOUCHED)", "'; system(\"touch $TOUCHED\"); '", "\"; !touch $TOUCHED; \"",
            "| touch $TOUCHED", "'.system(\"touch $TOUCHED\").'", "x\n!touch $TOUCHED\n", "\\\"`touch $TOUCHED`"]
NAMES = [name.encode() for name in COMMANDS] + [b"-rf", b"--fresh", b"%s%n%d", b"caf\xe9 \xff\xfe", b"a\x1b[2Jb",
                                                "漢字 \u202e".encode(), b" ", b"\\U+0041", b"n" * 240]


def refused(code, *says, of):
    expect(code, *says, of=of, ranks=next(TURNS), **HERE)
    untouched(of)


def done(*of):
    """It succeeds."""
    for r in next(TURNS):
        finished = succeed(*of, ranks=r, **HERE)
    untouched(of)
    return finished


def untouched(of):
    left = [TOUCHED] * os.path.exists(TOUCHED) + os.listdir(SCRATCH)
    left = [name for name in left if "ompi" not in name and "openmpi" not in name and "pmix" not in name]
    if left:
        print("FAIL", of, "left behind", left)
        failures.append(of)


def clean(*of):
    """Done, or refused in one line; never ended by a signal."""
    for r in next(TURNS):
        ended = run(*of, ranks=r, timeout=60, **HERE)
        lines = errors_of(ended)
        if ended.returncode not in (0, 1, 2) or len(lines) != (ended.returncode > 0) or "Signal" in ended.stderr:
            print("FAIL", of, f"[{r}] ended with {ended.returncode}:", ended.stderr[-2000:])
            failures.append(of)
    untouched(of)
    return ended


def check(good, what):
    print("ok  " if good else "FAIL", what)
    if not good:
        failures.append(what)


def path_of(name, content=b""):
    path = os.path.join(OUT, name)
    with open(path, "wb") as f:
        f.write(content)
    return path


def fresh():
    fresh.count += 1
    return os.path.join(OUT, f"run{fresh.count}.h5")


fresh.count = 0


def extract(images=SAMPLE, *more, model=MODEL, out=None):
    return ["extract", "--images", images, "--model", model, "--drop-last", 1, "--crop", 32, "--out", out or fresh(),
            *more]


# --- images ----------------------------------------------------------------------------------------


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width, height):
    """A whole header, and next to no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(100)))


def jpeg_of(width, height):
    frame = struct.pack(">BHHB9B", 8, height, width, 3, 1, 17, 0, 2, 17, 0, 3, 17, 0)
    scan = struct.pack(">B6B3B", 3, 1, 0, 2, 0, 3, 0, 0, 63, 0)
    return (b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda" +
            struct.pack(">H", len(scan) + 2) + scan)


def folder_of(*changes):
    """A folder with an image made by each change, 0.png and on, and a sound one."""
    folder_of.count += 1
    path = os.path.join(OUT, f"images{folder_of.count}", "a")
    os.makedirs(path)
    Image.new("RGB", (32, 32), (40, 0, 0)).save(os.path.join(path, "sound.png"))
    for i, change in enumerate(changes):
        change(os.path.join(path, f"{i}.png"))
    return os.path.dirname(path)


folder_of.count = 0


def written(content):
    def change(path):
        with open(path, "wb") as f:
            f.write(content)
    return change


def bind(path):
    """A socket of that name."""
    here = os.getcwd()
    os.chdir(os.path.dirname(path))
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.basename(path))
    os.chdir(here)


def images():
    bad = ((written(png_of(100_000, 100_000)), "100000 x 100000 pixels, more than 2^28"),
           (written(png_of(2**31 - 1, 2**31 - 1)), "PNG: "),
           (written(png_of(1, 2**28 + 1)), "PNG: "),
           (written(png_of(4096, 4096)), "PNG: Not enough image data"),
           (written(jpeg_of(65_000, 65_000)), "65000 x 65000 pixels"),
           (os.mkfifo, "not a regular file"),
           (bind, "No such device or address"),
           (lambda path: os.symlink("/dev/zero", path), "not a regular file"),
           (lambda path: os.symlink("nowhere", path), "No such file"),
           (lambda path: os.symlink(os.path.basename(path), path), "Too many levels of symbolic links"))
    for change, says in bad[0], bad[5]:
        refused(1, "0.png", says, of=extract(folder_of(change)))
    refused(1, "a loop without end", of=extract(folder_of(lambda path: os.symlink("..", path))))
    # all of them are left out, each for its reason, and the sound one serves
    for _ in range(2):
        path = fresh()
        done(*extract(folder_of(*(change for change, _ in bad)), "--max-bad", len(bad), "--batch", 2, out=path))
        with h5py.File(path) as f:
            check(list(f["samples/status"]) == [2] * len(bad) + [1], "all bad images are left out")
            reasons = [reason.decode() for reason in f["samples/reason"]]
        for reason, (_, says) in zip(reasons, bad):
            check(says in reason, reason)
    # a folder deeper than a path can be long
    deep = os.path.join(OUT, "deep")
    os.mkdir(deep)
    here = os.getcwd()
    os.chdir(deep)
    for _ in range(20):
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    os.chdir(here)
    refused(1, "File name too long", of=extract(deep))
    shutil.rmtree(deep, ignore_errors=True)


# --- names -----------------------------------------------------------------------------------------


def named_images():
    """A folder with a class of each name, and in each an image of each name, one of them bad."""
    root = os.path.join(OUT, "named").encode()
    for i, label in enumerate(NAMES):
        os.makedirs(os.path.join(root, label))
        for k in range(2):
            pixels = np.full((32, 32, 3), (i * 12, k * 80, 255 - i * 12), np.uint8)
            Image.fromarray(pixels).save(os.path.join(root, label, NAMES[(i + k) % len(NAMES)][:200] + b".png"),
                                         "PNG")
        with open(os.path.join(root, label, b"bad" + label[:200] + b".jpg"), "wb") as f:
            f.write(b"no image")
    return root.decode()


def names():
    root, path, record = named_images(), fresh(), os.path.join(OUT, "record.jsonl")
    # the bad ones first, so that each is named
    told = done(*extract(root, "--max-bad", len(NAMES), "--log", record, "--fresh", out=path))
    left_out = [line for line in told.stderr.splitlines() if "left out: " in line]
    check(len(left_out) == len(NAMES) and "\x1b" not in told.stderr, "bad images are named, each on its line")
    with open(record, encoding="utf-8") as f:
        bad = {e["name"] for e in map(json.loads, f) if e["event"] == "bad_image"}
    check(len(bad) == len(NAMES), "and in the record")
    done("embed", path, *FAST)
    with h5py.File(path) as f:
        kept = sorted(f["classes"][...].tolist())
    check(kept == sorted(NAMES), "classes are kept as they are")
    for plot in "map.png", "map.svg", "map.pdf", "$(touch $TOUCHED).png", "`touch $TOUCHED`.png", "-o.svg":
        done("render", path, "--plot", os.path.join(".", plot))
        check(os.path.getsize(os.path.join(WORK, plot)) > 1000, f"a picture {plot!r}")
    untouched("render")
    drawn = ["".join(t.itertext()) for t in
             xml.etree.ElementTree.parse(os.path.join(WORK, "map.svg")).iter("{http://www.w3.org/2000/svg}text")]
    whole = [name for name in COMMANDS if "\n" not in name and len(name) <= 40]
    check(all(any(text.endswith(name) for text in drawn) for name in whole), f"the legend shows {whole}")
    # names on the command line, for files to be written and files to be read
    for name in COMMANDS[0], COMMANDS[3], "-x\ny%s%n":
        own = os.path.join(".", name.replace("/", "") + ".h5")
        done("embed", "--features", X, "--out", own, *FAST)
        check(os.path.exists(os.path.join(WORK, own)), f"a run file {own!r}")
    untouched("embed")


def long_paths():
    far = os.path.join(OUT, *["p" * 200] * 19)
    os.makedirs(far)
    long = [os.path.join(far, "q" * 120) + ".npy", "/" + "n" * 4000, os.path.join("/", *["m" * 200] * 25)]
    for path in long[:2]:
        for of in (extract(path), extract(model=path), ["info", path], ["embed", "--features", path, "--out", fresh()],
                   ["info", X, "--config", path], ["info", X, "--log", path + "/x"]):
            refused(2, "o", of=of)
    for path in long[1:]:
        refused(2, "File name too long", of=extract(out=path))
    # as long as the system allows, and there: it serves
    shutil.copy(path_of("long.npy", open(X, "rb").read()), long[0])
    done("embed", "--features", long[0], "--out", os.path.join(far, "r.h5"), *FAST)
    done("render", os.path.join(far, "r.h5"), "--plot", os.path.join(far, "m.png"))
    refused(2, "no such run file", "check the name", of=["info", os.path.join(far, "absent.h5")])
    refused(2, "perplexity", "`5`", "`6`", "start over with --fresh",
            of=["embed", "--features", long[0], "--out", os.path.join(far, "r.h5"), *FAST, "--perplexity", 6])


# --- models, matrices, configuration ---------------------------------------------------------------


def models():
    with open(MODEL, "rb") as f:
        whole = f.read()
    chance = random.Random(1)
    for name, content in (("garbage.pt", chance.randbytes(10_000)), ("empty.pt", b""), ("half.pt", whole[: len(whole) // 2]),
                          ("pickle.pt", b"\x80\x04cos\nsystem\n(S'touch $TOUCHED'\ntR.")):
        refused(2, name, of=extract(model=path_of(name, content)))
    os.makedirs(os.path.join(OUT, "folder.pt"))
    refused(2, "folder.pt", of=extract(model=os.path.join(OUT, "folder.pt")))
    os.mkfifo(os.path.join(OUT, "pipe.pt"))
    refused(2, "pipe.pt", of=extract(model=os.path.join(OUT, "pipe.pt")))
    refused(2, "pipe.pt", "not a regular file", of=["model", os.path.join(OUT, "pipe.pt")])


def npy(shape, descr="<f4", data=b"", length=None):
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) if length is None else length) + text + data


def matrices():
    for shape in ("(4611686018427387904, 8)", "(9223372036854775808, 1)", "(2147483648, 2147483648)", "(4294967296, 1)",
                  "(1" + "0" * 400 + ",)", "(3, 9223372036854775807, 9223372036854775807)", "()", "(-1, 4)"):
        refused(2, "huge.npy", of=["embed", "--features", path_of("huge.npy", npy(shape)), "--out", fresh()])
    # no bytes are needed for rows without columns, nor for no rows at all
    for shape in "(100, 0)", "(1099511627776, 0)", "(0, 9223372036854775807)":
        clean("embed", "--features", path_of("hollow.npy", npy(shape)), "--out", fresh(), *FAST)
    refused(1, "huge.npy", of=["embed", "--features", path_of("huge.npy", npy("(3,)", length=65535)), "--out", fresh()])
    os.mkfifo(os.path.join(OUT, "pipe.npy"))
    pipe = os.path.join(OUT, "pipe.npy")
    for option in ["--features"], ["--features", X, "--labels"], ["--features", X, "--init"]:
        refused(2, "pipe.npy", of=["embed", *option, pipe, "--out", fresh(), *FAST])
    path = os.path.join(OUT, "matrix.h5")
    with h5py.File(path, "w") as f:
        f["text"], f["one"], f["record"] = ["a"] * 50, 5.0, np.zeros(50, [("a", "f4")])
        f.create_group("group")
        f.create_dataset("rows", (2**40, 2), "f4")
        f.create_dataset("columns", (50, 2**50), "f4")
        f["away"], f["loop"] = h5py.ExternalLink("/nowhere.h5", "/x"), h5py.SoftLink("/loop")
        f.create_dataset("raw", (50, 4), "f4", external=[("/nowhere.raw", 0, h5py.h5f.UNLIMITED)])
    for name in "text", "one", "record", "group", "rows", "columns", "away", "loop", "":
        refused(2, name, of=["embed", "--features", f"{path}:/{name}", "--out", fresh()])
    refused(1, "raw", of=["embed", "--features", f"{path}:/raw", "--out", fresh(), *FAST])


def configurations():
    chance = random.Random(2)
    for name, content in (("garbage.ini", chance.randbytes(4096)), ("zeros.ini", bytes(4096)), ("line.ini", b"x" * 10**6),
                          ("latin.ini", b"perplexit\xe9 = 5\n"), ("brackets.ini", b"[" * 300 + b"\n"),
                          ("escape.ini", b"\x1b[2J = 5\n"), ("nested.ini", b"config = nested.ini\n")):
        refused(2, name, of=["embed", "x", "--config", path_of(name, content)])
    clean("embed", "x", "--config", OUT)


# --- run files -------------------------------------------------------------------------------------


def base_run():
    path = os.path.join(OUT, "base.h5")
    y = os.path.join(OUT, "y.npy")
    np.save(y, np.arange(60) % 3)
    succeed("embed", "--features", X, "--labels", y, "--out", path, *FAST)
    return path


def altered(base, change):
    path = fresh()
    shutil.copy(base, path)
    with h5py.File(path, "r+") as f:
        if "checksums" in f:  # or nothing more would be looked at
            del f["checksums"]
        change(f)
    return path


def put(name, value):
    def change(f):
        if name in f:
            del f[name]
        f[name] = value
    return change


def attribute(name, value):
    return lambda f: f.attrs.create(name, value)


def unwritten(f):
    del f["labels"]
    f.create_dataset("labels", (2**40,), "<i4")


def elsewhere(f):
    del f["labels"]
    f.create_dataset("labels", (60,), "<i4", external=[(TOUCHED, 0, h5py.h5f.UNLIMITED)])


def run_files():
    base = base_run()
    again = ["--features", X, "--labels", os.path.join(OUT, "y.npy"), *FAST]
    floats = np.zeros((60, 2), "<f4")
    datasets = [put("embedding/normalized", np.zeros((60, 500), "<f4")), put("embedding/normalized", floats.astype("<f8")),
                put("embedding/coordinates", np.zeros((60, 0), "<f4")), put("labels", np.zeros((60, 1), "<i4")),
                put("labels", ["text"] * 60), put("classes", np.zeros(3, "<i4")), put("history", np.zeros(4)),
                put("neighbours/index", np.zeros((60, 15), "<u8")), put("samples/name", 7), put("features", floats[:, 0]),
                put("labels", h5py.ExternalLink("/nowhere.h5", "/x")), put("embedding", h5py.SoftLink("/embedding")),
                unwritten, elsewhere]
    for i, change in enumerate(datasets):
        path = altered(base, change)
        of = ["embed", *again, "--out", path] if i % 4 < 2 else ["render", path, "--plot", os.path.join(OUT, "m.png")]
        refused(2, "written by another program", of=of)
    for value in 2, -1, "1", np.zeros(3, "<i4"), 1e300:
        refused(2, "run file", of=["info", altered(base, attribute("format_version", value))])
    texts = [np.int32(3), np.array([b"yes"] * 1000), ["yes"] * 9000, h5py.Empty("S10"), np.bytes_(b"\xff\x1b[2J" * 10),
             np.bytes_(b"x" * 60_000), np.bytes_(b"[" * 50_000), np.bytes_(b'{"perplexity": "\xff"}')]
    for value in texts:
        path = altered(base, lambda f: [f.attrs.create(a, value) for a in ("program", "embed_options", "neighbours_made",
                                                                          "features_digest", "embed_complete")])
        shown = clean("info", path)
        check("\x1b" not in shown.stdout, "info drives no terminal")
        clean("embed", *again, "--out", path)
    neighbours(base, again)
    contents(base)
    unfinished()


def unfinished():
    """What a stopped extraction has left, with datasets that are not of the sizes its command makes."""
    whole = fresh()
    done(*extract(SAMPLE, out=whole))
    for name, value in (("samples/reason", np.zeros(120, "S3")), ("features", np.zeros((120, 9999), "<f4"))):
        path = fresh()
        shutil.copy(whole, path + ".partial")
        with h5py.File(path + ".partial", "r+") as f:
            f["samples/status"][...] = 0
            put(name, value)(f)
        refused(1, "its datasets are not of the sizes", "--fresh", of=extract(SAMPLE, out=path))


def neighbours(base, again):
    """Neighbours of an embedding that was stopped; what is wrong with them is seen, and they are found anew."""
    with h5py.File(base) as f:
        index, distance = f["neighbours/index"][...], f["neighbours/distance"][...]
        expected = f["embedding/coordinates"][...]
    bad = [index.copy() for _ in range(2)]
    bad[0][3, 3], bad[1][:] = 60, 2**32 - 1
    far = [distance.copy() for _ in range(3)]
    far[0][5, 0], far[1][:], far[2][59, 14] = np.nan, -1, np.inf
    for change in ([put("neighbours/index", i) for i in bad] + [put("neighbours/distance", d) for d in far] +
                   [put("neighbours/distance", np.zeros((60, 4000), "<f4")),
                    put("neighbours/distance", np.zeros((7, 15), "<f4")), attribute("neighbours_made", np.bytes_("%s%n; " * 40))]):
        path = altered(base, lambda f: (change(f), f.attrs.create("embed_complete", np.bytes_("no"))))
        done("embed", *again, "--out", path)
        with h5py.File(path) as f:
            check(np.array_equal(f["embedding/coordinates"][...], expected), "damaged neighbours are found anew")


def contents(base):
    """Values that no program wrote, and bytes flipped at random."""
    plot = os.path.join(OUT, "m.png")
    for change in (put("labels", np.full(60, 2**31 - 1, "<i4")), put("labels", np.full(60, -2**31, "<i4")),
                   put("labels", np.zeros(7, "<i4")), put("embedding/normalized", np.full((60, 2), np.inf, "<f4")),
                   put("embedding/normalized", np.full((60, 2), 3e38, "<f4")), put("classes", np.array([b""] * 3, "S1")),
                   put("classes", np.array([b"\xff" * 3000] * 3, "S3000"))):
        clean("render", altered(base, change), "--plot", plot)
    with open(base, "rb") as f:
        whole = f.read()
    chance = random.Random(3)
    for kind in range(12):
        flipped = bytearray(whole)
        for _ in range(1 + kind):
            flipped[chance.randrange(3000)] = chance.randrange(256)
        path = path_of("flipped.h5", bytes(flipped))
        clean(*[["info", path], ["verify", path], ["repair", path, "--out", fresh()]][kind % 3])
    for size in 0, 7, 100, 1000, len(whole) - 1:
        refused(1 if size > 48 else 2, "cut.h5", of=["info", path_of("cut.h5", whole[:size])])
    os.mkfifo(os.path.join(OUT, "pipe.h5"))
    for path in os.path.join(OUT, "pipe.h5"), "/dev/zero", OUT:
        refused(2, "is a folder or a device", of=["info", path])


for part in (images, names, long_paths, models, matrices, configurations, run_files):
    part()
check(not glob.glob(os.path.join(OUT, "touched*")), "nothing was run")
finish()
