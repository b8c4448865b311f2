"""Run files as tests want them, written by h5py: a map with classes, names and images, without computing it."""
import json

import h5py
import numpy as np


def text(array):
    return np.array(array, dtype=f"S{max(map(len, array))}")


def write(path, xy, labels=None, classes=None, names=None, images=None, history=None, **attributes):
    """`classes`, `names`: bytes; `images`: the folder that `extract` is to have read."""
    xy = np.asarray(xy, "<f4")
    spread = np.ptp(xy[np.isfinite(xy).all(axis=1)], axis=0)
    with h5py.File(path, "w", libver="v108") as f:
        f.attrs.create("format", np.bytes_("shardsne run file"))
        f.attrs.create("format_version", np.int64(1), dtype="<i8")
        f.attrs.create("embed_complete", np.bytes_("yes"))
        if images is not None:
            f.attrs.create("extract_options", np.bytes_(json.dumps({"images": images})))
        for name, value in attributes.items():
            f.attrs.create(name, np.bytes_(value))
        f["embedding/coordinates"] = xy
        f["embedding/normalized"] = ((xy - np.nanmin(xy, axis=0)) / np.where(spread > 0, spread, 1)).astype("<f4")
        if labels is not None:
            f["labels"] = np.asarray(labels, "<i4")
        if classes is not None:
            f["classes"] = text(classes)
        if names is not None:
            f["samples/name"] = text(names)
        if history is not None:
            f["history"] = history
    return path
