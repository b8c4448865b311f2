"""Bad input: one line that says what, where and what to do; the right exit code; on one and on three
ranks; without hanging (each run has a minute)."""
import os
import shutil

import h5py
import numpy as np
from PIL import Image

from harness import MODEL, draw_sample, expect, finish, folder, succeed

OUT = folder()
IMAGES = draw_sample(10)
RUN = os.path.join(OUT, "run.h5")
MAP = os.path.join(OUT, "map.png")
FAST = ["--perplexity", 5, "--early-iterations", 20, "--iterations", 20]


def fresh():
    """A run file that no other case has touched."""
    fresh.count += 1
    return os.path.join(OUT, f"run{fresh.count}.h5")


fresh.count = 0


def job(images=IMAGES, out=None, *more):
    out = out or fresh()
    return ["run", "--images", images, "--model", MODEL, "--drop-last", 1, "--out", out, "--plot", MAP,
            "--dpi", 50, *FAST, *more]


def changed(name, change):
    """A copy of the images with `change(folder)` applied."""
    path = os.path.join(OUT, name)
    shutil.copytree(IMAGES, path)
    change(path)
    return path


def first_image(path):
    label = sorted(os.listdir(path))[0]
    return os.path.join(path, label, "0000.png")


def truncate(path):
    Image.open(first_image(path)).convert("RGB").resize((64, 64)).save(first_image(path), "JPEG")
    with open(first_image(path), "r+b") as f:
        f.truncate(700)


def command_line():
    expect(2, "did you mean `perplexity`", of=["embed", RUN, "--perplexty", 3])
    expect(2, "no command is called `embde`", of=["embde"])
    expect(2, "--images SOURCE is missing", of=["run", "--model", MODEL])
    expect(2, "RUN.h5", "is missing", of=["render", "--plot", MAP])
    expect(2, "not a number from", of=["embed", RUN, "--perplexity", "many"])
    expect(2, "none of avg|max|none|cls", of=job(IMAGES, None, "--pool", "most"))
    expect(2, "--max-bad", of=job(IMAGES, None, "--max-bad", "-3"))
    expect(2, "--size", of=job(IMAGES, None, "--size", "big"))
    expect(2, "map.bmp", of=[os.path.join(OUT, "map.bmp") if a == MAP else a for a in job()])
    expect(2, "--std", of=job(IMAGES, None, "--std", "1,0,1"))
    config = os.path.join(OUT, "bad.ini")
    with open(config, "w") as f:
        f.write("perplexity = 5\nperplexty = 4\n")
    expect(2, "bad.ini", "did you mean", of=["embed", RUN, "--config", config])
    expect(2, "nowhere.ini", of=["embed", RUN, "--config", os.path.join(OUT, "nowhere.ini")])


def folders():
    expect(2, "nowhere", of=job(os.path.join(OUT, "nowhere")))
    os.mkdir(os.path.join(OUT, "empty"))
    expect(2, "empty", of=job(os.path.join(OUT, "empty")))
    expect(2, "0000.png", of=job(first_image(IMAGES)))
    os.makedirs(os.path.join(OUT, "no-images", "a"))
    expect(2, "no-images", of=job(os.path.join(OUT, "no-images")))


def images():
    def garbage(path):
        with open(first_image(path), "wb") as f:
            f.write(b"this is no image at all")

    expect(1, "0000.png", "--max-bad", of=job(changed("garbage", garbage)))
    expect(1, "0000.png", "truncated", of=job(changed("truncated", truncate), None, "--crop", 32))
    expect(1, "0000.png", "empty", of=job(changed("hollow", lambda p: open(first_image(p), "wb").close())))
    bigger = changed("bigger", lambda p: Image.new("RGB", (40, 30)).save(
        os.path.join(p, sorted(os.listdir(p))[5], "0003.png")))
    expect(1, "0003.png", "40", "32", of=job(bigger))


def models():
    text = os.path.join(OUT, "model.pt")
    with open(text, "w") as f:
        f.write("no model\n")
    of = job()
    expect(2, "model.pt", "TorchScript", of=[text if a == MODEL else a for a in of])
    expect(2, "nowhere.pt", of=[os.path.join(OUT, "nowhere.pt") if a == MODEL else a for a in of])
    expect(2, "linear", of=[100 if a == 1 else a for a in of])
    expect(2, "nosuch", "linear",
           of=["extract", "--images", IMAGES, "--model", MODEL, "--layer", "nosuch", "--out", RUN])
    expect(2, "both", of=job(IMAGES, None, "--layer", "linear"))


def matrices():
    x, y = os.path.join(OUT, "x.npy"), os.path.join(OUT, "y.npy")
    good = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)

    def embed(a, *more, out=None):
        """Saves `a` (bytes as they are) and embeds it."""
        if isinstance(a, bytes):
            with open(x, "wb") as f:
                f.write(a)
        else:
            np.save(x, a)
        return ["embed", "--features", x, "--out", out or fresh(), *more]

    broken = good.copy()
    broken[130, 2] = np.nan
    expect(1, "row 130, column 2", of=embed(broken))
    expect(2, "90 rows", "the largest that fits is 29", of=embed(good[:90]))
    expect(2, "1 row", of=embed(good[:1]))
    expect(1, "identical", of=embed(np.ones((200, 6), np.float32)))
    expect(2, "x.npy", "<c16", of=embed(good.astype(complex)))
    expect(2, "x.npy", "not a .npy file", of=embed(b"nothing of the kind"))
    whole = embed(good)
    expect(2, "x.npy", "1000 bytes", of=embed(open(x, "rb").read()[:1000]))
    expect(2, "absent.npy", of=["embed", "--features", os.path.join(OUT, "absent.npy"), "--out", RUN])
    embed(good)
    np.save(y, np.zeros(199, np.int64))
    expect(2, "199", "200", of=[*whole, "--labels", y])
    np.save(y, np.full(200, 0.5))
    expect(1, "y.npy", of=[*whole, "--labels", y])
    np.save(y, good[:, :3])
    expect(2, "--init", "x 2 are needed", of=[*whole, "--init", y])
    # a run stopped after its neighbours: they must not serve other contents of the same file
    stopped = fresh()
    succeed(*embed(good, *FAST, out=stopped))
    with h5py.File(stopped, "r+") as f:
        f.attrs["embed_complete"] = np.bytes_("no")
    expect(2, "have changed", of=embed(good * 2, *FAST, out=stopped))


def outputs():
    expect(2, "no/such/folder", of=job(IMAGES, os.path.join(OUT, "no", "such", "folder", "run.h5")))
    expect(2, "is a folder", of=job(IMAGES, OUT))
    succeed(*job(IMAGES, RUN), ranks=2)
    expect(2, "perplexity", "`5`", "`6`", of=job(IMAGES, RUN, "--perplexity", 6))
    expect(2, "pool", "`avg`", "`none`", of=job(IMAGES, RUN, "--pool", "none"))
    expect(2, "missing.h5", of=["info", os.path.join(OUT, "missing.h5")])
    expect(2, "x.npy", of=["info", os.path.join(OUT, "x.npy")])
    expect(2, "map.bmp", of=["render", RUN, "--plot", os.path.join(OUT, "map.bmp")])
    expect(1, "gnuplot", of=["render", RUN, "--plot", MAP], env={"SHARDSNE_GNUPLOT": "/nonexistent/gnuplot"})
    expect(1, "map.png", of=["render", RUN, "--plot", os.path.join(OUT, "nowhere", "map.png")])
    expect(1, "a-file", of=["export", RUN, "--to", os.path.join(OUT, "x.npy", "a-file")])


for part in (command_line, folders, images, models, matrices, outputs):
    part()
finish()
