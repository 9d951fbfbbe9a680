#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Hypervisors behind an Ethernet switch (S35, S89, B2, B3).

    vm-1 ==hv1==+
                [bridge]==[p1          ]
    vm-2 ==hv2==+         [   nve1 eth0]-- wire --[far: kernel VXLAN]
    vm-3 ==hv3============[p2          ]         p1 and p2: one tag scope, rack-1

Passes when both hypervisors of one port get the same tag for a VN and different ones for two,
the ports of the scope likewise; each hypervisor's VMs talk with all others of the VN, each frame
once; and what one hypervisor clears or disconnects does not touch the other's.
"""
import frames as f
from check import equal, expect, main, refused, test
from client import ACTIVATED, Client
from lab import BLUE, BLUE_VNI, FAR, NVE1, RED, RED_VNI, crosses, vn
from netlab import plain_frames

V1, V2, V3, FAR_MAC = ("02:00:00:00:01:01", "02:00:00:00:02:01", "02:00:00:00:03:01",
                       "02:00:00:00:09:09")


class World:
    pass


def build(lab):
    w = World()
    w.hv = [lab.hypervisor(f"hv{i}") for i in (1, 2, 3)]
    bridge = lab.bridge("bridge")
    for hv in w.hv[:2]:
        bridge.plug(hv.ns, "trunk0")
        if lab.mode == "xdp":
            plain_frames(hv.ns, "trunk0")
        hv.trunk("trunk0")
    w.nve = lab.nve("nve1", NVE1, {"p1": (bridge, "rack-1"), "p2": (w.hv[2], "rack-1")}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, "10.0.0.9", FAR)]),
        vn(BLUE, BLUE_VNI, "blue", [FAR])],
        scopes=[{"name": "rack-1", "tag_min": 2, "tag_max": 4094}])
    far = lab.far_end()
    w.inside = far.vn(RED_VNI, FAR_MAC, ["10.0.0.9/24"], [NVE1])
    for mac in (V1, V2, V3):
        far.remote(RED_VNI, mac, NVE1)
    # Each hypervisor has its own connection.
    w.c = [Client(f"unix:{w.nve.socket}") for _ in w.hv]
    replies = [w.c[i].activate(i + 1, port, "red", [f"{mac}/10.0.0.{i + 1}"])
               for i, (port, mac) in enumerate((("p1", V1), ("p1", V2), ("p2", V3)))]
    w.tags = [r.tag for r in replies]
    w.vms = [hv.add_vm(f"vm-{i + 1}", mac, [f"10.0.0.{i + 1}/24"], tag) for i, (hv, mac, tag)
             in enumerate(zip(w.hv, (V1, V2, V3), w.tags))]
    w.taps = [vm.tap("eth0") for vm in w.vms]
    return w


@test
def one_vn_has_one_tag_in_the_whole_scope_and_two_vns_have_two(w):
    equal(len(set(w.tags)), 1, "tags of red")
    blue = [w.c[0].vn_connect("p1", "blue").tag, w.c[1].vn_connect("p1", "blue").tag,
            w.c[2].vn_connect("p2", "blue").tag]
    equal(len(set(blue)), 1, "tags of blue")
    expect(blue[0] != w.tags[0], "the two differ")
    refused("TAG_IN_USE", w.c[2].activate,
            9, "p2", "blue", ["02:00:00:00:03:09"], tag=w.tags[0])
    for port in ("p1", "p2"):
        w.c[0].vn_disconnect(port, "blue")


@test
def all_vms_ping_each_other_and_the_far_end(w):
    for i, vm in enumerate(w.vms):
        for target in (1, 2, 3, 9):
            if target != i + 1:
                text = vm.run(f"ping -c2 -i0.05 -W2 10.0.0.{target}")
                expect(" 2 received" in text and "DUP" not in text, text)


@test
def a_broadcast_reaches_each_vm_once_and_its_sender_never(w):
    for i, mac in enumerate((V1, V2, V3)):
        token, second = f.token(), f.token()
        w.taps[i].send(f.plain(mac, f.BROADCAST, token), f.plain(mac, f.BROADCAST, second))
        everyone = [*w.taps, w.inside]
        for k, tap in enumerate(everyone):
            if k != i:
                tap.wait(second)
        equal([len(t.find(token)) for t in everyone], [int(k != i) for k in range(4)],
              f"copies of the broadcast of vm-{i + 1}")


@test
def a_frame_between_two_vms_behind_the_bridge_is_not_sent_back(w):
    token = f.token()
    w.taps[0].send(f.plain(V1, V2, token), f.plain(V1, V2, f.token()))
    w.taps[1].wait(token)
    equal(len(w.taps[1].find(token)), 1, "copies")


@test
def the_two_hypervisors_of_a_port_do_not_touch_each_others_tsis(w):
    refused("ADDRESS_IN_USE", w.c[1].activate, 7, "p1", "red", [V1])
    equal(w.c[0].clear(1, "p1").cleared, 1, "cleared")
    equal([w.c[0].state(i, p) for i, p in ((1, "p1"), (2, "p1"), (3, "p2"))],
          [0, ACTIVATED, ACTIVATED], "states")
    for src, dst, mac in ((w.taps[1], w.inside, FAR_MAC), (w.taps[1], w.taps[2], V3)):
        token = f.token()
        crosses(f.plain(V2, mac, token), token, src, dst)
    w.c[0].close()
    token = f.token()
    crosses(f.plain(FAR_MAC, V2, token), token, w.inside, w.taps[1], "after hv1 has gone")


@test
def a_vn_disconnected_on_one_port_lives_on_at_the_other(w):
    equal(w.c[2].vn_disconnect("p2", "red").cleared, 1, "cleared")
    token = f.token()
    crosses(f.plain(V2, FAR_MAC, token), token, w.taps[1], w.inside)
    equal([(v.port, v.tag) for v in w.c[1].vaps()], [("p1", w.tags[0])], "VNs")


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
