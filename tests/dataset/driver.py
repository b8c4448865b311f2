"""Runs the driver and takes its answers apart."""
import subprocess
import sys

failures = 0


def check(good, what):
    global failures
    if not good:
        failures += 1
        print("failed:", what, file=sys.stderr)


def finish():
    sys.exit(1 if failures else 0)


def run(driver, *arguments):
    return subprocess.run([driver, *map(str, arguments)], stdout=subprocess.PIPE, check=True).stdout


def answers(out, count, size):
    """For each of `count` files (a, b, bytes) or the text of its error; size(a, b) says how many bytes."""
    result, at = [], 0
    for _ in range(count):
        end = out.index(b"\n", at)
        line, at = out[at:end], end + 1
        if line.startswith(b"error "):
            result.append(line.decode("utf-8", "surrogateescape"))
            continue
        a, b = map(int, line.split()[1:])
        result.append((a, b, out[at:at + size(a, b)]))
        at += size(a, b)
    check(at == len(out), "the driver's output is as long as it says")
    return result
