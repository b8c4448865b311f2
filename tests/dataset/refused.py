"""What is wrong with an input, or not as it seems, is said in one line; what other programs read is read as they have it."""
import gzip
import io
import math
import os
import sys
import tarfile
import tempfile

from driver import check, finish, run

PLACE = tempfile.TemporaryDirectory()


def at(name):
    path = os.path.join(PLACE.name, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    return path


def write(name, data):
    with open(at(name), "wb") as f:
        f.write(data)
    return at(name)


def tar(name, *members):
    with tarfile.open(at(name), "w", format=tarfile.GNU_FORMAT) as out:
        for member, data in members:
            info = tarfile.TarInfo(member)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return at(name)


def said(source, parts=1):
    """The error, or the names and labels."""
    out = run(sys.argv[1], "input", parts, source)
    words = out.decode("utf-8", "surrogateescape").split("\0")
    if words[-1].startswith("error "):
        return words[-1]
    return [(name, int(facts.split()[0])) for name, facts in zip(words[:-1:2], words[1::2])]


def refuse(source, *says, parts=1):
    got = said(source, parts)
    check(isinstance(got, str) and got.startswith("error 2 ") and all(s in got for s in says) and "\n" not in got,
          f"{source}: {says}: {got}")


def give(source, rows, parts=(1, 3)):
    for n in parts:
        check(said(source, n) == rows, f"{source}, {n} parts: {rows}: {said(source, n)}")


def ends_of_tars():
    image = ("ant/a.png", b"x" * 700)
    whole = open(tar("a.tar", image), "rb").read()
    mark = 512 + 1024  # the header, and the image in whole blocks
    give(write("a.tar", whole[:mark] + bytes(512)), [("ant/a.png", 0)])
    give(write("a.tar", whole + bytes(300000)), [("ant/a.png", 0)])
    refuse(write("a.tar", whole[:mark] + bytes(511)), "truncated")
    refuse(write("a.tar", whole[:mark]), "truncated")
    refuse(write("a.tar", whole + whole), f"at byte {len(whole)},", f"at byte {mark},", "--concatenate")
    refuse(write("a.tar", whole + bytes(100000) + b"x"), f"at byte {len(whole) + 100000},")


def keys_with_points():
    """WebDataset's key ends at the first point of the file's name: a label is found, or its loss is said."""
    image, label = b"x", b"3"
    for kind, text in ("cls", label), ("json", b'{"label": 3}'):
        refuse(tar("a.tar", ("d.1/img.001.png", image), (f"d.1/img.001.{kind}", text), ("d.1/img.002.png", image),
                   (f"d.1/img.002.{kind}", text)), "d.1/img.001.png", "`d.1/img`", f"img.001.{kind}", "without other points")
        refuse(tar("a.tar", ("key.left.jpg", image), ("key.right.jpg", image), (f"key.{kind}", text)),
               "key.left.jpg", "`key`", f"in key.{kind}:")
        give(tar("a.tar", ("d.1/key.jpg", image), ("d.1/key.seg.png", image), (f"d.1/key.{kind}", text),
                 ("d.1/key.left.jpg", image), ("d.1/key.seg.json", b"{")), [("d.1/key.jpg", 3)])
    refuse(tar("a.tar", ("b_1.jpg", image), ("b-1.cls", label)), "b-1.cls", "without an image")
    give(tar("a.tar", ("b.jpg", image), ("b.cls", label), ("b.x.json", label), ("b.x.json", label)), [("b.jpg", 3)])
    give(tar("a.tar", ("ant/b.1.jpg", image), ("ant/b.2.jpg", image), ("ant/about.json", b"{}")),
         [("ant/b.1.jpg", 0), ("ant/b.2.jpg", 0)])


def labels_beside():
    image, none = b"x", b'{"url": "x", "caption": "y"}'
    give(tar("a.tar", ("b.jpg", image), ("b.json", none), ("b.txt", b"y"), ("a.jpg", image), ("a.json", none), ("a.txt", b"y"),
             ("c.jpg", image)), [("b.jpg", -1), ("a.jpg", -1), ("c.jpg", -1)])
    refuse(tar("a.tar", ("b.jpg", image), ("b.json", none), ("a.jpg", image), ("a.json", b'{"label": 1}')),
           "b.jpg", "no label beside it", "`label` to its .json")
    refuse(tar("a.tar", ("b.jpg", image), ("b.json", none), ("a.jpg", image), ("a.cls", b"1")), "b.jpg", "no label beside it")
    give(tar("a.tar", ("b.jpg", image), ("b.json", none), ("b.cls", b"7")), [("b.jpg", 7)])
    for label in b'{"label": 1}', none:
        refuse(tar("a.tar", ("b.jpg", image), ("b.json", label), ("c.json", label)), "c.json", "without an image")
    refuse(tar("a.tar", ("b.jpg", image), ("b.json", none), ("c.json", none)), "c.json", "without an image")
    refuse(tar("a.tar", ("b.jpg", image), ("b.json", b'{"label": null}')), "b.json", "neither an integer nor a name")
    tar("s-0.tar", ("b.jpg", image), ("b.json", none))
    tar("s-1.tar", ("b.jpg", image), ("b.json", b'{"label": 1}'))
    refuse(at("s-{0..1}.tar"), "none at all", "numbers")


def idx(*shape):
    return bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + bytes(n % 251 for n in range(math.prod(shape)))


def files_beside():
    """What lies beside the images is not there, or cannot be looked at: not the same."""
    images, labels = write("mnist/t-images-idx3-ubyte", idx(3, 2, 2)), at("mnist/t-labels-idx1-ubyte")
    cifar, names = write("cifar/test_batch.bin", bytes(3073)), at("cifar/batches.meta.txt")
    rows = [[(str(row), -1) for row in range(3)], [("test_batch.bin/00000", 0)]]
    for source, beside, wanted in zip((images, cifar), (labels, names), rows):
        give(source, wanted)
        os.symlink(beside + ".none", beside)
        give(source, wanted)
        os.remove(beside)
        os.symlink(beside, beside)
        refuse(source, beside, "Too many levels")
        os.remove(beside)
        os.mkdir(beside)
        refuse(source, beside, "not a regular file")
        os.rmdir(beside)
        write(beside, idx(3))
        os.chmod(beside, 0)
        if os.geteuid() != 0:
            refuse(source, beside, "Permission denied")
        os.remove(beside)
    write(labels + ".gz", gzip.compress(idx(3)))
    give(images, [(str(row), row) for row in range(3)])


def several_tars():
    """Each is looked at by the part that has it, when it is scanned."""
    for number in range(3):
        tar(f"t-{number}.tar", (f"{number}.png", b"x"))
    source = at("t-{0..2}.tar")
    give(source, [(f"t-{number}.tar/{number}.png", -1) for number in range(3)])
    for content, says in ((b"a.png,1\n", "several files at once are read as tars"), (gzip.compress(b"x"), "(gzip)"), (b"", "empty"),
                          (None, "No such file")):
        if content is None:
            os.remove(at("t-2.tar"))
        else:
            write("t-2.tar", content)
        out = run(sys.argv[1], "input", 3, source).split(b"\0")
        check(out[0] == b"t-0.tar/0.png" and out[-1].startswith(b"error 2 " + at("t-2.tar").encode()) and says.encode() in out[-1],
              f"{says}: {out}")
    refuse(at("t-{2..4}.tar"), "t-2.tar", "No such file")
    write("t-0.tar", b"a.png,1\n")
    refuse(source, "t-0.tar", "several files at once")


def said_rightly():
    with tarfile.open(at("a.tar"), "w") as out:
        info = tarfile.TarInfo("ant/a.png")
        info.type, info.linkname = tarfile.LNKTYPE, "ant/b.png"
        out.addfile(info)
    refuse(at("a.tar"), "ant/a.png", "--hard-dereference")
    for blocks in 1, 2, 20:
        refuse(write("a.tar", bytes(512 * blocks)), "a.tar: zeros", "never written")
    tar("t-1.tar", ("a.png", b"x"))
    refuse(write("t-2.tar", bytes(10240)).replace("2.tar", "{1..2}.tar"), "t-2.tar: zeros")
    whole = gzip.compress(idx(3, 200, 200), mtime=0)
    give(write("x-idx3-ubyte.gz", whole), [(str(row), -1) for row in range(3)])
    for damaged in whole[:12], whole[:20], whole[:10] + b"\xff" * 20 + whole[30:]:
        refuse(write("x-idx3-ubyte.gz", damaged), "x-idx3-ubyte.gz: gzipped, and truncated or damaged")
    refuse(write("x.tar.gz", gzip.compress(b"x" * 2000)), "compressed (gzip): decompress")
    for text in b"a.png,1\rb.png,2\r", b"a.png,1\nb\r.png,1\n", b"a.png\rb.png", b"a.png,\r1\n":
        refuse(write("a.csv", text), f"a.csv, line {2 if b'1' + bytes([10]) + b'b' in text else 1}:", "carriage return")
    give(write("a.csv", b'a.png,1\r\n"b\r.png",2\r\nc.png,3\r'), [("a.png", 1), ("b\r.png", 2), ("c.png", 3)])


ends_of_tars()
keys_with_points()
labels_beside()
files_beside()
several_tars()
said_rightly()
finish()
