"""One embedding on two ranks under valgrind: no byte is read before it was set, none beyond what was
allocated, and none is lost. tests/sanitizer/valgrind.supp names what is Open MPI's."""
import glob
import os
import shutil
import subprocess
import sys

import numpy as np

from harness import MPI, SHARDSNE, SOURCE, folder, skip

if not shutil.which("valgrind"):
    skip("no valgrind")
OUT = folder()
X, Y, LOG = (os.path.join(OUT, name) for name in ("x.npy", "y.npy", "memcheck"))
np.save(X, np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32))
np.save(Y, np.arange(200) % 3)
valgrind = ["valgrind", "--quiet", "--error-exitcode=9", "--leak-check=full", "--show-leak-kinds=definite",
            "--errors-for-leak-kinds=definite", "--keep-debuginfo=yes", "--num-callers=40", f"--log-file={LOG}.%p",
            "--suppressions=" + os.path.join(SOURCE, "tests", "sanitizer", "valgrind.supp")]
embed = [SHARDSNE, "embed", "--features", X, "--labels", Y, "--out", os.path.join(OUT, "run.h5"), "--perplexity", "5",
         "--pca", "4", "--early-iterations", "4", "--iterations", "4", "--threads", "1", "--neighbours", "approximate",
         "--repulsion", "mesh", "--checkpoint-every", "3"]
done = subprocess.run([MPI, "2", *valgrind, *embed], capture_output=True, text=True, timeout=1000)
logs = sorted(glob.glob(LOG + ".*"))
for name in logs:
    with open(name) as f:
        print(f.read())
if done.returncode != 0 or len(logs) != 2:
    print(done.stdout, done.stderr)
sys.exit(done.returncode != 0 or len(logs) != 2)
