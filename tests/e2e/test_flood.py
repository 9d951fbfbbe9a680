#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Broadcast, unknown and multicast (BUM) frames, and the walls between VNs (S34, S36).

    hv1 ==[p1        eth0]--+-- far  (kernel VXLAN, VNI 5100 and 5200)
    hv2 ==[p2  nve1      ]  +-- far2 (kernel VXLAN, VNI 5100)
    hv3 ==[p3            ]  '-- far3 (a VTEP that no VN has)
                                        red: p1, p2, far, far2     blue: p1, p2, p3, far

Passes when each member of the VN gets exactly one copy, the origin none, and nobody of another VN
any; the same tag on two ports for two VNs does not mix them.
"""
import frames as f
from check import equal, expect, main, test
from lab import BLUE, BLUE_VNI, FAR, FAR2, NVE1, RED, RED_VNI, Netns, crosses, vn

RED1, RED2 = "02:00:00:00:01:01", "02:00:00:00:02:01"
BLUE1, BLUE2, BLUE3 = "02:00:00:00:01:02", "02:00:00:00:02:02", "02:00:00:00:03:02"
FAR_RED, FAR_BLUE, FAR2_RED = "02:00:00:00:09:01", "02:00:00:00:09:02", "02:00:00:00:0a:01"
FAR3 = "192.0.2.11"
TAG = 300  # red at p1, blue at p2


class World:
    pass


def build(lab):
    w = World()
    w.hv = [Netns(f"hv{i}") for i in (1, 2, 3)]
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv[0], "p2": w.hv[1], "p3": w.hv[2]}, [
        vn(RED, RED_VNI, "red", [FAR, FAR2], [(FAR_RED, None, FAR), (FAR2_RED, None, FAR2)]),
        vn(BLUE, BLUE_VNI, "blue", [FAR], [(FAR_BLUE, None, FAR)])])
    far, w.far2, w.far3 = lab.far_end(), lab.far_end("far2", FAR2), lab.far_end("far3", FAR3)
    w.p1, w.p2, w.p3 = (w.hv[i].tap(f"nve1-p{i + 1}") for i in range(3))
    w.far_red, w.far_blue = (far.vn(RED_VNI, FAR_RED, flood=[NVE1]),
                             far.vn(BLUE_VNI, FAR_BLUE, flood=[NVE1]))
    w.far2_red = w.far2.vn(RED_VNI, FAR2_RED, flood=[NVE1])
    w.far3_red = w.far3.vn(RED_VNI, "02:00:00:00:0b:01", flood=[NVE1])
    w.wires = [far.ns.tap("eth0"), w.far2.ns.tap("eth0"), w.far3.ns.tap("eth0")]
    for x in (far, w.far2):
        x.remote(RED_VNI, RED1, NVE1)
    w.taps = {"p1": w.p1, "p2": w.p2, "p3": w.p3, "far red": w.far_red, "far blue": w.far_blue,
              "far2 red": w.far2_red, "far3 red": w.far3_red}
    c = w.nve.client
    w.red = {"p1": c.activate(1, "p1", "red", [RED1], tag=TAG).tag,
             "p2": c.activate(2, "p2", "red", [RED2]).tag}
    w.blue = {"p1": c.activate(3, "p1", "blue", [BLUE1]).tag,
              "p2": c.activate(4, "p2", "blue", [BLUE2], tag=TAG).tag,
              "p3": c.activate(5, "p3", "blue", [BLUE3]).tag}
    return w


def flood_from(w, src, tag, mac, members, dst=f.BROADCAST):
    """A frame to all from 'src' reaches exactly 'members'; the last of them is waited for."""
    def build_one(token):
        frame = f.plain(mac, dst, token)
        return f.tagged(frame, tag) if tag else frame
    first, second = f.token(), f.token()
    src.send(build_one(first), build_one(second))
    for name in members:
        w.taps[name].wait(second, what=f"the copy for {name}")
        w.taps[name].wait(first, what=f"the copy for {name}")
    got = {name: len(t.find(first)) for name, t in w.taps.items() if t.find(first)}
    equal(got, {name: 1 for name in members}, "copies")


@test
def the_same_tag_is_given_to_two_vns_on_two_ports(w):
    equal((w.red["p1"], w.blue["p2"]), (TAG, TAG), "tags")
    expect(w.red["p1"] != w.blue["p1"] and w.red["p2"] != w.blue["p2"], "distinct on one port")


@test
def a_broadcast_reaches_each_member_once_and_never_comes_back(w):
    flood_from(w, w.p1, w.red["p1"], RED1, ["p2", "far red", "far2 red"])
    flood_from(w, w.p2, w.red["p2"], RED2, ["p1", "far red", "far2 red"])
    flood_from(w, w.p3, w.blue["p3"], BLUE3, ["p1", "p2", "far blue"])


@test
def a_multicast_is_replicated_likewise(w):
    flood_from(w, w.p1, w.red["p1"], RED1, ["p2", "far red", "far2 red"], "01:00:5e:01:02:03")
    flood_from(w, w.p1, w.red["p1"], RED1, ["p2", "far red", "far2 red"], "33:33:00:00:00:42")


@test
def a_broadcast_out_of_the_tunnel_reaches_the_local_members_alone(w):
    for tap in w.wires:
        tap.clear()
    flood_from(w, w.far_red, 0, FAR_RED, ["p1", "p2"])
    flood_from(w, w.far2_red, 0, FAR2_RED, ["p1", "p2"])
    flood_from(w, w.far_blue, 0, FAR_BLUE, ["p1", "p2", "p3"])
    sent = [x for tap in w.wires for x in tap.find(lambda x: x[26:30] == bytes([192, 0, 2, 1]))
            if x[12:14] == b"\x08\x00"]
    equal(sent, [], "tunnel packets that went back (split horizon)")


@test
def each_copy_has_the_tag_of_its_own_port(w):
    token = f.token()
    w.far_red.send(f.plain(FAR_RED, f.BROADCAST, token))
    for name in ("p1", "p2"):
        got = w.taps[name].wait(token)
        equal(int.from_bytes(got[14:16], "big") & 0xFFF, w.red[name], f"tag at {name}")


@test
def unicast_between_two_ports_of_the_nve_stays_in_its_vn(w):
    token = f.token()
    crosses(f.tagged(f.plain(RED1, RED2, token), w.red["p1"]), token, w.p1, w.p2,
            as_sent=f.tagged(f.plain(RED1, RED2, token), w.red["p2"]))
    equal([n for n, t in w.taps.items() if t.find(token)], ["p2"], "who saw it")
    # BLUE2 is known in blue; in red it is unknown, and flooded there.
    flood_from(w, w.p1, w.red["p1"], RED1, ["p2", "far red", "far2 red"], BLUE2)
    with w.nve.dropping("SRC_MAC"):
        w.p1.send(f.tagged(f.plain(RED1, BLUE2, f.token()), w.blue["p1"]))


@test
def another_vn_never_sees_a_frame_of_this_one_even_by_the_same_mac(w):
    """The same MAC in both VNs, at the same port: the tag alone tells them apart."""
    c = w.nve.client
    c.update(3, "p1", "blue", add=[RED1])
    token = f.token()
    crosses(f.plain(FAR_RED, RED1, token), token, w.far_red, w.p1,
            as_sent=f.tagged(f.plain(FAR_RED, RED1, token), w.red["p1"]))
    token = f.token()
    frame = f.plain(RED1, FAR_BLUE, token)
    crosses(f.tagged(frame, w.blue["p1"]), token, w.p1, w.far_blue, as_sent=frame)
    c.update(3, "p1", "blue", remove=[RED1])


@test
def no_copy_for_a_port_whose_last_tsi_was_deactivated(w):
    w.nve.client.deactivate(2, "p2", "red")
    flood_from(w, w.p1, w.red["p1"], RED1, ["far red", "far2 red"])
    flood_from(w, w.far_red, 0, FAR_RED, ["p1"])
    w.nve.client.activate(2, "p2", "red")
    flood_from(w, w.p1, w.red["p1"], RED1, ["p2", "far red", "far2 red"])


@test
def a_vtep_that_the_vn_does_not_have_is_dropped_and_counted(w):
    with w.nve.dropping("UNKNOWN_VTEP"):
        w.far3_red.send(f.plain("02:00:00:00:0b:01", f.BROADCAST, f.token()))


@test
def a_vtep_of_another_vn_is_dropped_and_counted(w):
    """far2 is a VTEP of red, not of blue."""
    token = f.token()
    packet = f.tunnel(w.far2.ns.mac("eth0"), w.nve.ns.mac("eth0"), FAR2, NVE1,
                      f.vxlan(BLUE_VNI, f.plain(FAR_BLUE, f.BROADCAST, token)))
    with w.nve.dropping("UNKNOWN_VTEP"):
        w.wires[1].send(packet)


@test
def disconnecting_a_vn_from_a_port_takes_that_port_out(w):
    equal(w.nve.client.vn_disconnect("p3", "blue").cleared, 1, "cleared")
    flood_from(w, w.far_blue, 0, FAR_BLUE, ["p1", "p2"])


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
