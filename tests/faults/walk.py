"""walk.py LIBRARY [--points N] [--seed S] [--only STAGE:RANKS:FAULT,...] [--timeout S]

Extraction, embedding and drawing of the small sample on 1, 2 and 3 ranks, each time with one fault (fault.h:
the n-th allocation, read, write, MPI call, decoding step, ... of one rank fails, or the rank is killed there).
Every run must end by itself, with 0 and the right result, or with one line that names cause, rank and host; and
the same command without a fault must then come to the result of a run that nothing disturbed.

A seeded sample of all faults is tried. With --only extract:2:write, say, they are of one stage, number of ranks
and fault; any of the three may be empty, and FAULT may have a number and rank: extract:2:write:17@1 is one run."""
import argparse
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time

from sample import STAGES, Sample

from harness import differences, errors_of, folder, run

HOST = socket.gethostname()
FAULTS = ("alloc", "thread", "spawn", "open", "read", "read-short", "write", "write-full", "write+", "write-full+",
          "write-short", "write-torn", "write-kill", "change", "change-kill", "decode", "mpi", "mpi-kill")  # fmt: skip
# What the error must say of the cause. Of a structure that cannot be read HDF5 tells what it made of it.
CAUSE = {
    "alloc": "out of memory",
    "thread": "refused thread|Resource temporarily unavailable",
    "spawn": "Resource temporarily unavailable",
    "open": "Input/output error",
    "read": "Input/output error|bad object header|not a run file|not an HDF5 file",
    "write": "Input/output error",
    "write-full": "No space left on device",
    "change": "Input/output error",
    "decode": "PNG|memory",
    "mpi": "MPI",
}


def is_kill(fault):
    return fault.split(":")[0].endswith(("-kill", "-torn"))


class Walk:
    def __init__(self, options):
        self.library = os.path.abspath(options.library)
        self.timeout = options.timeout
        self.sample = Sample(5)
        self.counts = {}
        self.failures = 0

    def under(self, fault, where):
        """What loads the library before the program."""
        return ["env", f"LD_PRELOAD={self.library}", f"SHARDSNE_FAULT={fault}",
                f"SHARDSNE_FAULT_UNDER={where}:{self.sample.images}"]  # fmt: skip

    def with_fault(self, stage, ranks, fault, where):
        return run(*self.sample.command(stage, where), ranks=ranks, under=self.under(fault, where),
                   timeout=self.timeout)  # fmt: skip

    def calls(self, stage, ranks):
        """[rank][kind] -> how many calls an undisturbed run makes."""
        if (stage, ranks) not in self.counts:
            where = folder()
            self.sample.prepare(stage, where)
            done = self.with_fault(stage, ranks, "count", where)
            lines = re.findall(r"^fault: rank (\d+): (.*)$", done.stderr, re.M)
            assert done.returncode == 0 and len(lines) == ranks, done.stderr
            self.counts[stage, ranks] = {
                int(rank): {k: int(n) for k, n in zip(text.split()[::2], text.split()[1::2])} for rank, text in lines
            }
        return self.counts[stage, ranks]

    def choose(self, stage, ranks, fault, chance):
        """One call of the kind on one rank, as SHARDSNE_FAULT; None: there is none."""
        if "@" in fault:
            return fault
        kind = fault.rstrip("+").split("-")[0]
        calls = {rank: counts[kind] for rank, counts in self.calls(stage, ranks).items() if counts[kind] > 0}
        if not calls:
            return None
        rank = chance.choice(sorted(calls))
        number = 1 + chance.randrange(calls[rank])
        return f"{fault.rstrip('+')}:{number}{'+' * fault.endswith('+')}@{rank}"

    def judge_end(self, stage, ranks, fault, done, where):
        """What is wrong with the end of a disturbed run; '' if nothing."""
        kind, rank = fault.split(":")[0], int(fault.split("@")[1])
        struck = re.search(r"^fault: rank.*$", done.stderr, re.M)
        lines = errors_of(done)
        if "ERROR: AddressSanitizer" in done.stderr or "LeakSanitizer" in done.stderr or "runtime error" in done.stderr:
            return "the sanitizer objects"
        if done.returncode == 0:
            different = differences(self.sample.result(stage, where), self.sample.expected[stage])
            return f"ends well with another result: {', '.join(different)}" if different else ""
        if not struck:
            return "fails without a fault"
        if is_kill(fault):
            return ""
        if done.returncode not in (1, 2) or len(lines) != 1:
            return f"exit code {done.returncode}, {len(lines)} error lines"
        if ranks > 1 and not (f"rank {rank} " in lines[0] and HOST in lines[0]):
            return "the error does not name rank and host"
        if not re.search(CAUSE.get(kind, CAUSE[kind.split("-")[0]]), lines[0]):
            return "the error does not name the cause"
        return ""

    def judge_again(self, stage, where, ranks, killed):
        """The same command without a fault."""
        try:
            done = run(*self.sample.command(stage, where), ranks=ranks, timeout=self.timeout)
        except subprocess.TimeoutExpired:
            return f"the same command again, on {ranks}, hangs"
        if done.returncode != 0:
            return f"the same command again, on {ranks}, fails: {(errors_of(done) or [done.stderr])[0]}"
        found, expected = self.sample.result(stage, where, killed), self.sample.expected[stage]
        if found != expected:
            return f"the same command again, on {ranks}, has another result: {', '.join(differences(found, expected))}"
        return ""

    def try_one(self, stage, ranks, fault, ranks_after):
        where = folder()
        self.sample.prepare(stage, where)
        said = ""
        try:
            done = self.with_fault(stage, ranks, fault, where)
            said = done.stderr
            wrong = self.judge_end(stage, ranks, fault, done, where)
            code = done.returncode
        except subprocess.TimeoutExpired as late:
            wrong, code, said = "hangs", "none", late.said
        again = self.judge_again(stage, where, ranks_after, is_kill(fault))
        wrong = "; then ".join(text for text in (wrong, again) if text)
        lines = [line for line in said.splitlines() if line.startswith(("shardsne: error", "fault:"))]
        case = f"{stage}:{ranks}:{fault}"
        print(f"{'FAIL' if wrong else 'ok':4}  {case}  exit {code}  {wrong}".rstrip())
        for line in lines:
            print("         ", line.replace(where, "DIR")[:240])
        if wrong:
            self.failures += 1
            print("          ", *self.under(fault, "DIR"), "mpirun -n", ranks, *self.sample.command(stage, "DIR"))
        sys.stdout.flush()
        shutil.rmtree(where)


def read_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("library", help="shardsne-fault.so")
    parser.add_argument("--points", type=int, default=100, help="faults tried [100]")
    parser.add_argument("--seed", type=int, default=1, help="[1]")
    parser.add_argument("--only", default="::", help="STAGE:RANKS:FAULT, several with commas [all]")
    parser.add_argument("--timeout", type=float, default=30, help="seconds after which a run hangs [30]")
    return parser.parse_args()


def selected(only):
    """All (stage, ranks, fault) that --only allows."""
    for choice in only.split(","):
        stage, ranks, fault = choice.split(":", 2)
        for s in [stage] if stage else STAGES:
            for r in [int(ranks)] if ranks else (1, 2, 3):
                for f in [fault] if fault else FAULTS:
                    yield s, r, f


def main():
    options = read_options()
    chance = random.Random(options.seed)
    walk = Walk(options)
    began = time.monotonic()
    cases = list(selected(options.only))
    tried = 0
    while cases and tried < options.points:
        chance.shuffle(cases)
        for case in list(cases):
            fault = walk.choose(*case, chance)
            if fault is None or "@" in case[2]:
                cases.remove(case)
            if fault and tried < options.points:
                walk.try_one(*case[:2], fault, chance.randint(1, 3))
                tried += 1
    seconds = time.monotonic() - began
    print(f"{tried} faults, {walk.failures} failures, seed {options.seed}, {seconds:.0f} s")
    sys.exit(1 if walk.failures else 0)


main()
