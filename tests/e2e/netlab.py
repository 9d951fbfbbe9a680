# SPDX-License-Identifier: Apache-2.0
"""Namespaces, veths, taps and the tagging switch: all that the tests stand on, nved left out.

enter() puts the whole program into mount, network and process namespaces of its own, with its own
/run and /sys/fs/bpf.  However the program ends, the kernel then takes away every namespace, link,
pin, program and process that it has made.
"""
import collections
import contextlib
import ctypes
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
BPFFS = "/sys/fs/bpf"
STATE = "/run/lab"  # files of this run; on the private /run, so they vanish with it
PATIENCE = float(os.environ.get("NVED_PATIENCE", 1))  # more where a machine is emulated
CLONE_NEWNET = 0x40000000
SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 1 << 4, 1 << 6
ETH_P_ALL = 3

libc = ctypes.CDLL(None, use_errno=True)


class Failure(AssertionError):
    """What a test or a step expected did not happen; the text says what did."""


def enter():
    """Re-executes the program in namespaces of its own; returns inside of them."""
    if os.environ.get("NVED_LAB") != str(os.getpid()):
        if os.geteuid() != 0:
            sys.exit(f"{sys.argv[0]}: needs root, for network namespaces and BPF; "
                     "run it as root or with sudo")
        os.environ["NVED_LAB"] = "1"  # the process id inside
        os.execvp("unshare", ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                              "--mount-proc", sys.executable, *sys.argv])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sh("mount -t tmpfs tmpfs /run")
    sh(f"mount -t bpf bpf {BPFFS}")
    os.makedirs(STATE)
    os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"


def sh(command, check=True, timeout=30, stdin=None):
    """Runs a command line (str: words; list: as it is) and returns its output."""
    words = command.split() if isinstance(command, str) else command
    done = subprocess.run(words, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=timeout * PATIENCE, check=False)
    if check and done.returncode:
        raise Failure(f"'{' '.join(words)}' failed ({done.returncode}): {done.stdout.strip()}")
    return done.stdout


def wait_for(what, condition, timeout=5.0, step=0.01):
    """Polls until condition() is true and returns its value; what it waits for has no event."""
    end = time.monotonic() + timeout * PATIENCE
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"waited {timeout} s in vain for {what}")
        time.sleep(step)


@contextlib.contextmanager
def one_cpu():
    """Keeps this thread on one CPU: frames sent inside of it cannot overtake each other."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Netns:
    """A network namespace under /run/netns.  The mount namespace stays the program's own, so that
    pins under /sys/fs/bpf are the same ones everywhere ('ip netns exec' would hide them)."""

    def __init__(self, name):
        self.name = name
        sh(f"ip netns add {name}")
        self.path = f"/run/netns/{name}"
        self.prefix = ["nsenter", f"--net={self.path}"]
        self.run("ip link set lo up")

    def run(self, command, **kw):
        words = command.split() if isinstance(command, str) else command
        return sh(self.prefix + words, **kw)

    def popen(self, words, **kw):
        return subprocess.Popen(self.prefix + words, **kw)

    def link(self, commands):
        """Several 'ip' commands, one a line."""
        self.run("ip -batch -", stdin=commands)

    @contextlib.contextmanager
    def inside(self):
        """This thread's new sockets belong to the namespace."""
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        try:
            if libc.setns(there, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
            yield
        finally:
            libc.setns(back, CLONE_NEWNET)
            os.close(back)
            os.close(there)

    def tap(self, ifname):
        return Tap(self, ifname)

    def ifindex(self, ifname):
        with self.inside():
            return socket.if_nametoindex(ifname)

    def mac(self, ifname):
        with self.inside(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((ifname, 0))
            return s.getsockname()[4].hex(":")


def veth(a, a_name, b, b_name, mtu=1500, a_mac=None, b_mac=None):
    """A cable between two namespaces, both ends up, no address of its own (no router
    solicitations either: only frames of the test are on it)."""
    ends = ((a, a_name, a_mac), (b, b_name, b_mac))
    sh(f"ip link add {a_name} netns {a.name} type veth peer name {b_name} netns {b.name}")
    for ns, name, mac in ends:
        ns.link(f"link set dev {name} addrgenmode none\n"
                + (f"link set dev {name} address {mac}\n" if mac else "")
                + f"link set dev {name} mtu {mtu} up\n")


class Tap:
    """Sends and receives raw frames at an interface.  What comes in is kept until asked for."""

    def __init__(self, ns, ifname):
        self.where = f"{ifname} in {ns.name}"
        self.seen = collections.deque(maxlen=100000)
        with ns.inside():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.sock.bind((ifname, ETH_P_ALL))
        self.sock.setblocking(False)

    def send(self, *frames):
        """In this order; the frames cannot overtake each other on the way."""
        with one_cpu():
            for frame in frames:
                while True:
                    try:
                        self.sock.send(frame)
                        break
                    except BlockingIOError:
                        select.select([], [self.sock], [], 1)

    def _receive(self):
        frame, extra, _, _ = self.sock.recvmsg(65536, socket.CMSG_SPACE(20))
        for level, kind, data in extra:
            if level == SOL_PACKET and kind == PACKET_AUXDATA:
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", data[:20])
                if status & TP_STATUS_VLAN_VALID:  # the kernel has taken the tag off: put it back
                    tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                    frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
        self.seen.append(frame)
        return frame

    def pump(self):
        """Takes in whatever has arrived."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._receive()

    def clear(self):
        self.pump()
        self.seen.clear()

    def find(self, match):
        """Frames seen so far that contain 'match' (bytes), or for which match(frame) is true."""
        self.pump()
        test = match if callable(match) else (lambda frame: match in frame)
        return [frame for frame in self.seen if test(frame)]

    def wait(self, match, timeout=3.0, what=None):
        """The first such frame, come or to come."""
        end = time.monotonic() + timeout
        while True:
            found = self.find(match)
            if found:
                return found[0]
            left = end - time.monotonic()
            if left <= 0:
                raise Failure(f"{what or 'the frame'} did not arrive at {self.where} in {timeout} "
                              f"s; {len(self.seen)} other frames did")
            select.select([self.sock], [], [], left)

    def close(self):
        self.sock.close()


class Capture:
    """tcpdump on an interface, for a view of the wire that is not ours."""

    def __init__(self, ns, ifname, expression="", options="-nn -e -vvv"):
        self.proc = ns.popen(
            ["tcpdump", "-i", ifname, "-l", "--immediate-mode", *options.split(),
             *expression.split()],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for line in self.proc.stderr:  # says when it listens
            if "listening on" in line:
                break

    def stop(self):
        """Ends it and returns what it printed."""
        self.proc.send_signal(signal.SIGINT)
        return self.proc.communicate(timeout=10)[0]


class Switch:
    """A hypervisor: VMs on veths, tagged onto one trunk by tag.bpf.c."""

    def __init__(self, name, obj):
        self.ns, self.name, self.vms, self.slots = Netns(name), name, {}, {}
        self.pins = f"{BPFFS}/{name}"
        os.makedirs(self.pins)
        sh(f"bpftool prog loadall {obj} {self.pins} pinmaps {self.pins}")

    def _attach(self, ifname, program):
        self.ns.run(f"tc qdisc add dev {ifname} clsact")
        self.ns.run(f"tc filter add dev {ifname} ingress bpf direct-action "
                    f"object-pinned {self.pins}/{program}")

    def _write(self, table, key, *words):
        value = b"".join(struct.pack("I", w) for w in words)
        sh(["bpftool", "map", "update", "pinned", f"{self.pins}/{table}", "key", "hex",
            *struct.pack("I", key).hex(" ").split(), "value", "hex", *value.hex(" ").split()])

    def trunk(self, ifname):
        """Makes an interface that is already there the trunk."""
        self._write("tag_trunk", 0, self.ns.ifindex(ifname))
        self._attach(ifname, "from_trunk")

    def add_vm(self, name, mac, ips=(), vid=0, mtu=1500):
        """A VM: a namespace with one interface, eth0."""
        vm = Netns(name)
        vm.vm_mac = mac
        veth(self.ns, f"to-{name}", vm, "eth0", mtu, b_mac=mac)
        for address in ips:
            vm.run(f"ip addr add {address} dev eth0" + (" nodad" if ":" in address else ""))
        self._attach(f"to-{name}", "from_vm")
        self.vms[name] = vm
        self.slots[name] = (len(self.slots), self.ns.ifindex(f"to-{name}"))
        self.tag(name, vid)
        return vm

    def tag(self, name, vid):
        """The VM's frames bear this tag from now on; 0: they go nowhere."""
        slot, ifindex = self.slots[name]
        self._write("tag_ports", slot, ifindex, vid)


def plain_frames(ns, ifname):
    """Makes an end of a veth send and take frames as XDP at the other end needs them: whole, with
    the tag and the checksum inside, and with NAPI for those that are redirected to it.  Without
    it, large segments with checksums to be filled in cross the veth, which only TC can handle."""
    ns.run(f"ethtool -K {ifname} gro on tx off txvlan off")


class Bridge:
    """An Ethernet switch in a namespace: the underlay, or what stands between hypervisors and an
    access port.  It forwards tagged frames as they are; 'plain': see plain_frames()."""

    def __init__(self, name, mtu=1500, plain=True):
        self.ns, self.mtu, self.n, self.plain = Netns(name), mtu, 0, plain
        self.ns.link(f"link add br0 type bridge mcast_snooping 0\nlink set br0 addrgenmode none\n"
                     f"link set br0 mtu {mtu} up\n")

    def plug(self, other, ifname, mac=None):
        self.n += 1
        mine = f"port{self.n}"
        veth(self.ns, mine, other, ifname, self.mtu, b_mac=mac)
        self.ns.run(f"ip link set {mine} master br0")
        if self.plain:
            plain_frames(self.ns, mine)
        return mine


def add_address(ns, ifname, address):
    """An underlay address; with one of IPv6 goes a link-local one, from which neighbors are
    solicited."""
    if ":" not in address:
        ns.run(f"ip addr add {address}/24 dev {ifname}")
        return
    ns.run(["sysctl", "-qw", f"net.ipv6.conf.{ifname}.disable_ipv6=0"])
    for each in (address, "fe80::" + address.rsplit(":", 1)[1]):
        ns.run(f"ip addr add {each}/64 dev {ifname} nodad")


class FarEnd:
    """An external NVE that nobody here wrote: the kernel's VXLAN device.  Each VN is a device
    with an address of its own, so it is at once the VTEP and the VM behind it."""

    def __init__(self, name, wire, address, mac=None):
        self.ns, self.address = Netns(name), address
        wire.plug(self.ns, "eth0", mac)
        add_address(self.ns, "eth0", address)

    def vn(self, vni, mac, ips=(), flood=(), mtu=1500):
        """Adds a VN; BUM goes to the VTEPs in 'flood'.  Returns a Tap on the inside."""
        dev = f"vx{vni}"
        zero = "udp6zerocsumtx udp6zerocsumrx " if ":" in self.address else ""
        self.ns.link(f"link add {dev} type vxlan id {vni} local {self.address} dstport 4789 {zero}"
                     f"nolearning dev eth0\n"
                     f"link set dev {dev} addrgenmode none\n"
                     f"link set dev {dev} address {mac} mtu {mtu} up\n")
        for address in ips:
            self.ns.run(f"ip addr add {address} dev {dev}" + (" nodad" if ":" in address else ""))
        for vtep in flood:
            self.ns.run(f"bridge fdb append 00:00:00:00:00:00 dev {dev} dst {vtep} self")
        return self.ns.tap(dev)

    def remote(self, vni, mac, vtep):
        """A static FDB entry: the MAC is behind that VTEP."""
        self.ns.run(f"bridge fdb replace {mac} dev vx{vni} dst {vtep} self")
