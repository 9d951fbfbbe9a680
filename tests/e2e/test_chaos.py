#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""make chaos: hypervisors signal at random while everything that can fail does (D9, D11, D18).

    hv ==[p1, p2, p3 nve1 eth0]-- wire --[far: kernel VXLAN]     store on a disk of 4 MiB

    --seconds=N (15)   --seed=N (random, printed)

Frames of two TSIs that nobody touches flow all the time; three hypervisors signal for others.
Meanwhile the agent is killed and started again, stopped and continued, starved of disk, told to
read its files again, good and bad ones, the policy among them; its tables are corrupted; a port
goes down and up.  After each such thing: what was acknowledged is what the agent lists, what its
store holds and what its tables say, a frame passes exactly if the model says so, and of the steady
frames none is lost.
"""
import errno
import json
import os
import random
import signal
import sys
import time

import check
import frames as f
from chaos import Hypervisor, Stream, Tsi
from check import equal, expect, main, test
from client import ACTIVATED, INIT
from lab import BLUE, BLUE_VNI, FAR, NVE1, RED, RED_VNI, Netns, vn
from netlab import Failure, sh, wait_for

FAR_MAC = "02:00:00:00:09:09"
STEADY = {"p1": "02:00:00:00:01:01", "p2": "02:00:00:00:01:02"}
PORTS, HYPERVISORS, TSIS_EACH = ("p1", "p2", "p3"), 3, 6
DISK_MIB = 4
POLICY = {"roles": [{"name": "all", "identities": ["unix:*"], "owns": "any", **{
    key: ["*"] for key in ("ports", "vns", "tsis", "macs", "ips", "parameters", "admin")}}]}
ARGS = dict(a[2:].split("=", 1) for a in sys.argv[1:] if a.startswith("--") and "=" in a)
SECONDS = float(ARGS.get("seconds", 15))
SEED = int(ARGS.get("seed", random.SystemRandom().randrange(1 << 32)))


class World:
    pass


def build(lab):
    w = World()
    w.random = random.Random(SEED)
    print(f"     seed {SEED}: --seed={SEED} does the same again", flush=True)
    w.hv, w.far = Netns("hv"), lab.far_end()
    w.disk = "/run/lab/disk"
    sh(f"mkdir -p {w.disk}")
    sh(f"mount -t tmpfs -o size={DISK_MIB}m tmpfs {w.disk}")
    w.vns = [vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)]),
             vn(BLUE, BLUE_VNI, "blue", [FAR], [(FAR_MAC, None, FAR)])]
    off = {"default_ms": 0, "may_be_off": True}
    w.policy = "/run/lab/policy.yaml"
    write_policy(w, POLICY)
    w.nve = lab.nve("nve1", NVE1, {p: w.hv for p in PORTS}, w.vns, policy=w.policy,
                    store={"path": f"{w.disk}/nved.db",
                           "durability": "power" if lab.mode == "xdp" else "process"},
                    timers={"keepactive": off, "keepalive": off, "quarantine_ms": 1000},
                    log={"level": "warning"})
    w.c = w.nve.client
    w.taps = {p: w.hv.tap(f"nve1-{p}") for p in PORTS}
    w.inside = {"red": w.far.vn(RED_VNI, FAR_MAC, flood=[NVE1]),
                "blue": w.far.vn(BLUE_VNI, FAR_MAC, flood=[NVE1])}
    w.steady_in, w.steady_out = ({p: w.hv.tap(f"nve1-{p}") for p in STEADY},
                                 w.far.ns.tap(f"vx{RED_VNI}"))
    w.stream = Stream(list(steady_pairs(w)))
    w.hypervisors = [hypervisor(w, n) for n in range(HYPERVISORS)]
    for each in (w.stream, *w.hypervisors):
        each.start()
    return w


def write_policy(w, policy):
    with open(w.policy, "w", encoding="utf-8") as out:
        json.dump(policy, out)


def steady_pairs(w):
    """One TSI sends to the far end, the other gets frames from there."""
    a, b = STEADY.values()
    out = w.c.activate(1001, "p1", "red", [a]).tag
    w.c.activate(1002, "p2", "red", [b])
    w.far.remote(RED_VNI, b, NVE1)
    yield w.steady_in["p1"], lambda t: f.tagged(f.plain(a, FAR_MAC, t), out), w.steady_out
    yield w.inside["red"], lambda t: f.plain(FAR_MAC, b, t), w.steady_in["p2"]


def hypervisor(w, n):
    tsis = []
    for i in range(TSIS_EACH):
        number = 1 + n * TSIS_EACH + i
        tsis.append(Tsi(number, PORTS[number % 3], ("red", "blue")[number // 3 % 2],
                        [f"02:0c:00:{n:02x}:{number:02x}:{k:02x}" for k in range(1, 4)]))
    return Hypervisor(n, f"unix:{w.nve.socket}", tsis, w.random.random())


def let_run(w, seconds):
    """Lets the hypervisors signal, and sees to it that nothing has gone wrong meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for each in w.hypervisors:
            if each.failure:
                raise each.failure
        time.sleep(0.02)  # the time that passes is the point


# --- what happens to the agent -------------------------------------------------------------------

def killed(w):
    w.nve.kill()
    let_run(w, w.random.random() / 5)
    w.nve.start()


def stopped(w):
    w.nve.proc.send_signal(signal.SIGSTOP)
    let_run(w, w.random.random() / 2)
    w.nve.proc.send_signal(signal.SIGCONT)


def ended_and_started(w):
    equal(w.nve.stop(), 0, "exit code")
    w.nve.start()


def starved_of_disk(w):
    filler = os.open(f"{w.disk}/filler", os.O_WRONLY | os.O_CREAT)
    try:
        for _ in range(DISK_MIB << 8):
            os.write(filler, b"\0" * 4096)
    except OSError as e:
        equal(e.errno, errno.ENOSPC, "why the disk takes no more")
    finally:
        os.close(filler)
    let_run(w, 0.5)
    os.unlink(f"{w.disk}/filler")


def told_to_read_again(w):
    bad = w.random.random() < 0.5
    if bad:
        with open(f"{w.nve.dir}/vns.yaml", "w", encoding="utf-8") as out:
            out.write("vns: [{name: red, id: nonsense}]\n")
        write_policy(w, {"roles": [{"name": "nonsense"}]})
        w.nve.hup()
    else:
        w.nve.hup(w.vns)
    let_run(w, 0.1)
    write_policy(w, POLICY)
    w.nve.write_vns(w.vns)
    w.nve.hup()


def port_goes_down_and_up(w):
    w.nve.ns.run("ip link set p3 down")
    let_run(w, w.random.random() / 5)
    w.nve.ns.run("ip link set p3 up")
    wait_for("p3 to be up", lambda: "state UP" in w.nve.ns.run("ip link show p3"))


def tables_are_corrupted(w):
    """Rows of src and fdb that are not the steady TSIs' vanish; the agent mends them."""
    for table in ("src", "fdb"):
        path = w.nve.pin(table)
        rows = json.loads(sh(f"bpftool -j map dump pinned {path}") or "[]")
        for row in w.random.sample(rows, min(3, len(rows))):
            key = bytes(int(x, 16) for x in row["key"])
            if not any(f.mac(m) in key for m in (*STEADY.values(), FAR_MAC)):
                sh(["bpftool", "map", "delete", "pinned", path, "key", "hex",
                    *key.hex(" ").split()], check=False)
    w.nve.ctl("diff", "--repair", check=False)  # its exit code says that there was something


THINGS = (killed, killed, stopped, ended_and_started, starved_of_disk, told_to_read_again,
          port_goes_down_and_up, tables_are_corrupted)


# --- what must hold after it ---------------------------------------------------------------------

def model(w):
    return {(t.number, t.port): (t.state, t.n_macs) for h in w.hypervisors for t in h.tsis
            if t.state != INIT}


def listed(w):
    out = {}
    for x in w.c.tsis():
        number = int.from_bytes(x.key.tsi_id[8:], "big")
        if number < 1000:
            out[number, x.key.port] = (x.state, len(x.addresses))
    return out


def stored(w):
    """What is in a copy of the store, its log included."""
    copy = f"{w.nve.dir}/store"
    sh(f"mkdir -p {copy}")
    for suffix in ("", "-wal"):
        sh(f"cp -f {w.disk}/nved.db{suffix} {copy}/nved.db{suffix}")
    rows = sh(["sqlite3", "-separator", " ", f"{copy}/nved.db",
               "SELECT hex(id), port, state, length(addrs) / 25 FROM tsi"]).splitlines()
    out = {}
    for ident, port, state, n in (row.split() for row in rows):
        number = int(ident[16:], 16)
        if number < 1000:
            out[number, port] = (int(state), int(n))
    return out


def probe(w):
    """A frame from each TSI's first MAC passes exactly if it is activated."""
    tags = {(v.port, v.vn_name): v.tag for v in w.c.vaps()}
    promised, forbidden = [], []
    for h in w.hypervisors:
        for t in h.tsis:
            token, tag = f.token(), tags.get((t.port, t.vn))
            if tag is None:
                continue
            w.taps[t.port].send(f.tagged(f.plain(t.macs[0], FAR_MAC, token), tag))
            (promised if t.state == ACTIVATED else forbidden).append((t, token))
    for t, token in promised:
        w.inside[t.vn].wait(token, 5, f"a frame of {t}")
    marker = f.token()
    w.taps["p1"].send(f.tagged(f.plain(STEADY["p1"], FAR_MAC, marker), tags["p1", "red"]))
    w.inside["red"].wait(marker)
    for t, token in forbidden:
        for tap in w.inside.values():
            expect(not tap.find(token), f"a frame of {t} came through")
    for tap in (*w.inside.values(), *w.taps.values()):
        tap.clear()


def checkpoint(w):
    for each in w.hypervisors:
        each.pause()
    wait_for("the agent to serve", w.c.healthy, 10)
    for each in w.hypervisors:
        each.settle()
    want = model(w)
    equal(listed(w), want, "what the agent lists")
    equal(stored(w), want, "what its store holds")
    w.nve.ctl("diff")  # fails where the tables are not what was intended
    probe(w)
    w.stream.check()
    for each in w.hypervisors:
        each.resume()


@test
def whatever_happens_acknowledged_state_holds_and_steady_frames_pass(w):
    end, done = time.monotonic() + SECONDS, {}
    things = list(THINGS)
    w.random.shuffle(things)
    while time.monotonic() < end or len(done) < len(set(THINGS)):
        thing = things.pop() if things else w.random.choice(THINGS)
        let_run(w, 0.1 + w.random.random() / 5)
        try:
            thing(w)
            checkpoint(w)
        except Failure as e:
            raise Failure(f"after the agent was {thing.__name__} (seed {SEED}): {e}") from e
        done[thing.__name__] = done.get(thing.__name__, 0) + 1
    total = {k: sum(h.counts[k] for h in w.hypervisors) for k in w.hypervisors[0].counts}
    print(f"     {done}; {total}; {w.stream.sent} steady frames each way", flush=True)
    expect(total["answered"] > 20 * SECONDS, f"only {total} requests in {SECONDS} s")
    for each in (w.stream, *w.hypervisors):
        each.stopping.set()
        each.join(10)


if __name__ == "__main__":
    check.TIME_LIMIT += int(2 * SECONDS)  # what a blow takes is not counted
    main(build, modes=("tc", "xdp"))
