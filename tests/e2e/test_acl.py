#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of a VN's profile (S3, S56, S61, S78, S81).

    vm-a ==hv1==[p1 nve1 eth0]-- wire --[eth0 nve2 p1]==hv2== vm-b        vm-c ==hv1 (nve1)

Passes when ping gets through, TCP to port 22 does not and to port 7777 does; the rules' counters
say so; new rules hold from the next SIGHUP on, without a frame lost that both allow; a file of 4097
rules changes nothing; 4096 rules decide as one would; and the rules go with the VN.
"""
import json
import os
import subprocess
import sys

from check import equal, expect, main, test
from lab import BLUE, BLUE_VNI, NVE1, NVE2, RED, RED_VNI, transfer, vn
from netlab import wait_for

A, B, C = "02:00:00:00:01:01", "02:00:00:00:02:01", "02:00:00:00:01:02"
SSH = {"action": "deny", "protocol": "tcp", "dst_ports": "22"}
PING = {"action": "allow", "protocol": "icmp", "src": "10.0.0.0/24"}
ARP = {"action": "allow", "ethertype": "arp"}


class World:
    pass


def vns(local):
    other = NVE2 if local == NVE1 else NVE1
    where = [(A, "10.0.0.1", NVE1), (B, "10.0.0.2", NVE2), (C, "10.0.0.3", NVE1)]
    return [{**vn(RED, RED_VNI, "red", [other], [x for x in where if x[2] != local]),
             "profile": "gold"},
            vn(BLUE, BLUE_VNI, "blue", [other])]


def gold(rules, default="allow"):
    return [{"name": "gold", "default": default, "acl": rules}]


def build(lab):
    w = World()
    w.hv = [lab.hypervisor("hv1"), lab.hypervisor("hv2")]
    w.nve = [lab.nve("nve1", NVE1, {"p1": w.hv[0]}, vns(NVE1), profiles=gold([PING, SSH])),
             lab.nve("nve2", NVE2, {"p1": w.hv[1]}, vns(NVE2), profiles=gold([]))]
    w.n = w.nve[0]
    w.c = [n.client for n in w.nve]
    w.tag = [w.c[0].activate(1, "p1", "red", [f"{A}/10.0.0.1"]).tag,
             w.c[1].activate(2, "p1", "red", [f"{B}/10.0.0.2"]).tag]
    w.a = w.hv[0].add_vm("vm-a", A, ["10.0.0.1/24"], w.tag[0])
    w.b = w.hv[1].add_vm("vm-b", B, ["10.0.0.2/24"], w.tag[1])
    return w


def rules(w):
    """Frames by rule; the profile's last is "default"."""
    return {k["rule"]: v["frames"] for k, v in w.n.client.table("acl")}


def load(w, new, default="allow"):
    """SIGHUP; the rules of NVE 1 are these from here on."""
    w.n.profiles = gold(new, default)
    w.n.hup(vns(NVE1))
    wait_for("the rules", lambda: [(v["action"], v.get("dst_ports"), v.get("dst"))
                                   for _, v in w.n.client.table("acl")] ==
             [(r["action"], r.get("dst_ports"), r.get("dst") and r["dst"] + "/32") for r in new] +
             [(default, None, None)])


def ping(w, n=3):
    text = w.a.run(f"ping -c{n} -i0.05 -W2 10.0.0.2")
    return f" {n} received" in text


def knocks(w, port, at=None):
    """Does a TCP connection come about?  There the port is closed, and says so: RST."""
    code = "import socket; socket.create_connection(('10.0.0.2', %d), 0.7)" % port
    return "ConnectionRefusedError" in w.a.run([sys.executable, "-c", code], check=False)


@test
def what_is_allowed_passes_and_what_is_denied_does_not(w):
    expect(ping(w), "ping")
    with w.n.dropping("ACL", 1, tsi=1):  # the SYN; it comes again after a second
        expect(not knocks(w, 22), "TCP to port 22 came through")
    expect(knocks(w, 80), "TCP to port 80")
    transfer(w.a, w.b, "10.0.0.2", os.urandom(2_000_000))


@test
def each_rule_counts_what_it_was_the_first_to_match(w):
    before = rules(w)
    expect(ping(w, 5), "ping")
    got = rules(w)
    equal(got[1] - before[1], 10, "frames of rule 1, there and back")
    equal(got[2] - before[2], 0, "frames of rule 2")
    text = w.n.ctl("profile", "gold")
    expect("PROFILE" in text and "deny" in text and "dst_ports 22" in text, text)
    rows = json.loads(w.n.ctl("-o", "json", "profile", "gold"))
    equal(len(rows["rows"] if isinstance(rows, dict) else rows), 3, "rows of JSON")


@test
def new_rules_hold_after_sighup_and_lose_nothing_that_both_allow(w):
    pinging = w.a.popen(["ping", "-q", "-c100", "-i0.01", "-W2", "10.0.0.2"],
                        stdout=subprocess.PIPE, text=True)
    count = rules(w)[1]
    for i in range(5):
        load(w, [PING, {**SSH, "dst_ports": str(23 + i)}])
        expect(rules(w)[1] >= count, "a rule that stays keeps its count")
    out, _ = pinging.communicate(timeout=20)
    expect(" 100 received" in out, out)
    expect(knocks(w, 22), "port 22 is allowed by now")
    expect(not knocks(w, 27), "port 27 is not")


@test
def without_a_rule_for_it_nothing_passes_a_default_of_deny(w):
    load(w, [ARP], "deny")
    expect(not ping_once(w), "ping came through")
    load(w, [ARP, PING], "deny")
    expect(ping(w), "ping")
    expect(not knocks(w, 80), "TCP came through")


def ping_once(w):
    return " 1 received" in w.a.run("ping -c1 -W1 10.0.0.2", check=False)


@test
def a_file_with_too_many_rules_changes_nothing(w):
    load(w, [PING])
    w.n.profiles = gold([PING] * 4097)
    w.n.hup(vns(NVE1))
    wait_for("the refusal", lambda: "4096 max" in w.n.log())
    equal(len(w.n.client.table("acl")), 2, "rows")
    expect(ping(w), "ping")


@test
def four_thousand_rules_decide_as_one_would(w):
    many = [{"action": "deny", "dst": f"10.7.{i >> 8}.{i & 255}"} for i in range(4095)]
    before = rules(w)[1]  # a rule that stays keeps its count
    w.n.profiles = gold(many + [PING], "deny")
    w.n.hup(vns(NVE1))
    wait_for("the rules", lambda: [v["rules"] for _, v in w.n.client.table("acl_set")] == [4096])
    w.a.run("ip neigh replace 10.0.0.2 lladdr " + B + " dev eth0")
    w.b.run("ip neigh replace 10.0.0.1 lladdr " + A + " dev eth0")
    expect(ping(w), "ping")
    text = w.n.ctl("why", "-p", "p1", "--vn", "red", "--src", f"{A}/10.0.0.1", "--dst",
                   f"{B}/10.0.0.2", "--icmp")
    expect("rule 4096" in text and f"frames {before + 6}," in text,
           f"the last rule took six frames: {text}")
    expect(not knocks(w, 80), "TCP came through")
    load(w, [PING, SSH])


@test
def why_names_the_rule(w):
    text = w.n.ctl("why", "-p", "p1", "--vn", "red", "--src", f"{A}/10.0.0.1", "--dst",
                   f"{B}/10.0.0.2", "--tcp", "--dport", "22", check=False)
    expect("ACL" in text and "gold" in text and "dst_ports" in text, text)


@test
def the_rules_survive_a_restart_and_go_with_the_vn(w):
    before = rules(w)
    w.n.kill()
    w.n.start()
    expect(rules(w)[1] >= before[1], "counters live on")
    expect(ping(w), "ping")
    expect(not knocks(w, 22), "TCP to port 22 came through")
    w.c[0].deactivate(1, "p1", "red")
    equal(len(rules(w)), 3, "rules of a TSI that is not activated stay")
    w.c[0].clear(1, "p1")
    equal(rules(w), {}, "rules without a VN")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
