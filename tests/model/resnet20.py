#!/usr/bin/env python3
"""A trained ResNet-20 gives the features that PyTorch gave for the same photographs."""
import os
import sys
import tarfile

import numpy as np
from PIL import Image

from driver import Driver, check, finish

DATA = os.path.join(os.environ["SHARDSNE_SHARED"], "data")
MODEL = os.path.join(DATA, "models", "resnet20_cifar10.pt")
FEATURES = os.path.join(DATA, "reference", "cifar10-test-resnet20-features.npy")
IMAGES = os.path.join(DATA, "cifar10", "cifar10-test.tar")
ROWS, BATCH = 256, 64


def read_pixels():
    """The first rows in torchvision's ImageFolder order."""
    pixels = []
    with tarfile.open(IMAGES) as tar:
        for name in sorted(n for n in tar.getnames() if n.endswith(".jpg"))[:ROWS]:
            with Image.open(tar.extractfile(name)) as image:
                pixels.append(np.asarray(image.convert("RGB")))
    return np.stack(pixels)


def main():
    for path in (MODEL, FEATURES, IMAGES):
        if not os.path.exists(path):
            print(f"skipped: no {path}")
            sys.exit(77)
    driver = Driver(sys.argv[1], mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    images, expected = driver.scaled(read_pixels()), np.load(FEATURES)[:ROWS]
    for options in ({"drop": 1}, {"drop": 3, "pool": "avg"}, {"layer": "flatten"},
                    {"layer": "avgpool", "pool": "none"}, {"layer": "layer3", "pool": "avg"},
                    {"layer": "layer3.2", "pool": "avg"}):
        driver.check_near(str(options), expected, MODEL, images, BATCH, **options)
    features = driver.features("the classes", MODEL, images, BATCH)
    check(features is not None and features.shape == (ROWS, 10), "the whole model has 10 outputs")
    driver.check_near("bfloat16", expected, MODEL, images, BATCH, tolerance=0.05, drop=1,
                      precision="bfloat16")
    driver.check_same_bits("resnet20", MODEL, images, BATCH, drop=1)
    finish()


main()
