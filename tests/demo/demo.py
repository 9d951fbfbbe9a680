#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nved in under a minute: two NVEs, two hypervisors, and a third end that is the kernel's own.

Every step says what is expected, does it on real frames, and shows what came out.  Exits with 1 if
a step failed.  All of it lives in namespaces of its own and is gone at the end, however it ends.
"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../e2e"))
import netlab  # noqa: E402  pylint: disable=wrong-import-position

DRAWING = """
  hypervisor hv1                external NVE nve1
   vm-a 10.0.0.1 --[switch]==tags==[p1  nved + eBPF  eth0]---+
   vm-x 10.0.0.1 --'  (VN blue)      192.0.2.1               |
                                                             |  underlay IP network
  hypervisor hv2                external NVE nve2            +---[eth0  far: the kernel's VXLAN
   vm-b 10.0.0.2 --[switch]==tags==[p1  nved + eBPF  eth0]---+    device, 192.0.2.9; nobody here
   vm-y 10.0.0.2 --'  (VN blue)      192.0.2.2                    wrote it], 10.0.0.9 in VN red

  red:  VN 100 = VNI 5100    vm-a, vm-b, far
  blue: VN 200 = VNI 5200    vm-x, vm-y, with the very same IPs
"""
A, B, X, Y, FAR_MAC = ("02:00:00:00:01:01", "02:00:00:00:02:01", "02:00:00:00:01:02",
                       "02:00:00:00:02:02", "02:00:00:00:09:09")
TCP_BYTES = 64 << 20


class Demo:
    def __init__(self):
        self.number, self.failed, self.begin = 0, 0, time.monotonic()

    def step(self, title, *expected):
        self.number += 1
        print(f"\n{self.number}. {title}")
        for line in expected:
            print(f"   expected: {line}")

    def show(self, text):
        for line in text.strip().splitlines():
            print(f"      {line}")

    def check(self, ok, text):
        print(f"   {'PASS' if ok else 'FAIL'}  {text}", flush=True)
        self.failed += not ok


def topology(d):
    from lab import BLUE, BLUE_VNI, FAR, NVE1, NVE2, RED, RED_VNI, Lab, vn
    lab = Lab()
    d.lab, d.hv = lab, [lab.hypervisor("hv1"), lab.hypervisor("hv2")]
    places = {NVE1: [], NVE2: []}
    for me, other, mac, ip, blue in ((NVE1, NVE2, B, "10.0.0.2", Y),
                                     (NVE2, NVE1, A, "10.0.0.1", X)):
        places[me] = [
            vn(RED, RED_VNI, "red", [other, FAR], [(mac, ip, other), (FAR_MAC, "10.0.0.9", FAR)]),
            vn(BLUE, BLUE_VNI, "blue", [other], [(blue, ip, other)])]
    d.nve = [lab.nve("nve1", NVE1, {"p1": d.hv[0]}, places[NVE1]),
             lab.nve("nve2", NVE2, {"p1": d.hv[1]}, places[NVE2])]
    d.far = lab.far_end()
    d.far.vn(RED_VNI, FAR_MAC, ["10.0.0.9/24"], [NVE1, NVE2])
    d.far.remote(RED_VNI, A, NVE1)
    d.far.remote(RED_VNI, B, NVE2)
    d.vm = {}
    for name, hv, mac, ip in (("vm-a", 0, A, 1), ("vm-x", 0, X, 1), ("vm-b", 1, B, 2),
                              ("vm-y", 1, Y, 2)):
        d.vm[name] = d.hv[hv].add_vm(name, mac, [f"10.0.0.{ip}/24"])


def ping(d, name, target, count=2, **kw):
    """How many of 'count' came back.  The VM asks for the target's MAC anew: while an earlier
    question waits for its answer, the kernel sends nothing, and nothing would be counted."""
    d.vm[name].run("ip neigh flush dev eth0", check=False)
    text = d.vm[name].run(f"ping -n -c{count} -i0.1 -W1 {target}", check=False, **kw)
    line = next((x for x in text.splitlines() if "received" in x), text.strip())
    d.show(f"{name}$ ping -c{count} {target}\n{line}")
    return int(line.split(" received")[0].split()[-1]) if "received" in line else -1


def drops(d, nve):
    """What is counted, without the zeros."""
    return {k: v for k, v in nve.client.drops().items() if v}


def before_associate(d):
    d.step("Nothing passes before Associate",
           "vm-a's frames bear a tag that nobody gave out: dropped, and counted as NO_VAP")
    d.hv[0].tag("vm-a", 100)
    before = d.nve[0].client.drops()["NO_VAP"]
    d.check(ping(d, "vm-a", "10.0.0.9", 1) == 0, "no answer")
    now = d.nve[0].client.drops()["NO_VAP"]
    d.check(now > before, f"nve1 counts {now - before} frames as NO_VAP")


def associated(d):
    d.step("Associate: everything is reserved, nothing passes yet",
           "the reply tells the local VLAN tag; still no answer, counted as SRC_INACTIVE")
    reply = d.nve[0].client.associate(1, "p1", "red", [f"{A}/10.0.0.1"])
    d.show(f"hv1: Associate(vm-a, port p1, VN red, {A}/10.0.0.1)\n"
           f"nve1: Associated, use tag {reply.tag}, epoch {reply.epoch}")
    d.hv[0].tag("vm-a", reply.tag)
    d.check(ping(d, "vm-a", "10.0.0.9", 1) == 0, "no answer")
    d.check(d.nve[0].client.drops()["SRC_INACTIVE"] > 0, f"nve1 counts {drops(d, d.nve[0])}")


def activated(d):
    d.step("Activate: traffic passes, to the other NVE and to the kernel's VXLAN device",
           "each ping is answered; on the wire it is VXLAN with VNI 5100")
    d.nve[0].client.activate(1, "p1", "red")
    reply = d.nve[1].client.activate(2, "p1", "red", [f"{B}/10.0.0.2"])
    d.hv[1].tag("vm-b", reply.tag)
    d.show("hv1: Activate(vm-a)   nve1: Activated\nhv2: Activate(vm-b)   nve2: Activated, "
           f"use tag {reply.tag}")
    capture = netlab.Capture(d.far.ns, "eth0", "udp port 4789")
    d.check(ping(d, "vm-a", "10.0.0.9") == 2, "vm-a reaches the kernel's VXLAN device")
    packets = capture.stop()
    d.show("\n".join([x.strip() for x in packets.splitlines() if "vni 5100" in x][:1]))
    d.check("vni 5100" in packets, "tcpdump at the far end sees VXLAN with VNI 5100")
    d.check(ping(d, "vm-a", "10.0.0.2") == 2, "vm-a behind nve1 reaches vm-b behind nve2")
    d.show(d.nve[0].ctl("tsi"))


def tcp(d):
    from lab import transfer
    d.step("TCP passes, in bulk", f"{TCP_BYTES >> 20} MiB from vm-a to vm-b arrive unchanged")
    blob = os.urandom(1 << 20) * (TCP_BYTES >> 20)
    seconds = transfer(d.vm["vm-a"], d.vm["vm-b"], "10.0.0.2", blob)
    d.check(True, f"they did, in {seconds:.1f} s ({len(blob) * 8 / seconds / 1e9:.1f} Gbit/s)")


def isolation(d):
    import frames as f
    d.step("Another VN never sees it",
           "vm-x and vm-y, with the same IPs in VN blue, talk with each other only")
    for i, (name, mac, ip) in enumerate((("vm-x", X, 1), ("vm-y", Y, 2))):
        reply = d.nve[i].client.activate(10 + i, "p1", "blue", [f"{mac}/10.0.0.{ip}"])
        d.hv[i].tag(name, reply.tag)
        d.show(f"hv{i + 1}: Activate({name}, VN blue)   nve{i + 1}: Activated, "
               f"use tag {reply.tag}")
    taps = {name: d.vm[name].tap("eth0") for name in ("vm-b", "vm-x", "vm-y")}
    d.check(ping(d, "vm-x", "10.0.0.2") == 2, "vm-x reaches vm-y")
    blue = taps["vm-b"].find(bytes.fromhex(X.replace(":", "")))
    d.check(not blue, "vm-b saw no frame of vm-x, although it has the IP that was pinged")
    token = f.token()
    red = d.vm["vm-a"].tap("eth0")
    red.send(f.plain(A, f.BROADCAST, token))
    taps["vm-b"].wait(token)
    seen = [n for n in ("vm-x", "vm-y") if taps[n].find(token)]
    d.check(not seen, "a broadcast of vm-a reached vm-b, and neither vm-x nor vm-y")
    d.check(ping(d, "vm-x", "10.0.0.9", 1) == 0, "vm-x cannot reach far, which is in VN red")


def spoofing(d):
    import frames as f
    d.step("A spoofed source is dropped and counted",
           "vm-a sends with an IP that is not its own (SRC_IP), and with a foreign MAC (SRC_MAC)")
    tap = d.vm["vm-a"].tap("eth0")
    for reason, frame in (
            ("SRC_IP", f.udp4(A, B, "10.0.0.66", "10.0.0.2", f.token())),
            ("SRC_MAC", f.udp4("02:00:00:00:66:66", B, "10.0.0.1", "10.0.0.2", f.token()))):
        try:
            with d.nve[0].dropping(reason):
                tap.send(frame)
            d.check(True, f"one more {reason} on nve1")
        except netlab.Failure as e:
            d.check(False, str(e))
    d.show(d.nve[0].ctl("drops"))


def agent_dies(d):
    d.step("The agent dies: what forwards goes on forwarding",
           "pings pass with nve1's agent killed, and its state is there again after a restart")
    d.nve[0].kill()
    d.check(ping(d, "vm-a", "10.0.0.2") == 2, "vm-a reaches vm-b with no agent on nve1")
    d.nve[0].start()
    d.check(d.nve[0].client.state(1, "p1") == 2, "after the restart vm-a is Activated")


def deactivated(d):
    d.step("Deactivate stops it", "no answer any more, in either direction")
    d.nve[0].client.deactivate(1, "p1", "red")
    d.show("hv1: Deactivate(vm-a)   nve1: Associated")
    d.check(ping(d, "vm-a", "10.0.0.2", 1) == 0, "vm-a does not reach vm-b")
    d.check(ping(d, "vm-b", "10.0.0.1", 1) == 0, "vm-b does not reach vm-a")


def cleared(d):
    d.step("Clear releases everything", "no row is left in any map, on either NVE")
    for i, tsis in enumerate(((1, 10), (2, 11))):
        for tsi in tsis:
            d.nve[i].client.clear(tsi, "p1")
        rows = d.nve[i].rows()
        d.show(f"nve{i + 1}: rows in use: " + ", ".join(f"{k} {v}" for k, v in rows.items()))
        d.check(not any(rows.values()), f"the maps of nve{i + 1} are empty")


STEPS = [before_associate, associated, activated, tcp, isolation, spoofing, agent_dies, deactivated,
         cleared]


def main():
    netlab.enter()
    d = Demo()
    print("nved: hypervisors signal over gRPC, the kernel forwards.\n" + DRAWING, flush=True)
    topology(d)
    for step in STEPS:
        try:
            step(d)
        except Exception as e:  # pylint: disable=broad-except
            d.check(False, f"{type(e).__name__}: {e}")
    for nve in d.nve:
        if not nve.alive() or nve.stop() != 0:
            d.check(False, f"the agent of {nve.name} did not end cleanly:\n{nve.log_tail()}")
    print(f"\n{'FAILED' if d.failed else 'All steps passed'} in "
          f"{time.monotonic() - d.begin:.0f} s"
          + (f": {d.failed} checks failed" if d.failed else "; nothing is left behind."))
    return 1 if d.failed else 0


if __name__ == "__main__":
    sys.exit(main())
