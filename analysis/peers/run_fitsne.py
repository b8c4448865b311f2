"""FIt-SNE's own program, fast_tsne, of version 1.2. Started by compare-peers with name=value arguments; writes
the program's input, saves the map and prints what it took as JSON: the program's whole time, which
includes reading and writing its files."""
import json
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

given = dict(argument.split("=", 1) for argument in sys.argv[1:])
early, later = int(given["early"]), int(given["iterations"])
perplexity, exaggeration = float(given["perplexity"]), float(given["exaggeration"])
X = np.load(given["features"]).astype(np.float64)
n, dimension = X.shape
centred = X - X.mean(0)
axes = np.linalg.eigh(centred.T @ centred)[1][:, :-3:-1]
first = centred @ axes
first *= 1e-4 / first[:, 0].std()

# What FIt-SNE's wrappers write, in their order, and their defaults where the schedule says nothing.
trees = 50
fields = [
    ("i", n), ("i", dimension), ("d", 0.5), ("d", perplexity), ("i", 2),  # theta, output dimensions
    ("i", early + later), ("i", early), ("i", early),  # end of exaggeration, switch of momentum
    ("d", 0.5), ("d", 0.8), ("d", n / exaggeration), ("d", 5.0),  # momenta, learning rate, longest step
    ("i", -1), ("d", -1.0), ("i", 2), ("i", 1),  # K, sigma, FFT, Annoy
    ("d", exaggeration), ("i", 0), ("i", trees), ("i", int(3 * perplexity * trees)),
    ("i", -1), ("d", -1.0), ("i", 3), ("d", 1.0), ("i", 50),  # late exaggeration, interpolation
]  # fmt: skip
input_, result = Path(given["out"]).with_suffix(".in"), Path(given["out"]).with_suffix(".result")
with input_.open("wb") as file:
    file.write(struct.pack("=" + "".join(kind for kind, _ in fields), *(value for _, value in fields)))
    X.tofile(file)
    file.write(struct.pack("=idi", 0, 1.0, 0))  # seed, degrees of freedom, affinities neither kept nor read
    first.tofile(file)

start = time.perf_counter()
subprocess.run([given["program"], "1.2.1", input_, result, given["cores"]], check=True)
end = time.perf_counter()

with result.open("rb") as file:
    shape = struct.unpack("=ii", file.read(8))
    map_ = np.fromfile(file, np.float64, shape[0] * shape[1]).reshape(shape)
np.save(given["out"], map_.astype(np.float32))
input_.unlink()
result.unlink()
print(json.dumps({"seconds": end - start}))
