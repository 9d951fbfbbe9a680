#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the fuzz targets of build/fuzz, and keeps their corpora small.

    fuzz.py run [--seconds=N] [TARGET]...    a crash ends with 1; its input is in build/fuzz/crashes
    fuzz.py merge [TARGET]...                finds go into tests/fuzz/corpus, what adds nothing goes

TARGET is a word of the target's name.
"""
import glob
import os
import re
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BUILD = "build/fuzz"
RSS_MB, TIMEOUT, INPUT_MAX = 1024, 10, 16384


def targets(words):
    names = [os.path.basename(p)[:-2] for p in sorted(glob.glob("tests/fuzz/*_fuzz.c"))]
    return [n for n in names if not words or any(w in n for w in words)]


def folders(name):
    """(committed corpus, finds of this machine)"""
    kept, found = f"tests/fuzz/corpus/{name}", f"{BUILD}/corpus/{name}"
    os.makedirs(kept, exist_ok=True)
    os.makedirs(found, exist_ok=True)
    os.makedirs(f"{BUILD}/crashes", exist_ok=True)
    return kept, found


def command(name, *options):
    words = [f"{BUILD}/tests/fuzz/{name}", f"-rss_limit_mb={RSS_MB}", f"-timeout={TIMEOUT}",
             f"-max_len={INPUT_MAX}", f"-artifact_prefix={BUILD}/crashes/{name}-", *options]
    words_of = f"tests/fuzz/{name}.dict"
    return words + [f"-dict={words_of}"] * os.path.exists(words_of)


def fuzz(name, seconds):
    """Whether nothing was found; prints what libFuzzer counted."""
    kept, found = folders(name)
    done = subprocess.run([*command(name, f"-max_total_time={seconds}", "-print_final_stats=1"),
                           found, kept], text=True, errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    stats = dict(re.findall(r"^stat::(\w+): +(\d+)", done.stdout, re.M))
    cover = re.findall(r"cov: (\d+) ft: (\d+)", done.stdout) or [("0", "0")]
    print(f"{'ok  ' if done.returncode == 0 else 'FAIL'} {name}: "
          f"{stats.get('number_of_executed_units', '?')} inputs, "
          f"{cover[-1][0]} edges, {cover[-1][1]} features, "
          f"{len(os.listdir(found))} new, {stats.get('peak_rss_mb', '?')} MB", flush=True)
    if done.returncode:
        print("    " + "\n    ".join(done.stdout.splitlines()[-60:]), flush=True)
    return done.returncode == 0


def merge(name):
    kept, found = folders(name)
    before = set(os.listdir(kept))
    fresh = f"{kept}.new"
    os.makedirs(fresh)
    subprocess.run([*command(name, "-merge=1"), fresh, kept, found], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for path in before:  # what once broke a target stays, whatever it covers
        if path.startswith("crash-"):
            os.rename(f"{kept}/{path}", f"{fresh}/{path}")
        else:
            os.unlink(f"{kept}/{path}")
    os.rmdir(kept)
    os.rename(fresh, kept)
    size = sum(os.path.getsize(f"{kept}/{p}") for p in os.listdir(kept))
    print(f"{name}: {len(before)} inputs before, {len(os.listdir(kept))} now, {size} bytes")


def main():
    os.chdir(ROOT)
    words = [a for a in sys.argv[2:] if not a.startswith("--")]
    seconds = [int(a[10:]) for a in sys.argv[2:] if a.startswith("--seconds=")]
    names = targets(words)
    if not names or sys.argv[1] not in ("run", "merge"):
        sys.exit(__doc__)
    if sys.argv[1] == "merge":
        for name in names:
            merge(name)
        return
    good = [fuzz(name, seconds[-1] if seconds else 60) for name in names]
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed")
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
