# SPDX-License-Identifier: Apache-2.0
"""The figures of the control plane.  Contestants run by turns, round after round; medians count."""
import json
import os
import shutil
import statistics
import subprocess
import time

from agent import Agent
from figures import Figure, by_turns
from netlab import ROOT, Failure, Netns, sh, veth, wait_for

PROGRAM = f"{ROOT}/build/release/bench-control"
STATE = f"{ROOT}/build/bench-control"  # on a disk: /run would sync for nothing
ADDRESS, ECHO, TLS_ADDRESS, TLS_ECHO = (f"127.0.0.1:{4800 + i}" for i in range(4))
TSIS, WINDOW, SECONDS = 256, 256, 3
MANY_TSIS, MANY_VNS = 100000, 4000
KEEPALIVE_S = 30
TICKS = os.sysconf("SC_CLK_TCK")
# Clients over loopback and TLS alike: what a policy costs is measured, too.
ALLOW_ALL = {"roles": [{"name": "all", "identities": ["*"], "owns": "any", **{
    key: ["*"] for key in ("ports", "vns", "tsis", "macs", "ips", "parameters", "admin")}}]}


def keys(**words):
    return [f"{k}={v}" for k, v in words.items()]


def run(ns, verb, timeout=300, **words):
    """One run of the program: what it printed."""
    done = subprocess.run(ns.prefix + [PROGRAM, verb, *keys(**words)], stdout=subprocess.PIPE,
                          text=True, timeout=timeout, check=False)
    if done.returncode:
        raise Failure(f"bench-control {verb} {words} failed: {done.stdout}")
    return json.loads(done.stdout)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def certificates(folder):
    """A CA, and what it says of this machine and of a client: PEM files by name."""
    names = {n: f"{folder}/{n}.pem" for n in ("ca", "ca-key", "server", "server-key", "client",
                                              "client-key")}
    new = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    sh(f"{new} -subj /CN=ca -keyout {names['ca-key']} -out {names['ca']}")
    for who, san in (("server", "DNS:localhost,IP:127.0.0.1"), ("client", "URI:spiffe://bench/hv")):
        sh(f"{new} -subj /CN={who} -CA {names['ca']} -CAkey {names['ca-key']} -addext "
           f"subjectAltName={san} -addext basicConstraints=critical,CA:FALSE "
           f"-keyout {names[who + '-key']} -out {names[who]}")
    return names


class World:
    """An agent with a datapath in a namespace, and an echo server beside it."""

    def __init__(self, name, durability, tsis, vns, **config):
        self.dir = f"{STATE}/{name}"
        shutil.rmtree(self.dir, ignore_errors=True)
        os.makedirs(self.dir)
        self.ns = Netns(name)
        self.echo = None
        for ifname in ("p1", "quiet", "eth0"):
            veth(self.ns, ifname, self.ns, f"{ifname}-far")
        self.ns.link("addr add 192.0.2.1/24 dev eth0\n")
        ports = [{"name": p, "ifname": p, "role": "underlay" if p == "eth0" else "access",
                  "mode": "tc"} for p in ("eth0", "p1", "quiet")]
        self.agent = Agent(name, self.ns, "192.0.2.1", ports, [
            {"name": f"vn-{i + 1}", "id": i + 1, "vni": 5000 + i, "vteps": ["192.0.2.9"]}
            for i in range(vns)], **{
                "limits": {"tsis": max(tsis, 1000), "addresses": 4 * max(tsis, 1000),
                           "vns": max(vns, 100), "vaps": max(vns, 100),
                           "fdb": 4 * max(tsis, 1000), "outstanding": 1024},
                "log": {"level": "warning"},
                "timers": {"keepactive": {"default_ms": 0, "may_be_off": True}},
                "listeners": [f"unix:/run/lab/{name}/nved.sock", ADDRESS],
                "store": {"path": f"{self.dir}/nved.db", "durability": durability}, **config})
        self.agent.start()

    def start_echo(self, address=ECHO, **tls):
        self.echo = self.ns.popen([PROGRAM, "echo", *keys(address=address, **tls)],
                                  stdout=subprocess.PIPE, text=True)
        if self.echo.stdout.readline() != "ready\n":
            raise Failure("the echo server did not start")

    def load(self, what, address=ADDRESS, **words):
        done = run(self.ns, "load", what=what, address=address, **{
            "tsis": TSIS, "outstanding": WINDOW, "seconds": SECONDS, **words})
        if done["refused"]:
            raise Failure(f"{what}: {done['refused']} of {done['requests']} refused")
        return done

    def counters(self):
        return {c.name: c.value for c in self.agent.client.status().counters}

    def close(self):
        if self.echo:
            self.echo.terminate()
            self.echo.wait(10)
        code = self.agent.stop()
        self.agent.client.close()
        shutil.rmtree(self.dir, ignore_errors=True)
        if code:
            raise Failure(f"nved ended with {code}")


def figure(ident, value, unit, against, against_value, rounds, **target):
    return Figure(ident, float(value), unit, against, float(against_value), rounds, **target)


def group_rate(world, seconds=SECONDS):
    """Flips a second, and requests a commit meanwhile."""
    before = world.counters()
    done = world.load("flip", seconds=seconds)
    after = world.counters()
    commits = after["commits"] - before["commits"]
    return done["rate"], done["requests"] / max(commits, 1)


def rate(rounds, say):
    """One Session, 256 outstanding: Activate and Deactivate by turns, a second."""
    figures = []
    world = World("process", "process", TSIS, 1)
    try:
        world.start_echo()
        world.load("fill", associate=1)
        m = by_turns(rounds, {
            "nved": lambda: world.load("flip")["rate"],
            "with events": lambda: world.load("flip", events=1)["rate"],
            "echo": lambda: world.load("flip", ECHO)["rate"]}, lambda t: say(f"process, {t}"))
        figures.append(figure("flips_process", m["nved"], "req/s", "bare echo", m["echo"], rounds,
                              at_least=0.35))
        figures.append(figure("flips_process_with_events", m["with events"], "req/s", "bare echo",
                              m["echo"], rounds))
    finally:
        world.close()
    world = World("power", "power", TSIS, 1)
    try:
        world.load("fill", associate=1)
        rates, groups, disks = [], [], []
        for number in range(rounds):
            say(f"power, round {number + 1} of {rounds}")
            done, group = group_rate(world)
            rates.append(done)
            groups.append(group)
            disks.append(run(world.ns, "disk", store=f"{STATE}/disk", bytes=4096,
                             seconds=1)["rate"])
        m = [statistics.median(x) for x in (rates, groups, disks)]
        figures.append(figure("flips_power", m[0], "req/s", f"fdatasyncs x {m[1]:.0f} a commit",
                              m[1] * m[2], rounds, at_least=0.7))
    finally:
        world.close()
    return figures


def ask_one(world, address, **tls):
    done = world.load("flip", address, tsis=1, outstanding=1, seconds=2, **tls)
    return done["p50_us"], done["p99_us"]


def compare_latency(world, rounds, say, name, addresses, **words):
    """One request outstanding, the agent and the echo by turns: [(p50, p99)] of each."""
    seen = {"nved": [], "echo": []}
    for number in range(rounds):
        say(f"{name}, round {number + 1} of {rounds}")
        for who, address in zip(seen, addresses):
            seen[who].append(ask_one(world, address, **words))
    return [[statistics.median(x[place] for x in seen[who]) for who in seen] for place in (0, 1)]


def latency(rounds, say):
    """One client, one request outstanding: microseconds to the answer."""
    world = World("latency", "process", TSIS, 1)
    try:
        world.start_echo()
        world.load("fill", associate=1)
        p50, p99 = compare_latency(world, rounds, say, "latency", (ADDRESS, ECHO))
    finally:
        world.close()
    return [figure("latency_p50", p50[0], "us", "bare echo", p50[1], rounds, at_most=2.5),
            figure("latency_p99", p99[0], "us", "bare echo", p99[1], rounds, at_most=4)]


def tls(rounds, say):
    """The same through mutual TLS, on both sides."""
    pem = certificates(STATE)
    mine = {"ca": pem["ca"], "certificate": pem["client"], "key": pem["client-key"]}
    with open(f"{STATE}/policy.yaml", "w", encoding="utf-8") as f:
        json.dump(ALLOW_ALL, f)
    world = World("tls", "process", TSIS, 1, policy=f"{STATE}/policy.yaml", listeners=[
        "unix:/run/lab/tls/nved.sock", ADDRESS, f"tls:{TLS_ADDRESS}"], tls={
            "certificate": pem["server"], "key": pem["server-key"], "client_ca": pem["ca"]})
    try:
        world.start_echo(TLS_ECHO, ca=pem["ca"], certificate=pem["server"], key=pem["server-key"])
        world.load("fill", associate=1)
        p50, _ = compare_latency(world, rounds, say, "TLS", (TLS_ADDRESS, TLS_ECHO), **mine)
    finally:
        world.close()
    return [figure("latency_tls_p50", p50[0], "us", "bare echo through TLS", p50[1], rounds,
                   at_most=2.5)]


def restart_ms(world):
    """From the start of the process until it serves."""
    world.agent.stop()
    begin = time.monotonic()
    world.agent.start()
    return (time.monotonic() - begin) * 1000


def store_ms(world):
    """The store is the agent's while that runs: so a copy is read."""
    copy = f"{world.dir}/copy.db"
    for suffix in ("", "-wal"):
        if os.path.exists(f"{world.dir}/nved.db{suffix}"):
            shutil.copyfile(f"{world.dir}/nved.db{suffix}", f"{copy}{suffix}")
    done = run(world.ns, "store", store=copy)
    if done["tsis"] != MANY_TSIS:
        raise Failure(f"the store has {done['tsis']} TSIs")
    return done["ms"]


def idle_cpu(world):
    """Share of a core over one period in which each TSI is kept alive once."""
    pid, begin = world.agent.proc.pid, time.monotonic()
    before = cpu_seconds(pid)
    world.load("keep", tsis=MANY_TSIS, vns=MANY_VNS, outstanding=4, seconds=KEEPALIVE_S)
    wait_for("the period's end", lambda: time.monotonic() - begin >= KEEPALIVE_S,
             KEEPALIVE_S + 5, 0.1)
    return (cpu_seconds(pid) - before) / (time.monotonic() - begin)


def private_kb(world):
    """Memory of its own: what it shares with the kernel are the maps."""
    with open(f"/proc/{world.agent.proc.pid}/smaps_rollup", encoding="ascii") as f:
        rows = dict(line.split()[:2] for line in f if ":" in line.split()[0])
    return int(rows["Anonymous:"])


def scale(rounds, say):
    """100,000 TSIs with 3 addresses each on 4,000 VNs."""
    world = World("scale", "process", MANY_TSIS, MANY_VNS)
    figures = []
    try:
        empty = private_kb(world)
        say("100,000 TSIs are activated")
        done = world.load("fill", tsis=MANY_TSIS, vns=MANY_VNS, seconds=240)
        if done["requests"] != MANY_TSIS:
            raise Failure(f"{done['requests']} in {done['seconds']} s: too slow")
        figures.append(figure("memory_per_tsi", (private_kb(world) - empty) * 1024 / MANY_TSIS,
                              "bytes", "1 KiB", 1024, 1, at_most=1))
        say(f"one period of keepalives, {KEEPALIVE_S} s")
        figures.append(figure("idle_cpu", idle_cpu(world), "of a core", "3 % of a core", 0.03, 1,
                              at_most=1))
        m = by_turns(rounds, {"restart": lambda: restart_ms(world),
                              "store": lambda: store_ms(world)},
                     lambda t: say(f"restart, {t}"))
        figures.append(figure("restart_100k", m["restart"], "ms", "reading the store", m["store"],
                              rounds, at_most=4))
    finally:
        world.close()
    return figures


ALL = {"rate": rate, "latency": latency, "tls": tls, "scale": scale}
