"""Several layers in one pass: each in a dataset of its own, the same bits as alone, on any number of ranks
and after `repair`; --pool, --normalize and `shardsne model` from outside."""
import os
import shutil

import h5py
import numpy as np

from harness import MODEL, digests, draw_sample, expect, finish, folder, run, succeed

OUT = folder()
IMAGES = draw_sample(40)
LAYERS = ["pool", "conv3", "relu4:in"]
OPTIONS = ["extract", "--images", IMAGES, "--model", MODEL, "--batch", 8, "--threads", 1]


def extract(name, *more, **options):
    path = os.path.join(OUT, name)
    succeed(*OPTIONS, "--out", path, *more, **options)
    return path


def rows_of(path, name="features"):
    with h5py.File(path, "r") as f:
        return f[name][...]


def several():
    path = extract("several.h5", "--layer", ",".join(LAYERS))
    for i, layer in enumerate(LAYERS):
        name = f"features_{i + 1}" if i else "features"
        alone = rows_of(extract(f"alone-{i}.h5", "--layer", layer))
        together = rows_of(path, name)
        assert together.shape == alone.shape and np.ptp(alone) > 0, (layer, together.shape, alone.shape)
        error = np.abs(together - alone).max() / np.abs(alone).max()
        assert error < 1e-5, (layer, error)
    with h5py.File(path, "r") as f:
        assert "features_4" not in f and b"second" in f["features_2"].attrs["description"]
    for ranks in 2, 3, 4:
        other = extract(f"several-{ranks}.h5", "--layer", ",".join(LAYERS), ranks=ranks)
        assert digests(other) == digests(path), ranks
    return path


def repaired(whole):
    """Damage in a further layer's rows: only they are lost, and made again when the command goes on."""
    path, mended = os.path.join(OUT, "damaged.h5"), os.path.join(OUT, "mended.h5")
    shutil.copyfile(whole, path)
    with h5py.File(path, "r") as f:
        data = f["features_3"]
        place = data.id.get_offset() + 21 * data.shape[1] * 4
    with open(path, "r+b") as f:
        f.seek(place)
        f.write(b"\x12\x34")
    done = run("verify", path, ranks=2)
    assert done.returncode == 1 and "/features_3" in done.stdout and "row 21" in done.stdout, done.stdout
    expect(1, "/features_3", "row 21", of=["embed", "--features", path + ":/features_3", "--perplexity", 5,
                                          "--out", os.path.join(OUT, "damaged-map.h5")])
    succeed("repair", path, "--out", mended, ranks=2)
    with h5py.File(mended + ".partial", "r") as f:
        assert list(np.flatnonzero(f["samples/status"][...] != 1)) == [21]
    succeed(*OPTIONS, "--out", mended, "--layer", ",".join(LAYERS), ranks=3)
    assert digests(mended) == digests(whole)
    given_up = os.path.join(OUT, "given-up.h5")
    succeed("repair", path, "--out", given_up, "--give-up")
    with h5py.File(given_up, "r") as f:
        assert f["samples/status"][21] == 2 and not f["features_2"][21].any() and not f["features"][21].any()
        assert f["features_2"][20].any()


def embedded(path):
    """Any of them can be embedded."""
    out = os.path.join(OUT, "second.h5")
    succeed("embed", "--features", path + ":/features_2", "--labels", path + ":/labels", "--out", out,
            "--perplexity", 5, "--early-iterations", 10, "--iterations", 10)
    assert rows_of(out, "embedding/coordinates").shape == (len(rows_of(path)), 2)
    assert (rows_of(out, "labels") == rows_of(path, "labels")).all()


def with_bad_images():
    """Bad rows are left out of further layers as of the first: as if they had not been there."""
    images, out = os.path.join(OUT, "ruined"), os.path.join(OUT, "left-out.h5")
    shutil.copytree(IMAGES, images)
    path = os.path.join(OUT, "ruined.h5")
    names = [name.decode() for name in rows_of(os.path.join(OUT, "several.h5"), "samples/name")]
    bad = [0, 77, 78, len(names) - 1]
    for row in bad:
        with open(os.path.join(images, names[row]), "wb") as f:
            f.write(b"no image")
    succeed(*OPTIONS, "--images", images, "--out", path, "--layer", "pool,conv3", "--max-bad", len(bad), ranks=2)
    good = np.setdiff1d(np.arange(len(names)), bad)
    assert not rows_of(path, "features_2")[bad].any()
    schedule = ["--perplexity", 5, "--early-iterations", 10, "--iterations", 10]
    np.save(os.path.join(OUT, "good.npy"), rows_of(path, "features_2")[good])
    succeed("embed", "--features", os.path.join(OUT, "good.npy"), "--out", os.path.join(OUT, "good.h5"), *schedule)
    wanted = rows_of(os.path.join(OUT, "good.h5"), "embedding/coordinates")
    embed = ["embed", "--features", path + ":/features_2", "--labels", path + ":/labels", "--out", out, *schedule]
    first = None
    for ranks in 1, 2, 3, 4:
        succeed(*embed, "--fresh", ranks=ranks)
        found = rows_of(out, "embedding/coordinates")
        assert (found[good] == wanted).all() and np.isnan(found[bad]).all(), ranks
        assert (rows_of(out, "labels") == rows_of(path, "labels")).all()
        assert list(np.flatnonzero(rows_of(out, "samples/status") == 2)) == bad
        first = first or digests(out)
        assert digests(out) == first, ranks
    succeed("verify", out, ranks=2)
    succeed("render", out, "--plot", os.path.join(OUT, "left-out.png"), "--dpi", 50, ranks=2)
    succeed("embed", path, *schedule)
    succeed("embed", "--features", path + ":/features", "--out", os.path.join(OUT, "first.h5"), *schedule)
    assert digests(os.path.join(OUT, "first.h5"))["/embedding/coordinates"] == digests(path)["/embedding/coordinates"]
    succeed(*embed[:2], os.path.join(OUT, "good.npy"), *embed[5:], "--fresh")  # which has none
    with h5py.File(out, "r") as f:
        assert "samples/status" not in f and len(f["embedding/coordinates"]) == len(good)


def pools(path):
    maps = rows_of(extract("maps.h5", "--layer", "conv3", "--pool", "none"))
    pooled = {pool: rows_of(extract(f"{pool}.h5", "--layer", "conv3", "--pool", pool)) for pool in ("avg", "max")}
    planes = maps.reshape(len(maps), pooled["avg"].shape[1], -1).astype(np.float64)
    assert np.allclose(pooled["avg"], planes.mean(2), atol=1e-5 * np.abs(planes).max())
    assert (pooled["max"] == planes.max(2)).all()
    unit = rows_of(extract("unit.h5", "--layer", "pool", "--normalize", "l2"))
    plain = rows_of(path).astype(np.float64)
    assert np.allclose(unit, plain / np.linalg.norm(plain, axis=1, keepdims=True), atol=1e-7)
    expect(2, "--pool avg", of=[*OPTIONS, "--out", os.path.join(OUT, "x.h5"), "--layer", "conv3", "--pool", "cls"])


def refused():
    x = ["--out", os.path.join(OUT, "x.h5")]
    expect(2, "no layer 'nose'", "conv1", of=[*OPTIONS, *x, "--layer", "pool,nose"])
    expect(2, "no layer ''", of=[*OPTIONS, *x, "--layer", "pool,,conv1"])
    expect(2, "no layer ''", of=[*OPTIONS, *x, "--layer", "pool,"])
    expect(2, "9 layers", of=[*OPTIONS, *x, "--layer", ",".join(["pool"] * 9)])
    expect(2, "give one of them", of=[*OPTIONS, *x, "--layer", "pool", "--drop-last", 1])
    path = os.path.join(OUT, "several.h5")
    expect(2, "--layer", "pool", of=[*OPTIONS, "--out", path, "--layer", "pool"])


def described():
    for ranks in 1, 3:
        said = succeed("model", MODEL, "--crop", 32, ranks=ranks).stdout
        lines = {words[0]: words for words in map(str.split, said.splitlines()) if words}
        assert lines["conv1"][1] == "Conv2d" and lines["linear"][1] == "Linear", said
        assert "one after the other: --drop-last K" in said and said.count("conv1 ") == 1, said
    expect(2, "missing.pt", "No such file", of=["model", "missing.pt"])
    expect(2, "does not take an image", "--channels", of=["model", MODEL, "--channels", 1])


whole = several()
repaired(whole)
embedded(whole)
with_bad_images()
pools(whole)
refused()
described()
finish()
