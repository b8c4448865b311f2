"""A real Slurm of two nodes on this machine: controller, two node daemons and munge, all under one temporary
folder, with a key, sockets and ports of their own. Nothing of it outlives the test."""
import ctypes
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

DAEMONS = ("munged", "slurmctld", "slurmd")
TOOLS = ("sbatch", "srun", "scancel", "squeue", "sinfo", "scontrol")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"

# Debian 12's Slurm 22.05 without systemd, cgroups and a database. A node without a TmpFS of its own
# cannot start ranks by pmix beside another on the same machine. Jobs of a requeued id must wait until
# their old credential expires: cred_expire. config_overrides: the machine need not have the processors.
CONF = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
TmpFS={folder}/tmp.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
SlurmctldDebug=debug2
SlurmdDebug=verbose
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,bf_interval=1
GresTypes=gpu
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=5
MessageTimeout=3
KillWait=5
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=n1 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[1]} CPUs=64 RealMemory=65536 Gres=gpu:4
NodeName=n2 NodeHostname={host} NodeAddr=127.0.0.1 Port={ports[2]} CPUs=64 RealMemory=65536 Gres=gpu:4
PartitionName=cpu Nodes=n1,n2 PriorityTier=1 PreemptMode=OFF Default=YES
PartitionName=gpu Nodes=n1,n2 PriorityTier=1 PreemptMode=OFF
PartitionName=spare Nodes=n1,n2 PriorityTier=1
PartitionName=urgent Nodes=n1,n2 PriorityTier=2 PreemptMode=OFF
"""


def missing():
    """What Slurm lacks here, or None."""
    absent = [p for p in DAEMONS + TOOLS if not shutil.which(p, path=PATH)]
    return f"{', '.join(absent)} not installed (Debian: slurm-wlm munge)" if absent else None


def until(what, seconds, condition):
    """The first true value of condition(), or SystemExit."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.1)
    raise SystemExit(f"{what}: not within {seconds} s")


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for s in held:
        s.bind(("127.0.0.1", 0))
    ports = [s.getsockname()[1] for s in held]
    for s in held:
        s.close()
    return ports


def adopt_orphans():
    """Processes whose parents end become children of this one, so that none of them is lost sight of."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None, use_errno=True).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def descendants():
    """Process ids below this one."""
    below = {}
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            below.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, next_up = [], [os.getpid()]
    while next_up:
        children = below.get(next_up.pop(), [])
        found += children
        next_up += children
    return found


def told(pid, what):
    """What /proc tells of a process; nothing where it has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/{what}").read_bytes()
    except OSError:
        return b""


def environment_of(pid):
    return told(pid, "environ").split(b"\0")


def words_of(pid):
    """A process's command line."""
    return told(pid, "cmdline").split(b"\0")


def state_of(pid):
    """What the system says of a process, as a dictionary; empty where it has ended."""
    return dict(line.split(":\t", 1) for line in told(pid, "status").decode().splitlines() if ":\t" in line)


def is_stopped(pid):
    return state_of(pid).get("State", "").startswith("T")


def pending(pid):
    """Signals that wait for a process."""
    mask = int(state_of(pid).get("ShdPnd", "0"), 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def send(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Cluster:
    """with Cluster(folder, env) as c: two idle nodes, n1 and n2, of 64 processors and 4 GPUs; partitions cpu,
    gpu, and spare, whose jobs are requeued where one of partition urgent needs what they hold."""

    def __init__(self, folder, env):
        self.folder = folder
        self.conf = os.path.join(folder, "slurm.conf")
        self.env = dict(os.environ, PATH=PATH, SLURM_CONF=self.conf, **env)
        self.daemons = {}

    def __enter__(self):
        adopt_orphans()
        try:
            self.configure()
            self.start("munge", "munged", "--foreground", "--force", f"--key-file={self.folder}/munge.key",
                       f"--socket={self.folder}/munge.socket", f"--pid-file={self.folder}/munged.pid",
                       f"--seed-file={self.folder}/munge.seed", "--num-threads=2")
            until("munge", 20, lambda: os.path.exists(f"{self.folder}/munge.socket"))
            self.start("controller", "slurmctld", "-D", "-i", "-f", self.conf)
            for node in ("n1", "n2"):
                self.start_node(node)
            until("two idle nodes", 60, self.idle)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.explain()
        self.stop()

    def configure(self):
        for name in ("state", "spool.n1", "spool.n2", "tmp.n1", "tmp.n2"):
            os.mkdir(os.path.join(self.folder, name))
        key = os.path.join(self.folder, "munge.key")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT, 0o400), "wb") as f:
            f.write(os.urandom(128))
        with open(self.conf, "w") as f:
            f.write(CONF.format(folder=self.folder, host=socket.gethostname().split(".")[0],
                                user=subprocess.check_output(["id", "-un"], text=True).strip(),
                                ports=free_ports(3)))
        with open(os.path.join(self.folder, "gres.conf"), "w") as f:  # any device files stand for GPUs
            f.write("".join(f"NodeName={n} Name=gpu File=/dev/tty[0-3]\n" for n in ("n1", "n2")))

    def idle(self):
        for name, process in self.daemons.items():
            if process.poll() is not None:
                text = pathlib.Path(self.folder, name + ".out").read_text(errors="replace")
                raise SystemExit(f"{name} ended with {process.returncode}: {text[-500:]}")
        return self.ask("sinfo", "-h", "-N", "-p", "cpu", "-o", "%N %t") == "n1 idle\nn2 idle"

    def start(self, name, *command):
        log = open(os.path.join(self.folder, name + ".out"), "ab")
        self.daemons[name] = subprocess.Popen(command, env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                                              stderr=subprocess.STDOUT, start_new_session=True)
        log.close()

    def start_node(self, node):
        self.start(node, "slurmd", "-D", "-N", node, "-f", self.conf)

    def kill_daemon(self, node):
        """slurmd alone dies; the jobs of its node go on."""
        self.daemons[node].kill()
        self.daemons[node].wait()

    def kill_node(self, node):
        """Everything on the node dies at once, as without power, and leaves nothing in memory: pmix
        cannot start a requeued job's ranks where it finds its own socket of before."""
        self.kill_daemon(node)
        mine = f"SLURMD_NODENAME={node}".encode()
        tasks = [pid for pid in descendants() if mine in environment_of(pid)]
        daemons = {int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
                   for pid in tasks} - {os.getpid()}
        send([*daemons, *tasks], signal.SIGKILL)
        for name in (f"spool.{node}", f"tmp.{node}"):
            shutil.rmtree(os.path.join(self.folder, name), ignore_errors=True)
            os.mkdir(os.path.join(self.folder, name))

    def stop(self):
        """Ends every process below this one, newest generation first, until none is left."""
        for name in ("n1", "n2", "controller", "munge"):
            if name in self.daemons:
                self.daemons[name].kill()
        for _ in range(100):
            left = descendants()
            send(left, signal.SIGKILL)
            self.reap()
            if not left:
                return
            time.sleep(0.1)

    def reap(self):
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass

    def ask(self, *command):
        """What a Slurm command prints; "" where it fails, as while the controller starts."""
        done = subprocess.run(command, env=self.env, capture_output=True, text=True, timeout=60)
        return done.stdout.strip() if done.returncode == 0 else ""

    def submit(self, *command, cwd, **variables):
        """The job numbers that a command prints which submits jobs."""
        done = subprocess.run(command, env=dict(self.env, **variables), cwd=cwd, capture_output=True, text=True,
                              timeout=60)
        if done.returncode != 0:
            raise SystemExit(f"{command} ended with {done.returncode}: {done.stderr}")
        return done.stdout.split()

    def job(self, number):
        """What Slurm knows of a job, as a dictionary."""
        words = self.ask("scontrol", "-o", "show", "job", number).split()
        return dict(word.partition("=")[::2] for word in words)

    def explain(self):
        """The ends of the daemons' logs, for whoever must find out why a test failed."""
        for name in sorted(os.listdir(self.folder)):
            if name.endswith(".log"):
                text = pathlib.Path(self.folder, name).read_text(errors="replace").splitlines()
                print(f"--- {name}", *[line for line in text if not re.search("debug|pmix", line)][-20:], sep="\n")
