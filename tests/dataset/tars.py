"""Where images lie in tars, against Python's tarfile: names of every length, each format, sizes around a block."""
import io
import os
import random
import sys
import tarfile
import tempfile

from driver import check, finish, run

DICE = random.Random(1)


def listed(source, parts):
    words = run(sys.argv[1], "input", parts, source).split(b"\0")
    return [(name.decode(), *map(int, facts.split())) for name, facts in zip(words[:-1:2], words[1::2])]


def make(path, format, count):
    """Class folders in any order, with files that are no images between them."""
    with tarfile.open(path, "w", format=format) as out:
        for number in range(count):
            length = DICE.choice([1, 60, 88] + ([] if format == tarfile.USTAR_FORMAT else [90, 99, 100, 101, 255, 300, 1000]))
            name = f"{DICE.randrange(4)}/{'é' if number % 5 == 0 and length < 90 else 'n'}{'x' * length}{number}.png"
            info = tarfile.TarInfo(DICE.choice(["", "./"]) + name)
            info.size = DICE.choice([0, 1, 511, 512, 513, 10240, DICE.randrange(100000)])
            info.mtime = DICE.choice([0, 1.5, 2 ** 34]) if format == tarfile.PAX_FORMAT else 5
            out.addfile(info, io.BytesIO(bytes(info.size)))
            if number % 7 == 0:
                out.addfile(tarfile.TarInfo(f"{number}.txt"), io.BytesIO())
                folder = tarfile.TarInfo(f"{number}")
                folder.type = tarfile.DIRTYPE
                out.addfile(folder)


def expected(path):
    with tarfile.open(path) as tar:
        rows = [(m.name[2:] if m.name.startswith("./") else m.name, m.offset_data, m.size)
                for m in tar if m.name.endswith(".png")]
    rows.sort(key=lambda row: os.path.split(row[0].encode()))
    classes = sorted({row[0].split("/")[0] for row in rows})
    return [(name, classes.index(name.split("/")[0]), 0, offset if size else None, size) for name, offset, size in rows]


def main():
    with tempfile.TemporaryDirectory() as place:
        for format in tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT:
            for count in 1, 40, 300:
                path = os.path.join(place, f"{format}-{count}.tar")
                make(path, format, count)
                for parts in 1, 3:
                    got = [(*row[:3], row[3] if row[4] else None, row[4]) for row in listed(path, parts)]
                    check(got == expected(path), f"format {format}, {count} images, {parts} parts: {got[:3]}")
                    check(len(got) == count, f"{len(got)} of {count}")


main()
finish()
