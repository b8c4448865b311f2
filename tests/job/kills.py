"""A small kill study: twelve kills of one rank or of all, spread over the stages and the changes of the run file's
structure, each gone on with on another number of ranks, to the same bits."""
import os
import subprocess
import sys

from harness import MODEL, MPI, SHARDSNE, SOURCE, draw_sample, folder

sys.exit(subprocess.run(
    [sys.executable, os.path.join(SOURCE, "analysis", "kill-study"), "--images", draw_sample(20), "--model", MODEL,
     "--out", os.path.join(folder(), "kills"), "--kills", *(sys.argv[1:] or ["12"]), "--start-ranks", "1,3",
     "--extract-options", "--drop-last 1 --batch 8", "--launcher", f"{MPI} RANKS", "--program", SHARDSNE]
).returncode)  # fmt: skip
