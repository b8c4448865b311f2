"""What the tests from outside share: running the program under MPI, and small inputs."""
import atexit
import os
import shutil
import signal
import subprocess
import sys
import tempfile

SHARDSNE = os.environ["SHARDSNE"]
MPI = os.environ["SHARDSNE_MPI"]
SOURCE = os.environ["SHARDSNE_SOURCE"]
SHARED = os.environ["SHARDSNE_SHARED"]
DRAW = os.environ.get("SHARDSNE_DRAW_SAMPLE", "")
MODEL = os.path.join(SOURCE, "analysis", "sample", "sample-cnn.pt")

sys.path.insert(0, os.path.join(SOURCE, "analysis"))
from common import content, descendants, differences  # noqa: E402; what the analysis programs use as well


def skip(why):
    print("skipped:", why)
    sys.exit(77)


def folder():
    """A folder that goes away with the test."""
    path = tempfile.mkdtemp(prefix="shardsne-test-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def kill_all(pid):
    """A process and its descendants, at once: mpirun would let its ranks end in order."""
    for process in list(descendants(pid)):
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            pass


def ranks_of(job):
    """Process numbers of a job's ranks."""
    found = []
    for process in descendants(job.pid):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as f:
                words = f.read().split(b"\0")
        except OSError:
            continue  # it has ended
        if words[0] == SHARDSNE.encode():
            found.append(process)
    return found


def start(*arguments, ranks=1, env=None, cwd=None, under=()):
    """The job, running; `under` is put before the program."""
    return subprocess.Popen([MPI, str(ranks), *under, SHARDSNE, *map(str, arguments)], cwd=cwd,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            env=dict(os.environ, **(env or {})), encoding="utf-8",
                            errors="backslashreplace", stdin=subprocess.DEVNULL)


def wait_for(job, timeout=300):
    """The finished process: .returncode, .stdout, .stderr (text, bad bytes escaped). After `timeout`
    nothing of it is left running, and the exception's .said is what it had said."""
    try:
        stdout, stderr = job.communicate(timeout=timeout)
    except BaseException as end:
        kill_all(job.pid)
        end.said = job.communicate()[1]
        raise
    return subprocess.CompletedProcess(job.args, job.returncode, stdout, stderr)


def run(*arguments, ranks=1, env=None, timeout=300, cwd=None, under=()):
    """The finished process, as `wait_for` gives it."""
    return wait_for(start(*arguments, ranks=ranks, env=env, cwd=cwd, under=under), timeout)


def succeed(*arguments, **options):
    done = run(*arguments, **options)
    if done.returncode != 0:
        raise SystemExit(f"{arguments} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


def errors_of(done):
    """The program's error lines."""
    return [line for line in done.stderr.splitlines() if line.startswith("shardsne: error:")]


failures = []


def expect(code, *says, of, ranks=(1, 3), env=None, cwd=None):
    """Runs `of` within a minute and checks the code, and that one error line holds every word of `says`."""
    for r in ranks:
        done = run(*of, ranks=r, env=env, timeout=60, cwd=cwd)
        lines = errors_of(done)
        good = (done.returncode == code and len(lines) == 1 and all(s in lines[0] for s in says)
                and "MPI_ABORT" not in done.stderr and "HDF5-DIAG" not in done.stderr
                and "Traceback" not in done.stderr and "c10::" not in done.stderr)
        print("ok  " if good else "FAIL", f"[{r}]", lines[0][:200] if lines else done.stderr[-600:])
        if not good:
            print(f"     expected exit {code} (was {done.returncode}) and", says)
            failures.append(of)


def finish():
    """Ends a script of expectations."""
    sys.exit(1 if failures else 0)


def digests(path, ranks=1):
    """Dataset -> digest, as `info` prints them."""
    lines = succeed("info", path, ranks=ranks).stdout.splitlines()
    return {f[0]: f[3] for f in (line.split() for line in lines) if len(f) == 4 and f[0][0] == "/"}


def draw_sample(count=10, seed=0):
    """A folder of 12 x count sample images."""
    path = os.path.join(folder(), "images")
    subprocess.run([DRAW, path, "--count", str(count), "--seed", str(seed)], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return path
