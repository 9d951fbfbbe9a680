#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""In the guest of run.py: loads every program, runs the datapath suite and the Geneve test, and
says for each what became of it, on the console."""
import concurrent.futures
import glob
import os
import re
import subprocess
import sys
import time

sys.path[:0] = ["tests"]
from run import count  # noqa: E402

BPFFS = "/sys/fs/bpf/load"
TIME_LIMIT = 1200  # seconds a program; run.py bounds the whole
# Tests that may be skipped, and why this kernel cannot run them.
MAY_SKIP = {"a_frame_without_headroom_is_lost_as_NO_ROOM"}  # 6.1: 32 bytes of metadata at most


def say(text):
    print(f"KERNELS {text}", flush=True)


def run(words, seconds=TIME_LIMIT):
    """(exit code, output)"""
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="replace",
                              timeout=seconds, check=False)
    except subprocess.TimeoutExpired as e:
        text = e.stdout.decode(errors="replace") if e.stdout else ""
        return 1, f"{text}\nkilled: not done after {seconds} s"
    return done.returncode, done.stdout


def report(name, good, note, text, begin):
    say(f"{'ok  ' if good else 'FAIL'} {name}: {note} ({time.monotonic() - begin:.0f} s)")
    if not good:
        for line in text.strip().splitlines()[-30:]:
            say(f"    {line[:200]}")


def load(path):
    """Every program of an object passes this kernel's verifier."""
    begin = time.monotonic()
    status, text = run(["bpftool", "prog", "loadall", path, BPFFS])
    programs = sorted(os.listdir(BPFFS)) if os.path.isdir(BPFFS) else []
    for program in programs:
        os.unlink(f"{BPFFS}/{program}")
    good = status == 0 and programs
    report(f"{path} loads", good, " ".join(programs) or "nothing", text, begin)


def skipped_names(text):
    return set(re.findall(r"^\[  SKIPPED \] (\w+)", text, re.M))


def test(words):
    begin = time.monotonic()
    name = words[-1]
    status, text = run(words)
    passed, failed, skipped = count(name, text, status)
    allowed = {x for x in skipped_names(text) if x in MAY_SKIP}
    bad = failed + max(0, skipped - len(allowed))
    note = f"{passed} passed" + f", {failed} failed" * bool(failed)
    note += f", {skipped} skipped" * bool(skipped)
    report(name, not bad and passed, note, text, begin)


def main():
    wanted = os.environ.get("WORDS", "").split()
    say(f"this is Linux {os.uname().release}")
    run(["modprobe", "tun"])  # else /dev/net/tun is missing: no udev here
    # An emulated machine is slow: tests wait longer, and repeat themselves less often.
    os.environ.update(PYTHONDONTWRITEBYTECODE="1", NVED_PATIENCE="6", NVE_TEST_SHARE="20")
    objects = sorted(glob.glob("build/gen/*.bpf.o") + glob.glob("build/gen/tests/*.bpf.o"))
    tests = sorted(p for folder in ("bpf", "dp") for p in
                   glob.glob(f"build/release/tests/{folder}/*_test")
                   if os.path.exists(p.removeprefix("build/release/") + ".c"))
    for path in objects:
        if not wanted or "load" in wanted:
            load(path)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for words in [["/usr/bin/python3", "tests/kernels/geneve.py"]] + [[p] for p in tests]:
            if not wanted or any(w in words[-1] for w in wanted):
                pool.submit(test, words)
    say("done")


if __name__ == "__main__":
    main()
