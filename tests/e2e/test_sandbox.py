#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The agent's sandbox (issue 4, item 10), on a live agent.

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]

Passes when all of its threads have three capabilities, no new privileges and a filter of system
calls, and it nevertheless does all that it has to once it runs: attaches a port that comes back,
writes rules and rates, answers questions with programs of its own, reads its tables; and when it
starts, and starts again, with no more rights than its systemd unit leaves it.
"""
import glob
import json
import re

import frames as f
from check import equal, expect, main, test
from client import ACTIVATED
from lab import FAR, NVE1, RED, RED_VNI, Netns, crosses, vn
from netlab import ROOT, wait_for

VM, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:09:09"
CAPS = {"cap_net_admin": 12, "cap_perfmon": 38, "cap_bpf": 39}
KEPT = sum(1 << number for number in CAPS.values())
NO_SSH = {"name": "p", "default": "allow",
          "acl": [{"action": "deny", "protocol": "tcp", "dst_ports": "22"}]}
NO_TELNET = {**NO_SSH, "acl": [{"action": "deny", "protocol": "tcp", "dst_ports": "23"}]}


class World:
    pass


def unit():
    with open(f"{ROOT}/agent/nved.service.in", encoding="utf-8") as file:
        return file.read()


def as_the_unit_has_it():
    """What systemd does to its rights, done by setpriv."""
    caps = re.search(r"^CapabilityBoundingSet=(.*)$", unit(), re.M)[1].lower().split()
    bounding = ",".join(["-all"] + [f"+{c.removeprefix('cap_')}" for c in caps])
    return ["setpriv", "--bounding-set", bounding, "--inh-caps", "-all", "--no-new-privs"]


def build(lab):
    w = World()
    w.lab, w.hv, far = lab, Netns("hv"), lab.far_end()
    red = {**vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)]), "profile": "p"}
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [red], profiles=[NO_SSH])
    w.trunk, w.inside = w.hv.tap("nve1-p1"), far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    far.remote(RED_VNI, VM, NVE1)
    w.c = w.nve.client
    w.tag = w.c.activate(1, "p1", "red", [f"{VM}/10.0.0.1"]).tag
    wait_for("the next hop", lambda: reaches_far(w))
    return w


def reaches_far(w):
    token = f.token()
    w.trunk.send(f.tagged(f.plain(VM, FAR_MAC, token), w.tag))
    return w.inside.find(token)


def passes(w):
    token = f.token()
    frame = f.plain(VM, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)


def statuses(agent):
    for path in glob.glob(f"/proc/{agent.proc.pid}/task/*/status"):
        with open(path, encoding="ascii") as file:
            yield dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def check_threads(agent):
    threads = list(statuses(agent))
    expect(len(threads) > 1, "gRPC has threads of its own")
    for status in threads:
        equal(int(status["CapEff"], 16), KEPT, "effective capabilities")
        equal(int(status["CapPrm"], 16), KEPT, "permitted capabilities")
        equal(int(status["CapBnd"], 16) & ~KEPT & bounding_left(agent), 0, "bounding set")
        equal((int(status["CapInh"], 16), int(status["CapAmb"], 16)), (0, 0), "inheritable")
        equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "no_new_privs and seccomp")


def bounding_left(agent):
    """Who starts without CAP_SETPCAP cannot narrow the set that systemd gave."""
    return ~0 if not agent.wrap else ~(1 << 21)


@test
def every_thread_has_three_capabilities_no_new_privs_and_a_filter(w):
    check_threads(w.nve)


@test
def a_port_that_comes_back_is_attached_and_forwards_again(w):
    w.nve.ns.run(["ip", "link", "set", "p1", "down"])
    w.nve.ns.run(["ip", "link", "set", "p1", "up"])
    wait_for("frames to pass again", lambda: reaches_far(w))


@test
def rules_are_changed_inside(w):
    w.nve.profiles = [NO_TELNET]
    w.nve.hup(w.nve.vns)
    wait_for("the new rules", lambda: "23" in json.dumps(w.c.table("acl")))
    passes(w)


@test
def why_loads_its_programs_and_answers(w):
    frame = f.plain(VM, FAR_MAC, f.token())
    got = json.loads(w.nve.ctl("-o", "json", "why", "--port", "p1", "--vn", "red", "--hex",
                               frame.hex()))
    equal((got["verdict"], got["out_vtep"]), ("VERDICT_FORWARDED", FAR), "verdict")


@test
def tables_are_dumped_with_their_fields_named(w):
    for table in ("src", "fdb", "tsi", "vap", "acl"):
        rows = json.loads(w.nve.ctl("-o", "json", "table", table))
        expect(rows, f"{table} is empty")


@test
def it_starts_twice_with_what_the_unit_leaves_it(w):
    w.nve.wrap = as_the_unit_has_it()
    for _ in range(2):
        equal(w.nve.stop(), 0, "exit code")
        w.nve.start()
        check_threads(w.nve)
        equal(w.c.tsi(1, "p1").state, ACTIVATED, "the TSI")
        passes(w)


if __name__ == "__main__":
    main(build)
