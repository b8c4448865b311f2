"""The run file as others see it: h5py reads the names, types, values and descriptions that
docs/run-file.md promises, and h5dump reads it too."""
import shutil
import subprocess

import h5py
import numpy as np
import xxhash

from support import COLUMNS, features, folder, run

ROWS = 37
SETS = {
    "features": ((ROWS, COLUMNS), "<f4"),
    "labels": ((ROWS,), "<i4"),
    "classes": ((2,), "S8"),
    "samples/name": ((ROWS,), "S16"),
    "samples/status": ((ROWS,), "u1"),
    "samples/reason": ((ROWS,), "S16"),
    "samples/block_done": ((3,), "u1"),
    "neighbours/index": ((ROWS, 2), "<u4"),
    "neighbours/distance": ((ROWS, 2), "<f4"),
    "embedding/coordinates": ((ROWS, 2), "<f4"),
    "embedding/normalized": ((ROWS, 2), "<f4"),
    "history": ((3,), None),
}


def check_types(f):
    found = []
    f.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
    sums = [f"checksums/{name}" for name in SETS if name != "samples/block_done"]
    assert sorted(found) == sorted([*SETS, *sums]), found
    for name in sums:
        assert f[name].dtype == np.dtype("<u4"), name
        assert f[name].shape == f[name.removeprefix("checksums/")].shape[:1], name
    for name, (shape, dtype) in SETS.items():
        assert f[name].shape == shape, (name, f[name].shape)
        assert dtype is None or f[name].dtype == np.dtype(dtype), (name, f[name].dtype)
        assert f[name].chunks is None and f[name].compression is None, name
        assert len(f[name].attrs["description"].decode()) > 10, name
    assert f["history"].dtype.names == ("iteration", "kl", "gradient_norm", "exaggeration",
                                        "seconds", "span")
    assert h5py.check_string_dtype(f["classes"].dtype).encoding == "utf-8"
    assert f["neighbours/distance"].attrs["units"].decode() == "units of the features"


def check_values(f):
    row = np.arange(ROWS)
    good = row % 5 != 0
    assert (f["features"][...] == features(ROWS)).all()
    assert (f["labels"][...] == row % 3 - 1).all()
    assert [c.decode() for c in f["classes"][...]] == ["cat", "élépha"]
    assert list(f["classes"].asstr()[...]) == ["cat", "élépha"]
    assert list(f["samples/name"].asstr()[...]) == [f"dé/{r}" for r in row]
    assert (f["samples/status"][...] == np.where(good, 1, 2)).all()
    assert (f["samples/reason"][...].astype(str) == np.where(good, "", "not a JPEG")).all()
    assert not f["samples/block_done"][...].any()
    assert (f["neighbours/index"][...] == np.c_[row + 1, np.full(ROWS, 4000000000)]).all()
    assert (f["neighbours/distance"][...] == np.c_[row, row + 0.5]).all()
    for name in ("coordinates", "normalized"):
        xy = f["embedding"][name][...]
        assert (xy[good] == np.c_[row, -row][good]).all() and np.isnan(xy[~good]).all()
    assert list(f["history"]["kl"]) == [3.5, 2.5, 1.5]
    assert list(f["history"]["iteration"]) == [50, 100, 150]
    assert list(f["history"]["seconds"]) == [0.5, 1, 1.5]
    assert list(f["history"]["span"]) == [8, 9, 40]


def check_sums(f):
    """One number a row, as docs/run-file.md defines it; 0 for rows not written."""
    for name in SETS:
        if name == "samples/block_done":
            continue
        sums, data = f[f"checksums/{name}"][...], f[name][...].tobytes()
        rows = [data[i:i + len(data) // len(sums)] for i in range(0, len(data), len(data) // len(sums))]
        written = np.ones(len(sums), bool)
        if name.startswith("embedding") or name == "samples/reason":
            written = (np.arange(len(sums)) % 5 != 0) != (name == "samples/reason")
        for row, total, is_written in zip(rows, sums, written):
            expected = xxhash.xxh3_64_intdigest(row) & 0xFFFFFFFF if is_written else 0
            assert total == (expected or 1 if is_written else 0), (name, total, expected)


def check_attributes(f):
    assert f.attrs["format"].decode() == "shardsne run file"
    assert f.attrs["format_version"] == 1
    assert f.attrs["model"].decode() == "Köln.pt"
    assert f.attrs["empty"].decode() == ""


with folder() as where:
    for ranks in (1, 2, 3, 4):
        path = f"{where}/run{ranks}.h5"
        done = run(ranks, "make", path, ROWS)
        assert done.returncode == 0 and done.stderr == "", done.stderr
        with h5py.File(path, "r") as f:
            check_types(f)
            check_values(f)
            check_sums(f)
            check_attributes(f)
    if shutil.which("h5dump"):
        text = subprocess.run(["h5dump", path], capture_output=True, text=True, check=True).stdout
        assert '"shardsne run file"' in text and "gradient_norm" in text
        assert "error" not in text.lower()
