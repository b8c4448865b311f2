"""The files of slurm/ on a real Slurm of two nodes: as they are; one after the other; cancelled, preempted and
stopped by a time limit midway; with a node's daemon and then a whole node killed. All end with the digests
of a run that nobody disturbed."""
import json
import os
import signal
import sys
import time

import numpy as np

import cluster
from job.harness import MODEL, SHARDSNE, SOURCE, digests, draw_sample, folder, skip, succeed

FILES = os.path.join(SOURCE, "slurm")
OUT = folder()
BEGAN = time.monotonic()
NETWORK = "--drop-last 1"
SHORT = "--perplexity 10 --early-iterations 20 --iterations 20"
# Some thousand iterations a second: jobs that are to be disturbed are held midway until that has happened.
LONG = "--perplexity 10 --iterations 30000 --checkpoint-every 500 --threads 1"
MIDWAY = 3000
SMALL = ["--ntasks-per-node=1"]  # the machine has not the processors of two nodes

# As in tests/mpi. Ranks of n1 and n2 have the same host name, but are to meet over the network. The other kind of fence,
# tree, lets one start in twenty of four ranks leave MPI_Init too early, on which Open MPI's TCP crashes (slurm/README.md).
ENVIRONMENT = {
    "SHARDSNE": SHARDSNE, "MODEL": MODEL, "OMP_WAIT_POLICY": "passive", "OPENBLAS_NUM_THREADS": "1",
    "OMPI_MCA_mpi_yield_when_idle": "1", "OMPI_MCA_btl": "self,tcp", "OMPI_MCA_btl_tcp_if_include": "lo",
    "SLURM_PMIX_FENCE": "ring",
}


def say(*words):
    print(f"{time.monotonic() - BEGAN:6.1f} s ", *words, flush=True)


def results(path):
    """Digests of all that does not tell the time."""
    found = digests(path)
    assert "/embedding/coordinates" in found and "/features" in found, found
    return {name: digest for name, digest in found.items() if name != "/history"}


def undisturbed(name, images, options):
    path = os.path.join(OUT, name + ".h5")
    succeed("run", "--images", images, "--model", MODEL, *f"{NETWORK} {options}".split(), "--out", path, "--plot",
            os.path.join(OUT, name + ".png"))
    return results(path)


class Run:
    """One run file, and the job that makes it now."""

    def __init__(self, slurm, name, file):
        self.slurm, self.name, self.file = slurm, name, file
        self.path, self.record = (os.path.join(OUT, name + end) for end in (".h5", ".jsonl"))

    def submit(self, *arguments):
        options = f"{NETWORK} {LONG} --log {self.record}"
        self.number, = self.slurm.submit(
            "sbatch", "--parsable", *SMALL, *arguments, os.path.join(FILES, self.file), cwd=OUT, OPTIONS=options,
            RUN=self.path, PLOT=self.path + ".png")
        say(f"{self.name}: job {self.number} submitted")

    def turns(self):
        """For each start of the program the iterations it has reported."""
        if not os.path.exists(self.record):
            return []
        with open(self.record, encoding="utf-8") as f:
            records = map(json.loads, f.read().split("\n")[:-1])
        turns = []
        for r in records:
            if r["event"] == "start":
                turns.append([])
            elif r["event"] == "iteration":
                turns[-1].append(r["iteration"])
        return turns

    def iteration(self):
        return max(sum(self.turns(), []), default=-1)

    def log(self):
        with open(os.path.join(OUT, f"shardsne-{self.number}.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def ranks(self):
        """Process ids of its ranks on both nodes."""
        return [pid for pid in cluster.descendants() if cluster.words_of(pid)[0] == SHARDSNE.encode()
                and self.path.encode() in cluster.words_of(pid)]

    def hold_midway(self, further=0):
        """Stops the ranks in the middle of their work, so that they do not end before they are disturbed."""
        cluster.until(f"{self.name} midway", 90, lambda: self.iteration() >= MIDWAY + further)
        cluster.send(self.ranks(), signal.SIGSTOP)
        say(f"{self.name}: held at iteration {self.iteration()}")

    def go_on(self, signalled=None):
        """Lets them go on, or once a signal waits for one of them, or one has gone on already."""
        if signalled:
            cluster.until(f"{self.name} signalled", 60, lambda: any(
                signalled in cluster.pending(pid) or not cluster.is_stopped(pid) for pid in self.ranks()))
        cluster.send(self.ranks(), signal.SIGCONT)
        say(f"{self.name}: goes on")

    def wait_for_end(self, state="COMPLETED"):
        ended = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY")
        cluster.until(f"{self.name} ended", 180, lambda: self.slurm.job(self.number).get("JobState") in ended)
        job = self.slurm.job(self.number)
        say(f"{self.name}: {job['JobState']}, restarts {job['Restarts']}, exit code {job['ExitCode']}")
        assert job["JobState"] == state, self.log()[-3000:]
        return job

    def check(self, expected, starts):
        """It was disturbed, went on from where it was, and came to the same end."""
        spans = [(t[0], t[-1]) for t in self.turns() if t]
        say(f"{self.name}: iterations", *(f"{first} to {last}," for first, last in spans))
        assert len(spans) >= starts and all(first > 0 for first, _ in spans[1:]), "it was not disturbed midway"
        assert results(self.path) == expected, f"{self.name} differs"


def check_as_they_are(slurm, images, expected):
    """pipeline.sbatch, and the pair of dependent jobs, with nothing but paths and options set."""
    whole, parts = (os.path.join(OUT, name) for name in ("whole.h5", "parts.h5"))
    embed = slurm.submit(os.path.join(FILES, "extract-then-embed"), cwd=OUT, RUN=parts, EXTRACT_OPTIONS=NETWORK,
                         EMBED_OPTIONS=SHORT)
    assert slurm.job(embed[1])["Reason"] == "Dependency", slurm.job(embed[1])
    pipeline = slurm.submit("sbatch", "--parsable", os.path.join(FILES, "pipeline.sbatch"), cwd=OUT, RUN=whole,
                            PLOT=whole + ".png", OPTIONS=f"{NETWORK} {SHORT}")
    numbers = embed + pipeline
    cluster.until("jobs as they are", 120, lambda: all(
        slurm.job(n)["JobState"] in ("COMPLETED", "FAILED", "CANCELLED") for n in numbers))
    jobs = [slurm.job(n) for n in numbers]
    for job in jobs:
        say(f"{job['JobName']}: {job['JobState']}, {job['NumNodes']} nodes, {job['NumTasks']} ranks")
        assert job["JobState"] == "COMPLETED", job
    assert jobs[0]["TresPerNode"].endswith("gpu:4") and jobs[1]["StartTime"] >= jobs[0]["EndTime"]
    assert os.path.exists(whole + ".png")
    assert results(whole) == expected and results(parts) == expected


def says_stopped(log, signal_name):
    """Rank 0 says by which signal, or, where another rank has heard of it first, with which it stops."""
    return f"stopped by signal {signal_name}" in log or "stopped with other ranks" in log


def check_queue(slurm, expected):
    """A time limit, a cancelled job, and one of higher priority that wants another's GPUs."""
    limit, preempted = (Run(slurm, name, "requeue.sbatch") for name in ("limit", "preempted"))
    cancelled = Run(slurm, "cancelled", "pipeline.sbatch")
    limit.submit("--time=1", "--signal=B:USR1@50")  # Slurm looks at limits twice a minute
    cancelled.submit()
    preempted.submit("--partition=spare", "--gpus-per-node=4")  # all of them, so that it is in the way
    for run in (limit, cancelled, preempted):
        run.hold_midway()
    slurm.ask("scancel", cancelled.number)
    cancelled.go_on(signal.SIGTERM)
    cancelled.wait_for_end("CANCELLED")
    assert says_stopped(cancelled.log(), "TERM"), cancelled.log()[-3000:]
    urgent, = slurm.submit("sbatch", "--parsable", "--partition=urgent", "--nodes=2", "--gpus-per-node=4",
                           "--output=/dev/null", "--wrap=srun true", cwd=OUT)
    preempted.go_on(signal.SIGTERM)
    cluster.until("urgent job", 60, lambda: slurm.job(urgent)["JobState"] == "COMPLETED")
    say("the urgent job is done")
    limit.go_on(signal.SIGUSR1)
    cancelled.submit()
    for run in (cancelled, preempted, limit):
        run.wait_for_end()
    assert "DUE TO PREEMPTION" in preempted.log() and says_stopped(preempted.log(), "TERM")
    assert says_stopped(limit.log(), "USR1"), limit.log()
    for run in (cancelled, preempted, limit):
        run.check(expected, starts=2)


def check_nodes(slurm, expected):
    """A node's daemon dies, which no rank notices; then the whole node, ranks and all."""
    run = Run(slurm, "nodes", "requeue.sbatch")
    run.submit()
    run.hold_midway()
    slurm.kill_daemon("n1")
    say("slurmd of n1 killed")
    run.go_on()
    run.hold_midway(further=1000)
    slurm.start_node("n1")
    run.go_on()
    run.hold_midway(further=2000)
    assert len(run.turns()) == 1
    slurm.kill_node("n2")
    say("node n2 killed")
    cluster.until("requeue", 60, lambda: slurm.job(run.number)["Restarts"] == "1")
    say("the job is in the queue again")
    slurm.start_node("n2")
    run.wait_for_end()
    run.check(expected, starts=2)


def check_study(slurm):
    """analysis/scaling-study as job arrays: every point is made, and what is missing alone is submitted again."""
    np.save(os.path.join(OUT, "x.npy"), np.random.default_rng(1).normal(size=(400, 8)).astype(np.float32))
    study, made = os.path.join(OUT, "study.toml"), os.path.join(OUT, "study")
    with open(study, "w", encoding="utf-8") as f:
        f.write(f'''options = "embed --features {OUT}/x.npy --perplexity 10 --early-iterations 20 --iterations 20"
ranks = [1, 2]
repeats = 2
[slurm]
launcher = "srun --mpi=pmix"
ranks_per_node = 1
''')
    command = [sys.executable, os.path.join(SOURCE, "analysis", "scaling-study")]
    submit = [*command, "submit", study, "--out", made, "--program", SHARDSNE]
    points = lambda: [name for name in os.listdir(os.path.join(made, "points")) if name.endswith(".json")]  # noqa: E731
    for remove, jobs in (None, 2), ("strong-2x1-2.json", 1), (None, 0):
        if remove:
            os.remove(os.path.join(made, "points", remove))
        assert len(slurm.submit(*submit, cwd=OUT)) == jobs
        cluster.until("the study's points", 120, lambda: len(points()) == 4)
    told = slurm.submit(*command, "report", made, cwd=OUT)
    assert "Strong:" in told and os.path.exists(os.path.join(made, "report", "strong.csv")), told
    say("the study is made and reported")


def main():
    why = cluster.missing()
    if why:
        skip(why)
    images = draw_sample(20)
    short, long = undisturbed("short", images, SHORT), undisturbed("long", images, LONG)
    say("undisturbed runs done")
    with cluster.Cluster(folder(), dict(ENVIRONMENT, IMAGES=images)) as slurm:
        say("two nodes are up")
        check_study(slurm)
        check_as_they_are(slurm, images, short)
        check_queue(slurm, long)
        check_nodes(slurm, long)
    say("all digests are equal")


if __name__ == "__main__":
    sys.exit(main())
