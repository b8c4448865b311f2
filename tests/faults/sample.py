"""The three commands on a small sample, each with what it begins with and what it must come to."""
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "job"))
from harness import MODEL, content, draw_sample, folder, succeed

STAGES = ("extract", "embed", "render")


class Sample:
    def __init__(self, count):
        self.images = draw_sample(count)
        self.base = folder()
        self.expected = {}
        for stage in STAGES:
            self.prepare(stage, self.base)
            succeed(*self.command(stage, self.base), ranks=2)
            shutil.copy(os.path.join(self.base, "r.h5"), os.path.join(self.base, f"after-{stage}.h5"))
            self.expected[stage] = self.result(stage, self.base)

    def command(self, stage, where, images=None):
        run_file, plot = os.path.join(where, "r.h5"), os.path.join(where, "map.png")
        return {
            "extract": ["extract", "--images", images or self.images, "--model", MODEL, "--drop-last", 1,
                        "--batch", 8, "--threads", 1, "--out", run_file],
            "embed": ["embed", run_file, "--perplexity", 8, "--early-iterations", 20, "--iterations", 20,
                      "--checkpoint-every", 10, "--threads", 1],
            "render": ["render", run_file, "--plot", plot, "--dpi", 50],
        }[stage]  # fmt: skip

    def prepare(self, stage, where):
        """Puts into a folder what the stage begins with."""
        before = STAGES.index(stage) - 1
        if before >= 0:
            shutil.copy(os.path.join(self.base, f"after-{STAGES[before]}.h5"), os.path.join(where, "r.h5"))

    def result(self, stage, where, harmed=False):
        """What the run file holds, the picture, and which files there are, but what a run that
        was killed or locked out must leave."""
        found = content(os.path.join(where, "r.h5"))
        found.pop("extract_options", None)  # the folder of the images may be a copy
        # Open MPI tries whether there are locks, and may not get rid of the file
        names = [name for name in os.listdir(where) if not name.startswith("after-") and ".locktest." not in name]
        found["files"] = sorted(name for name in names if not (harmed and name.endswith(".partial")))
        if stage == "render":
            with open(os.path.join(where, "map.png"), "rb") as f:
                found["picture"] = hash(f.read())
        return found
