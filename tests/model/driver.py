"""Runs the test driver (driver.c) on a model and gives back its features or its error."""
import os
import subprocess
import sys
import tempfile

import numpy as np

FAILURES = []


def check(condition, what):
    if not condition:
        FAILURES.append(what)
        print(f"FAILED: {what}", file=sys.stderr)


def finish():
    print(f"{len(FAILURES)} checks failed")
    sys.exit(1 if FAILURES else 0)


class Driver:
    """Images are what the networks get, float32 [rows, C, H, W]: made by scaled(), which the driver undoes."""

    def __init__(self, program, mean=(0.5, 0.4, 0.3), std=(0.25, 0.2, 0.3)):
        self.program = program
        self.mean, self.std = np.array(mean, np.float32), np.array(std, np.float32)
        self.below = tempfile.TemporaryDirectory()

    def scaled(self, pixels):
        """What ToTensor and Normalize make of bytes [rows, H, W, C]."""
        channels = pixels.shape[3]
        images = (pixels.astype(np.float32) / np.float32(255) - self.mean[:channels]) / self.std[:channels]
        return np.ascontiguousarray(images.transpose(0, 3, 1, 2))

    def random_images(self, *shape, seed=0):
        rows, channels, height, width = shape
        return self.scaled(np.random.default_rng(seed).integers(0, 256, (rows, height, width, channels), np.uint8))

    def path(self, name):
        return os.path.join(self.below.name, name)

    def call(self, model, images, batch, openmp_threads=1, **options):
        """images [rows, C, H, W], rows a multiple of batch: the finished process and its features."""
        raw, out = self.path("images.raw"), self.path("features.raw")
        channels = images.shape[1]
        shares = images.transpose(0, 2, 3, 1) * self.std[:channels] + self.mean[:channels]
        np.rint(shares * 255).astype(np.uint8).tofile(raw)
        if os.path.exists(out):
            os.remove(out)
        options |= {"mean": ",".join(map(str, self.mean)), "std": ",".join(map(str, self.std))}
        command = [self.program, model, raw, out, batch, *images.shape[1:],
                   *(f"{name}={value}" for name, value in options.items())]
        environment = dict(os.environ, OMP_NUM_THREADS=str(openmp_threads), OPENBLAS_NUM_THREADS="1")
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True,
                              env=environment)
        features = None
        if done.returncode == 0:
            features = np.fromfile(out, np.float32).reshape(len(images), -1)
        return done, features

    def features(self, what, model, images, batch, **options):
        done, features = self.call(model, images, batch, **options)
        check(done.returncode == 0, f"{what}: exit code {done.returncode}: {done.stderr}")
        return features

    def check_near(self, what, expected, model, images, batch, tolerance=1e-5, **options):
        """The features are the expected ones, to `tolerance` of the largest."""
        features = self.features(what, model, images, batch, **options)
        if features is None:
            return
        expected = np.asarray(expected, np.float64).reshape(len(images), -1)
        check(features.shape == expected.shape, f"{what}: {features.shape} for {expected.shape}")
        if features.shape == expected.shape:
            error = np.abs(features - expected).max() / np.abs(expected).max()
            check(error <= tolerance, f"{what}: relative error {error:.2e}")

    def check_refused(self, what, words, model, images, batch, **options):
        """Wrong use: exit code 2 and one line, with all of these words in it."""
        done, _ = self.call(model, images, batch, **options)
        check(done.returncode == 2, f"{what}: exit code {done.returncode}: {done.stderr}")
        lines = done.stderr.splitlines()
        check(len(lines) == 1, f"{what}: one line, not: {done.stderr}")
        for word in words:
            check(word in done.stderr, f"{what}: '{word}' is in: {done.stderr}")

    def check_same_bits(self, what, model, images, batch, **options):
        """Whatever the number of threads, of both kinds, and whatever the process."""
        first = self.features(what, model, images, batch, **options)
        for threads, style, openmp in ((1, "pthread", 2), (2, "pthread", 1), (3, "pthread", 4),
                                       (2, "openmp", 2)):
            other = self.features(f"{what}, {threads} {style}, OpenMP {openmp}", model, images, batch,
                                  threads=threads, style=style, openmp_threads=openmp, **options)
            check(first is not None and other is not None and first.tobytes() == other.tobytes(),
                  f"{what}: {threads} {style} threads give the same bits")
        alone = self.features(what, model, images[-batch:], batch, **options)
        check(first is not None and alone is not None and alone.tobytes() == first[-batch:].tobytes(),
              f"{what}: a batch gives the same bits alone and after others")
