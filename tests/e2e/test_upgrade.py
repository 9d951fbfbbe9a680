#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Another build of the agent takes over, and back, while frames flow: not one is lost.

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]

Passes when every frame arrives exactly once, while builds with other programs, and with another
layout of the maps, take each other's place, some of them after kill -9; when programs and maps are
seen to be others then; and when a build that is too old for maps or store says so, and leaves them
as they are, frames passing.
"""
import glob
import json
import os
import subprocess

import frames as f
from agent import BUILD, NVED
from check import equal, expect, main, test
from client import ACTIVATED, ASSOCIATED
from lab import FAR, NVE1, RED, RED_VNI, Netns, vn
from netlab import sh, wait_for
from stream import Stream

NEWER, NEXT = f"{BUILD}/newer/nved", f"{BUILD}/next/nved"
VM, SHUT, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:09:09"
LEAST = 20000  # frames, after the last change


class World:
    pass


def build(lab):
    w = World()
    w.hv, far, w.mode = Netns("hv"), lab.far_end(), lab.mode
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)])])
    w.trunk, w.inside = w.hv.tap("nve1-p1"), far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    far.remote(RED_VNI, VM, NVE1)
    w.c = w.nve.client
    w.tag = w.c.activate(1, "p1", "red", [VM]).tag
    w.c.associate(2, "p1", "red", [SHUT])
    frame = f.plain(VM, FAR_MAC, b"", 60)
    w.sends = [(w.trunk, f.tagged(frame, w.tag)), (w.inside, f.plain(FAR_MAC, VM, b"", 60))]
    wait_for("the next hop", lambda: (w.trunk.send(f.tagged(frame + b"warm", w.tag)),
                                      w.inside.find(b"warm"))[1])
    return w


def programs(w):
    """What hangs at the ports: {pinned link: (id of its program, tag)}."""
    out = {}
    for pin in sorted(glob.glob(f"{w.nve.pins}/{'xdp' if w.mode == 'xdp' else 'tc'}_*")):
        link = json.loads(sh(f"bpftool -j link show pinned {pin}"))
        prog = json.loads(sh(f"bpftool -j prog show id {link['prog_id']}"))
        out[os.path.basename(pin)] = prog["id"], prog["tag"]
    return out


def maps(w):
    """{pinned map: id}"""
    pins = [p for p in glob.glob(f"{w.nve.pins}/*") if os.path.basename(p).startswith("nve_")]
    return {os.path.basename(p): json.loads(sh(f"bpftool -j map show pinned {p}"))["id"]
            for p in pins}


def state_is_kept(w):
    equal((w.c.state(1, "p1"), w.c.state(2, "p1")), (ACTIVATED, ASSOCIATED), "states")
    with w.nve.dropping("SRC_INACTIVE", tsi=2):
        w.trunk.send(f.tagged(f.plain(SHUT, FAR_MAC, f.token()), w.tag))


def take_over(w, binary, kill=False):
    if kill:
        w.nve.kill()
    else:
        equal(w.nve.stop(), 0, "exit code")
    w.nve.binary = binary
    w.nve.start()
    if binary != NVED:
        equal(w.c.status().version, binary.split("/")[-2], "version")


def none_lost(stream):
    r = stream.result
    print(f"    {r['sent']} frames at {r['kpps']:.0f} kpps")
    equal((r["n_lost"], r["n_twice"]), (0, 0), f"lost (first: {r['lost']}) and doubled")


@test
def a_newer_build_replaces_the_programs_and_an_older_one_puts_them_back(w):
    before, pinned = programs(w), maps(w)
    with Stream(w.sends, [w.trunk, w.inside], LEAST) as stream:
        take_over(w, NEWER)
        newer = programs(w)
        take_over(w, NVED, kill=True)
    none_lost(stream)
    after = programs(w)
    equal(before.keys(), newer.keys(), "links")
    for link, (number, _) in newer.items():
        expect(number not in (before[link][0], after[link][0]), f"{link} has a program of its own")
        equal(after[link][1], before[link][1], f"tag at {link} after the way back")
    expect(any(newer[link][1] != before[link][1] for link in before), "the newer build's differ")
    equal(maps(w), pinned, "maps, which are the same all the time")
    state_is_kept(w)


def refused(w, code, *texts):
    """The agent does not start, and says why."""
    done = subprocess.run([*w.nve.ns.prefix, NVED, "-c", f"{w.nve.dir}/nved.yaml"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20,
                          check=False)
    equal(done.returncode, code, f"exit code of the old build, which said: {done.stdout}")
    for text in texts:
        expect(text in done.stdout, f"'{text}' in {done.stdout}")


@test
def a_store_of_a_newer_schema_is_refused_and_left_as_it_is(w):
    equal(w.nve.stop(), 0, "exit code")
    db = f"{w.nve.dir}/nved.db"
    was = sh(["sqlite3", db, "PRAGMA user_version"]).strip()
    sh(["sqlite3", db, "PRAGMA user_version = 99"])
    with open(db, "rb") as file:
        before = file.read()
    with Stream(w.sends, [w.trunk, w.inside], LEAST) as stream:
        refused(w, 6, "schema 99 is newer")
    none_lost(stream)
    with open(db, "rb") as file:
        equal(file.read() == before, True, "the store is untouched")
    sh(["sqlite3", db, f"PRAGMA user_version = {was}"])
    w.nve.start()
    state_is_kept(w)


@test
def a_build_with_another_layout_replaces_the_maps_and_no_frame_is_lost(w):
    before, pinned = programs(w), maps(w)
    with Stream(w.sends, [w.trunk, w.inside], LEAST) as stream:
        take_over(w, NEXT, kill=True)
    none_lost(stream)
    after = maps(w)
    equal(after.keys(), pinned.keys(), "maps")
    equal({name for name in after if after[name] == pinned[name]}, set(), "maps that are the same")
    expect(all(programs(w)[link] != before[link] for link in before), "all programs are others")
    state_is_kept(w)
    token = f.token()
    w.c.activate(3, "p1", "red", ["02:00:00:00:01:03"])
    w.trunk.send(f.tagged(f.plain("02:00:00:00:01:03", FAR_MAC, token), w.tag))
    w.inside.wait(token, what="a frame of a TSI that is activated now")


@test
def an_older_build_is_refused_by_that_layout_and_leaves_it_as_it_is(w):
    equal(w.nve.stop(), 0, "exit code")
    before, pinned = programs(w), maps(w)
    with Stream(w.sends, [w.trunk, w.inside], LEAST) as stream:
        refused(w, 5, "are of version 1000", "run the newer agent")
        equal((programs(w), maps(w)), (before, pinned), "programs and maps")
        w.nve.start()
    none_lost(stream)
    equal(maps(w), pinned, "maps, which the newer agent takes over")
    state_is_kept(w)


@test
def flush_makes_way_for_the_older_build(w):
    equal(w.nve.stop(), 0, "exit code")
    w.nve.ns.run([NVED, "-c", f"{w.nve.dir}/nved.yaml", "--flush"])
    equal(os.path.exists(w.nve.pins), False, "the pin directory is there")
    w.nve.binary = NVED
    w.nve.start()
    state_is_kept(w)
    with Stream(w.sends, [w.trunk, w.inside], LEAST) as stream:
        pass
    none_lost(stream)


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
