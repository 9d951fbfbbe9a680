#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The datapath is held to the intent, whoever writes to it (D11, D18).

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN, VNI 5100]

bpftool spoils maps, detaches programs and removes pins behind the agent's back.  Passes when
'nvectl diff' tells each, 'nvectl diff --repair' and the agent in the background mend them, nothing
else is touched, frames that are not concerned pass throughout, and 'nvectl doctor' says what is
wrong also where no agent runs.
"""
import json
import os
import subprocess

import frames as f
from agent import NVECTL
from check import equal, expect, main, test
from client import ACTIVATED
from lab import FAR, NVE1, RED, RED_VNI, Netns, crosses, vn
from netlab import sh, wait_for

VM, OTHER, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:09:09"


class World:
    pass


def build(lab):
    w = World()
    w.mode = lab.mode
    w.hv = Netns("hv")
    w.far = lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, "10.0.0.9", FAR)])], check={"interval_s": 0})
    w.trunk = w.hv.tap("nve1-p1")
    w.inside = w.far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    w.nve.client.associate(1, "p1", "red", [f"{VM}/10.0.0.1"])
    w.tag = w.nve.client.activate(1, "p1", RED).tag
    w.nve.client.associate(2, "p1", "red", [f"{OTHER}/10.0.0.2"])
    equal(w.nve.client.activate(2, "p1", RED).state, ACTIVATED, "state")
    return w


def passes(w, mac):
    token = f.token()
    frame = f.plain(mac, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)


def run(w, *words, server=None):
    """(exit code, what it printed, as JSON)"""
    done = subprocess.run([NVECTL, "-s", server or f"unix:{w.nve.socket}", *words, "-o", "json"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    expect(done.stdout, f"nvectl {words} printed nothing ({done.returncode}): {done.stderr}")
    return done.returncode, json.loads(done.stdout)


def diff(w, *words):
    code, found = run(w, "diff", *words)
    equal(code, 1 if found else 0, "exit code")
    return sorted((d["table"], d["kind"].removeprefix("DIFFERENCE_KIND_"), d["mended"])
                  for d in found)


def rows(w, table):
    """[(key, value)], each a list of bytes as bpftool wants them."""
    return [(r["key"], r.get("value")) for r in
            json.loads(sh(f"bpftool -j map dump pinned {w.nve.pin(table)}"))]


def hexes(values):
    return [v.removeprefix("0x") for v in values]


def delete(w, table, row):
    sh(["bpftool", "map", "delete", "pinned", w.nve.pin(table), "key", "hex", *hexes(row[0])])


def update(w, table, key, value):
    sh(["bpftool", "map", "update", "pinned", w.nve.pin(table), "key", "hex", *hexes(key), "value",
        "hex", *hexes(value)])


def flipped(values, at):
    return [*values[:at], f"0x{int(values[at], 16) ^ 1:02x}", *values[at + 1:]]


def of_vm(w, table, mac):
    """The row whose key has the MAC: behind ifindex and tag in src, behind the VN in fdb."""
    want = [f"0x{x}" for x in mac.split(":")]
    return next(r for r in rows(w, table) if want in (r[0][4:10], r[0][6:12]))


def spoil_some(w):
    """A row of src is gone, one of fdb is another, one of peer is foreign; what diff must say."""
    delete(w, "src", of_vm(w, "src", VM))
    key, value = of_vm(w, "fdb", VM)
    update(w, "fdb", key, flipped(value, 0))
    key, value = rows(w, "peer")[0]
    update(w, "peer", flipped(key, 19), value)
    return [("fdb", "DIFFERS"), ("peer", "FOREIGN"), ("src", "MISSING")]


@test
def without_a_difference_diff_says_so_and_exits_with_0(w):
    passes(w, VM)
    equal(diff(w), [], "differences")
    expect("no differences" in w.nve.ctl("diff"), "the table for people")


@test
def rows_spoilt_by_bpftool_are_told_and_left_alone_without_repair(w):
    want = [(t, k, False) for t, k in spoil_some(w)]
    equal(diff(w), want, "differences")
    equal(diff(w), want, "differences, again")
    passes(w, OTHER)


@test
def repair_mends_them_and_nothing_else(w):
    before = {t: rows(w, t) for t in ("src", "fdb", "peer", "flood")}
    equal([d[2] for d in diff(w, "--repair")], [True] * 3, "mended")
    after = {t: rows(w, t) for t in before}
    equal(len(after["src"]), len(before["src"]) + 1, "rows of src")
    equal(len(after["peer"]), len(before["peer"]) - 1, "rows of peer")
    equal(sorted(map(str, after["flood"])), sorted(map(str, before["flood"])), "flood")
    equal(diff(w, "--repair"), [], "the second time")
    passes(w, VM)


def links(w, hook):
    ifindex = w.nve.ns.ifindex("p1")
    return f"{w.nve.pins}/{hook}_{ifindex}"


def detach(w):
    """The program that takes frames at p1, by its pinned link."""
    path = links(w, "xdp" if w.mode == "xdp" else "tc")
    w.nve.ns.run(["bpftool", "link", "detach", "pinned", path])


@test
def a_program_that_was_detached_is_told_and_attached_again(w):
    detach(w)
    equal(diff(w)[:1], [("program", "MISSING", False)], "differences")
    code, found = run(w, "doctor")
    equal(code, 2, "exit code of doctor")
    told = [x for x in found if x["check"] == "attached"]
    equal([x["health"] for x in told], ["HEALTH_FAIL"], "of what is attached")
    expect("--repair" in told[0]["remedy"], "the remedy")
    expect(("program", "MISSING", True) in diff(w, "--repair"), "it is mended")
    equal(diff(w), [], "differences after that")
    passes(w, VM)


@test
def pins_that_were_removed_come_back(w):
    os.unlink(w.nve.pin("fdb"))
    os.unlink(links(w, "tc"))
    equal(diff(w), [("pin", "MISSING", False)] * 2, "differences")
    equal(diff(w, "--repair"), [("pin", "MISSING", True)] * 2, "mended")
    expect(of_vm(w, "fdb", VM), "the pinned map has its rows")
    equal(diff(w), [], "differences after that")


@test
def the_agent_mends_in_the_background_and_counts_it(w):
    w.nve.config["check"] = {"interval_s": 1, "rows_per_s": 1000000}
    w.nve.write_config()
    equal(w.nve.stop(), 0, "exit code")
    w.nve.start()
    spoilt = spoil_some(w)

    def mended():
        status = run(w, "status")[1]
        got = {c["table"]: c["mended"] for c in status["table_checks"]}
        return all(got.get(t) == 1 for t, _ in spoilt)
    wait_for("the background check", mended, 10)
    passes(w, VM)
    equal(diff(w), [], "differences")
    log = w.nve.log()
    for table, kind in spoilt:
        expect(f"datapath_differs table={table} row={kind.lower()}" in log, f"{table} is logged")
    expect("fdb" in w.nve.ctl("status"), "the status for people has the table")
    detach(w)
    wait_for("the program to be back", lambda: "program" in
             [c["table"] for c in run(w, "status")[1]["table_checks"]], 10)
    passes(w, VM)


@test
def the_doctor_finds_a_healthy_agent_healthy_but_for_what_was_mended(w):
    found = run(w, "doctor")[1]
    bad = [x for x in found if x["health"] == "HEALTH_FAIL"
           and x["check"] not in ("clock", "disk", "store")]
    equal(bad, [], "what fails")
    names = {x["check"] for x in found}
    want = {"kernel", "btf", "bpf", "bpffs", "capabilities", "nofile", "mode", "attached", "room",
            "tables", "interface", "mtu", "store", "nva"}
    equal(want - names, set(), "checks that are missing")
    expect(all(x["remedy"] for x in found if x["health"] != "HEALTH_OK"), "each has a remedy")


@test
def without_an_agent_the_doctor_looks_for_itself(w):
    broken = f"{w.nve.dir}/broken.yaml"
    with open(broken, "w", encoding="utf-8") as out:
        out.write("local_vtep: 192.0.2.1\nnva: {source: /nowhere/vns.yaml}\n"
                  "pin_dir: /run/nowhere\nstore: {path: /run/nowhere/nved.db}\n"
                  "listeners: ['unix:/run/x.sock']\n"
                  "ports: [{name: u, ifname: gone0, role: underlay},\n"
                  "        {name: p, ifname: gone1, role: access}]\n")
    code, found = run(w, "doctor", "-c", broken, server="unix:/run/nobody.sock")
    equal(code, 2, "exit code")
    failed = {x["check"] for x in found if x["health"] == "HEALTH_FAIL"}
    expect({"agent", "bpffs", "store", "nva", "interface"} <= failed, f"found only {failed}")
    code, found = run(w, "doctor", "-c", "/run/none.yaml", server="unix:/run/nobody.sock")
    expect("configuration" in {x["check"] for x in found if x["health"] == "HEALTH_FAIL"},
           "the configuration that is not there")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
