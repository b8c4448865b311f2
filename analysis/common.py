"""What the analysis programs share: inputs, runs whose memory is watched, the machine, tables, figures."""
from __future__ import annotations

import csv
import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Iterable, NoReturn, Sequence

try:
    import numpy as np
except ImportError:
    sys.exit(
        f"{Path(sys.argv[0]).name}: {sys.executable} has no numpy; Debian: apt install python3-numpy "
        "python3-scipy python3-h5py, and run this with /usr/bin/python3"
    )

POLL_SECONDS = 0.02  # how often the memory of a running program is read


def fail(message: str) -> NoReturn:
    """Ends the program with one line on standard error."""
    sys.exit(f"{Path(sys.argv[0]).name}: {message}")


def say(message: str) -> None:
    """A line about progress; standard output is for results."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr, flush=True)


# --- inputs --------------------------------------------------------------------------------------


def load_rows(name: str, rows: int | None = None) -> np.ndarray:
    """The first `rows` rows (None: all) of X.npy or of FILE.h5:/path."""
    try:
        file, colon, dataset = name.rpartition(":")
        if colon and file.endswith((".h5", ".hdf5")):
            import h5py

            with h5py.File(file, "r") as h5:
                found = h5[dataset][:rows]
        else:
            found = np.array(np.load(name, mmap_mode="r")[:rows])
    except ImportError:
        fail(f"{name}: reading HDF5 needs h5py (Debian: python3-h5py)")
    except (OSError, KeyError, ValueError) as error:
        fail(f"{name}: cannot be read: {error}")
    if rows is not None and len(found) < rows:
        fail(f"{name} has {len(found)} rows, fewer than the {rows} asked for")
    return found


def load_matrix(name: str, rows: int | None = None) -> np.ndarray:
    """Features as float32 [N, D]; further dimensions, as of images, are flattened."""
    found = load_rows(name, rows)
    if found.ndim < 2 or len(found) == 0:
        fail(f"{name} has shape {found.shape}; a matrix [rows, features] is wanted")
    found = np.ascontiguousarray(found.reshape(len(found), -1), np.float32)
    if not np.isfinite(found).all():
        fail(f"{name} holds NaN or infinity")
    return found


# --- the machine ---------------------------------------------------------------------------------


def usable_cores() -> int:
    return len(os.sched_getaffinity(0))


def machine() -> str:
    """The processor's name, without its decoration."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        text = ""
    match = re.search(r"^model name\s*:\s*(.+)$", text, re.M)
    name = match.group(1) if match else os.uname().machine
    return re.sub(r"\((R|TM)\)| CPU| Processor|@.*| \d+-Core", "", name).strip()


# --- running programs ----------------------------------------------------------------------------


@dataclass
class Finished:
    """A run of a program: wall time, and the peak resident set of each of its processes."""

    code: int
    seconds: float
    peaks: list[int] = field(default_factory=list)  # bytes
    timed_out: bool = False
    output: str = ""

    @property
    def peak_sum(self) -> int:
        return sum(self.peaks)

    def reason(self) -> str:
        """Why it failed, in one line: the last that it said."""
        if self.timed_out:
            return f"stopped after {self.seconds:.0f} s (--timeout)"
        lines = [line for line in self.output.splitlines() if line.strip()]
        errors = [line for line in lines if "error" in line.lower()]
        return f"exit code {self.code}: {(errors or lines or ['it said nothing'])[-1].strip()}"


def descendants(pid: int) -> Iterable[int]:
    """A process and all that it started."""
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue  # the thread has ended
        for child in children:
            yield from descendants(int(child))


def _read_peaks(pid: int, peaks: dict[int, int], only: str | None) -> None:
    for process in descendants(pid):
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            continue  # it has ended
        name = re.search(r"^Name:\s*(.+)$", status, re.M)
        high = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.M)
        if high and (only is None or name and name.group(1) == only[:15]):
            peaks[process] = 1024 * int(high.group(1))


def _stop(process: subprocess.Popen) -> None:
    """Asks the process, which leads a group of its own, to end, then insists."""
    for request in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, request)
            process.wait(10)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def run_watched(
    command: Sequence[str],
    *,
    cores: int,
    threads: int,
    log: Path,
    timeout: float | None = None,
    only: str | None = None,
) -> Finished:
    """Runs `command` on the first `cores` cores with `threads` threads a process; its output goes to
    `log`. Peaks are of the processes named `only` (the ranks under mpirun), or of all."""
    allowed = set(sorted(os.sched_getaffinity(0))[:cores])
    environment = dict(os.environ)
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA", "BLIS"):
        environment[f"{name}_NUM_THREADS"] = str(threads)
    if os.geteuid() == 0:  # Open MPI wants to be told twice
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    peaks: dict[int, int] = {}
    timed_out = False
    with log.open("w") as output:
        start = time.monotonic()
        try:
            process = subprocess.Popen(
                list(map(str, command)), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                env=environment, start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, allowed),
            )  # fmt: skip
        except OSError as error:
            return Finished(127, 0.0, output=f"error: {error}")
        try:
            while process.poll() is None:
                _read_peaks(process.pid, peaks, only)
                if timeout is not None and time.monotonic() - start > timeout:
                    timed_out = True
                    _stop(process)
                    break
                try:
                    process.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    pass
            seconds = time.monotonic() - start
        except BaseException:  # also Ctrl-C: leave nothing running
            _stop(process)
            raise
    text = log.read_text(errors="replace")
    return Finished(process.returncode or 0, seconds, list(peaks.values()), timed_out, text)


# --- shardsne ------------------------------------------------------------------------------------


def find_program(given: str | None) -> str:
    """The path of shardsne: as given, of this source's release build, or of the PATH."""
    built = Path(__file__).resolve().parent.parent / "build" / "release" / "jobs" / "shardsne"
    found = given or (str(built) if built.exists() else shutil.which("shardsne"))
    if not found or not os.access(found, os.X_OK):
        fail(f"no shardsne at {found or built}, nor on the PATH; build it, or give --program")
    return str(Path(found).resolve())


def launched(program: str, ranks: int, launcher: str) -> list[str]:
    """The command that starts `program`: alone for one rank, else by the launcher."""
    if ranks == 1:
        return [program]
    words = [word.replace("RANKS", str(ranks)) for word in shlex.split(launcher)]
    if not shutil.which(words[0]):
        fail(f"{words[0]} is not on the PATH; install Open MPI or give --launcher")
    return words + [program]


@dataclass
class Record:
    """What shardsne wrote with --log (docs/records.md)."""

    stages: dict[str, dict[str, Any]]  # in the order of the run
    iterations: list[dict[str, Any]]
    ranks: list[dict[str, Any]]
    traffic: list[dict[str, Any]]
    others: dict[str, dict[str, Any]]  # the last event of each further kind

    @staticmethod
    def read(path: Path) -> Record:
        try:
            events = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            fail(f"{path}: not a record of shardsne: {error}")
        return Record(
            {e["stage"]: e for e in events if e["event"] == "stage"},
            [e for e in events if e["event"] == "iteration"],
            [e for e in events if e["event"] == "rank"],
            [e for e in events if e["event"] == "traffic"],
            {e["event"]: e for e in events if e["event"] not in ("stage", "iteration", "rank", "traffic")},
        )

    def seconds(self, stage: str) -> float:
        """Of the slowest rank; 0 for a stage that did not occur."""
        return float(self.stages.get(stage, {}).get("max", 0.0))

    def descent(self) -> float:
        return float(self.iterations[-1]["seconds"]) if self.iterations else 0.0

    def iteration_count(self) -> int:
        return int(self.iterations[-1]["iteration"]) if self.iterations else 0


@dataclass
class Completed:
    """A command of shardsne's that ended well."""

    run: Finished
    record: Record
    file: Path  # the run file


def run_command(
    options: Any, words: Sequence[str], out: Path, timeout: float | None = None
) -> Completed | Finished:
    """Runs a command of shardsne's, `words` being its name and options, as the command-line options of
    add_program_options say, with OUT.h5, OUT.jsonl and OUT.log. Returns what it did, or the failed run."""
    record, file = out.with_suffix(".jsonl"), out.with_suffix(".h5")
    record.unlink(missing_ok=True)
    threads = max(1, options.cores // options.ranks)
    command = launched(options.program, options.ranks, options.launcher) + [
        *words, "--out", str(file), "--fresh", "--threads", str(threads), "--log", str(record),
        *shlex.split(options.shardsne_options),
    ]  # fmt: skip
    run = run_watched(
        command, cores=options.cores, threads=threads, log=out.with_suffix(".log"),
        timeout=timeout, only=Path(options.program).name,
    )  # fmt: skip
    if run.code != 0 or run.timed_out:
        return run
    return Completed(run, Record.read(record), file)


def embed(
    options: Any, features: Path | str, out: Path, extra: Sequence[str], timeout: float | None = None
) -> Completed | Finished:
    """Runs `shardsne embed` on the features, as run_command does."""
    return run_command(options, ["embed", "--features", str(features), *extra], out, timeout)


def add_program_options(parser: Any, command: str = "embed") -> None:
    """The options about shardsne that all programs here share."""
    add = parser.add_argument
    add("--program", metavar="PATH", help="shardsne [build/release/jobs/shardsne, or the PATH]")
    add("--cores", type=int, default=usable_cores(), metavar="C", help="cores to use [all: %(default)s]")
    add("--ranks", type=int, default=1, metavar="R", help="ranks of shardsne, C / R threads each [1]")
    add("--launcher", default="mpirun --bind-to none -n RANKS", metavar="CMD", help="starts several ranks [%(default)s]")
    add("--shardsne-options", default="", metavar="'--x Y ...'", help=f"further options for `shardsne {command}`")


def check_program_options(options: Any) -> None:
    if not 1 <= options.cores <= usable_cores():
        fail(f"--cores {options.cores}: between 1 and {usable_cores()}, those this process may use")
    if not 1 <= options.ranks <= options.cores:
        fail(f"--ranks {options.ranks}: between 1 and --cores, {options.cores}")
    options.program = find_program(options.program)


# --- what a run file holds -----------------------------------------------------------------------


# Sums of rows with times; and of rows that an undisturbed run need not write, since they are empty.
NOT_COMPARED = {"checksums/history", "checksums/samples/reason"}


def content(path: Path | str) -> dict[str, str]:
    """Dataset or attribute -> its digest or text: all of a run file but dates and times."""
    import h5py

    found: dict[str, str] = {}

    def add(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset) and name not in NOT_COMPARED:
            values = item[...]
            if "seconds" in (values.dtype.names or ()):
                values["seconds"] = 0
            found["/" + name] = f"{values.dtype} {values.shape} {hashlib.sha256(values.tobytes()).hexdigest()}"

    with h5py.File(path, "r") as file:
        file.visititems(add)
        found.update((name, str(value)) for name, value in file.attrs.items()
                     if name not in ("created", "extract_stages", "embed_stages"))
    return found


def differences(found: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """The names whose values differ."""
    return sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))


# --- tables and figures --------------------------------------------------------------------------


def print_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Columns as wide as they must be; the first to the left, the others to the right."""
    widths = [max(len(str(line[c])) for line in (header, *rows)) for c in range(len(header))]
    for line in (header, ["-" * width for width in widths], *rows):
        cells = [str(v).ljust(w) if c == 0 else str(v).rjust(w) for c, (v, w) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def part_of(path: Path) -> Path:
    """Where this process alone writes what is to replace a file that others may write or read meanwhile."""
    return path.with_name(f".{path.stem}.{os.uname().nodename}.{os.getpid()}{path.suffix}")


def write_text(path: Path, text: str) -> None:
    """Whole or not at all."""
    part = part_of(path)
    part.write_text(text)
    part.replace(path)


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=2) + "\n")


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def number(value: float | None, digits: int = 3) -> str:
    """`digits` significant digits without an exponent; - for no value."""
    if value is None:
        return "-"
    if value == 0:
        return "0"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(value)))))
    return f"{value:,.{decimals}f}"


def size(count: float | None) -> str:
    """Bytes for people: 12 MiB, 3.4 GiB."""
    if count is None:
        return "-"
    for unit in ("B", "KiB", "MiB"):
        if count < 1000:
            return f"{number(count)} {unit}"
        count /= 1024
    return f"{number(count)} GiB"


def quoted(text: str) -> str:
    """A string for gnuplot; where marks such as _ may occur, add `noenhanced`."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def ticks(low: float, high: float) -> str:
    """Labelled 1, 2, 5 times powers of ten for a logarithmic axis about [low, high]."""
    powers = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 1)
    values = [m * 10.0**p for p in powers for m in (1, 2, 5)]
    return ", ".join(f"'{v:,g}' {v:g}" for v in values if low / 2.5 <= v <= high * 2.5)


def draw(script: Path, text: str) -> None:
    """Writes a gnuplot script and runs it in its folder; without gnuplot the script is all there is."""
    script.write_text(text)
    if not shutil.which("gnuplot"):
        say(f"no gnuplot (Debian: gnuplot-nox): {script} is written but not drawn")
        return
    done = subprocess.run(
        ["gnuplot", script.name], cwd=script.parent, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        fail(f"gnuplot {script}: {' '.join(done.stderr.split())}")
