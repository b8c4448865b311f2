"""A disk that is full, or fills up while ranks write: an error that says so, no hang, no abort, and a
file that goes on once there is room."""
import os
import subprocess
import sys

import h5py

from support import COLUMNS, DRIVER, MPI, features, folder, run

SIZE = 8 << 20  # of the disk
ROWS = (5 << 20) // (4 * COLUMNS)


def take_room(where, leave):
    """Fills the disk but for `leave` bytes."""
    with open(f"{where}/ballast", "wb") as f:
        free = os.statvfs(where)
        f.write(b"x" * max(0, free.f_bavail * free.f_frsize - leave))


def too_large(where, ranks):
    failed = run(ranks, "define", f"{where}/large.h5", 10 * ROWS)
    assert failed.returncode == 1, failed
    assert "large.h5.partial: /features needs 5" in failed.stderr, failed.stderr
    assert "the file system has 8.0 MiB free" in failed.stderr or "7." in failed.stderr
    assert failed.stderr.count("\n") == 1, failed.stderr
    os.remove(f"{where}/large.h5.partial")


def fills_up(where, ranks, leave):
    path = f"{where}/run.h5"
    job = subprocess.Popen([MPI, str(ranks), DRIVER, "fill", path, str(ROWS)], text=True,
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert job.stdout.readline() == "defined\n"
    take_room(where, leave)
    _, said = job.communicate("x", timeout=120)
    assert job.returncode == 1, (job.returncode, said)
    lines = [line for line in said.split("\n") if line and "fbtl_posix" not in line]
    assert len(lines) == 1, said
    assert "writing rows" in lines[0] and "No space left on device" in lines[0], said
    return path + ".partial", path


def full_then_room(where, ranks, leave):
    partial, path = fills_up(where, ranks, leave)
    failed = run(ranks, "open", path)
    assert failed.returncode == 1 and "make room" in failed.stderr, failed.stderr
    with h5py.File(partial, "r") as f:
        x = f["features"][...]
        written = x == features(ROWS)
        assert (written | (x == 0)).all()
    os.remove(f"{where}/ballast")
    opened = run(ranks, "open", path)
    assert opened.returncode == 0 and opened.stderr == "", opened.stderr
    with h5py.File(partial, "r") as f:
        assert f.attrs["opened"].decode() == "yes" and f["features"].shape == (ROWS, COLUMNS)
    os.remove(partial)


def main():
    with folder() as where:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", where], check=True)
        try:
            for ranks in (1, 3):
                too_large(where, ranks)
                for leave in (0, 1_000_000):
                    full_then_room(where, ranks, leave)
        finally:
            subprocess.run(["umount", where], check=True)


# The disk is mounted where only this test sees it, which needs no root where user namespaces are.
if len(sys.argv) == 2:
    private = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*private, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                      capture_output=True).returncode != 0:
        print("skipped: no small disk can be mounted here")
        sys.exit(77)
    sys.exit(subprocess.run([*private, sys.executable, *sys.argv, "mounted"]).returncode)
main()
