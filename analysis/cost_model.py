"""The cost model (include/shardsne/cost.h) as the analysis programs ask for it: numbers of shardsne-cost, and
SimGrid's replay of the traces that it writes."""
from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import common

HERE = Path(__file__).resolve().parent
BUILT = HERE.parent / "build" / "release" / "analysis" / "shardsne-cost"

# What the formulas are to know of each platform; where nothing is said, the model's own fast network.
NETWORKS: dict[str, dict[str, float]] = {
    "fat-tree": {},
    "dragonfly": {},
    "machine": {"latency": 1e-6, "bandwidth": 8e9},
}


def add_cost_option(parser: Any) -> None:
    parser.add_argument("--cost", default=str(BUILT), metavar="PROGRAM", help="shardsne-cost [build/release/...]")


def check_cost_option(options: Any) -> None:
    if not Path(options.cost).exists():
        common.fail(f"{options.cost} is not there: build the project, or name shardsne-cost with --cost")


def ask(cost: str, **problem: Any) -> dict[str, Any]:
    """What shardsne-cost says of a problem, given by its options' names."""
    command = [cost, *(word for name, value in problem.items() for word in (f"--{name}", str(value)))]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        common.fail(f"{' '.join(command)}: {done.stderr.strip() or 'failed'}")
    return json.loads(done.stdout)


def received(said: dict[str, Any], *stages: str) -> float:
    """Bytes that a rank receives in an iteration, on average, by the named stages or by all."""
    return sum(item["received_mean"] for item in said["items"] if not stages or item["stage"] in stages)


def efficiency(base: dict[str, Any], point: dict[str, Any]) -> float:
    """Of a point, seconds on its ranks, against another."""
    return base["seconds"] * base["ranks"] / (point["seconds"] * point["ranks"])


@dataclass
class Replayed:
    """An iteration as SimGrid replays it."""

    formula: dict[str, Any]  # what shardsne-cost says of the same
    seconds: float  # simulated
    took: float  # seconds that the simulation took


def _simulate(platform: str, ranks: int, folder: Path, precision: float, timeout: float) -> float | None:
    """Simulated seconds of the traces in folder/trace; none where it took longer than `timeout`."""
    hosts = folder / "hosts"
    hosts.write_text("".join(f"node{rank}\n" for rank in range(ranks)))
    # Messages get the links' bandwidth and latency as they are, and cost either end 0.3 microseconds. Networks for
    # clusters send no acknowledgements against the traffic. Shares of a link are told to a hundredth of a byte a
    # second: with the default, a thousandth of that, links of 200 GB/s are beyond a double's digits, and the
    # simulator (3.32) aborts. With Open MPI's choice of ways to reduce it does at 16 ranks.
    settings = [
        "smpi/host-speed:1Gf", "smpi/bw-factor:0:1", "smpi/lat-factor:0:1", "smpi/os:0:3e-7:0", "smpi/or:0:3e-7:0",
        "smpi/ois:0:3e-7:0", "smpi/allreduce:rdb", "network/crosstraffic:0", f"surf/precision:{precision}",
        "maxmin/precision:1e-2",
    ]  # fmt: skip
    command = [
        "smpirun", "-np", str(ranks), "-replay", str(folder / "trace"), "-no-privatize", "-hostfile", str(hosts),
        "-platform", str(HERE / "platforms" / f"{platform}.xml"), *(f"--cfg={setting}" for setting in settings),
    ]  # fmt: skip
    done = common.run_watched(command, cores=1, threads=1, log=folder / "log", timeout=timeout)
    if done.timed_out:
        return None
    said = re.search(r"Simulation time ([0-9.]+)", done.output)
    if done.code != 0 or not said:
        common.fail(f"{' '.join(command)}: {done.reason()}")
    return float(said.group(1))


def replay(cost: str, platform: str, *, precision: float, timeout: float, **problem: Any) -> Replayed | None:
    """Replays an iteration on a platform of platforms/, by name. What ends within `precision` seconds is one event to
    the simulator. None where it would take longer than `timeout` seconds."""
    if not shutil.which("smpirun"):
        common.fail("smpirun is not on the PATH; Debian: apt install libsimgrid-dev")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        formula = ask(cost, **NETWORKS[platform], **problem, trace=folder / "trace", iterations=1)
        start = time.monotonic()
        seconds = _simulate(platform, problem["ranks"], folder, precision, timeout)
        took = time.monotonic() - start
    return None if seconds is None else Replayed(formula, seconds, took)
