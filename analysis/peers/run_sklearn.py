"""scikit-learn: Barnes-Hut, exact neighbours. Started by compare-peers with name=value arguments; saves the
map and prints what it took as JSON, imports and reading left out."""
import inspect
import json
import sys
import time

import numpy as np
from sklearn.manifold import TSNE

given = dict(argument.split("=", 1) for argument in sys.argv[1:])
early, later = int(given["early"]), int(given["iterations"])
X = np.load(given["features"])
name = "max_iter" if "max_iter" in inspect.signature(TSNE).parameters else "n_iter"  # before 1.5
TSNE._EXPLORATION_MAX_ITER = TSNE._EXPLORATION_N_ITER = early  # not an option; 250 as it comes

start = time.perf_counter()
method = TSNE(
    perplexity=float(given["perplexity"]),
    early_exaggeration=float(given["exaggeration"]),
    learning_rate="auto",  # rows / exaggeration / 4: its gradient has a factor 4
    init="pca",
    random_state=0,
    n_jobs=int(given["cores"]),
    min_grad_norm=0,  # with the next: no early end, the whole schedule as the others
    n_iter_without_progress=early + later,
    **{name: early + later},
)
map_ = method.fit_transform(X)
end = time.perf_counter()

np.save(given["out"], np.asarray(map_, np.float32))
print(json.dumps({"seconds": end - start}))
