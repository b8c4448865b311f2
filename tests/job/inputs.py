"""Every kind of input: the features and labels of the same images from a folder, at 1 to 4 ranks; and what is
wrong with an input is said in one line."""
import gzip
import io
import json
import lzma
import os
import shutil
import tarfile

import h5py
import numpy as np
from PIL import Image

from harness import MODEL, digests, expect, finish, folder, succeed

HERE = folder()
OPTIONS = ("--model", MODEL, "--drop-last", 1, "--batch", 4, "--threads", 1)
CLASSES = ("ant", "bee", "cow dog")
PER_CLASS = 7
SIDE = 32
rng = np.random.default_rng(4)
PIXELS = rng.integers(0, 256, (len(CLASSES) * PER_CLASS, SIDE, SIDE, 3)).astype(np.uint8)
LABELS = np.repeat(np.arange(len(CLASSES), dtype=np.int32), PER_CLASS)
NAMES = [f"{CLASSES[label]}/{row:03}.png" for row, label in enumerate(LABELS)]


def at(*parts):
    path = os.path.join(HERE, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def png(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


FILES = [png(p) for p in PIXELS]


def write(path, data):
    with open(at(path), "w" if isinstance(data, str) else "wb") as f:
        f.write(data)
    return at(path)


def features(source, ranks, *options):
    path = at("run.h5")
    for old in (path, path + ".index"):
        if os.path.exists(old):
            os.remove(old)
    succeed("extract", "--images", source, *OPTIONS, "--out", path, *options, ranks=ranks)
    found = digests(path)
    with h5py.File(path) as f:
        classes = [c.decode() for c in f["classes"][...]] if "classes" in f else []
        return found["/features"], f["labels"][...].tolist(), classes, [n.decode() for n in f["samples/name"][...]]


def same(what, source, *options, names=NAMES, classes=CLASSES, order=None, labels=LABELS, ranks=(1, 2, 3, 4)):
    """The features of the folder; `order` are the folder's rows in the input's order."""
    wanted = EXPECTED if order is None else reordered(order)
    labels = (labels if order is None else labels[order]).tolist()
    for r in ranks:
        got = features(source, r, *options)
        assert got[0] == wanted, f"{what}, {r} ranks: features {got[0]}, not {wanted}"
        assert got[1] == labels, f"{what}, {r} ranks: labels {got[1]}"
        assert got[2] == list(classes), f"{what}, {r} ranks: classes {got[2]}"
        assert names is None or got[3] == list(names), f"{what}, {r} ranks: names {got[3]}"
    print("same  ", what)


def reordered(order):
    """The digest of the folder's features in another order: those of a flat folder with names that sort so."""
    flat = at("reordered")
    shutil.rmtree(flat, ignore_errors=True)
    for place, row in enumerate(order):
        write(f"reordered/{place:03}.png", FILES[row])
    return features(flat, 1)[0]


def member(tar, name, data, **facts):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for fact, value in facts.items():
        setattr(info, fact, value)
    tar.addfile(info, io.BytesIO(data) if info.isreg() else None)


def tar(path, members, format=tarfile.GNU_FORMAT):
    with tarfile.open(at(path), "w", format=format) as out:
        for name, data in members:
            member(out, name, data)
    return at(path)


SHUFFLED = rng.permutation(len(NAMES))

# --- the folder, and lists -------------------------------------------------------------------------

for name, data in zip(NAMES, FILES):
    write(f"folder/{name}", data)
FOLDER = at("folder")
EXPECTED = features(FOLDER, 1)[0]
same("folder", FOLDER)


def lists():
    rows = list(zip(NAMES, LABELS))
    write("folder/plain.csv", "".join(f"{n},{label}\n" for n, label in rows))
    same("list, numbers", at("folder/plain.csv"), classes=())
    write("folder/named.tsv", "Path\tclass\textra\r\n" + "".join(f'"{n}"\t{CLASSES[k]}\tx\r\n' for n, k in rows))
    same("list, TSV with a header and names", at("folder/named.tsv"))
    write("lists/up.txt", "\ufeff" + "\n\n".join(f"../folder/{n}" for n in NAMES))
    same("list without labels", at("lists/up.txt"), classes=(), labels=np.full(len(NAMES), -1),
         names=[f"../folder/{n}" for n in NAMES])
    write("lists/absolute.csv", "label,file\n" + "".join(f'"x ""{label}""",{FOLDER}/{n}\n' for n, label in
                                                     (rows[i] for i in SHUFFLED)))
    same("list of absolute paths in another order", at("lists/absolute.csv"), order=SHUFFLED,
         names=[f"{FOLDER}/{NAMES[i]}" for i in SHUFFLED], classes=[f'x "{k}"' for k in range(3)])
    bad = [("a label that is no number", "a.png,1\nb.png,cat\n", "line 2", "`cat` is no number"),
           ("a number among names", "a.png,cat\nb.png,1\n", "line 2", "`1` is a number"),
           ("a missing label", "a.png,1\nb.png,\n", "line 2", "no label"),
           ("a label too large", "a.png,1\nb.png,99999999999\n", "line 2", "no number"),
           ("a missing column", "a.png,1\nb.png\n", "line 2", "1 column"),
           ("three columns", "a.png,1,2\n", "line 1", "header"),
           ("an open quote", 'a.png,1\n"b.png,2\n', "line 2", "not closed"),
           ("text behind a quote", '"a.png"x,1\n', "line 1", "closing quote"),
           ("an unclear header", "path,colour\na.png,1\n", "line 1", "not clear"),
           ("no path", "a.png,1\n,2\n", "line 2", "no path"),
           ("nothing but a header", "path,label\n", "no images"),
           ("a long name", "a" * 5000 + ",1\n", "line 1", "5000 bytes")]
    for name, text, *says in bad:
        print("     ", name)
        write("lists/bad.csv", text)
        refuse(at("lists/bad.csv"), "bad.csv", *says)
    write("lists/gone.csv", f"{FOLDER}/{NAMES[0]}\nnone.png\n")
    expect(1, "none.png", "No such file", "--max-bad", of=("extract", "--images", at("lists/gone.csv"), *OPTIONS,
                                                           "--out", at("bad.h5"), "--fresh"))


def refuse(source, *says, options=(), code=2, ranks=(3,)):
    expect(code, *says, ranks=ranks, of=("extract", "--images", source, *OPTIONS, "--out", at("bad.h5"), "--fresh", *options))


# --- tars --------------------------------------------------------------------------------------------

def tars():
    rows = list(zip(NAMES, FILES))
    mixed = [rows[i] for i in SHUFFLED]
    same("tar", tar("a.tar", mixed))
    same("tar with ./ and files of other kinds",
         tar("b.tar", [("./" + n, d) for n, d in mixed] + [("./README", b"x" * 700), ("./ant/notes.txt", b"")]))
    same("tar of a folder of classes", tar("c.tar", [("data/" + n, d) for n, d in mixed], tarfile.PAX_FORMAT),
         names=["data/" + n for n in NAMES])
    long = "x" * 150 + "/" + "é" * 60
    for format in tarfile.GNU_FORMAT, tarfile.PAX_FORMAT:
        same(f"tar with long names, format {format}",
             tar("d.tar", [(n.replace("/", f"/{long}/"), d) for n, d in mixed], format),
             names=[n.replace("/", f"/{long}/") for n in NAMES])
    shards(rows)
    bad_tars(rows)


def webdataset(path, rows, label="cls"):
    members = []
    for row in rows:
        key = f"sample/{row:06}"
        text = str(LABELS[row]) + "\n" if label == "cls" else json.dumps({"label": CLASSES[LABELS[row]], "id": 3})
        members += [(f"{key}.{label}", text.encode()), (f"{key}.png", FILES[row]), (f"{key}.seg.png", FILES[0])]
    return tar(path, members)


def shards(rows):
    thirds = np.array_split(SHUFFLED, 3)
    for number, part in enumerate(thirds):
        webdataset(f"wds/one-{number + 8:03}.tar", part)
        webdataset(f"wds/two-{number}.tar", part, "json")
        tar(f"wds/three-{number}.tar", [rows[i] for i in part])
    for name, digits, classes in ("one", 3, ()), ("two", 1, CLASSES):
        first = 8 if name == "one" else 0
        names = [f"{name}-{first + n:0{digits}}.tar/sample/{row:06}.png" for n, p in enumerate(thirds) for row in p]
        same(f"WebDataset shards {name}", at("wds", f"{name}-{{{first:0{digits}}..{first + 2:0{digits}}}}.tar"),
             order=SHUFFLED, classes=classes, names=names)
    order = np.concatenate([np.sort(p) for p in thirds])
    same("tars of class folders", at("wds/three-{0..2}.tar"), order=order,
         names=[f"three-{n}.tar/{NAMES[i]}" for n, p in enumerate(thirds) for i in np.sort(p)])
    tar("wds/two-1.tar", [("a.png", FILES[0]), ("a.cls", b"7")])
    refuse(at("wds/two-{0..2}.tar"), "names", "numbers")
    refuse(at("wds/two-{0..3}.tar"), "two-3.tar", "No such file")
    kinds()


def kinds():
    """What tars are is settled by each, not by which rank has which."""
    tar("kinds/s-0.tar", [("a.png", FILES[0]), ("a.cls", b"2"), ("b.png", FILES[1]), ("b.cls", b"10")])
    tar("kinds/s-1.tar", [("read.me", b"no image")])
    for ranks in 1, 2, 3, 4:
        got = features(at("kinds/s-{0..1}.tar"), ranks)
        assert list(got[1]) == [2, 10] and list(got[2]) == [], (ranks, got[1:])
    tar("kinds/m-0.tar", [("a.png", FILES[0]), ("a.cls", b"2")])
    tar("kinds/m-1.tar", [("cat/1.png", FILES[1]), ("dog/1.png", FILES[2])])
    refuse(at("kinds/m-{0..1}.tar"), "names", "numbers", ranks=(1, 2, 3, 4))
    tar("kinds/n-0.tar", [("cat/images/1.png", FILES[0])])
    tar("kinds/n-1.tar", [("cat/images/2.png", FILES[1]), ("dog/images/3.png", FILES[2])])
    refuse(at("kinds/n-{0..1}.tar"), "n-0.tar", "one folder, cat", "not clear", ranks=(1, 2))
    refuse(tar("bad.tar", [("a.png", FILES[0]), ("a.cls", b"1"), ("b.cls", b"1")]), "b.cls", "without an image")
    unlabelled()


def unlabelled():
    """Shards as img2dataset makes them: what is beside the images says no label, as is said, by the index too."""
    for number in range(2):
        tar(f"i2d/{number}.tar", [(f"{number}{row}.{ending}", data) for row in range(2 + number) for ending, data in
                                  (("png", FILES[row]), ("json", b'{"url": "x"}'), ("txt", b"a caption"))])
    for ranks in 1, 3:
        shutil.rmtree(at("i2d/out"), ignore_errors=True)
        command = ("extract", "--images", at("i2d/{0..1}.tar"), *OPTIONS, "--out", at("i2d/out/run.h5"))
        for _ in "scanned", "by the index":
            said = succeed(*command, "--fresh", ranks=ranks).stderr
            assert said.count("none of the 5 .json files beside them has a member `label`") == 1, said
        assert "by the index" in said
        with h5py.File(at("i2d/out/run.h5")) as f:
            assert f["labels"][...].tolist() == [-1] * 5


def bad_tars(rows):
    def wds(*members):
        return tar("bad.tar", [("a.png", FILES[0]), ("a.cls", b"1"), *members])

    refuse(wds(("b.png", FILES[1])), "bad.tar: b.png", "no label beside it")
    refuse(wds(("b.png", FILES[1]), ("b.cls", b"")), "b.cls", "not a label")
    refuse(wds(("b.png", FILES[1]), ("b.cls", b"cat")), "b.png", "`cat` is no number")
    refuse(wds(("b.png", FILES[1]), ("b.json", b"{")), "b.json", "not JSON")
    refuse(wds(("b.png", FILES[1]), ("b.json", b'{"label": 1.5}')), "b.json", "neither an integer nor a name")
    refuse(wds(("b.png", FILES[1]), ("b.json", b"[" * 100000)), "b.json", "not JSON")
    refuse(wds(("a.jpg", FILES[1])), "second image of its key")
    refuse(wds(("./a.png", FILES[1])), "a.png", "twice")
    refuse(tar("bad.tar", rows + rows[:1]), NAMES[0], "twice")
    refuse(tar("bad.tar", [("x.txt", b"text")]), "no images")
    whole = open(tar("bad.tar", rows), "rb").read()
    end = whole.rindex(FILES[-1])
    for what, cut in ("in an image", end + 100), ("in a header", end - 300), ("behind one", end + 1024 * 4):
        kept = min(cut, (end + len(FILES[-1]) + 511) // 512 * 512)
        refuse(write("bad.tar", whole[:kept]), "bad.tar", "truncated")
    refuse(write("bad.tar.gz", gzip.compress(whole)), "bad.tar.gz", "compressed (gzip)", "decompress")
    refuse(write("bad.tar", lzma.compress(whole)), "compressed (xz)")
    for kind in tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE:
        with tarfile.open(at("bad.tar"), "w") as out:
            member(out, "ant/a.png", FILES[0])
            member(out, "ant/b.png", b"", type=kind, linkname="/etc/passwd")
        refuse(at("bad.tar"), "ant/b.png", "not a regular file" if kind == tarfile.FIFOTYPE else "link")
    with tarfile.open(at("bad.tar"), "w", format=tarfile.GNU_FORMAT) as out:
        member(out, "ant/a.png", FILES[0])
        info = tarfile.TarInfo("ant/b.png")
        info.size = 2 ** 62
        out.addfile(info)
    refuse(at("bad.tar"), "truncated")
    refuse(write("bad.tar", b"neither\0one"), "not recognised")
    refuse(write("bad.tar", b""), "empty file")
    refuse(write("bad.tar", FILES[0]), "a single PNG")
    refuse(at("none.tar"), "none.tar", "No such file")
    outside = [("../../etc/passwd.png", FILES[0]), ("/etc/x.png", FILES[1]), ("/".join("d" * 1800) + "/x.png", FILES[2])]
    got = features(tar("out.tar", outside), 2)
    assert sorted(got[3]) == sorted(n.lstrip('/') for n, _ in outside), got[3]


# --- arrays ------------------------------------------------------------------------------------------

def idx(array):
    return bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape) + array.tobytes()


def arrays():
    numbers = [f"{row:02}" for row in range(len(NAMES))]
    kinds = {"nhwc": PIXELS, "nchw": np.ascontiguousarray(PIXELS.transpose(0, 3, 1, 2))}
    np.save(at("y.npy"), LABELS.astype(np.int64))
    for name, array in kinds.items():
        np.save(at(f"{name}.npy"), array)
        same(f".npy {name}", at(f"{name}.npy"), "--labels", at("y.npy"), classes=(), names=numbers)
    with h5py.File(at("x.h5"), "w") as f:
        f["plain"] = PIXELS
        f.create_dataset("deep/packed", data=kinds["nchw"], chunks=(5, 3, 10, 32), compression="gzip", shuffle=True)
        f["y"], f["floats"], f["wrong"] = LABELS.astype(">i8"), PIXELS / 255, LABELS - 5
        f["real"], f["column"], f["box"] = LABELS / 2, LABELS[:, None], LABELS[:, None, None, None]
        f["pairs"] = np.stack([LABELS, LABELS], axis=1)
        f["short"], f["large"] = LABELS[1:], LABELS + 2 ** 40
    for name in "plain", "deep/packed":
        same(f"HDF5 {name}", at("x.h5") + ":/" + name, "--labels", at("x.h5") + ":/y", classes=(), names=numbers)
    for name in "column", "box":
        same(f"HDF5, labels in a {name}", at("x.h5") + ":/plain", "--labels", at("x.h5") + ":/" + name, classes=(), names=numbers,
             ranks=[3])
    gray = PIXELS[..., 0]
    for row in range(len(NAMES)):
        write(f"gray/{NAMES[row]}", png(gray[row]))
    global EXPECTED
    of_colours, EXPECTED = EXPECTED, features(at("gray"), 1)[0]
    np.save(at("nhw.npy"), gray)
    np.save(at("n1hw.npy"), gray[:, None])
    write("few-images-idx3-ubyte", idx(gray))
    write("few-labels-idx1-ubyte.gz", gzip.compress(idx(LABELS.astype(np.uint8))))
    write("some-images-idx3-ubyte.gz", gzip.compress(idx(gray)))
    for name in "nhw.npy", "n1hw.npy", "some-images-idx3-ubyte.gz":
        same(name, at(name), "--labels", at("few-labels-idx1-ubyte.gz"), classes=(), names=numbers)
    same("IDX with the labels beside it", at("few-images-idx3-ubyte"), classes=(), names=numbers)
    same("IDX without labels", at("some-images-idx3-ubyte.gz"), classes=(), labels=np.full(len(NAMES), -1), ranks=[2],
         names=numbers)
    EXPECTED = of_colours
    bad_arrays(kinds["nhwc"])


def bad_arrays(array):
    x = at("nhwc.npy")
    refuse(x, "21 images", "20 labels", options=("--labels", at("x.h5") + ":/short"))
    refuse(x, "label -5", options=("--labels", at("x.h5") + ":/wrong"))
    refuse(x, "no 32-bit integer", options=("--labels", at("x.h5") + ":/large"))
    refuse(x, "no integers", options=("--labels", at("x.h5") + ":/real"))
    refuse(x, "labels have one", options=("--labels", x))
    refuse(x, "labels have one", options=("--labels", at("x.h5") + ":/pairs"))
    refuse(x, "not an IDX", options=("--labels", write("y.csv", "1\n2\n")))
    refuse(x, "none.npy", options=("--labels", at("none.npy")))
    refuse(FOLDER, "--labels", "its own", options=("--labels", at("y.npy")))
    refuse(at("x.h5") + ":/floats", "uint8")
    refuse(at("x.h5") + ":/none", "no dataset")
    refuse(at("x.h5"), "name the dataset")
    refuse(at("few-labels-idx1-ubyte.gz"), "labels")
    for name, bad, says in (("floats", array / 255, "uint8"), ("flat", array.reshape(len(array), -1), "2 dimensions"),
                            ("none", array[:0], "no images"), ("five", array[..., :2], "1 or 3 channels"),
                            ("unclear", array[:, :3], "not clear"), ("none wide", array[:, :, :0], "pixels")):
        np.save(at("bad.npy"), bad)
        refuse(at("bad.npy"), says)
    whole = idx(array[..., 0])
    refuse(write("bad.idx", whole[:-1]), "truncated")
    refuse(write("bad.idx", whole[:4] + b"\xff" * 12 + whole[16:]), "pixels")
    refuse(write("bad.idx", whole[:4] + b"\xff" * 4 + whole[8:]), "truncated")
    refuse(write("bad.idx", gzip.compress(whole[:4] + b"\xff" * 4 + whole[8:])), "truncated")
    refuse(write("bad.idx", gzip.compress(whole)[:-2000]), "truncated", code=2)
    refuse(write("bad.idx", b"\0\0\x0d" + whole[3:]), "type 13")


def names_on_one_node(records, names):
    """Ranks that see different folders: the names are those that rank 0 sees."""
    enter = ("sh", "-c", 'cd rank-$((${OMPI_COMM_WORLD_RANK:-$PMI_RANK} > 0)) && exec "$0" "$@"')
    for rank in 0, 1:
        write(f"nodes/rank-{rank}/test_batch.bin", records)
    for seen in 0, 1:
        write(f"nodes/rank-{seen}/batches.meta.txt", "\n".join(names[:10]))
        path = at("nodes/run.h5")
        succeed("extract", "--images", "test_batch.bin", *OPTIONS, "--out", path, "--fresh", ranks=3, under=enter, cwd=at("nodes"))
        with h5py.File(path) as f:
            assert f["labels"][...].tolist() == LABELS.tolist()
            assert ([c.decode() for c in f["classes"][...]] if "classes" in f else []) == (names[:10] if seen == 0 else [])
        os.remove(at(f"nodes/rank-{seen}/batches.meta.txt"))


def cifar():
    planes = PIXELS.transpose(0, 3, 1, 2).reshape(len(PIXELS), -1)
    records = [bytes([LABELS[i]]) + planes[i].tobytes() for i in range(len(planes))]
    names = [f"{file}/{row:05}" for file, count in (("data_batch_1.bin", 8), ("data_batch_2.bin", 9), ("test_batch.bin", 4))
             for row in range(count)]
    write("cifar/data_batch_1.bin", b"".join(records[:8]))
    write("cifar/data_batch_2.bin", b"".join(records[8:17]))
    write("cifar/test_batch.bin", b"".join(records[17:]))
    same("CIFAR-10 without names", at("cifar"), names=names, classes=())
    ten = ["z", "b", "a b", *"cdefghi"]
    write("cifar/batches.meta.txt", "\n".join(ten) + "\n\n")
    same("CIFAR-10", at("cifar"), names=names, classes=ten)
    hundred = [f"class {i}" for i in range(100)]
    write("cifar100/fine_label_names.txt", "\r\n".join(hundred))
    write("cifar100/test.bin", b"".join(bytes([19]) + r for r in records))
    same("CIFAR-100's file", at("cifar100/test.bin"), names=[f"test.bin/{i:05}" for i in range(21)], classes=hundred)
    names_on_one_node(b"".join(records), hundred)
    write("cifar/test_batch.bin", b"".join(records)[:-1])
    refuse(at("cifar"), "test_batch.bin", "truncated")
    write("cifar/test_batch.bin", records[0] + b"\x0b" + records[1][1:])
    refuse(at("cifar"), "test_batch.bin", "record 1", "label 11")
    write("cifar/test_batch.bin", b"\1" + records[0])
    refuse(at("cifar"), "test_batch.bin", "CIFAR-100")
    write("cifar/test_batch.bin", records[0])
    write("cifar/batches.meta.txt", "a\nb\n")
    refuse(at("cifar"), "2 names for 10 classes")


# --- transforms ---------------------------------------------------------------------------------------

def transforms():
    """What a preset gives is recorded, and an option given besides counts; features follow Pillow's own resize."""
    def options(*given):
        features(at("photo"), 1, "--crop", 32, *given)
        with h5py.File(at("run.h5")) as f:
            return json.loads(f.attrs["extract_options"]), f["features"][...]

    big = rng.integers(0, 256, (5, 80, 64, 3)).astype(np.uint8)
    for row, pixels in enumerate(big):
        write(f"photo/{row}.png", png(pixels))
        write(f"photo-webp/{row}.webp", webp(pixels))
    for name, resample in ("bilinear", Image.BILINEAR), ("bicubic", Image.BICUBIC):
        for row, pixels in enumerate(big):
            small = Image.fromarray(pixels).resize((32, 40), resample).crop((0, 4, 32, 36))
            write(f"small/{row}.png", png(np.asarray(small)))
        said, found = options("--resize", 32, "--interpolation", name)
        assert said["interpolation"] == name and said["channels"] == "3", said
        features(at("small"), 1)
        with h5py.File(at("run.h5")) as f:
            assert (f["features"][...] == found).all(), name
    assert features(at("photo-webp"), 1, "--crop", 32)[0] == features(at("photo"), 1, "--crop", 32)[0]
    said, _ = options("--preset", "cifar10", "--std", "1,1,2")
    assert (said["resize"], said["crop"], said["mean"], said["std"]) == ("32", "32", "0.4914,0.4822,0.4465", "1,1,2"), said
    said, _ = options("--mean", "0,0,0.5", "--preset", "none")
    assert (said["resize"], said["crop"], said["mean"], said["std"]) == ("0", "32", "0,0,0.5", "1,1,1"), said
    write("preset.conf", "preset = imagenet\nresize = 40\n")
    said, _ = options("--config", at("preset.conf"))
    assert (said["resize"], said["crop"], said["std"]) == ("40", "32", "0.229,0.224,0.225"), said
    print("same   transforms")


def webp(pixels):
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True)
    return out.getvalue()


# --- the index, and bad images ---------------------------------------------------------------------------

def by_index(*options, ranks=1, source=None):
    """Whether the run went by its index; its results are the folder's in any case."""
    path = at("indexed.h5")
    if os.path.exists(path):
        os.remove(path)
    said = succeed("extract", "--images", source or at("indexed.tar"), *OPTIONS, "--out", path, *options, ranks=ranks).stderr
    with h5py.File(path) as f:
        assert f["labels"][...].tolist() == LABELS.tolist() and [n.decode() for n in f["samples/name"][...]] == NAMES
    assert digests(path)["/features"] == EXPECTED
    return "by the index" in said


def index():
    source, kept = tar("indexed.tar", [(NAMES[i], FILES[i]) for i in SHUFFLED]), at("indexed.h5.index")
    assert not by_index(ranks=3) and os.path.exists(kept)
    for ranks in 1, 2, 3, 4:
        assert by_index(ranks=ranks), ranks
    with open(kept, "rb") as f:
        whole = f.read()
    for damage in [whole[:-1], whole[:100], b"", whole + b"x"] + [
            whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1:]
            for place in (0, 9, 20, 130, len(whole) // 2, len(whole) - 3)]:
        write("indexed.h5.index", damage)
        assert not by_index(ranks=2), len(damage)
        with open(kept, "rb") as f:
            assert f.read() == whole, "the index is made anew"
    os.utime(source, (1, 1))
    assert not by_index() and by_index()
    assert not by_index("--batch", 3) and by_index("--batch", 3, ranks=2)
    os.remove(kept)
    os.mkdir(kept)
    assert not by_index()
    os.rmdir(kept)
    assert not by_index(source=FOLDER) and not os.path.exists(kept)
    print("same   with the index")


def bad_images():
    """A bad image of any kind of input: named, left out where allowed, and a stopped run goes on."""
    broken = FILES[3][:60]
    rows = [(n, broken if i == 3 else d) for i, (n, d) in enumerate(zip(NAMES, FILES))]
    write("ruined/x.png", broken)
    write("ruined/list.csv", "".join(f"{at('ruined/x.png') if i == 3 else at('folder', n)},1\n" for i, n in enumerate(NAMES)))
    tar("ruined.tar", rows)
    with tarfile.open(at("ruined-wds.tar"), "w") as out:
        for i, (_, data) in enumerate(rows):
            member(out, f"{i:03}.png", data)
            member(out, f"{i:03}.cls", str(LABELS[i]).encode())
    for source, name in ((at("ruined/list.csv"), "x.png"), (at("ruined.tar"), NAMES[3]), (at("ruined-wds.tar"), "003.png")):
        path = at("ruined.h5")
        command = ("extract", "--images", source, *OPTIONS, "--out", path)
        for old in path, path + ".partial":
            if os.path.exists(old):
                os.remove(old)
        expect(1, name, "PNG", "--max-bad allows 0", of=command, ranks=(2,))
        expect(1, name, "--max-bad allows 0", of=(*command, "--max-bad", "1%"), ranks=(3,))
        said = succeed(*command, "--max-bad", "5%", ranks=3).stderr
        assert "going on with" in said and "left out: " in said and name in said, said
        with h5py.File(path) as f:
            assert f["samples/status"][...].tolist() == [2 if i == 3 else 1 for i in range(len(NAMES))]
            assert b"PNG" in f["samples/reason"][3] and (f["features"][3] == 0).all()
    print("same   bad images")


# --- pictures of the images -----------------------------------------------------------------------------

def pictures():
    """`run` from each kind to a contact map: the same as from the folder."""
    sources = {"folder": (FOLDER,), "list": (at("folder/plain.csv"),), "tar": (at("a.tar"),),
               "shards": (at("wds/one-{008..010}.tar"),), "npy": (at("nhwc.npy"), "--labels", at("y.npy")),
               "hdf5": (at("x.h5") + ":/plain",), "cifar": (at("cifar100/test.bin"),),
               "idx": (at("some-images-idx3-ubyte.gz"),)}
    maps = {}
    for name, source in sources.items():
        path, page = at(f"{name}-map.h5"), at(f"{name}.html")
        succeed("run", "--images", *source, *OPTIONS, "--out", path, "--plot", page, "--perplexity", 3,
                "--early-iterations", 20, "--iterations", 20, ranks=2)
        said = succeed("render", path, "--plot", at(f"{name}.png"), "--thumbnails", 5, "--color", "none", "--size", "4x4",
                       "--dpi", 75)
        assert "could not" not in said.stderr, said.stderr
        assert os.path.getsize(page) > 0
        with open(at(f"{name}.png"), "rb") as f:
            maps[name] = f.read()
    for name in "list", "tar", "npy", "hdf5", "cifar":
        assert maps[name] == maps["folder"], name
    assert len(set(maps.values())) == 3  # shards are in another order, IDX is gray
    said = succeed("render", at("tar-map.h5"), "--plot", at("other.html"), "--images", FOLDER).stderr
    assert "could not" not in said and "no thumbnails" not in said, said
    said = succeed("render", at("tar-map.h5"), "--plot", at("other.html"), "--images", at("nhwc.npy")).stderr
    assert "21 of 21 images could not be read" in said, said
    os.rename(at("a.tar"), at("b.tar"))
    said = succeed("render", at("tar-map.h5"), "--plot", at("other.html")).stderr
    assert "no longer in" in said, said
    print("same   contact maps of", *sources)


transforms()
lists()
tars()
arrays()
cifar()
index()
bad_images()
pictures()
finish()
