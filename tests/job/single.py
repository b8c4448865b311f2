"""The program built without MPI gives, from one process, the bits of the one with it: neighbours, map and pictures;
and it does not start as one of several. CMake's SHARDSNE_TEST_SINGLE names that build."""
import os
import subprocess

import numpy as np

from harness import MPI, digests, folder, succeed

SINGLE = os.path.join(os.environ["SHARDSNE_SINGLE"], "jobs", "shardsne")


def single(*words, code=0, launch=()):
    # what CMake and ctest, or a job that these tests run in, may have set is not for it
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI", "SLURM_"))}
    env = dict(os.environ) if launch else clean
    done = subprocess.run([*launch, SINGLE, *map(str, words)], env=env, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=300)
    assert done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
    return done


def content(path):
    with open(path, "rb") as file:
        return file.read()


at = folder()
own, theirs = os.path.join(at, "own.h5"), os.path.join(at, "theirs.h5")
rng = np.random.default_rng(4)
labels = rng.integers(0, 4, 5000)
np.save(os.path.join(at, "x.npy"), rng.normal(size=(5000, 12)).astype("f4") + 3 * labels[:, None])
np.save(os.path.join(at, "y.npy"), labels)
embed = ["embed", "--features", os.path.join(at, "x.npy"), "--labels", os.path.join(at, "y.npy"), "--perplexity", 10,
         "--neighbours", "approximate", "--early-iterations", 60, "--iterations", 60, "--snapshot-every", 30]
single(*embed, "--out", own, "--threads", 2, "--checkpoint-every", 50)
succeed(*embed, "--out", theirs, "--threads", 1, ranks=3)
expected = digests(theirs)
assert len(expected) >= 7, expected
assert digests(own) == expected, (digests(own), expected)
lines = single("info", theirs).stdout.splitlines()
assert {f[0]: f[3] for f in map(str.split, lines) if len(f) == 4 and f[0][0] == "/"} == expected
assert single("verify", own).returncode == 0
for name, *words in (("map.png", "--dpi", 80), ("map.svg",), ("map.html",), ("course.pdf", "--figure", "history"),
                     ("film.gif", "--figure", "animation")):
    pictures = [os.path.join(at, who + name) for who in ("own-", "their-")]
    single("render", theirs, "--plot", pictures[0], *words)
    succeed("render", theirs, "--plot", pictures[1], *words)
    assert content(pictures[0]) == content(pictures[1]), name
assert "no MPI" in single("--version").stdout
for words in (["embed", own], ["info", own]):
    done = single(*words, code=1, launch=[MPI, "2"])
    assert "built without MPI" in done.stderr, done.stderr
print("equal:", ", ".join(f"{name} {digest[:8]}" for name, digest in expected.items()))
