#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""sudo make bench: what the datapath does, each figure beside what it is compared with.

    tests/bench/bench.py [--rounds=N] [GROUP]...       groups: forwarding cost bulk flood unused

Prints a table, writes build/bench.json and a chart a group below build/bench/.  Exits with 0 when
all was measured, whether or not the targets are met: the table says which are.
"""
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "../e2e")]

from netlab import ROOT, enter  # noqa: E402
import figures  # noqa: E402
import plot  # noqa: E402

ROUNDS = {"forwarding": 15, "cost": 11, "bulk": 9, "flood": 11, "unused": 11}


def say(text):
    print(f"  {text}", file=sys.stderr)


def row(figure):
    wanted = (f">= {figure.at_least}" if figure.at_least else
              f"<= {figure.at_most}" if figure.at_most else "")
    verdict = "" if not wanted else "met" if figure.met() else "MISSED"
    return (f"{figure.id:32} {figure.value:9.3f} {figure.unit:10} "
            f"{figure.against_value:9.3f} {figure.against:36} {figure.ratio:6.3f} "
            f"{wanted:8} {verdict}")


def machine():
    with open("/proc/cpuinfo", encoding="ascii") as f:
        model = next(line.split(":", 1)[1].strip() for line in f if line.startswith("model name"))
    return f"Linux {os.uname().release}, {os.cpu_count()} x {model}"


def main():
    words = [w for w in sys.argv[1:] if not w.startswith("--")]
    rounds = [int(w.removeprefix("--rounds=")) for w in sys.argv[1:] if w.startswith("--rounds=")]
    out = f"{ROOT}/build/bench"
    os.makedirs(out, exist_ok=True)
    enter()
    results = []
    for name in words or figures.ALL:
        group = figures.ALL[name](rounds[0] if rounds else ROUNDS[name], say)
        if not group:
            continue
        with open(f"{out}/{name}.svg", "w", encoding="utf-8") as f:
            f.write(plot.chart(f"{figures.ALL[name].__doc__}  {machine()}", group))
        results += group
    with open(f"{ROOT}/build/bench.json", "w", encoding="utf-8") as f:
        json.dump([figure.json() for figure in results], f, indent=1)
        f.write("\n")
    print(machine())
    for figure in results:
        print(row(figure))


if __name__ == "__main__":
    main()
