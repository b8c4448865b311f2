"""An installed program works from wherever it is moved to: it finds its module with libtorch and its libraries by its
own place, and nothing in it points at the folders it was built or first installed in."""
import os
import re
import shutil
import subprocess

from harness import MODEL, SOURCE, draw_sample, folder

BUILD = os.environ["SHARDSNE_BUILD"]
BELOW = folder()
FIRST, MOVED = os.path.join(BELOW, "first"), os.path.join(BELOW, "moved, with spaces")
WORK = os.path.join(BELOW, "work")


def install():
    subprocess.run(["cmake", "--install", BUILD, "--prefix", FIRST], check=True, stdout=subprocess.DEVNULL)
    os.rename(FIRST, MOVED)
    os.mkdir(WORK)


def check_paths():
    """Where the loader looks: folders of the system, or relative to the file."""
    files = [os.path.join(where, name) for where, _, names in os.walk(MOVED) for name in names]
    binaries = [f for f in files if open(f, "rb").read(4) == b"\x7fELF"]
    assert {os.path.basename(f) for f in binaries} >= {"shardsne", "shardsne-torch.so"}, files
    for binary in binaries:
        header = subprocess.run(["readelf", "-d", binary], check=True, stdout=subprocess.PIPE, text=True).stdout
        for line in re.findall(r"\((?:RUNPATH|RPATH)\).*\[(.*)\]", header):
            for path in line.split(":"):
                inside = [p for p in (BUILD, SOURCE, BELOW) if path.startswith(p)]
                assert path and not inside, f"{binary} looks for libraries in {path!r}"


def shardsne(*arguments):
    """On one rank, from another folder, with no hint in the environment."""
    env = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
    done = subprocess.run([os.path.join(MOVED, "bin", "shardsne"), *map(str, arguments)], cwd=WORK, env=env,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def check_module():
    """Environment Modules, where they are at hand, find the program that lies beside their file."""
    modules = "/usr/share/modules/init/sh"
    if not os.path.exists(modules):
        return
    script = f'. {modules}; module use "$1/share/modulefiles" && module load shardsne && command -v shardsne'
    done = subprocess.run(["sh", "-c", script, "sh", MOVED], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert done.stdout == os.path.join(MOVED, "bin", "shardsne") + "\n", done.stdout + done.stderr


install()
check_paths()
check_module()
assert shardsne("--version").startswith("shardsne ")
shardsne("extract", "--images", draw_sample(3), "--model", shutil.copy(MODEL, WORK), "--drop-last", 1, "--out", "run.h5")
shardsne("embed", "run.h5", "--perplexity", 5, "--iterations", 50)
shardsne("render", "run.h5", "--plot", "map.png", "--dpi", 60)
assert os.path.getsize(os.path.join(WORK, "map.png")) > 1000
