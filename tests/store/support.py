"""What the scripts of this folder share."""
import os
import subprocess
import sys
import tempfile

import numpy as np

DRIVER = sys.argv[1]
MPI = os.environ["SHARDSNE_MPI"]
COLUMNS, BLOCK = 6, 16


def run(ranks, *arguments, timeout=120, **options):
    """Runs the driver; a hang is a failure."""
    return subprocess.run([MPI, str(ranks), DRIVER, *map(str, arguments)], timeout=timeout,
                          capture_output=True, text=True, **options)


def features(rows):
    """What the driver writes."""
    return (np.arange(rows * COLUMNS) / 8).astype(np.float32).reshape(rows, COLUMNS)


def folder():
    return tempfile.TemporaryDirectory(prefix="store-test-", dir=".")
