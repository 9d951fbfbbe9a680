# SPDX-License-Identifier: Apache-2.0
"""What is measured, and what against: each in a namespace of its own, with cables of its own.

    g0 ===== a0  [ the engine ]  u0 ===== w0         192.0.2.1 is the engine's VTEP, .2 and on
    generator, or counter        counter, or generator      are those behind w0
"""
import json
import os
import subprocess

from netlab import BPFFS, ROOT, Failure, Netns, sh, veth

BENCH = f"{ROOT}/build/release/bench"
OBJECT = f"{ROOT}/build/gen/tests/bench.bpf.o"
N_TSIS, N_VNS, VID, VNI = 256, 8, 10, 1000
TENANT_MTU, UNDERLAY_MTU = 1500, 1600


def mac(kind, i):
    """As in plan.h: kind 0 is local, 1 remote."""
    return bytes([2, kind, *i.to_bytes(4, "big")]).hex(":")


def engine_ns(name, n_vteps=1, ports=1):
    """A namespace with the cables; 'ports' pairs of them, the i-th with its own underlay net."""
    ns = Netns(name)
    for i in range(ports):
        lines = []
        for a, b in (("a", "g"), ("u", "w")):
            # The same MTU on both: what only forwards sends tunnels out at the access port too.
            lines += [f"link add {a}{i} type veth peer name {b}{i}"]
            lines += [f"link set {x}{i} addrgenmode none mtu {UNDERLAY_MTU} arp off up"
                      for x in (a, b)]
        ns.link("\n".join(lines) + "\n")
        ns.link(f"link set u{i} arp on\naddr add 192.0.{2 + i}.1/24 dev u{i}\n")
        hop = ns.mac(f"w{i}")
        ns.link("".join(f"neigh add 192.0.{2 + i}.{2 + k} dev u{i} lladdr {hop}\n"
                        for k in range(n_vteps)))
        for port in (f"a{i}", f"u{i}"):  # else what is redirected into them vanishes
            ns.run(f"ethtool -K {port} gro on")
    return ns


def plain_bridge(ns):
    """Where the kernel has them, no netfilter hooks: they would only slow the bridge down."""
    path = "/proc/sys/net/bridge/bridge-nf-call-iptables"
    with ns.inside():
        if os.path.exists(path):
            with open(path, "w", encoding="ascii") as f:
                f.write("0")


def bridge_ns(name, n_vteps=1, flood=False):
    """The kernel's own: a bridge with a locked port and static entries, and a vxlan device.  The
    bridge is spared what the kernels of some machines lack, VLANs: there is one VN, and tags are
    payload to it."""
    ns = engine_ns(name, n_vteps)
    plain_bridge(ns)
    ns.link(f"link add br0 type bridge mcast_snooping 0\n"
            f"link add vx0 type vxlan id {VNI} local 192.0.2.1 dstport 4789 nolearning\n"
            f"link set vx0 addrgenmode none mtu {UNDERLAY_MTU} master br0 up\n"
            f"link set a0 master br0\nlink set br0 addrgenmode none up\n")
    ns.run("bridge link set dev a0 locked on learning off")
    ns.run("bridge link set dev vx0 learning off")
    rows = [f"fdb replace {mac(0, i)} dev a0 master static\n"
            f"fdb replace {mac(1, i)} dev vx0 master static\n"
            f"fdb replace {mac(1, i)} dev vx0 dst 192.0.2.2 self\n" for i in range(N_TSIS)]
    if flood:
        rows += [f"fdb append 00:00:00:00:00:00 dev vx0 dst 192.0.2.{2 + k} self\n"
                 for k in range(n_vteps)]
    ns.run("bridge -batch -", stdin="".join(rows))
    return ns


def bench(ns, command, timeout=300, program=BENCH, **keys):
    """Runs the C side; returns its lines of JSON."""
    words = [program, command] + [f"{k}={v}" for k, v in keys.items()]
    done = subprocess.run(ns.prefix + words, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=timeout, check=False)
    if done.returncode:
        raise Failure(f"{' '.join(words[1:])}: {done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def rate(ns, engine, **keys):
    """Millions of frames a second that came out at the other end."""
    r, = bench(ns, "rate", engine=engine, **keys)
    if r["drops"] or (engine in ("nve", "null") and r["seen"] < r["sent"] * 0.99
                      and keys.get("way") != "bum"):
        raise Failure(f"{engine} {keys}: frames were lost, so this is no measurement: {r}")
    if not r["seen"]:
        raise Failure(f"{engine} {keys}: no frame came out")
    return r["seen"] * 1e3 / r["ns"]


# --- bulk TCP ----------------------------------------------------------------------


class Pair:
    """Two hosts, and a path between them; iperf3 says what it carries."""

    def __init__(self, name):
        self.name = name
        self.hosts = [Netns(f"{name}-h{i}") for i in (1, 2)]
        self.held = []

    def address(self):
        for i, host in enumerate(self.hosts):
            host.run(f"ip addr add 10.0.0.{i + 1}/24 dev eth0")
            host.run(f"ip neigh replace 10.0.0.{2 - i} dev eth0 lladdr {mac(0, 1 - i)}")

    def plain(self):
        veth(self.hosts[0], "eth0", self.hosts[1], "eth0", TENANT_MTU, mac(0, 0), mac(0, 1))
        self.address()
        return self

    def _gateways(self):
        """Each host's edge, and the underlay between the two."""
        edges = [Netns(f"{self.name}-n{i}") for i in (1, 2)]
        for i, (host, edge) in enumerate(zip(self.hosts, edges)):
            veth(host, "eth0", edge, "a0", TENANT_MTU, mac(0, i))
        veth(edges[0], "u0", edges[1], "u0", UNDERLAY_MTU)
        for i, edge in enumerate(edges):
            edge.run(f"ip addr add 192.0.2.{i + 1}/24 dev u0")
            edge.run(f"ip neigh add 192.0.2.{2 - i} dev u0 lladdr {edges[1 - i].mac('u0')}")
        self.address()
        return edges

    def bridged(self):
        for i, edge in enumerate(self._gateways()):
            plain_bridge(edge)
            edge.link(f"link add br0 type bridge mcast_snooping 0\n"
                      f"link add vx0 type vxlan id {VNI} local 192.0.2.{i + 1} dstport 4789 "
                      f"nolearning\nlink set vx0 mtu {TENANT_MTU} master br0 up\n"
                      f"link set a0 master br0\nlink set br0 up\n")
            edge.run(f"bridge fdb replace {mac(0, i)} dev a0 master static")
            edge.run(f"bridge fdb replace {mac(0, 1 - i)} dev vx0 master static")
            edge.run(f"bridge fdb replace {mac(0, 1 - i)} dev vx0 dst 192.0.2.{2 - i} self")
        return self

    def nve(self):
        """The hosts tag their frames, by a program at their interface."""
        pins = f"{BPFFS}/{self.name}"
        os.makedirs(pins)
        sh(f"bpftool prog loadall {OBJECT} {pins}")
        edges = self._gateways()
        for i, (host, edge) in enumerate(zip(self.hosts, edges)):
            host.run("tc qdisc add dev eth0 clsact")
            for hook, program in (("egress", "tag_push"), ("ingress", "tag_pop")):
                host.run(f"tc filter add dev eth0 {hook} bpf direct-action "
                         f"object-pinned {pins}/{program}")
            keys = {"mode": "tc", "tsis": 1, "vns": 1, "self": i + 1, "peers": 2 - i,
                    "local": i, "remote": 1 - i}
            nve = edge.popen([BENCH, "hold"] + [f"{k}={v}" for k, v in keys.items()],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            if nve.stdout.readline() != "ready\n":
                raise Failure("the NVE did not come up")
            self.held.append(nve)
        return self

    def gbits(self, seconds):
        first = "nice -n -20 iperf3"
        words = f"{first} --server --one-off --affinity 1 --forceflush".split()
        server = self.hosts[1].popen(words, stdout=subprocess.PIPE, text=True)
        for line in server.stdout:
            if "listening" in line:
                break
        out = self.hosts[0].run(f"{first} --client 10.0.0.2 --affinity 0 --time {seconds} "
                                "--omit 0.3 --json", timeout=seconds + 20)
        server.wait(timeout=10)
        server.stdout.close()
        return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e9

    def close(self):
        for nve in self.held:
            nve.communicate(timeout=10)
