"""Seeds for the fuzz targets: seeds.py FOLDER writes FOLDER/TARGET/* for each target that starts better
with some. All are made here; nothing is random."""
import gzip
import io
import json
import os
import struct
import sys
import tarfile

import h5py
import numpy as np
from PIL import Image


def npy(array, version):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version)
    return out.getvalue()


def npy_seeds():
    for kind in "<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8":
        yield npy(np.arange(6, dtype=kind).reshape(3, 2), (1 + len(kind) % 2, 0))
    yield npy(np.zeros((2, 3, 2), "<f4"), (3, 0))
    yield npy(np.zeros((0, 4), "<f4"), (1, 0))
    yield npy(np.asfortranarray(np.zeros((3, 2))), (1, 0))
    text = b"{\"descr\": '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }\n"
    yield b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text


def picture(mode, size=(9, 7)):
    pixels = np.arange(size[0] * size[1] * 4, dtype=np.uint32).astype(np.uint8)
    return Image.frombytes("RGBA", size, pixels.tobytes()).convert(mode)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def image_seeds():
    for mode in "L", "RGB", "CMYK":
        for progressive in False, True:
            yield saved(picture("RGB").convert(mode), "JPEG", quality=50, progressive=progressive)
    yield saved(picture("RGB"), "JPEG", subsampling=0, optimize=True)
    yield saved(picture("RGB"), "JPEG", restart_marker_blocks=1)
    for mode in "1", "L", "LA", "RGB", "RGBA", "P":
        yield saved(picture("RGB").convert(mode) if mode in "1P" else picture(mode), "PNG")
    yield saved(Image.fromarray(np.arange(48, dtype=np.uint16).reshape(6, 8)), "PNG")
    yield saved(picture("P"), "PNG", transparency=1, bits=4)
    yield saved(picture("RGB"), "WEBP")
    yield saved(picture("RGBA"), "WEBP", lossless=True)
    for magic in b"BM", b"GIF8", b"RIFF", b"<html>", b"P6\n":
        yield magic + bytes(8)


def tar(members, format):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=format) as archive:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()[:-7168]


def idx(*shape):
    return bytes([0, 0, 8, len(shape)]) + b"".join(n.to_bytes(4, "big") for n in shape) + bytes(int(np.prod(shape)))


def input_seeds():
    small = saved(picture("L", (2, 2)), "PNG")
    for format in tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT:
        long = "é" * (20 if format == tarfile.USTAR_FORMAT else 80)
        yield b"\0" + tar([("./a/x.png", small), (f"b/{long}.png", small), ("b/notes", b"x")], format)
        yield b"\0" + tar([("x/1.png", small), ("x/1.cls", b"3"), ("2.png", small), ("2.json", b'{"label": 4}')], format)
    for text in ("a.png,1\nb.png,-1\n", "path\tclass\r\n\"a\"\"b\"\t1\r\n", "a\n\nb", "a,cat\nb,\"d\no\"\n"):
        yield b"\0" + text.encode()
    yield b"\0" + idx(3, 2, 2)
    yield b"\0" + idx(2, 2, 2, 3)
    yield b"\0" + gzip.compress(idx(3, 2, 2))
    yield b"\0" + npy(np.zeros((3, 2, 2, 3), np.uint8), (1, 0))
    yield b"\1" + bytes(3073 * 2)
    yield b"\1" + bytes(3074)


def index_seeds():
    records = b"".join(struct.pack("<5q", 0, 512, 70, 2 * (row + 1), row) for row in range(3))
    yield bytes([2, 6]) + records + b"a\0b\0c\0"


def transform_seeds():
    for resize, crop, width, height in (0, 0, 8, 8), (8, 4, 20, 10), (256, 224, 300, 200), (1, 0, 1, 9000):
        yield struct.pack(">HH", resize, crop) + (width - 1).to_bytes(3, "big") + (height - 1).to_bytes(3, "big")


CONFIG = b"""# comment
; comment
[section]
perplexity = 30,300
threads = 2
fresh = yes
mean = 0.5,0.5,0.5
metric = cosine
learning-rate = auto
max-bad = 0.1%
size = 8x6
images = /a/b c
"""


def options_seeds():
    yield b"\0" + CONFIG
    yield b"\0perplexity: 5\n continued\n"
    for line in CONFIG.splitlines()[3:]:
        name, value = line.split(b" = ")
        yield b"\1--" + name + b"\0" + value + b"\0"
        yield b"\1--" + name + b"=" + value + b"\0word\0"


def record_seeds():
    made = {"images": "/a", "drop-last": "1", "pool": "avg", "batch": "64", "mean": "0.485,0.456,0.406"}
    yield json.dumps(made).encode()
    yield b'{"perplexity": "30", "pca": 5, "metric": null, "init": ["pca"], "seed": {"a": 1e308}}'
    yield b'{"a": "\\ud83d\\ude00\\u0000"}'
    yield b"[" * 3000


def names_seeds():
    yield b"\0cat\0dog\0"
    yield "\1`touch x`\0$(touch x)\0'; system(\"x\"); '\0\"x\"\0-e\0\\U+1F600\0漢字\0".encode()
    yield b"\6\xff\xfe\xc0\xaf\0" + b"a" * 100 + b"\0'\0''\0'.'\0\n\0\\\0%d\0"
    yield b"\2@x{/=9 b}^_\0\\'\0" + "😀".encode() * 50
    yield b"\x19a\0b\0c\0d\0e\0f\0g\0h\0'; system(\"title\")\0'.`value`.'\0"


def store_seeds():
    for full in False, True:
        path = f"/tmp/shardsne-seed-{os.getpid()}.h5"
        with h5py.File(path, "w", libver=("v108", "v108") if full else None) as f:
            f.attrs["format"] = np.bytes_("shardsne run file")
            f.attrs["format_version"] = np.int32(1)
            if full:
                f.attrs["program"] = np.bytes_("shardsne")
                f.attrs["extract_options"] = "{}"
                f["features"] = np.zeros((4, 3), "<f4")
                f["labels"] = np.zeros(4, "<i4")
                f["samples/name"] = np.array([b"a", b"b", b"c", b"d"], "S8")
                f["embedding/normalized"] = np.zeros((4, 2), "<f4")
        with open(path, "rb") as f:
            yield f.read()
        os.remove(path)


def schema_seeds():
    yield b""
    # an attribute: text of 64 bytes, one dimension of 4; of variable length, of 5
    yield bytes([0, 2, 4, 63, 1, 0, 4]) + b"abc" * 30
    yield bytes([0, 3, 5, 1, 0, 5]) + b"a\0b\0c\0"
    # datasets: float32 [4, 3], [4, 2], uint32 [4, 2], text [4], a history of 2
    yield bytes([2, 0, 0, 2, 0, 4, 0, 3, 2, 2, 9, 0, 2, 0, 4, 0, 2, 2])
    yield bytes([2, 7, 2, 2, 0, 4, 0, 2, 2, 2, 3, 4, 7, 1, 0, 4, 2])
    yield bytes([2, 11, 6, 5, 0, 0, 0, 0, 1, 0, 2, 2])
    # rows that nothing has, and a link
    yield bytes([2, 1, 1, 1, 255, 255, 0, 1, 12, 1])


def main():
    for name, make in list(globals().items()):
        if not name.endswith("_seeds"):
            continue
        folder = os.path.join(sys.argv[1], name[: -len("_seeds")])
        os.makedirs(folder, exist_ok=True)
        for number, seed in enumerate(make()):
            with open(os.path.join(folder, f"seed-{number:02}"), "wb") as file:
                file.write(seed)


main()
