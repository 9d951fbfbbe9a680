#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs all tests: a line for each program, failures in full, a total at the end.

    tests/run.py [--only=FOLDER]... [--jobs=N] [WORD]...       words choose programs by their path

A program is a C test below build/san/tests (cmocka), a fuzz target there (it replays its corpus),
the one test with threads once more with ThreadSanitizer, tests/*/test_*.py, or tests/check/*.sh. It
passes when it exits with 0 within its time, skips nothing, and has run something.  After them the
machine must be as before: no namespace, BPF program, pin, mount or process of ours left.
"""
import concurrent.futures
import glob
import os
import re
import signal
import subprocess
import sys
import threading
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), ".."))
TIME_LIMIT = 400  # seconds a program
LEAK_PATIENCE = 60  # seconds until what is still there counts as left behind
# gRPC is not built for ThreadSanitizer (agent/session/grpc_tag.h).
TSAN = "ignore_noninstrumented_modules=1:history_size=4"
OURS = re.compile(r"^(nve|nved|tag|from_vm|from_trunk|access|underlay)")


def programs(only, words):
    found = sorted(glob.glob("tests/check/*.sh") + glob.glob("tests/check/*.py"))
    found += sorted(p for kind in ("test", "fuzz")
                    for p in glob.glob(f"build/san/tests/**/*_{kind}", recursive=True)
                    if os.path.exists(p.removeprefix("build/san/") + ".c"))
    found += sorted(glob.glob("build/tsan/tests/session/grpc_test"))
    tests = glob.glob("tests/*/test_*.py")
    found += sorted(tests, key=lambda p: (p.startswith("tests/e2e"), p))
    return [p for p in found if (not only or any(p.startswith(o) for o in only))
            and (not words or any(w in p for w in words))]


def command(path):
    if path.endswith(".py"):
        return ["/usr/bin/python3", path]
    return ["sh", path] if path.endswith(".sh") and not os.access(path, os.X_OK) else [path]


def count(path, text, status):
    """(passed, failed, skipped) by what the program has printed."""
    def total(pattern):
        return sum(int(n) for n in re.findall(pattern, text, re.M))
    passed = total(r"^\[  PASSED  \] (\d+) test") + total(r"^(\d+) passed, \d+ failed")
    failed = total(r"^\[  FAILED  \] (\d+) test") + total(r"^\d+ passed, (\d+) failed")
    skipped = total(r"^\[  SKIPPED \] (\d+) test") + total(r"skipped=(\d+)") \
        + total(r"(\d+) skipped")
    ran = total(r"^Ran (\d+) tests?")  # unittest
    if ran:
        bad = total(r"(?:failures|errors|unexpected successes)=(\d+)")
        passed, failed = passed + ran - bad - skipped, failed + bad
    if not passed and not failed and path.startswith("tests/check"):
        passed = int(status == 0)  # a check is one test
    if (status != 0 and not failed) or not (passed or failed or skipped):
        failed += 1  # it crashed, or ran nothing
    return passed, failed, skipped


def run(path):
    """Runs a program in a process group of its own; (path, counts, output, seconds)."""
    begin = time.monotonic()
    env = {**os.environ, "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=1",
           "UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": TSAN,
           "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *command(path)], text=True,
                          errors="replace", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, start_new_session=True, env=env) as proc:
        late = threading.Timer(TIME_LIMIT, os.killpg, (proc.pid, signal.SIGKILL))
        late.start()
        text = proc.stdout.read()
        proc.wait()
        late.cancel()
    seconds = time.monotonic() - begin
    if seconds >= TIME_LIMIT:
        text += f"\nkilled: not done after {TIME_LIMIT} s\n"
    return path, count(path, text, proc.returncode), text, seconds


def output(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          check=False).stdout


def footprint():
    """What our tests could leave on the machine."""
    things = {f"network namespace {x.split()[0]}" for x in output("ip", "netns").splitlines()}
    for line in output("bpftool", "prog", "show").splitlines():
        words = line.split()
        if line[:1].isdigit() and len(words) > 3 and OURS.match(words[3]):
            things.add(f"BPF program {words[0]} {words[3]}")
    for pin in glob.glob("/sys/fs/bpf/*"):
        things.add(f"pin {pin}")
    with open("/proc/self/mounts", encoding="utf-8") as f:
        things |= {f"mount {' '.join(x.split()[1:3])}" for x in f}
    for line in output("ps", "-eo", "pid=,args=").splitlines():
        if f"{ROOT}/build/" in line and "tests/run.py" not in line:
            things.add(f"process {line.strip()}")
    return things


def leaks(before):
    """What is there and was not, and stays: the kernel needs a moment to free a dead namespace's
    programs, and those of somebody else's tests come and go."""
    left = footprint() - before
    for _ in range(LEAK_PATIENCE * 5):
        if not left:
            break
        time.sleep(0.2)
        left &= footprint()
    return sorted(left)


def options(args):
    """(only, words, jobs)"""
    only = [a[7:] for a in args if a.startswith("--only=")]
    jobs = [int(a[7:]) for a in args if a.startswith("--jobs=")]
    words = [a for a in args if not a.startswith("--")]
    return only, words, jobs[-1] if jobs else os.cpu_count() or 2


def main():
    os.chdir(ROOT)
    only, words, jobs = options(sys.argv[1:])
    paths = programs(only, words)
    if not paths:
        sys.exit("no test programs: build them first ('make test' does)")
    begin, before = time.monotonic(), footprint()
    passed, failed = 0, 0
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        for done in concurrent.futures.as_completed([pool.submit(run, p) for p in paths]):
            path, (ok, bad, skipped), text, seconds = done.result()
            passed, failed = passed + ok, failed + bad + skipped
            note = f", {bad} failed" * bool(bad) + f", {skipped} skipped" * bool(skipped)
            print(f"{'FAIL' if note else 'ok  '} {path}: {ok} passed{note} ({seconds:.1f} s)",
                  flush=True)
            if note:
                print("    " + text.strip().replace("\n", "\n    "), flush=True)
    left = leaks(before)
    for thing in left:
        print(f"FAIL left behind: {thing}")
    passed, failed = passed + (not left), failed + bool(left)
    print(f"{passed} passed, {failed} failed ({time.monotonic() - begin:.0f} s)")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
