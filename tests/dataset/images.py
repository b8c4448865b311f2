"""Decoding against Pillow, on images of every kind, whole and damaged; resizing and cropping against Pillow
and the rules of torchvision."""
import io
import os
import random
import struct
import sys
import tempfile
import zlib

try:
    import numpy as np
    from PIL import Image
except ImportError:
    print("skipped: needs numpy and Pillow")
    sys.exit(77)

from driver import answers, check, finish, run

DRIVER = sys.argv[1]
rng = np.random.default_rng(7)


def picture(width, height, channels):
    """Smooth shapes and some noise: neither flat nor only noise, so that every filter has work to do."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [127 + 100 * np.sin(x / (7 + c) + c) * np.cos(y / (5 + 2 * c)) for c in range(channels)]
    noise = rng.integers(-25, 26, (height, width, channels))
    return np.clip(np.stack(planes, 2) + noise, 0, 255).astype(np.uint8)


def saved(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


# --- JPEG ------------------------------------------------------------------------------------------

def jpegs():
    for width, height in [(1, 1), (7, 5), (16, 16), (33, 65), (130, 97)]:
        name = f"{width}x{height}"
        rgb = Image.fromarray(picture(width, height, 3))
        for sampling in 0, 1, 2:
            for progressive in False, True:
                yield f"jpeg-{name}-{sampling}-{progressive}", saved(
                    rgb, "JPEG", quality=85, subsampling=sampling, progressive=progressive)
        yield f"jpeg-gray-{name}", saved(rgb.convert("L"), "JPEG", quality=70)
        yield f"jpeg-optimized-{name}", saved(rgb, "JPEG", quality=30, optimize=True)
        cmyk = Image.fromarray(picture(width, height, 4), "CMYK")
        yield f"jpeg-cmyk-{name}", saved(cmyk, "JPEG", quality=90)
    whole = saved(Image.fromarray(picture(130, 97, 3)), "JPEG", quality=85)
    yield "jpeg-tail", whole + b"more bytes after the end"
    yield "jpeg-rgb", adobe(saved(Image.fromarray(picture(40, 30, 3)), "JPEG", subsampling=0), 0)
    yield "jpeg-ycck", adobe(saved(Image.fromarray(picture(40, 30, 4), "CMYK"), "JPEG"), 2)
    yield "jpeg-orientation", saved(Image.fromarray(picture(40, 30, 3)), "JPEG",
                                    exif=b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0")
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x10
    yield "jpeg-flipped", bytes(flipped)
    # damage for which libjpeg only warns
    yield "jpeg-gap", whole[:len(whole) // 2] + whole[len(whole) // 2 + 300:]
    yield "jpeg-extra", whole[:-2] + bytes(20) + whole[-2:]


def adobe(jpeg, transform):
    """The JPEG with an Adobe marker that says what the channels are, and no other APP marker."""
    at, rest = 2, []
    while jpeg[at + 1] != 0xDA:
        size = struct.unpack(">H", jpeg[at + 2:at + 4])[0] + 2
        if not 0xE0 <= jpeg[at + 1] <= 0xEF:
            rest.append(jpeg[at:at + size])
        at += size
    marker = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([transform])
    return jpeg[:2] + marker + b"".join(rest) + jpeg[at:]


def webps():
    for width, height in [(1, 1), (7, 5), (33, 65), (130, 97)]:
        name = f"{width}x{height}"
        for mode, channels in ("RGB", 3), ("RGBA", 4):
            image = Image.fromarray(picture(width, height, channels), mode)
            for quality in 10, 80:
                yield f"webp-{mode}-{quality}-{name}", saved(image, "WEBP", quality=quality)
            yield f"webp-{mode}-lossless-{name}", saved(image, "WEBP", lossless=True)


# --- PNG, by hand where Pillow does not write it ---------------------------------------------------

def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth, kind, data, extra=b"", interlace=0):
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlace)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(data))
            + chunk(b"IEND", b""))


def rows(values, depth):
    """[height, width, channels] samples as unfiltered PNG rows."""
    out = b""
    for line in values.reshape(values.shape[0], -1):
        if depth == 16:
            packed = line.astype(">u2").tobytes()
        else:
            bits = np.unpackbits(line.astype(np.uint8)[:, None], axis=1)[:, 8 - depth:]
            packed = np.packbits(bits.reshape(-1)).tobytes()
        out += b"\0" + packed
    return out


def interlaced(values, depth):
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [values[y::dy, x::dx] for y, x, dy, dx in passes]
    return b"".join(rows(p, depth) for p in parts if p.size)


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def pngs():
    """(name, bytes, pixels): the pixels from the samples drawn, not from a decoder."""
    for kind, depths in {0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]}.items():
        for depth in depths:
            for width, height in [(1, 1), (5, 3), (67, 41)]:
                values = rng.integers(0, 2**depth, (height, width, CHANNELS[kind]))
                palette = rng.integers(0, 256, (2**min(depth, 8), 3)).astype(np.uint8)
                extras = {"": b"", "gamma": chunk(b"gAMA", struct.pack(">I", 100000))}
                if kind == 3:
                    colours = chunk(b"PLTE", palette.tobytes())
                    extras = {"": colours, "trns": colours + chunk(b"tRNS", b"\0\x80")}
                elif kind in (0, 2):
                    extras["trns"] = chunk(b"tRNS", values[0, 0].astype(">u2").tobytes())
                for extra, bytes_ in extras.items():
                    for lace in 0, 1:
                        data = (interlaced if lace else rows)(values, depth)
                        yield (f"png-{kind}-{depth}-{width}x{height}-{extra}-{lace}",
                               png(width, height, depth, kind, data, bytes_, lace), rgb(values, kind, depth, palette))


def rgb(values, kind, depth, palette):
    if kind == 3:
        return palette[values[:, :, 0]]
    if depth == 16:
        values = values >> 8
    elif depth < 8:
        values = values * (255 // (2**depth - 1))
    colours = values[:, :, :3] if kind in (2, 6) else values[:, :, :1].repeat(3, 2)
    return colours.astype(np.uint8)


def pillow_pngs():
    """Pillow's own, with the filters that zlib likes best."""
    for mode in "1", "L", "LA", "P", "RGB", "RGBA":
        image = Image.fromarray(picture(97, 61, 4), "RGBA").convert("RGB").convert(mode)
        yield f"pillow-{mode}", saved(image, "PNG")


# --- decoding --------------------------------------------------------------------------------------

def write_all(folder, files):
    paths = []
    for name, data in files:
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "wb") as file:
            file.write(data)
    return paths


def decode(folder, files):
    return answers(run(DRIVER, "decode", *write_all(folder, files)), len(files), lambda w, h: w * h * 3)


def same(answer, pixels, name):
    height, width = pixels.shape[:2]
    check(answer == (width, height, pixels.tobytes()), f"{name}: {answer if isinstance(answer, str) else 'pixels'}")


def test_whole(folder):
    files = list(jpegs()) + list(webps()) + list(pillow_pngs())
    for (name, data), answer in zip(files, decode(folder, files)):
        same(answer, np.asarray(Image.open(io.BytesIO(data)).convert("RGB")), name)
    drawn = list(pngs())
    for (name, data, pixels), answer in zip(drawn, decode(folder, [d[:2] for d in drawn])):
        same(answer, pixels, name)
        if "-0-16-" not in name:  # 16-bit gray is where Pillow clips
            check((np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) == pixels).all(), f"{name}: Pillow differs")


def test_refused(folder):
    image = Image.fromarray(picture(90, 70, 3))
    jpeg, progressive, png_ = saved(image, "JPEG"), saved(image, "JPEG", progressive=True), saved(image, "PNG")
    twelve = bytearray(jpeg)
    twelve[twelve.index(b"\xff\xc0") + 4] = 12  # 12 bits a sample
    huge = png(100000, 100000, 8, 2, b"")
    frame, scan = jpeg.index(b"\xff\xc0"), jpeg.index(b"\xff\xda")
    two = (jpeg[:frame + 3] + b"\x0e" + jpeg[frame + 4:frame + 9] + b"\x02" + jpeg[frame + 10:frame + 16]
           + jpeg[frame + 19:scan + 3] + b"\x0a\x02" + jpeg[scan + 5:scan + 9] + jpeg[scan + 11:])
    one = progressive[progressive.index(b"\xff\xda"):]
    one = one[:one.index(b"\xff", 2)]  # its first scan, up to the next marker
    many = progressive.replace(one, one * 501)
    files, expected = [], []
    for name, data in ("jpeg", jpeg), ("progressive", progressive), ("png", png_):
        for cut in 20, len(data) // 3, len(data) // 2, len(data) - 400, len(data) - 9, len(data) - 1:
            files.append((f"cut-{name}-{cut}", data[:cut]))
            expected.append("truncated")
    for name, data, text in [
            ("empty", b"", "empty file"), ("a.bmp", saved(image, "BMP"), "a BMP file; JPEG, PNG and WebP are read"),
            ("a.gif", saved(image.convert("P"), "GIF"), "a GIF file"), ("a.tif", saved(image, "TIFF"), "a TIFF file"),
            ("a.ppm", saved(image, "PPM"), "a PPM file"), ("a.webp", b"RIFF\0\0\0\0WEBP", "WebP: damaged"),
            ("html.jpg", b"<!DOCTYPE html>", "a web page or XML file"), ("text", b"hello", "neither JPEG, PNG nor WebP"),
            ("short", b"\xff\xd8", "neither JPEG, PNG nor WebP"), ("precision", bytes(twelve), "precision 12"),
            ("two", two, "JPEG of 2 channels"), ("scans", many, "more than 500 scans"), ("huge", huge, "100000 x 100000 pixels, more than 2^28"),
            ("none", png(0, 5, 8, 2, b""), "PNG: "),
            ("comment", jpeg[:-2] + b"\xff\xfe\0\x50cut short", "truncated"),
            ("crc", png_[:60] + bytes([png_[60] ^ 1]) + png_[61:], "PNG: "), ("good", png_, None)]:
        files.append((name, data))
        expected.append(text)
    for (name, _), text, answer in zip(files, expected, decode(folder, files)):
        if text is None:
            check(isinstance(answer, tuple), f"{name}: an image after all the failures: {answer}")
        else:
            check(isinstance(answer, str) and text in answer, f"{name}: {answer}")


def test_missing(folder):
    os.mkdir(os.path.join(folder, "folder.jpg"))
    os.mkfifo(os.path.join(folder, "pipe.jpg"))
    paths = [os.path.join(folder, name) for name in ("folder.jpg", "pipe.jpg", "nothing.jpg")]
    out = answers(run(DRIVER, "decode", *paths), 3, None)
    check("not a regular file" in out[0] and "not a regular file" in out[1], out)
    check("No such file" in out[2], out)


def test_mutants(folder):
    """Damage anywhere ends in an image or an error; sanitizer builds see what else it might do."""
    dice, files = random.Random(3), []
    image = Image.fromarray(picture(40, 33, 3))
    originals = [saved(image, "JPEG"), saved(image, "JPEG", progressive=True), saved(image, "PNG"),
                 saved(image.convert("P"), "PNG"), png(40, 33, 4, 3, interlaced(rng.integers(0, 16, (33, 40, 1)), 4),
                                                     chunk(b"PLTE", bytes(range(48))), 1)]
    for number in range(400):
        data = bytearray(originals[number % len(originals)])
        for _ in range(dice.randint(1, 8)):
            data[dice.randrange(8, len(data))] = dice.randrange(256)
        files.append((f"mutant-{number}", bytes(data[:dice.choice([len(data), dice.randrange(len(data))])])))
    check(len(decode(folder, files)) == len(files), "every mutant has an answer")


# --- transforms ------------------------------------------------------------------------------------

def expected_transform(image, resize, crop, kind="transform"):
    """torchvision's Resize and CenterCrop, with Pillow's own resize and crop."""
    image = image.convert("L") if kind == "gray" else image
    width, height = image.size
    if resize:
        short, long = min(width, height), max(width, height)
        size = (resize, int(resize * long / short))
        image = image.resize(size if width <= height else size[::-1],
                             Image.BICUBIC if kind == "bicubic" else Image.BILINEAR)
        width, height = image.size
    if crop:
        left, top = max((crop - width) // 2, 0), max((crop - height) // 2, 0)
        padded = Image.new(image.mode, (max(width, crop), max(height, crop)))
        padded.paste(image, (left, top))
        left, top = int(round((padded.width - crop) / 2.0)), int(round((padded.height - crop) / 2.0))
        image = padded.crop((left, top, left + crop, top + crop))
    return np.asarray(image)


def test_transform(folder):
    cases = [(256, 224), (32, 32), (0, 50), (0, 0), (20, 0), (64, 100), (1, 1), (17, 16), (97, 33), (300, 7)]
    dice = random.Random(5)
    sizes = [(500, 375), (375, 500), (256, 256), (1, 1), (2, 300), (900, 3), (256, 300), (50, 49), (97, 140)]
    sizes += [(dice.randint(1, 400), dice.randint(1, 400)) for _ in range(25)]
    images = [Image.fromarray(picture(w, h, 3)) for w, h in sizes]
    # black and white alone: sums at the ends of the range
    images += [Image.fromarray(rng.choice([0, 255], (h, w, 3)).astype(np.uint8)) for w, h in [(333, 250), (40, 61)]]
    paths = write_all(folder, [(f"t{i}.png", saved(image, "PNG")) for i, image in enumerate(images)])
    cases += [(dice.randint(1, 200), dice.randint(0, 250)) for _ in range(8)]
    for kind, (resize, crop) in ((k, c) for c in cases for k in ("transform", "bicubic", "gray")):
        out = answers(run(DRIVER, kind, resize, crop, *paths), len(paths),
                      lambda w, h: w * h * (1 if kind == "gray" else 3))
        for image, answer in zip(images, out):
            truth = expected_transform(image, resize, crop, kind)
            good = isinstance(answer, tuple) and answer[:2] == truth.shape[1::-1] and answer[2] == truth.tobytes()
            check(good, f"{kind} {image.size} resize {resize} crop {crop}: {answer if isinstance(answer, str) else ''}")


for test in test_whole, test_refused, test_missing, test_mutants, test_transform:
    with tempfile.TemporaryDirectory() as place:
        test(place)
finish()
