"""Another build of the same source (with another MPI, by another compiler) gives the same bits, on one rank, as
this one on one to four: features, neighbours and a map of 1,320 images. CMake's SHARDSNE_TEST_OTHER names it."""
import os
import subprocess

from harness import MODEL, digests, draw_sample, folder, succeed

OTHER = os.environ["SHARDSNE_OTHER"]
OUT, IMAGES = folder(), draw_sample(110)
RUN = os.path.join(OUT, "run.h5")
WORDS = ["run", "--images", IMAGES, "--model", MODEL, "--drop-last", "1", "--out", RUN, "--plot", os.path.join(OUT, "map.png"),
         "--dpi", "60", "--repulsion", "mesh", "--early-iterations", "20", "--iterations", "20", "--threads", "1"]

other = subprocess.run([os.path.join(OTHER, "jobs", "shardsne"), *WORDS], stdin=subprocess.DEVNULL,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
assert other.returncode == 0, other.stdout
expected = digests(RUN)
assert len(expected) >= 7, expected
for ranks in (1, 2, 3, 4):
    os.remove(RUN)
    succeed(*WORDS, ranks=ranks)
    found = digests(RUN, ranks=ranks)
    assert found == expected, f"{ranks} ranks gave {found}, the other build {expected}"
print("equal:", ", ".join(f"{name} {digest[:8]}" for name, digest in expected.items()))
