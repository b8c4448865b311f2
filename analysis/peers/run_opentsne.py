"""openTSNE: FFT interpolation, its own choice of neighbour search. Started by compare-peers with name=value
arguments; saves the map and prints what it took as JSON, imports and reading left out."""
import json
import sys
import time

import numpy as np
import openTSNE

given = dict(argument.split("=", 1) for argument in sys.argv[1:])
cores, X = int(given["cores"]), np.load(given["features"])

start = time.perf_counter()
affinities = openTSNE.affinity.PerplexityBasedNN(
    X, perplexity=float(given["perplexity"]), n_jobs=cores, random_state=0
)
prepared = time.perf_counter()
map_ = openTSNE.TSNEEmbedding(
    openTSNE.initialization.pca(X, random_state=0),
    affinities,
    negative_gradient_method="fft",
    learning_rate="auto",
    n_jobs=cores,
)
map_ = map_.optimize(int(given["early"]), exaggeration=float(given["exaggeration"]), momentum=0.8)
map_ = map_.optimize(int(given["iterations"]), exaggeration=1, momentum=0.8)
end = time.perf_counter()

np.save(given["out"], np.asarray(map_, np.float32))
print(json.dumps({"seconds": end - start, "affinities": prepared - start, "descent": end - prepared}))
