# SPDX-License-Identifier: Apache-2.0
"""What the features that came later cost where nobody uses them: the datapath of today against
that of the commit before the first of them, built from the repository's history."""
import os
import statistics
import subprocess
import sys

import links
from links import bench, engine_ns, rate
from netlab import ROOT

# The first datapath that this benchmark can drive: VXLAN over IPv4, and no option of a VN or TSI.
COMMIT = "f568932e2f323b2e2c775fa8be53542425d24253"
TREE = f"{ROOT}/build/bench/before"


def build(say):
    """The path of its benchmark program, or None where the history does not reach so far."""
    path = f"{TREE}/build/release/bench"
    if os.path.exists(path):
        return path
    known = subprocess.run(["git", "-C", ROOT, "cat-file", "-e", f"{COMMIT}^{{commit}}"],
                           stderr=subprocess.DEVNULL, check=False)
    if known.returncode:
        say(f"commit {COMMIT[:7]} is not in this clone, so nothing is compared with it: fetch the "
            f"whole history (git fetch --unshallow)")
        return None
    say(f"building the datapath of commit {COMMIT[:7]}")
    os.makedirs(TREE, exist_ok=True)
    tar = subprocess.run(["git", "-C", ROOT, "archive", COMMIT], stdout=subprocess.PIPE, check=True)
    subprocess.run(["tar", "x", "-C", TREE], input=tar.stdout, check=True)
    subprocess.run(["make", "-s", "-C", TREE, "build/release/bench"], stdout=sys.stderr, check=True)
    return path


def cost(ns, program, way):
    row, = bench(ns, "cost", program=program, way=way, rounds=1, list=1024)
    if row["drops"]:
        raise links.Failure(f"{way}: frames were dropped, so this is no measurement")
    return row["with"] - row["without"]


def contest(rounds, say, what, run, programs):
    """Medians of today and then; who goes first alternates."""
    seen = {p: [] for p in programs}
    for number in range(rounds):
        say(f"{what}, round {number + 1} of {rounds}")
        for program in programs[::-1 if number % 2 else 1]:
            seen[program].append(run(program))
    return [statistics.median(seen[p]) for p in programs]
