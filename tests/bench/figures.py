# SPDX-License-Identifier: Apache-2.0
"""The figures: each runs its contestants by turns, round after round, and takes medians."""
import statistics

import before
import links
from links import Pair, bench, bridge_ns, engine_ns, rate

WAYS, SIZES = ("encap", "decap"), (64, 1500)


class Figure:
    """One row: 'value' is ours, 'against' names what stands beside it; the target bounds their
    ratio from below, or from above for costs."""

    def __init__(self, ident, value, unit, against, against_value, rounds, at_least=None,
                 at_most=None):
        self.id, self.value, self.unit = ident, value, unit
        self.against, self.against_value, self.rounds = against, against_value, rounds
        self.at_least, self.at_most = at_least, at_most
        self.ratio = value / against_value

    def met(self):
        return ((self.at_least is None or self.ratio >= self.at_least)
                and (self.at_most is None or self.ratio <= self.at_most))

    def json(self):
        names = "id value unit against against_value ratio rounds".split()
        return {n: round(x, 4) if isinstance(x := getattr(self, n), float) else x for n in names}


def by_turns(rounds, contestants, say):
    """{name: median} of {name: function}; all of them run in each round."""
    seen = {name: [] for name in contestants}
    for number in range(rounds):
        say(f"round {number + 1} of {rounds}")
        for name, run in contestants.items():
            seen[name].append(run())
    return {name: statistics.median(values) for name, values in seen.items()}


def forwarding(rounds, say):
    """XDP, small and large frames, 8 VNs, 256 TSIs, MACs and IPs filtered, on one core."""
    spaces = {"nve": engine_ns("xdp"), "bridge": bridge_ns("bridge")}
    spaces["null"] = spaces["nve"]
    figures = []
    for way in WAYS:
        for size in SIZES:
            def run(engine, way=way, size=size):
                keys = {"vni_step": 0} if engine == "bridge" else {}
                return rate(spaces[engine], engine, way=way, size=size, **keys)
            m = by_turns(rounds, {n: (lambda n=n: run(n)) for n in spaces},
                         lambda text, what=f"XDP {way} {size} B": say(f"{what}, {text}"))
            least = {"null": 0.72 if way == "encap" else 0.82, "bridge": 4}
            figures += [Figure(f"xdp_{way}_{size}_vs_{n}", m["nve"], "Mpps", TITLES[n], m[n],
                               rounds, at_least=least[n]) for n in TITLES]
    return figures


TITLES = {"null": "XDP null forward", "bridge": "bridge + vxlan"}
COUNTS = (1, 1024, 131072, 1048576)


def cost(rounds, say):
    """ns a frame, each frame of another TSI, against the same at 1024 TSIs."""
    ns = engine_ns("cost", ports=len(COUNTS))
    figures = []
    for way in WAYS:
        say(f"test runs of {way}, tables of up to a million TSIs")
        rows = bench(ns, "cost", timeout=600, way=way, rounds=rounds,
                     list=",".join(map(str, COUNTS)))
        if any(row["drops"] for row in rows):
            raise links.Failure(f"{way}: frames were dropped, so this is no measurement")
        m = {n: statistics.median(r["with"] - r["without"] for r in rows if r["tsis"] == n)
             for n in COUNTS}
        most = {131072: 3.0, 1048576: 4.5}
        figures += [Figure(f"test_run_{way}_{n}_tsis", m[n], "ns", "itself at 1024 TSIs", m[1024],
                           rounds, at_most=most.get(n)) for n in COUNTS]
    return figures


def bulk(rounds, say):
    """Bulk TCP through two NVEs in TC mode."""
    pairs = {"veth": Pair("plain").plain(), "bridge": Pair("br").bridged(),
             "nve": Pair("tc").nve()}
    m = by_turns(rounds, {n: (lambda p=p: p.gbits(2)) for n, p in pairs.items()},
                 lambda text: say(f"bulk TCP, {text}"))
    for pair in pairs.values():
        pair.close()
    return [Figure("tc_bulk_tcp_vs_veth", m["nve"], "Gbit/s", "plain veth", m["veth"], rounds,
                   at_least=0.68),
            Figure("tc_bulk_tcp_vs_bridge", m["nve"], "Gbit/s", TITLES["bridge"], m["bridge"],
                   rounds, at_least=1.05)]


def flood(rounds, say):
    """Copies of broadcast frames to 8 and 64 VTEPs."""
    figures = []
    for n in (8, 64):
        spaces = {"nve": engine_ns(f"bum{n}", n), "bridge": bridge_ns(f"brbum{n}", n, flood=True)}
        # A veth holds 256 frames: so many copies must not come at once.
        keys = {"way": "bum", "vns": 1, "tsis": 1, "vteps": n, "batch": 128 // n, "mode": "tc"}
        m = by_turns(rounds, {e: (lambda e=e: rate(spaces[e], e, **keys)) for e in spaces},
                     lambda text, n=n: say(f"BUM to {n} VTEPs, {text}"))
        figures.append(Figure(f"tc_bum_{n}_vteps", m["nve"], "M copies/s",
                              "vxlan device, default destinations", m["bridge"], rounds,
                              at_least=0.9))
    return figures


def unused(rounds, say):
    """What nobody uses costs nothing: today against the datapath before the features."""
    then = before.build(say)
    if not then:
        return []
    programs, figures = (links.BENCH, then), []
    live, cost_ns = engine_ns("unused"), engine_ns("unusedcost")
    for way in WAYS:
        now, was = before.contest(rounds, say, f"features unused, XDP {way}",
                                  lambda p, way=way: rate(live, "nve", program=p, way=way,
                                                          size=64), programs)
        figures.append(Figure(f"unused_xdp_{way}_64", now, "Mpps", "before the features", was,
                              rounds, at_least=0.97))
        now, was = before.contest(rounds, say, f"features unused, test run {way}",
                                  lambda p, way=way: before.cost(cost_ns, p, way), programs)
        figures.append(Figure(f"unused_test_run_{way}_1024_tsis", now, "ns", "before the features",
                              was, rounds, at_most=1.03))
    return figures


ALL = {"forwarding": forwarding, "cost": cost, "bulk": bulk, "flood": flood,
       "unused": unused}
