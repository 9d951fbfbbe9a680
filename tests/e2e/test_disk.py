#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The store's disk is full, or read-only: refused with a reason and a remedy, frames flow.

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]

The store is on a file system of its own: a small one in memory that is filled up, then one on a
loop device that the kernel makes read-only as it does when a disk fails.  Passes when requests are
refused with STORE_FAILED and change nothing, what expires stays as it is until it can be stored,
keepalives are taken, frames flow, and all goes on without a restart when there is room again; and
when an agent that is started on such a disk says so and leaves the datapath alone.
"""
import glob
import os
import subprocess
import time

import frames as f
from agent import NVED
from check import equal, expect, main, test
from client import ACTIVATED, ASSOCIATED, INIT, Refused, pb
from lab import FAR, NVE1, RED, RED_VNI, Netns, vn
from netlab import STATE, Failure, sh, wait_for
from stream import Stream

VM, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:09:09"
DISK, IMAGE = f"{STATE}/disk", f"{STATE}/image"


class World:
    pass


def build(lab):
    w = World()
    os.makedirs(DISK)
    sh(f"mount -t tmpfs -o size=2m tmpfs {DISK}")
    w.hv, far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)])],
        store={"path": f"{DISK}/nved.db", "durability": "power"})
    w.trunk, w.inside = w.hv.tap("nve1-p1"), far.vn(RED_VNI, FAR_MAC, flood=[NVE1])
    far.remote(RED_VNI, VM, NVE1)
    w.c = w.nve.client
    w.tag = w.c.activate(1, "p1", "red", [VM]).tag
    frame = f.plain(VM, FAR_MAC, b"", 60)
    w.sends = [(w.trunk, f.tagged(frame, w.tag)), (w.inside, f.plain(FAR_MAC, VM, b"", 60))]
    wait_for("the next hop", lambda: (w.trunk.send(f.tagged(frame + b"warm", w.tag)),
                                      w.inside.find(b"warm"))[1])
    return w


def fill():
    """Leaves no room at all."""
    with open(f"{DISK}/filler", "wb", buffering=0) as out:
        for size in (65536, 4096, 1):
            try:
                while True:
                    out.write(b"x" * size)
            except OSError:
                pass


def until_refused(w, first):
    """TSIs are activated until the store has no more room; the number of the one refused."""
    for i in range(first, first + 2000):
        try:
            w.c.activate(i, "p1", "red", [mac_of(i)])
        except Refused as e:
            equal((e.reason, e.code), ("STORE_FAILED", "UNAVAILABLE"), f"the refusal, {e}")
            expect("disk" in e.metadata.get("remedy", ""), f"a remedy in {e.metadata}")
            return i
    raise Failure("the disk takes whatever comes")


def mac_of(i):
    return f"02:00:00:07:{i >> 8:02x}:{i & 255:02x}"


def passes(w, mac):
    token = f.token()
    w.trunk.send(f.tagged(f.plain(mac, FAR_MAC, token), w.tag))
    w.inside.wait(token, what=f"a frame from {mac}")


def none_lost(stream):
    r = stream.result
    print(f"    {r['sent']} frames at {r['kpps']:.0f} kpps")
    equal((r["n_lost"], r["n_twice"]), (0, 0), f"lost (first: {r['lost']}) and doubled")


@test
def a_full_disk_refuses_requests_and_they_go_through_when_there_is_room(w):
    with Stream(w.sends, [w.trunk, w.inside], 20000) as stream:
        fill()
        refused = until_refused(w, 100)
        equal(w.c.state(refused, "p1"), INIT, "state of the TSI that was refused")
        with w.nve.dropping("SRC_MAC"):
            w.trunk.send(f.tagged(f.plain(mac_of(refused), FAR_MAC, f.token()), w.tag))
        equal(w.c.state(refused - 1, "p1") if refused > 100 else ACTIVATED, ACTIVATED,
              "state of the one before")
        os.unlink(f"{DISK}/filler")
        w.c.activate(refused, "p1", "red", [mac_of(refused)])
    none_lost(stream)
    passes(w, mac_of(refused))
    expect(w.nve.alive(), "it is the same agent")
    for i in range(100, refused + 1):
        w.c.clear(i, "p1")


@test
def what_expires_on_a_full_disk_stays_until_it_can_be_stored(w):
    w.c.activate(2, "p1", "red", ["02:00:00:00:01:02"],
                 timers=pb.Timers(keepactive_ms=1000, keepalive_ms=60000))
    w.c.keepactive((1, "p1", "red"))
    fill()
    last = until_refused(w, 3000)
    wait_for("the log to say it", lambda: "timer_failed" in w.nve.log(), 10)
    equal(w.c.state(2, "p1"), ACTIVATED, "state after its timer has run out")
    passes(w, "02:00:00:00:01:02")
    w.c.keepactive((1, "p1", "red"))  # changes no state, so it is taken
    os.unlink(f"{DISK}/filler")
    time.sleep(1.2)  # since the frame that was seen
    wait_for("the expiry", lambda: w.c.state(2, "p1") == ASSOCIATED, 10)
    w.nve.kill()
    w.nve.start()
    equal((w.c.state(1, "p1"), w.c.state(2, "p1")), (ACTIVATED, ASSOCIATED), "after a restart")
    for i in range(3000, last):
        w.c.clear(i, "p1")


def move_to_loop(w):
    """The store on a disk that can fail."""
    equal(w.nve.stop(), 0, "exit code")
    sh(f"truncate -s 16M {IMAGE}")
    sh(f"mkfs.ext4 -q {IMAGE}")
    sh(f"cp -a {DISK}/nved.db {STATE}/kept.db")
    sh(f"umount {DISK}")
    sh(f"mount -o loop,errors=remount-ro {IMAGE} {DISK}")
    sh(f"cp -a {STATE}/kept.db {DISK}/nved.db")
    sh(f"sync -f {DISK}")  # what the agent has written itself it has synced
    w.nve.start()


@test
def a_disk_that_becomes_read_only_refuses_requests_and_frames_flow(w):
    move_to_loop(w)
    w.c.activate(5, "p1", "red", [mac_of(5)])
    device = os.path.basename(sh(f"findmnt -no SOURCE {DISK}").strip())
    with Stream(w.sends, [w.trunk, w.inside], 20000) as stream:
        with open(f"/sys/fs/ext4/{device}/trigger_fs_error", "w", encoding="ascii") as trigger:
            trigger.write("a test of nved")
        equal(until_refused(w, 6), 6, "the first TSI that is refused")
        equal(w.c.state(6, "p1"), INIT, "its state")
    none_lost(stream)
    passes(w, mac_of(5))


@test
def an_agent_that_starts_on_a_read_only_disk_says_so_and_when_it_is_mended_all_is_there(w):
    w.nve.kill()
    sh(f"umount {DISK}")
    subprocess.run(["fsck.ext4", "-y", IMAGE], stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, check=False)
    sh(f"mount -o loop,ro {IMAGE} {DISK}")
    before = sorted(glob.glob(f"{w.nve.pins}/*"))
    with Stream(w.sends, [w.trunk, w.inside], 20000) as stream:
        done = subprocess.run([*w.nve.ns.prefix, NVED, "-c", f"{w.nve.dir}/nved.yaml"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=20, check=False)
        equal(done.returncode, 6, f"exit code of the agent, which said: {done.stdout}")
        expect(f"store {DISK}/nved.db" in done.stdout and "writable" in done.stdout, done.stdout)
        equal(sorted(glob.glob(f"{w.nve.pins}/*")), before, "pins")
    none_lost(stream)
    sh(f"umount {DISK}")
    sh(f"mount -o loop {IMAGE} {DISK}")
    w.nve.start()
    equal([w.c.state(i, "p1") for i in (1, 2, 5, 6)], [ACTIVATED, ASSOCIATED, ACTIVATED, INIT],
          "states")
    w.c.activate(6, "p1", "red", [mac_of(6)])
    passes(w, mac_of(6))


if __name__ == "__main__":
    main(build)
