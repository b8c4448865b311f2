"""Damage is found, named by row, and kept out: one flipped bit in any dataset, a file cut short, values
that cannot be; and `repair` brings back the rest, which the same commands complete to the same bits."""
import os
import shutil

import h5py
import numpy as np
import xxhash

from harness import MODEL, digests, draw_sample, errors_of, folder, run, succeed

OUT = folder()
IMAGES = draw_sample(20)
WHOLE = os.path.join(OUT, "whole.h5")


def extract(path, *more, **options):
    return run("extract", "--images", IMAGES, "--model", MODEL, "--drop-last", 1, "--batch", 8, "--out", path,
               "--threads", 1, *more, **options)


def embed(path, **options):
    return run("embed", path, "--perplexity", 10, "--early-iterations", 30, "--iterations", 30, "--threads", 1,
               **options)


def both(path, **options):
    for done in (extract(path, **options), embed(path, **options)):
        assert done.returncode == 0, done.stderr


def copy(name):
    path = os.path.join(OUT, name)
    shutil.copyfile(WHOLE, path)
    return path


def flip(path, name, row, bit=3):
    """One bit of a row of a dataset, behind HDF5's back."""
    with h5py.File(path, "r") as f:
        data = f[name]
        width = data.dtype.itemsize * int(np.prod(data.shape[1:]))
        place = data.id.get_offset() + row * width + width // 2
    with open(path, "r+b") as f:
        f.seek(place)
        byte = f.read(1)[0]
        f.seek(place)
        f.write(bytes([byte ^ 1 << bit]))


def verify(path, code, *words, ranks=1):
    done = run("verify", path, ranks=ranks)
    assert done.returncode == code, (path, done.returncode, done.stdout, done.stderr)
    for word in words:
        assert word in done.stdout + done.stderr, (word, done.stdout, done.stderr)
    return done


def write_row(path, name, row, values):
    """As the program would have written it, checksum and all."""
    with h5py.File(path, "r+") as f:
        f[name][row] = values
        total = xxhash.xxh3_64_intdigest(f[name][row].tobytes()) & 0xFFFFFFFF
        f["checksums/" + name][row] = total or 1


def every_dataset():
    """A bit in each of them, found at any number of ranks."""
    with h5py.File(WHOLE, "r") as f:
        names = ["features", "labels", "classes", "samples/name", "samples/status", "neighbours/index",
                 "neighbours/distance", "embedding/coordinates", "embedding/normalized", "history"]
        rows = {name: f[name].shape[0] for name in names}
    for i, name in enumerate(names):
        path = copy("flipped.h5")
        row = rows[name] * 2 // 3
        flip(path, name, row)
        done = verify(path, 1, f"row {row}: damaged", "1 rows are damaged", ranks=1 + i % 4)
        damaged = [line for line in done.stdout.splitlines() if " damaged" in line and line[0] == "/"]
        assert [line.split()[0] for line in damaged] == ["/" + name], done.stdout


def impossible_values():
    path = copy("impossible.h5")
    write_row(path, "features", 17, np.inf)
    write_row(path, "embedding/coordinates", 5, [np.nan, 0])
    write_row(path, "labels", 100, 12)
    write_row(path, "neighbours/index", 239, 240)
    done = verify(path, 1, "4 rows are damaged", ranks=3)
    for line in ("row 17: not finite", "row 5: not finite", "row 100: out of range", "row 239: out of range"):
        assert f"    {line}\n" in done.stdout, (line, done.stdout)


def never_written():
    """A row that a finished step has left out, and rows of a step that is not finished."""
    path = copy("missing.h5")
    with h5py.File(path, "r+") as f:
        f["checksums/embedding/coordinates"][7:9] = 0
    verify(path, 1, "rows 7 to 8: missing")
    with h5py.File(path, "r+") as f:
        f.attrs["embed_complete"] = np.bytes_("no")
    verify(path, 75, "rows 7 to 8: not done yet", "sound and not finished")


def damaged_input_is_refused():
    path = copy("refused.h5")
    flip(path, "features", 60)
    done = run("embed", path, "--fresh", "--perplexity", 10, "--iterations", 30, ranks=2)
    assert done.returncode == 1 and len(errors_of(done)) == 1, done.stderr
    assert "row 60 of /features does not match its checksum" in done.stderr, done.stderr


def repair_and_complete(path, expected, ranks, without=()):
    """To the same digests, but for datasets that a file with a whole map needs no more."""
    fixed = os.path.join(OUT, f"fixed-{ranks}-{os.path.basename(path)}")
    before = open(path, "rb").read()
    succeed("repair", path, "--out", fixed, ranks=ranks)
    assert open(path, "rb").read()[:len(before)] == before, "the damaged file was changed"
    both(fixed, ranks=1 + ranks % 3)
    found = digests(fixed)
    differing = {name for name in expected if found.get(name) != expected[name]}
    assert differing == set(without), (path, differing)
    verify(fixed, 0)
    again = run("repair", path, "--out", fixed)
    assert again.returncode == 2 and "is there already" in again.stderr, again.stderr
    os.remove(fixed)


def repairs(expected):
    for i, name in enumerate(("features", "samples/status", "samples/name", "labels", "neighbours/index",
                              "embedding/normalized")):
        path = copy("damaged.h5")
        flip(path, name, 11)
        without = ("/neighbours/index", "/neighbours/distance") if "neighbours" in name else ()
        repair_and_complete(path, expected, 1 + i % 3, without)
    size = os.path.getsize(WHOLE)
    for i, share in enumerate((0.999, 0.7, 0.4, 0.2)):
        path = copy("short.h5")
        os.truncate(path, int(share * size))
        done = run("verify", path, ranks=1 + i % 2)
        assert done.returncode == 1 and "truncated" in done.stderr and "repair" in done.stderr, done.stderr
        done = embed(path)
        assert done.returncode == 1 and "truncated" in done.stderr, done.stderr
        repair_and_complete(path, expected, 1 + i % 3)
    whole = copy("sound.h5")
    repair_and_complete(whole, expected, 2)


def gives_up():
    """Where the images are gone, the rows that are lost become bad ones, and the map does without."""
    path, fixed = copy("given.h5"), os.path.join(OUT, "given-up.h5")
    flip(path, "features", 100)
    flip(path, "labels", 3)
    succeed("repair", path, "--out", fixed, "--give-up", ranks=2)
    verify(fixed, 75)
    done = embed(fixed)
    assert done.returncode == 0 and "239 rows" in done.stderr, done.stderr
    with h5py.File(fixed, "r") as f:
        assert f["samples/status"][100] == 2 and b"given up" in f["samples/reason"][100]
        assert np.isnan(f["embedding/coordinates"][100]).all() and f["labels"][3] == -1
        assert np.isfinite(f["embedding/coordinates"][...]).sum() == 2 * 239
    verify(fixed, 0)


def without_checksums():
    """A file of an earlier version has none: it is used as it is, and gets them by `repair`."""
    path, fixed = copy("old.h5"), os.path.join(OUT, "new.h5")
    with h5py.File(path, "r+") as f:
        del f["checksums"]
    verify(path, 0)
    succeed("repair", path, "--out", fixed)
    with h5py.File(fixed, "r") as f, h5py.File(WHOLE, "r") as g:
        assert (f["checksums/features"][...] == g["checksums/features"][...]).all()


def hopeless():
    """What is no run file any more: one line."""
    path = copy("hopeless.h5")
    with open(path, "r+b") as f:
        f.write(b"\0" * 4096)
    for command in (("verify", path), ("repair", path, "--out", os.path.join(OUT, "none.h5"))):
        done = run(*command, ranks=2)
        assert done.returncode in (1, 2) and len(errors_of(done)) == 1, done.stderr
    assert not os.path.exists(os.path.join(OUT, "none.h5.partial"))


both(WHOLE, ranks=2)
for count in (1, 2, 3, 4):
    verify(WHOLE, 0, ranks=count)
every_dataset()
impossible_values()
never_written()
damaged_input_is_refused()
repairs(digests(WHOLE))
gives_up()
without_checksums()
hopeless()
