"""Real photographs against the tensors torchvision made of them, and against Pillow."""
import os
import sys
import tarfile
import tempfile

try:
    import numpy as np
    from PIL import Image
except ImportError:
    print("skipped: needs numpy and Pillow")
    sys.exit(77)

from driver import answers, check, finish, run

DRIVER = sys.argv[1]
photos = os.path.join(os.environ.get("SHARDSNE_SHARED", ""), "data", "photos")
if not os.path.exists(os.path.join(photos, "photos.tar")):
    print("skipped: no photographs at", photos)
    sys.exit(77)

with tempfile.TemporaryDirectory() as place:
    with tarfile.open(os.path.join(photos, "photos.tar")) as tar:
        tar.extractall(place)
        paths = [os.path.join(place, m.name) for m in tar.getmembers() if m.isfile()]
    for path, answer in zip(paths, answers(run(DRIVER, "decode", *paths), len(paths), lambda w, h: w * h * 3)):
        image = Image.open(path).convert("RGB")
        check(answer == (*image.size, image.tobytes()), f"{path}: differs from Pillow")

    golden = np.load(os.path.join(photos, "golden-224.npy"))
    with open(os.path.join(photos, "golden-names.txt")) as file:
        names = file.read().split()
    check(len(names) == len(golden) > 0, "a name for each golden tensor")
    paths = [p for name in names for p in paths if p.endswith(os.sep + name)]
    out = answers(run(DRIVER, "transform", 256, 224, *paths), len(names), lambda w, h: w * h * 3)
    mean, std = (np.array(v, np.float32) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    for name, truth, answer in zip(names, golden, out):
        pixels = np.frombuffer(answer[2], np.uint8).reshape(224, 224, 3)
        made = (pixels / np.float32(255) - mean) / std
        check(made.transpose(2, 0, 1).tobytes() == truth.tobytes(), f"{name}: differs from torchvision")
finish()
