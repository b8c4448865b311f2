"""Arrays against numpy: every type, version and spelling of the header, and headers that are none."""
import io
import os
import random
import struct
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("skipped: needs numpy")
    sys.exit(77)

from driver import answers, check, finish, run

DRIVER = sys.argv[1]
TYPES = ["<f4", "<f8", "|i1", "<i2", "<i4", "<i8", "|u1", "<u2", "<u4", "<u8"]  # in the order of ssne_element
rng = np.random.default_rng(3)


def read(folder, kind, files):
    paths = []
    for name, data in files:
        paths.append(os.path.join(folder, name))
        with open(paths[-1], "wb") as file:
            file.write(data)
    return answers(run(DRIVER, kind, *paths), len(files), lambda rows, columns: rows * columns * 4)


def npy(array, version=None):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, version)
    return out.getvalue()


def by_hand(text, data=b"", version=1, length=None):
    text = text.encode("latin1") if isinstance(text, str) else text
    size = struct.pack("<H" if version == 1 else "<I", len(text) if length is None else length)
    return b"\x93NUMPY" + bytes([version, 0]) + size + text + data


def draw(kind, shape):
    kind = np.dtype(kind)
    if kind.kind == "f":
        return (rng.standard_normal(shape) * 1e5).astype(kind)
    info = np.iinfo(kind)
    return rng.integers(info.min, info.max, shape, kind, endpoint=True)


def flat(array):
    return array.reshape(len(array), -1) if array.ndim > 1 else array.reshape(-1, 1)


def test_floats(folder):
    cases = []
    for kind in TYPES:
        for shape in [(7,), (5, 3), (4, 2, 3), (0, 4), (3, 0), (1, 1), (9001,), (123, 457)]:
            for version in (1, 0), (2, 0), (3, 0):
                cases.append((f"{kind[1:]}-{shape}-{version}", draw(kind, shape), version))
    out = read(folder, "float", [(name, npy(a, v)) for name, a, v in cases])
    for (name, array, _), answer in zip(cases, out):
        truth = flat(array) if array.size else array.reshape(len(array), array.shape[-1])
        check(answer == (*truth.shape, truth.astype("<f4").tobytes()), f"{name}: {answer[:80]}")


def test_ints(folder):
    edge = [-2**31, -1, 0, 1, 2**31 - 1]
    good = [np.array(edge, "<i8"), np.array(edge, "<f8"), np.arange(20000, dtype="<f4").reshape(-1, 2), draw("|u1", 33),
            draw("<i2", (50, 3)), np.array(edge[2:], "<u8")]
    out = read(folder, "int", [(f"good-{i}", npy(a)) for i, a in enumerate(good)])
    for array, answer in zip(good, out):
        check(answer == (*flat(array).shape, flat(array).astype("<i4").tobytes()), f"{array.dtype}: {answer[:80]}")
    bad = [(np.array([[1, 2], [3, 2**31]], "<i8"), "row 1: 2147483648 "), (np.array([0.5]), "row 0: 0.5 "),
           (np.array([1, np.nan]), "row 1: nan"), (np.array([1, 2, -np.inf], "<f4"), "row 2: -inf"),
           (np.array([2**63], "<u8"), "row 0: "), (np.array([-2**31 - 1, 0]), "row 0: -2147483649 "),
           (np.where(np.arange(30000) == 29998, 0.25, 7), "row 29998: 0.25 ")]
    for i, answer in enumerate(read(folder, "int", [(f"bad-{i}", npy(a)) for i, (a, _) in enumerate(bad)])):
        check(bad[i][1] in answer and f"bad-{i}" in answer, answer)


def test_spellings(folder):
    data = np.arange(6, dtype="<f4").tobytes()
    good = ["{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }\n",
            "{'shape':(3,2),'fortran_order':False,'descr':'<f4'}",
            '{"fortran_order" : False , "shape" : ( 3 , 2 , ) , "descr" : "<f4"}      \n',
            " { 'descr': '<f4', 'shape': (3, 2), 'fortran_order': False, } "]
    for answer in read(folder, "float", [(f"spelling-{i}", by_hand(t, data)) for i, t in enumerate(good)]):
        check(answer == (3, 2, data), answer)


def header(descr="'<f4'", order="False", shape="(3, 2)", tail="}\n"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, {tail}"


def test_refused(folder):
    data, big = bytes(24), str(2**62)
    cases = [(by_hand(header(), data[:-1]), "it was not written to the end"),
             (by_hand(header(order="True"), data), "Fortran order"),
             (by_hand(header(shape=f"({big}, 8)")), "more than 2^63 bytes"),
             (by_hand(header(), data, version=4), "version 4"),
             (by_hand(header(), data, length=60000), "too early"),
             (by_hand(header(), data, version=2, length=2**32 - 1), "a header of 4294967295 bytes"),
             (b"", "ends at byte 0"),
             (b"\x93NUMPY\1\0", "ends at byte 8"),
             (b"PK\3\4" + data, "not a .npy file"),
             (npy(np.array(["ab"])), "type '<U2'")]
    for descr in ">f4", "|b1", "<c8", "|O", "<f2", "|S4", "f4", "", "x" * 99:
        cases.append((by_hand(header(descr=f"'{descr}'"), data), "elements of type"))
    for text in ("", "{", "{}", "[]", "{'descr'\0", "{'descr': '<f4'}", header(order="0"), header(descr="'<f4"),
                 header(descr="[('a', '<f4')]"), header(tail=""), header(tail=",}"), header(tail="'more': 1}"),
                 header(tail="} more")):
        cases.append((by_hand(text, data), "not the header"))
    for shape in ("()", "3", "(-3, 2)", "(3 2)", "(3, 2", f"(1, {big}, 8)", "(99999999999999999999,)"):
        cases.append((by_hand(header(shape=shape), data), "not the header"))
    out = read(folder, "float", [(f"refused-{i}", bytes_) for i, (bytes_, _) in enumerate(cases)])
    for i, ((bytes_, text), answer) in enumerate(zip(cases, out)):
        good = isinstance(answer, str) and text in answer and f"refused-{i}: " in answer
        check(good, f"{bytes_[:100]}: {answer[:200]}")
    check("No such file" in answers(run(DRIVER, "float", "nothing.npy"), 1, None)[0], "a missing file")
    os.mkfifo(os.path.join(folder, "pipe.npy"))
    for path in os.path.join(folder, "pipe.npy"), "/dev/zero", folder:
        check("not a regular file" in answers(run(DRIVER, "float", path), 1, None)[0], f"{path} is no array")


def test_mutants(folder):
    dice, whole, files = random.Random(3), npy(np.arange(12, dtype="<f4").reshape(4, 3)), []
    for number in range(500):
        data = bytearray(whole)
        for _ in range(dice.randint(1, 5)):
            data[dice.randrange(6, 80)] = dice.choice(b"\0\1\xff{}()[]'\",: 0123456789TFlrue<>|if")
        files.append((f"mutant-{number}", bytes(data)))
    check(len(read(folder, "float", files)) == len(files), "every mutant has an answer")


def test_header():
    for element, kind in enumerate(TYPES):
        for rows, columns in [(5, 0), (3, 4), (2**40, 2**20)]:
            head = run(DRIVER, "header", element, rows, columns)
            check(len(head) % 64 == 0, "the data are aligned")
            stream = io.BytesIO(head)
            np.lib.format.read_magic(stream)
            shape = (rows, columns) if columns else (rows,)
            truth = (shape, False, np.dtype(kind))
            check(np.lib.format.read_array_header_1_0(stream) == truth, f"header of {kind} {shape}")


for test in test_floats, test_ints, test_spellings, test_refused, test_mutants:
    with tempfile.TemporaryDirectory() as place:
        test(place)
test_header()
finish()
