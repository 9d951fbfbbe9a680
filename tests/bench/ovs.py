# SPDX-License-Identifier: Apache-2.0
"""Open vSwitch's userspace datapath over AF_XDP, with flows that do what the NVE does.

    g0 ===== a0 [ br-int: whose frame is it? -> where does it go? ] vx0 ... [ br-phy ] u0 ===== w0

A poll-mode thread on CPU 1 forwards, while the generator has CPU 0 and gives it more than it can
take; so its rate is what comes out while that thread is on its CPU.  What the kernel does for it on
the generator's CPU, the copy into AF_XDP's memory, is not held against it.  It polls without end,
so it is stopped while it is others' turn.
"""
import contextlib
import os
import shutil
import signal
import subprocess

from links import N_TSIS, N_VNS, VID, VNI, engine_ns, mac, rate
from netlab import STATE, Failure, wait_for

SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
VXLAN_PORT = 9  # OpenFlow's number of vx0


def missing():
    """Why there is no Open vSwitch here, or None."""
    tools = [t for t in ("ovs-vswitchd", "ovsdb-server", "ovs-vsctl") if not shutil.which(t)]
    if tools or not os.path.exists(SCHEMA):
        return "Open vSwitch is not installed (Debian: apt-get install openvswitch-switch)"
    return None


class Ovs:
    """The daemons and bridges, in a namespace with cables; stopped until running().  They end with
    the program: enter() has seen to that."""

    def __init__(self, name):
        self.ns, self.dir = engine_ns(name), f"{STATE}/{name}-ovs"
        self.db = f"unix:{self.dir}/db.sock"
        os.makedirs(self.dir)
        self.env = {**os.environ, "OVS_RUNDIR": self.dir, "OVS_DBDIR": self.dir,
                    "OVS_LOGDIR": self.dir}
        subprocess.run(["ovsdb-tool", "create", f"{self.dir}/conf.db", SCHEMA], check=True)
        self._start("ovsdb-server", f"{self.dir}/conf.db", f"--remote=p{self.db}")
        wait_for("the database of Open vSwitch", lambda: os.path.exists(f"{self.dir}/db.sock"))
        self._tool("ovs-vsctl", "--no-wait", "init", "--", "set", "Open_vSwitch", ".",
                   "other_config:pmd-cpu-mask=0x2")
        self.switch = self._start("ovs-vswitchd", self.db, "--pidfile")
        kinds = wait_for("ovs-vswitchd", lambda: self._vsctl("get", "Open_vSwitch", ".",
                                                             "iface_types").strip("[]\n "))
        # Where it is built without AF_XDP, the userspace datapath reads AF_PACKET sockets.
        self.port = "afxdp" if "afxdp" in kinds.split(", ") else "system"
        self._bridges()
        self._flows()
        self.switch.send_signal(signal.SIGSTOP)

    def title(self):
        over = "AF_XDP" if self.port == "afxdp" else "AF_PACKET: it has no AF_XDP"
        return f"OVS userspace datapath ({over})"

    def _start(self, *words):
        with open(f"{self.dir}/{words[0]}.out", "wb") as out:
            return self.ns.popen(["nice", "-n", "-20", "setpriv", "--pdeathsig", "KILL", *words],
                                 env=self.env, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def _tool(self, tool, *words, stdin=None):
        where = [f"--db={self.db}", "--timeout=30"] if tool == "ovs-vsctl" else []
        done = subprocess.run(self.ns.prefix + [tool, *where, *words], env=self.env, text=True,
                              input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=60, check=False)
        if done.returncode:
            raise Failure(f"{tool} {' '.join(words)}: {done.stdout.strip()}")
        return done.stdout

    def _vsctl(self, *words):
        return self._tool("ovs-vsctl", *words)

    def _bridges(self):
        """The address of u0 moves to br-phy: that is how OVS ends tunnels in userspace."""
        u0, hop = self.ns.mac("u0"), self.ns.mac("w0")
        self.ns.run("ip addr flush dev u0")
        for bridge, extra in (("br-int", []), ("br-phy", [f"other_config:hwaddr={u0}"])):
            self._vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev",
                        "fail-mode=secure", *extra)
        for bridge, port in (("br-int", "a0"), ("br-phy", "u0")):
            kind = [f"type={self.port}"] * (self.port == "afxdp")
            self._vsctl("add-port", bridge, port, "--", "set", "interface", port,
                        "ofport_request=1", *kind)
        self._vsctl("add-port", "br-int", "vx0", "--", "set", "interface", "vx0", "type=vxlan",
                    f"ofport_request={VXLAN_PORT}", "options:key=flow", "options:remote_ip=flow",
                    "options:local_ip=192.0.2.1")
        for name in ("a0", "u0", "vx0"):
            error = self._vsctl("get", "interface", name, "error").strip()
            if error != "[]":
                raise Failure(f"Open vSwitch: {name}: {error}")
        self.ns.link("addr add 192.0.2.1/24 dev br-phy\nlink set br-phy mtu 1600 up\n")
        wait_for("the route of the tunnel", lambda: "192.0.2." in self._tool(
            "ovs-appctl", "ovs/route/show"))
        self._tool("ovs-appctl", "tnl/neigh/set", "br-phy", "192.0.2.2", hop)

    def _flows(self):
        """Source filter on port, tag, MAC and IP; then the destination in the VN."""
        flows = ["table=0,priority=0,actions=drop", "table=1,priority=0,actions=drop"]
        for i in range(N_TSIS):
            vn = i % N_VNS
            ip = f"10.0.{(i + 1) >> 8}.{(i + 1) & 255}"
            flows += [
                f"table=0,in_port=1,dl_vlan={VID + vn},dl_src={mac(0, i)},ip,nw_src={ip},"
                f"actions=strip_vlan,set_field:{vn + 1}->metadata,goto_table:1",
                f"table=1,metadata={vn + 1},dl_dst={mac(1, i)},"
                f"actions=set_field:{VNI + vn}->tun_id,set_field:192.0.2.2->tun_dst,"
                f"output:{VXLAN_PORT}",
                f"table=1,metadata={vn + 1 + N_VNS},dl_dst={mac(0, i)},"
                f"actions=push_vlan:0x8100,set_field:{VID + vn | 0x1000}->vlan_vid,output:1"]
        flows += [f"table=0,in_port={VXLAN_PORT},tun_id={VNI + vn},tun_src=192.0.2.2,"
                  f"actions=set_field:{vn + 1 + N_VNS}->metadata,goto_table:1"
                  for vn in range(N_VNS)]
        self._tool("ovs-ofctl", "-OOpenFlow13", "add-flows", "br-int", "-",
                   stdin="\n".join(flows) + "\n")
        self._tool("ovs-ofctl", "del-flows", "br-phy")
        self._tool("ovs-ofctl", "add-flow", "br-phy", "in_port=1,actions=LOCAL")
        self._tool("ovs-ofctl", "add-flow", "br-phy", "in_port=LOCAL,actions=1")

    @contextlib.contextmanager
    def running(self):
        self.switch.send_signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.switch.send_signal(signal.SIGSTOP)

    def _poller(self):
        """The poll-mode thread; with AF_PACKET sockets the main thread does it all."""
        for task in os.listdir(f"/proc/{self.switch.pid}/task"):
            with open(f"/proc/{self.switch.pid}/task/{task}/comm", encoding="ascii") as f:
                if f.read().startswith("pmd"):
                    return int(task)
        return self.switch.pid

    def rate(self, **keys):
        with self.running():
            return rate(self.ns, "ovs", thread=self._poller(), **keys)
