"""Real images and a real network: features of CIFAR-10 JPEGs against PyTorch's."""
import os
import tarfile

import h5py
import numpy as np

from harness import SHARED, folder, skip, succeed

data = os.path.join(SHARED, "data")
if not os.path.isdir(data):
    skip("the real data are not at hand")

OUT = folder()
with tarfile.open(os.path.join(data, "cifar10", "cifar10-test.tar")) as tar:
    # a tenth of each class; the reference has all 1,000 of each, in order
    members = [m for m in tar.getmembers() if m.isfile() and m.name.endswith(".jpg")]
    classes = sorted({m.name.split("/")[-2] for m in members})
    wanted = {}
    for c in classes:
        names = sorted(m.name for m in members if m.name.split("/")[-2] == c)
        wanted.update({n: classes.index(c) * 1000 + i for i, n in enumerate(names) if i % 10 == 0})
    for m in members:
        if m.name in wanted:
            m.name, row = os.path.join(*m.name.split("/")[-2:]), m.name
            tar.extract(m, os.path.join(OUT, "images"))
rows = sorted(wanted.values())
path = os.path.join(OUT, "cifar.h5")
succeed("run", "--images", os.path.join(OUT, "images"), "--model",
        os.path.join(data, "models", "resnet20_cifar10.pt"), "--drop-last", 1, "--out", path,
        "--plot", os.path.join(OUT, "cifar.png"), "--dpi", 60, "--early-iterations", 20, "--iterations", 20,
        ranks=2)
expected = np.load(os.path.join(data, "reference", "cifar10-test-resnet20-features.npy"))[rows]
labels = np.load(os.path.join(data, "reference", "cifar10-test-resnet20-labels.npy"))[rows]
with h5py.File(path) as f:
    gap = np.abs(f["features"][...] - expected).max()
    assert (f["labels"][...] == labels).all()
print(f"{len(rows)} images: largest gap to PyTorch's features {gap:.1e}")
assert gap < 1e-4
