#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The barrier holds for the very first frame as well (S13, S21).

    hv --20 tags==[p1 nve1 eth0]-- wire --[far: 20 addresses, each the VTEP of one VN]

Passes when, for each of 20 VNs whose VTEP the NVE has never spoken to, the frame sent right after
the reply to the first Activate arrives: the next hop was known before the reply.
"""
import frames as f
from check import equal, main, test
from lab import NVE1, Netns, vn

VM, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:09:09"
VNS = 20


class World:
    pass


def vtep(i):
    return f"192.0.2.{100 + i}"


def build(lab):
    w = World()
    w.hv, far = Netns("hv"), lab.far_end()
    for i in range(VNS):
        far.ns.run(f"ip addr add {vtep(i)}/24 dev eth0")
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(1000 + i, 6000 + i, None, [vtep(i)], [(FAR_MAC, None, vtep(i))]) for i in range(VNS)])
    w.trunk, w.wire = w.hv.tap("nve1-p1"), far.ns.tap("eth0")
    return w


@test
def the_first_frame_after_the_first_activate_of_each_of_20_vns_arrives(w):
    tokens = []
    for i in range(VNS):
        reply = w.nve.client.activate(i + 1, "p1", 1000 + i, [VM])
        tokens.append(f.token())
        w.trunk.send(f.tagged(f.plain(VM, FAR_MAC, tokens[-1]), reply.tag))
    marker = f.token()  # to the last VTEP again: all before it have had their chance
    w.trunk.send(f.tagged(f.plain(VM, FAR_MAC, marker), reply.tag))
    w.wire.wait(marker, what="the marker")
    lost = [i for i, token in enumerate(tokens) if not w.wire.find(token)]
    equal(lost, [], f"VNs whose first frame was lost (drops: {w.nve.client.drops()})")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
