"""Stopping in order: signals and time limits end `embed` and `extract` with exit code 75 at a checkpoint, and the
same command on any number of ranks goes on from there to the same bits."""
import os
import re
import shutil
import signal
import time

import h5py
import numpy as np

from harness import (MODEL, digests, draw_sample, errors_of, folder, ranks_of, run, start, succeed,
                     wait_for)

OUT = folder()
X = os.path.join(OUT, "x.npy")
ITERATIONS = 400


def rows():
    chance = np.random.default_rng(3)
    centres = chance.normal(scale=8, size=(10, 12))
    np.save(X, (centres[np.arange(1500) % 10] + chance.normal(size=(1500, 12))).astype("f4"))


def command(path, *more):
    return ["embed", "--features", X, "--out", path, "--perplexity", 10, "--early-iterations", 50, "--iterations",
            ITERATIONS - 50, "--threads", 1, *more]


def path_of(name):
    return os.path.join(OUT, name + ".h5")


def stopped(done):
    assert done.returncode == 75, (done.returncode, done.stderr)
    assert not errors_of(done), done.stderr
    told = re.findall(r"^shardsne: stopped .*; the same command goes on from there$", done.stderr, re.M)
    assert len(told) == 1, done.stderr
    at = re.search(r"after iteration (\d+)", told[0])
    return int(at.group(1)) if at else None


def wait_until(path, log, event):
    """Until the job on `path` has recorded `event`."""
    end = time.time() + 120
    while time.time() < end:
        if os.path.exists(log) and f'"{event}"' in open(log).read():
            return
        time.sleep(0.01)
    raise AssertionError(f"{path}: no {event}")


def signals(expected):
    """Each of the signals, to one rank or to all of them, in the iterations."""
    for i, (name, ranks, everyone) in enumerate((("USR1", 1, True), ("TERM", 2, False), ("INT", 3, True),
                                                 ("USR1", 4, False))):
        path, log = path_of(f"signal{i}"), path_of(f"signal{i}") + ".jsonl"
        job = start(*command(path, "--log", log), ranks=ranks)
        wait_until(path, log, "iteration")
        pids = ranks_of(job)
        assert len(pids) == ranks, pids
        for pid in pids if everyone else pids[-1:]:
            os.kill(pid, getattr(signal, "SIG" + name))
        began = time.time()
        done = wait_for(job, 120)
        if done.returncode == 0:  # it was over before it could hear
            print(f"{name}: too late")
        else:
            at = stopped(done)
            assert 0 < at < ITERATIONS and time.time() - began < 30
            assert ("signal " + name in done.stderr) == everyone or "with other ranks" in done.stderr, done.stderr
            assert os.path.exists(path + ".checkpoint")
            again = succeed(*command(path), ranks=1 + (ranks + 1) % 4)
            assert f"going on from the checkpoint of iteration {at}" in again.stderr, again.stderr
        assert digests(path) == expected, (name, ranks)
        assert sorted(n for n in os.listdir(OUT) if n.startswith(f"signal{i}")) == \
            [f"signal{i}.h5", f"signal{i}.h5.jsonl"], os.listdir(OUT)


def twice():
    """A second INT does not wait for a step; what was kept before is still there."""
    path, log = path_of("twice"), path_of("twice") + ".jsonl"
    job = start(*command(path, "--log", log, "--repulsion", "exact", "--checkpoint-every", 1,
                        "--iterations", 100000))
    wait_until(path, log, "checkpoint")
    pid = ranks_of(job)[0]
    os.kill(pid, signal.SIGSTOP)  # so that it cannot take the first one before the second comes
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGCONT)
    for _ in range(50):
        try:
            os.kill(pid, signal.SIGINT)
        except ProcessLookupError:
            break
        time.sleep(0.001)
    done = wait_for(job, 120)
    # MPICH's launcher hands on the number of the signal, 2.
    assert done.returncode not in (0, 1, 75) and not errors_of(done), (done.returncode, done.stderr)


def time_limits(expected):
    for limit, ranks in ((("--time-limit", "0:03"), 2), ((), 1)):
        path = path_of(f"limit{ranks}")
        env = {} if limit else {"SLURM_JOB_END_TIME": str(int(time.time()) + 9)}
        slow = ("--checkpoint-every", 7, "--repulsion", "exact", "--iterations", 1000000)
        done = run(*command(path, *limit, *slow), ranks=ranks, env=env, timeout=60)
        assert stopped(done) > 0 and "before the time is up" in done.stderr, done.stderr
    for word in ("1:2:3:4", "x", "-5", "0"):
        done = run(*command(path, "--time-limit", word))
        assert done.returncode == 2 and len(errors_of(done)) == 1, (word, done.stderr)
    path = path_of("early")
    done = run(*command(path, "--time-limit", "0.00001"))
    assert stopped(done) is None and "before" in done.stderr, done.stderr
    succeed(*command(path))
    assert digests(path) == expected


def stop_at(path, iteration, *more, **options):
    """Ends at a checkpoint soon after the one of `iteration`."""
    log = path + ".jsonl"
    if os.path.exists(log):
        os.remove(log)
    job = start(*command(path, "--log", log, "--checkpoint-every", iteration, *more), ranks=2)
    wait_until(path, log, "checkpoint")
    for pid in ranks_of(job):
        os.kill(pid, signal.SIGUSR1)
    return stopped(wait_for(job, 120))


def two_are_kept(expected):
    """--resume-from takes either of the two; a damaged one is passed over; both, and it begins anew."""
    path = path_of("two")
    last = stop_at(path, 60)
    kept = sorted({last // 60 * 60, last})
    refused = run(*command(path, "--resume-from", 1))
    assert refused.returncode == 2 and f"iterations {kept[0]} and {kept[-1]}" in refused.stderr, refused.stderr
    done = run(*command(path, "--resume-from", kept[0]))
    assert done.returncode == 0 and f"of iteration {kept[0]}\n" in done.stderr, done.stderr
    assert digests(path) == expected
    os.remove(path)
    last = stop_at(path, 60)
    for slots in (1, 2):
        with h5py.File(path + ".checkpoint", "r") as f:
            steps = list(f["checkpoint/slots"]["steps"])
            slot = steps.index(max(steps) if slots == 1 else min(steps))
            place = f[f"checkpoint/state_{slot}"].id.get_offset() + 24 * 700 + 5
        with open(path + ".checkpoint", "r+b") as f:
            f.seek(place)
            byte = f.read(1)[0]
            f.seek(place)
            f.write(bytes([byte ^ 16]))
        assert run("verify", path + ".checkpoint").returncode == 1
        done = run(*command(path, "--time-limit", "0.00001" if slots == 1 else "10"), ranks=3)
        if slots == 1:  # looks, and leaves it as it is
            stopped(done)
            continue
        assert done.returncode == 0 and done.stderr.count("cannot be used") == 2, done.stderr
        assert "going on from" not in done.stderr and digests(path) == expected


def others_are_not_taken(expected):
    """A checkpoint of other options or rows is none; --fresh takes none, but in a job started again."""
    path = path_of("other")
    os.environ["SLURM_JOB_ID"] = "7"
    stop_at(path, 60)
    os.environ["SLURM_JOB_ID"] = "8"  # of another job's file it is not told what that was to obey
    done = run(*command(path, "--fresh", "--time-limit", "0.00001"), env={"SLURM_RESTART_COUNT": "1"}, ranks=2)
    assert done.returncode == 75 and "Slurm has started" not in done.stderr, done.stderr
    stop_at(path, 60)
    done = run(*command(path, "--seed", 5))
    assert done.returncode == 2 and "seed" in done.stderr, done.stderr
    done = run(*command(path, "--fresh"), env={"SLURM_RESTART_COUNT": "1"}, ranks=2)
    assert done.returncode == 0 and "going on from" in done.stderr, done.stderr
    assert "Slurm has started this job again" in done.stderr and digests(path) == expected
    os.remove(path)
    stop_at(path, 60)
    done = run(*command(path, "--fresh"))
    assert done.returncode == 0 and "going on from" not in done.stderr, done.stderr
    assert digests(path) == expected
    os.remove(path)
    begin, chance = os.path.join(OUT, "begin.npy"), np.random.default_rng(4)
    np.save(begin, chance.normal(size=(1500, 2)))
    stop_at(path, 60, "--init", begin)
    left = shutil.copy(path + ".checkpoint", path_of("left"))
    np.save(begin, chance.normal(size=(1500, 2)))
    done = run(*command(path, "--init", begin), ranks=3)
    assert done.returncode == 0 and "going on from" not in done.stderr, done.stderr
    succeed(*command(path_of("begun"), "--init", begin))
    assert digests(path) == digests(path_of("begun")) != expected
    shutil.copy(left, path + ".checkpoint")  # as a kill leaves it between the end and its removal
    succeed(*command(path, "--init", begin))
    assert not os.path.exists(path + ".checkpoint")
    for word in ("0", "1.5", "m", "-3", "often"):
        done = run(*command(path, "--checkpoint-every", word))
        assert done.returncode == 2 and len(errors_of(done)) == 1, (word, done.stderr)


def extraction():
    images = draw_sample(80)
    whole, path = path_of("whole"), path_of("images")

    def extract(out, *more):
        return ["extract", "--images", images, "--model", MODEL, "--drop-last", 1, "--batch", 8, "--threads", 1,
                "--out", out, *more]

    succeed(*extract(whole))
    job = start(*extract(path), ranks=2)
    while not os.path.exists(path + ".partial") and job.poll() is None:
        time.sleep(0.005)
    for pid in ranks_of(job)[:1]:
        os.kill(pid, signal.SIGUSR1)
    done = wait_for(job, 120)
    if done.returncode != 0:
        assert stopped(done) is None and "among the features" in done.stderr
        assert run("verify", path).returncode == 75
        succeed(*extract(path), ranks=3)
    assert digests(path) == digests(whole)


rows()
succeed(*command(path_of("reference")))
reference = digests(path_of("reference"))
for every in ("1", "37", "0.0001m", "never"):
    checked = path_of("every" + every)
    succeed(*command(checked, "--checkpoint-every", every), ranks=2)
    assert digests(checked) == reference and not os.path.exists(checked + ".checkpoint")
signals(reference)
twice()
time_limits(reference)
two_are_kept(reference)
others_are_not_taken(reference)
extraction()
