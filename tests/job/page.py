#!/usr/bin/env python3
"""The hover page: what is written, and, where there is a Chromium, what it shows under the mouse."""
import base64
import colorsys
import html.parser
import json
import os
import re
import time

import numpy as np
from PIL import Image

import browser
import runfile
from harness import folder, run, skip, succeed

CLASSES = [b"</script ><script >document.title='owned'", b"<img src=x onerror=\"document.title='owned'\">",
           "Bär & Löwe \U0001F981".encode(), b"not \xff\xfe text"]
SHOWN = [CLASSES[0].decode(), CLASSES[1].decode(), CLASSES[2].decode(), r"not \xff\xfe text"]
# Each a path below the folder of images.
NAMES = [b"</script><script>document.title='owned'.png", b"a \"quoted\" 'name' \\ &amp; <b>.png", b"deep/er/!--<.png",
         "Zürich → 東京.png".encode(), b"bad \xff byte.png"]
POINTS = 40


def check(condition, what):
    if not condition:
        raise SystemExit(f"FAILED: {what}")


def color(i):
    return tuple(round(255 * c) for c in colorsys.hsv_to_rgb(i / POINTS, 0.9, 0.4 + 0.5 * (i % 3) / 2))


def make_images(below, names):
    """A plain image a name, wide or tall, each of a colour of its own; the last is absent."""
    for i, name in enumerate(names[:-1]):
        path = os.path.join(os.fsencode(below), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            Image.new("RGB", (200, 50) if i % 2 else (20, 40), color(i)).save(f, "PNG")


def data_of(page):
    """The page's data, by an HTML parser of its own: script elements with their attributes and text."""

    class Reader(html.parser.HTMLParser):
        scripts, at = [], None

        def handle_starttag(self, tag, attributes):
            self.at = (tag, dict(attributes)) if tag == "script" else None
            if self.at:
                self.scripts.append([self.at[1], ""])

        def handle_endtag(self, tag):
            self.at = None

        def handle_data(self, text):
            if self.at:
                self.scripts[-1][1] += text

    reader = Reader()
    reader.scripts = []
    with open(page, encoding="utf-8") as f:
        reader.feed(f.read())
    found = {a.get("id"): t for a, t in reader.scripts}
    check(len(reader.scripts) == len(found), f"one script without a name: {[a for a, _ in reader.scripts]}")
    data = json.loads(found["data"])
    for name, kind in (("xy", "<f4"), ("label", "<i4"), ("row", "<f8"), ("size", "u1")):
        data[name] = np.frombuffer(base64.b64decode(data[name]), kind)
    data["sheets"] = sorted(n for n in found if n and n.startswith("sheet"))
    return data


def check_sample(at):
    """Of 50,003 points 20,000, of each class its share, the rarest included; none twice, the same each time."""
    rng = np.random.default_rng(1)
    labels = np.concatenate([np.zeros(1), np.ones(40000), np.full(10002, 2)]).astype(int)
    xy = rng.normal(size=(len(labels), 2)).astype("<f4")
    xy[7] = np.nan
    run_file = runfile.write(os.path.join(at, "many.h5"), xy, labels)
    page = os.path.join(at, "many.html")
    said = succeed("render", run_file, "--plot", page).stderr
    check("no thumbnails" in said, f"that there are no images is said: {said}")
    data = data_of(page)
    rows = data["row"].astype(int)
    check(data["count"] == 20000 and len(set(rows)) == 20000, "20,000 points, none twice")
    counts = np.bincount(labels[rows])
    share = 20000 * np.array([1, 39999, 10002]) / 50002
    check((np.abs(counts - share) <= 1.5).all() and counts[0] == 1, f"classes have their shares: {counts}, {share}")
    check((data["label"] == labels[rows]).all() and (data["xy"].reshape(-1, 2) == xy[rows]).all(), "the rows' values")
    check(7 not in rows, "a row without coordinates is left out")
    order = np.corrcoef(np.arange(20000), data["label"])[0, 1]
    check(abs(order) < 0.05, f"the drawing order is not that of the classes: {order}")
    with open(page, encoding="utf-8") as f:
        text = f.read()
    check("sample of 50002" in text and "features came from an array" in text, "the page says so")
    check(not re.search(r"(?:src|href)=|url\(|fetch\(|https?:", text), "nothing is fetched")
    for ranks in (2, 3, 4):
        again = os.path.join(at, "again.html")
        succeed("render", run_file, "--plot", again, ranks=ranks)
        with open(page, "rb") as a, open(again, "rb") as b:
            check(a.read() == b.read(), f"{ranks} ranks write the same bytes")


def expect_at(shown, point, name, known, pixels):
    """Moves the mouse to a place where there is a point, and compares what is shown with what is known of it."""
    shown.mouse("mouseMoved", 2, 2)
    shown.mouse("mouseMoved", *point)
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found = shown.evaluate("""(() => {
          const tip = document.getElementById('tip'), image = tip.querySelector('canvas');
          const at = image.hidden ? null :
            [...image.getContext('2d').getImageData(image.width >> 1, image.height >> 1, 1, 1).data];
          return [tip.classList.contains('shown'), tip.querySelector('.name').textContent,
                  tip.querySelector('.class').textContent, at, image.width, image.height];
        })()""")
        if pixels is None or (found[3] and found[3][3]):
            break  # the thumbnail is there, or is not to be
        time.sleep(0.05)
    check(found[0] and found[1] == name and found[2] == known, f"{found} is {name}, {known}")
    if pixels is None:
        check(found[3] is None, f"no thumbnail of {name}: {found}")
        return
    rgb, size = pixels
    check(np.abs(np.array(found[3][:3]) - rgb).max() < 12, f"the thumbnail of {name} is {rgb}: {found[3]}")
    check(tuple(found[4:]) == size, f"the thumbnail of {name} has the shape of the image: {found[4:]}, {size}")


def check_hover(page, xy, names, labels):
    # where points are by docs/figures.md: the middle of the map's box, 4 % of its shorter side free around them
    with browser.Browser(browser.find()) as shown:
        shown.open(page)
        title = shown.evaluate("document.title")
        box = shown.evaluate("(b => [b.left, b.top, b.width, b.height])(document.getElementById('map').getBoundingClientRect())")
        low, high = xy.min(axis=0), xy.max(axis=0)
        margin = 0.08 * min(box[2:])
        scale = ((np.array(box[2:]) - margin) / (high - low)).min()
        place = np.array(box[:2]) + np.array(box[2:]) / 2 + scale * (xy - (low + high) / 2) * [1, -1]
        for i in range(POINTS):
            size = (96, 24) if i % 2 else (20, 40)
            known = SHOWN[labels[i]] if labels[i] >= 0 else "no label"
            expect_at(shown, place[i], names[i], known, (color(i), size) if i < POINTS - 1 else None)
        legend = shown.evaluate("[...document.querySelectorAll('#legend bdi')].map(e => e.textContent)")
        check(legend == SHOWN + ["no label"], f"the legend: {legend}")
        check(shown.evaluate("document.title") == title == "hover.h5", "no name has become a script")
        check(not shown.requests(), f"nothing is fetched: {shown.requests()}")
        check(not shown.complaints(), f"the console is silent: {shown.complaints()}")
        # the wheel zooms to the point under the mouse, a drag moves the map with it, a double click undoes both
        i = 3
        shown.mouse("mouseWheel", *place[i], deltaX=0, deltaY=-400)
        expect_at(shown, place[i], names[i], SHOWN[labels[i]], (color(i), (96, 24)))
        shown.mouse("mousePressed", *place[i], button="left", clickCount=1)
        shown.mouse("mouseMoved", *(place[i] + [60, 30]), button="left", buttons=1)
        shown.mouse("mouseReleased", *(place[i] + [60, 30]), button="left", clickCount=1)
        expect_at(shown, place[i] + [60, 30], names[i], SHOWN[labels[i]], (color(i), (96, 24)))
        for clicks in (1, 2):
            shown.mouse("mousePressed", 500, 700, button="left", clickCount=clicks)
            shown.mouse("mouseReleased", 500, 700, button="left", clickCount=clicks)
        expect_at(shown, place[i], names[i], SHOWN[labels[i]], (color(i), (96, 24)))


def main():
    at = folder()
    check_sample(at)
    names = NAMES + [f"{i:03}.png".encode() for i in range(len(NAMES), POINTS)]
    labels = [i % 4 for i in range(POINTS - 1)] + [-1]
    angle = np.arange(POINTS) * 2.399963  # a sunflower: no two points are near
    xy = (np.sqrt(np.arange(POINTS) + 0.5)[:, None] * np.c_[np.cos(angle), np.sin(angle)]).astype("<f4")
    images = os.path.join(at, "images")
    make_images(images, names)
    run_file = runfile.write(os.path.join(at, "hover.h5"), xy, labels, CLASSES, names, images)
    page = os.path.join(at, "hover.html")
    said = succeed("render", run_file, "--plot", page).stderr
    check("1 of 40 images could not be read" in said, f"the absent image is told of: {said}")
    data = data_of(page)
    order = np.argsort(data["row"])
    expected = [n.decode() if n.isascii() or n == NAMES[3] else r"bad \xff byte.png" for n in names]
    check([data["names"][i] for i in order] == expected, f"names: {data['names']}")
    check([c["name"] for c in data["classes"]] == SHOWN, f"classes: {data['classes']}")
    moved = os.path.join(at, "elsewhere")
    os.rename(images, moved)
    said = succeed("render", run_file, "--plot", os.path.join(at, "without.html")).stderr
    check("no longer in" in said and not data_of(os.path.join(at, "without.html"))["sheets"], said)
    second = os.path.join(at, "second.html")
    succeed("render", run_file, "--plot", second, "--images", moved)
    with open(page, "rb") as a, open(second, "rb") as b:
        check(a.read() == b.read(), "the images elsewhere give the same page")
    wrong = run("render", run_file, "--plot", page, "--images", images, ranks=2)
    check(wrong.returncode == 2 and "No such file" in wrong.stderr, wrong.stderr)
    outside = runfile.write(os.path.join(at, "outside.h5"), xy, labels, CLASSES, [b"../hover.h5"] * POINTS, moved)
    said = succeed("render", outside, "--plot", os.path.join(at, "outside.html")).stderr
    check("40 of 40 images could not be read" in said, said)
    if not browser.find():
        skip("no Chromium to hover in")
    check_hover(page, xy.astype(float), expected, labels)


main()
