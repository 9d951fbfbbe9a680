#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sudo make bench-control: what the agent does, each figure beside what it is compared with.

    tests/bench/control/control.py [--rounds=N] [GROUP]...    groups: rate latency tls scale

Prints a table and writes build/bench-control.json, in the form of the datapath's bench.json.  The
agent runs with the real datapath in a namespace, its store on this machine's disk.  Exits with 0
when all was measured, whether or not the targets are met: the table says which are.
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "../../e2e")]

from netlab import ROOT, enter  # noqa: E402
import bench as datapath_bench  # noqa: E402
import groups  # noqa: E402

ROUNDS = {"rate": 7, "latency": 7, "tls": 7, "scale": 3}


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    rounds = [int(w.removeprefix("--rounds=")) for w in sys.argv[1:] if w.startswith("--rounds=")]
    enter()
    results = []
    for name in words or groups.ALL:
        results += groups.ALL[name](rounds[0] if rounds else ROUNDS[name], datapath_bench.say)
    with open(f"{ROOT}/build/bench-control.json", "w", encoding="utf-8") as f:
        json.dump([figure.json() for figure in results], f, indent=1)
        f.write("\n")
    print(datapath_bench.machine())
    for figure in results:
        print(datapath_bench.row(figure))


if __name__ == "__main__":
    main()
