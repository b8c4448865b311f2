"""hostile.py LIBRARY: what the world may do to a job while it runs, at chosen moments (fault.h stops a rank there):
the disk fills up, the folder becomes read-only, the folder is removed, an input is truncated or removed.

The job ends by itself, with one line that says what is wrong, or well and right; once the world is in order
again, the same command comes to the result of an undisturbed run."""
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import numpy as np

from sample import Sample

from harness import content, descendants, differences, errors_of, folder, run, start, succeed, wait_for

LIBRARY = os.path.abspath(sys.argv[1])
SIZE = 32 << 20  # of the disk
failures = 0


# --- a job, stopped on its way -------------------------------------------------------------------


def under(fault, *folders):
    return ["env", f"LD_PRELOAD={LIBRARY}", f"SHARDSNE_FAULT={fault}", f"SHARDSNE_FAULT_UNDER={':'.join(folders)}"]


def count_calls(command, ranks, *folders):
    """kind -> calls on rank 0 of a whole run."""
    done = succeed(*command, ranks=ranks, under=under("count", *folders))
    words = re.search(r"^fault: rank 0: (.*)$", done.stderr, re.M).group(1).split()
    return {kind: int(number) for kind, number in zip(words[::2], words[1::2])}


def is_stopped(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rpartition(")")[2].split()[0] == "T"
    except OSError:
        return False


def stop_at(command, ranks, fault, *folders):
    """The job, rank 0 stopped at the call; and that rank."""
    job = start(*command, ranks=ranks, under=under(f"{fault}@0", *folders))
    while job.poll() is None:
        for process in descendants(job.pid):
            if is_stopped(process):
                return job, process
        time.sleep(0.005)
    raise SystemExit(f"{fault} never happened: {wait_for(job).stderr}")


def fail(what):
    global failures
    failures += 1
    print("FAIL", what, flush=True)


def disturb(name, command, ranks, fault, folders, do, undo, right, says):
    """Stops the job at the call, does the harm, lets it go on, and judges how it ends; then undoes the harm and gives
    the command again. `right()`: what is wrong with the result, if anything."""
    job, rank = stop_at(command, ranks, fault, *folders)
    do()
    os.kill(rank, signal.SIGCONT)
    try:
        done = wait_for(job, 120)
    except subprocess.TimeoutExpired as late:
        fail(f"{name}: hangs\n{late.said}")
        undo()
        return
    lines = errors_of(done)
    print("     ", f"{name}: exit {done.returncode}", *lines)
    if done.returncode == 0:
        wrong = right()
        if wrong:
            fail(f"{name}: ends well, but {wrong}")
    elif done.returncode not in (1, 2) or len(lines) != 1 or not re.search(says, lines[0]):
        fail(f"{name}: one line with `{says}` was expected:\n{done.stderr}")
    undo()
    again = run(*command, ranks=3 - ranks % 2, timeout=120)
    wrong = right() if again.returncode == 0 else again.stderr
    if wrong:
        fail(f"{name}: the same command again: {wrong}")


# --- harm ----------------------------------------------------------------------------------------


def fill(disk):
    """Takes all the room there is."""
    with open(os.path.join(disk, "ballast"), "wb", buffering=0) as f:
        try:
            while f.write(bytes(1 << 16)):
                pass
            while f.write(bytes(64)):
                pass
        except OSError:
            pass


def make_room(disk):
    os.remove(os.path.join(disk, "ballast"))


def lock(where):
    """The folder read-only for whoever opens something in it from now on, root as well."""
    subprocess.run(["mount", "--bind", where, where], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", where], check=True)


def unlock(where):
    subprocess.run(["umount", "--lazy", where], check=True)


# --- cases ---------------------------------------------------------------------------------------

# harm -> stage -> at which part of all calls of a kind
EVERYWHERE = {
    "extract": [("write", 0), ("write", 0.5), ("decode", 0.5), ("write", 1)],
    "embed": [("write", 0), ("mpi", 0.2), ("mpi", 0.6), ("write", 0.7), ("write", 1)],
    "render": [("write", 0)],
}
HERE_AND_THERE = {
    "extract": [("decode", 0.5), ("write", 1)],
    "embed": [("mpi", 0.4), ("write", 1)],
    "render": [("write", 0)],
}


class Cases:
    def __init__(self, disk):
        self.disk = disk
        self.sample = Sample(5)
        self.calls = {}
        for stage in EVERYWHERE:
            where = self.begin(stage)
            self.calls[stage] = count_calls(self.sample.command(stage, where), 2, where, self.sample.images)

    def begin(self, stage):
        """A folder on the disk with what the stage begins with."""
        where = os.path.join(self.disk, "job")
        shutil.rmtree(where, ignore_errors=True)
        os.mkdir(where)
        self.sample.prepare(stage, where)
        return where

    def wrong(self, stage, where):
        try:
            found = self.sample.result(stage, where, harmed=True)
        except OSError as error:
            return f"there is no result: {error}"
        return ", ".join(differences(found, self.sample.expected[stage]))

    def moment(self, stage, kind, part):
        return f"{kind}-stop:{1 + int(part * (self.calls[stage][kind] - 1))}"

    def at_moments(self, name, moments, do, undo, says):
        for stage, some in moments.items():
            for kind, part in some:
                where = self.begin(stage)
                disturb(f"{name}, {stage}, {100 * part:.0f}% of all {kind}s", self.sample.command(stage, where), 2,
                        self.moment(stage, kind, part), (where, self.sample.images), lambda: do(where),
                        lambda: undo(where, stage), lambda: self.wrong(stage, where), says)  # fmt: skip

    def disk_full(self):
        self.at_moments("disk full", EVERYWHERE, lambda where: fill(self.disk),
                        lambda where, stage: make_room(self.disk), "No space left on device|free: make room")  # fmt: skip

    def read_only(self):
        self.at_moments("read-only", HERE_AND_THERE, lock, lambda where, stage: unlock(where), "Read-only file system")

    def folder_gone(self):
        def put_back(where, stage):
            os.makedirs(where, exist_ok=True)
            if not os.path.exists(os.path.join(where, "r.h5")):
                self.sample.prepare(stage, where)

        # after the last write it makes no difference whether the job or its end came first
        moments = dict(HERE_AND_THERE, embed=HERE_AND_THERE["embed"][:1])
        self.at_moments("folder removed", moments, shutil.rmtree, put_back, "No such file or directory")

    def images_change(self):
        """The last image: not yet read when the first is decoded."""
        for name, harm in (("removed", os.remove), ("truncated", lambda path: os.truncate(path, 100))):
            where = self.begin("extract")
            images = os.path.join(self.disk, "images")
            shutil.rmtree(images, ignore_errors=True)
            shutil.copytree(self.sample.images, images)
            last = os.path.join(images, max(os.listdir(images)), "0004.png")
            original = os.path.join(self.sample.images, os.path.relpath(last, images))
            disturb(f"image {name}", self.sample.command("extract", where, images), 1, "decode-stop:2",
                    (where, images), lambda: harm(last), lambda: shutil.copy2(original, last),
                    lambda: self.wrong("extract", where), "0004.png")  # fmt: skip

    def matrix_changes(self):
        """A matrix that is removed or cut between its opening and its reading."""
        where = self.begin("extract")
        x, path = os.path.join(self.disk, "x.npy"), os.path.join(where, "r.h5")
        np.save(x, np.random.default_rng(0).normal(size=(20000, 8)).astype(np.float32))
        whole = os.path.join(folder(), "x.npy")
        shutil.copy(x, whole)
        command = ["embed", "--features", x, "--out", path, "--perplexity", 5, "--early-iterations", 2,
                   "--iterations", 2, "--threads", 1]  # fmt: skip
        reads = count_calls(command, 2, x)["read"]
        expected = content(path)

        def wrong():
            return ", ".join(differences(content(path), expected)) if os.path.exists(path) else "there is no result"

        for name, harm in (("removed", os.remove), ("truncated", lambda name: os.truncate(name, 5000))):
            self.begin("extract")
            disturb(f"matrix {name}", command, 2, f"read-stop:{reads}", (x,), lambda: harm(x),
                    lambda: shutil.copy2(whole, x), wrong, "x.npy")  # fmt: skip


def main():
    disk = folder()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", disk], check=True)
    try:
        cases = Cases(disk)
        only = sys.argv[3:]
        for case in ("disk_full", "read_only", "folder_gone", "images_change", "matrix_changes"):
            if not only or case in only:
                getattr(cases, case)()
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)
    sys.exit(1 if failures else 0)


# The disk is mounted where only this test sees it, which needs no root where user namespaces are.
if len(sys.argv) < 3 or sys.argv[2] != "mounted":
    private = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*private, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode != 0:
        print("skipped: no small disk can be mounted here")
        sys.exit(77)
    sys.exit(subprocess.run([*private, sys.executable, sys.argv[0], LIBRARY, "mounted", *sys.argv[2:]]).returncode)
main()
