#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Admin.Plan and nvectl plan on a live agent with eBPF (issue 4, 5): the answer, and no trace."""
import hashlib
import json
import os
import subprocess

import grpc

from agent import HASHES, NVECTL
from check import equal, expect, main, test
from client import ACTIVATED, addresses, key, pb, vn_ref
from lab import FAR, FAR2, NVE1, Netns, vn
from nve.v1 import plan_pb2, reason_pb2

LIMITS = {"tsis": 300, "addresses": 1000, "vns": 4}


class World:
    pass


def build(lab):
    w = World()
    vns = [vn(100 + i, 5100 + i, vteps=[FAR, FAR2],
              mappings=[("02:00:00:00:09:09", None, FAR)]) for i in range(6)]
    w.nve = lab.nve("nve1", NVE1, {"p1": Netns("hv")}, vns, limits=LIMITS)
    w.c = w.nve.client
    w.c.activate(1, "p1", 100, ["02:00:00:00:00:01/10.0.0.1"])
    w.c.associate(2, "p1", 101, ["02:00:00:00:00:02"])
    return w


def fingerprint(w):
    """Of the agent's lists, the store's file and each map of the datapath, byte for byte."""
    parts = [t.SerializeToString(deterministic=True) for t in timeless(w.c.tsis())]
    parts += [v.SerializeToString(deterministic=True) for v in w.c.vaps()]
    parts += ["\n".join(w.nve.sql(f"SELECT * FROM {t}")).encode() for t in ("tsi", "vap", "tag")]
    parts += [json.dumps(sorted(map(str, w.nve.dump(name)))).encode() for name in HASHES]
    parts += [subprocess.run(["bpftool", "-j", "map", "dump", "pinned", w.nve.pin(name)],
                             check=True, stdout=subprocess.PIPE).stdout for name in ("tsi", "vtep")]
    for suffix in ("", "-wal"):
        with open(f"{w.nve.dir}/nved.db{suffix}", "rb") as f:
            parts.append(f.read())
    status = w.c.status()
    counters = {c.name: c.value for c in status.counters if c.name != "turns"}  # a look is one
    parts.append(json.dumps([counters, [(p.name, p.used) for p in status.pools]]).encode())
    return [hashlib.sha256(p).hexdigest() for p in parts]


def timeless(tsis):
    for t in tsis:
        t.state_age_ms = t.timer_left_ms = 0
    return tsis


def plan(w, *steps):
    return w.c.admin.Plan(plan_pb2.PlanRequest(steps=steps), timeout=20)


def many(**kw):
    return plan_pb2.PlanStep(many=plan_pb2.PlanMany(port="p1", **kw))


@test
def a_plan_tells_how_many_fit_and_what_is_full_and_leaves_no_trace(w):
    before = fingerprint(w)
    r = plan(w, many(tsis=298, addresses=3, vn_ids=[100, 101, 102], activate=True))
    expect(r.fits, str(r.results))
    pools = {p.name: (p.used, p.then, p.max) for p in r.pools}
    equal(pools["tsis"], (2, 300, 300), "TSIs")
    equal(pools["addresses"], (2, 2 + 298 * 3, 1000), "addresses")
    equal(pools["table.tsi"][:2], (2, 300), "rows of the TSI table")
    r = plan(w, many(tsis=400, addresses=1, vn_ids=[100]))
    equal([(x.done, x.resource, x.used, x.max) for x in r.results],
          [(298, "tsis", 300, 300)], "400")
    r = plan(w, many(tsis=6, addresses=1, vn_ids=[100, 101, 102, 103, 104, 105]))
    equal([(x.done, x.resource, x.max) for x in r.results], [(4, "vns", 4)], "too many VNs")
    equal(fingerprint(w), before, "core, store and datapath")
    equal(w.c.state(1, "p1"), ACTIVATED, "state")


@test
def the_requests_of_a_plan_are_then_answered_as_it_told(w):
    before = fingerprint(w)
    requests = [pb.ActivateRequest(tsi=key(n, "p1", v), addresses=addresses([a])) for n, v, a in (
        (3, 102, "02:00:00:00:00:03"), (4, 102, "02:00:00:00:00:03"), (5, 103, "02:00:00:00:00:05"),
        (6, 104, "02:00:00:00:00:06"))]
    told = plan(w, plan_pb2.PlanStep(vn_connect=pb.VnConnectRequest(
        port="p1", vn=vn_ref(102)).SerializeToString()),
                *(plan_pb2.PlanStep(activate=r.SerializeToString()) for r in requests))
    equal(fingerprint(w), before, "core, store and datapath")
    equal([reason_pb2.Reason.Name(x.reason)[7:] for x in told.results],
          ["OK", "OK", "ADDRESS_IN_USE", "OK", "NO_RESOURCES"], "reasons")
    equal(w.c.vn_connect("p1", 102).tag, told.results[0].tag, "tag")
    for request, x in zip(requests, told.results[1:]):
        try:
            equal((w.c.signaling.Activate(request, timeout=10).tag, 0), (x.tag, x.reason), "reply")
        except grpc.RpcError as e:
            expect(x.message and x.message in e.details(), f"told {x.message}, got {e.details()}")


@test
def nvectl_plan_prints_a_table_or_json_and_its_exit_code_is_the_answer(w):
    out = w.nve.ctl("plan", "--port", "p1", "--vn", "100", "--tsis", "5", "--addresses", "2")
    expect(out.startswith("fits: 5 of 5 TSIs\n\nPOOL"), out)
    words = [NVECTL, "-s", f"unix:{w.nve.socket}", "-o", "json", "plan", "--port", "p1", "--vn",
             "100", "--tsis", "1000"]
    r = subprocess.run(words, stdout=subprocess.PIPE, text=True, env=os.environ, check=False)
    equal(r.returncode, 1, "exit code")
    answer = json.loads(r.stdout)
    equal(answer["results"][0]["resource"], "tsis", "resource")


if __name__ == "__main__":
    main(build)
