"""A program built without libtorch embeds and draws; asked to run a network it says in one line what it lacks,
and leaves no file behind."""
import os

import numpy as np

from harness import MODEL, draw_sample, errors_of, folder, run, succeed

OUT = folder()
RUN = os.path.join(OUT, "run.h5")


def refused(*arguments, ranks):
    done = run(*arguments, ranks=ranks)
    assert done.returncode == 1, done
    assert len(errors_of(done)) == 1 and "built without libtorch" in errors_of(done)[0], done.stderr
    assert not os.listdir(OUT), os.listdir(OUT)


assert "no libtorch" in succeed("--version").stdout
images = draw_sample(2)
refused("extract", "--images", images, "--model", MODEL, "--out", RUN, ranks=2)
refused("run", "--images", images, "--model", MODEL, "--out", RUN, "--plot", os.path.join(OUT, "map.png"), ranks=1)

features = os.path.join(folder(), "x.npy")
np.save(features, np.random.default_rng(0).normal(size=(200, 5)))
succeed("embed", "--features", features, "--out", RUN, "--perplexity", 5, "--iterations", 50, ranks=2)
succeed("render", RUN, "--plot", os.path.join(OUT, "map.png"), "--dpi", 60)
assert "no libtorch" in succeed("info", RUN).stdout
assert os.path.getsize(os.path.join(OUT, "map.png")) > 1000
