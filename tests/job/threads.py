"""Under ThreadSanitizer: every part that has threads, with three of them on each of two ranks. A data race
is reported where it happens and ends the program (TSAN_OPTIONS in tests/CMakeLists.txt). What is computed
is for the other tests to judge."""
import os

import numpy as np

from harness import MODEL, draw_sample, folder, succeed

OUT = folder()
X = os.path.join(OUT, "x.npy")
SHORT = ["--threads", 3, "--early-iterations", 3, "--iterations", 3]


def features():
    images = draw_sample(4)
    label = sorted(os.listdir(images))[0]
    with open(os.path.join(images, label, "0001.png"), "wb") as f:
        f.write(b"no image")
    succeed("extract", "--images", images, "--model", MODEL, "--drop-last", 1, "--batch", 2, "--crop", 32,
            "--resize", 40, "--max-bad", 1, "--threads", 3, "--out", os.path.join(OUT, "images.h5"), ranks=2)


def embedding(*options):
    embedding.count += 1
    succeed("embed", "--features", X, "--out", os.path.join(OUT, f"{embedding.count}.h5"), *SHORT, *options, ranks=2)


embedding.count = 0
chance = np.random.default_rng(0)
ROWS = 16500  # enough for an order of rows by cells
centres = chance.normal(size=(20, 12)) * 4
np.save(X, (centres[chance.integers(20, size=ROWS)] + chance.normal(size=(ROWS, 12))).astype(np.float32))
features()
embedding("--neighbours", "approximate", "--repulsion", "mesh", "--pca", 8, "--perplexity", "3,5")
np.save(X, np.load(X)[:1200])
embedding("--neighbours", "exact", "--repulsion", "exact", "--metric", "cosine", "--tail-df", 0.8, "--perplexity", 10)
embedding("--neighbours", "exact", "--repulsion", "mesh", "--init", "random", "--mesh-order", 6, "--perplexity", 5)
