#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Two NVEs, and a TSI that moves from one to the other.

    vm ==hv1==[p1 nve1 eth0]--+-- wire --[far: kernel VXLAN]
    vm ==hv2==[p1 nve2 eth0]--+       '--[far2]

Passes when VMs behind two NVEs of ours talk; a TSI moves make-before-break, its late frames do
not take the address back, and frames that still go to the old NVE are sent on to the new one (D7);
the NVA's file tells of the new place on SIGHUP (S18, S23, S86); another VN stays out; and the
underlay's next hops are followed as they change.
"""
import frames as f
from check import equal, expect, main, test
from client import ACTIVATED, ASSOCIATED, Refused, pb
from lab import BLUE, BLUE_VNI, FAR, NVE1, NVE2, RED, RED_VNI, crosses, vn
from netlab import wait_for

A, B, MOVER, FAR_MAC = ("02:00:00:00:01:01", "02:00:00:00:02:01", "02:00:00:00:05:05",
                        "02:00:00:00:09:09")
ROUTED = "198.51.100.9"  # a VTEP behind a router


class World:
    pass


def vns(local, a_at=NVE1, mover_at=None):
    """The NVA's file for one NVE: all others are VTEPs."""
    others = [x for x in (NVE1, NVE2, FAR) if x != local]
    where = [(A, "10.0.0.1", a_at), (B, "10.0.0.2", NVE2), (FAR_MAC, "10.0.0.9", FAR)]
    if mover_at:
        where.append((MOVER, "10.0.0.5", mover_at))
    return [vn(RED, RED_VNI, "red", others, [x for x in where if x[2] != local]),
            vn(BLUE, BLUE_VNI, "blue", others)]


def build(lab):
    w = World()
    w.hv = [lab.hypervisor("hv1"), lab.hypervisor("hv2")]
    w.nve = [lab.nve("nve1", NVE1, {"p1": w.hv[0]}, vns(NVE1, mover_at=NVE1)),
             lab.nve("nve2", NVE2, {"p1": w.hv[1]}, vns(NVE2, mover_at=NVE1))]
    w.far, w.far2 = lab.far_end(), lab.far_end("far2", "192.0.2.10")
    w.inside = w.far.vn(RED_VNI, FAR_MAC, ["10.0.0.9/24"], [NVE1, NVE2])
    for mac, vtep in ((A, NVE1), (B, NVE2), (MOVER, NVE1)):
        w.far.remote(RED_VNI, mac, vtep)
    w.c = [n.client for n in w.nve]
    w.tag = [w.c[0].activate(1, "p1", "red", [f"{A}/10.0.0.1"]).tag,
             w.c[1].activate(2, "p1", "red", [f"{B}/10.0.0.2"]).tag]
    w.a = w.hv[0].add_vm("vm-a", A, ["10.0.0.1/24"], w.tag[0])
    w.b = w.hv[1].add_vm("vm-b", B, ["10.0.0.2/24"], w.tag[1])
    w.m = [w.hv[0].add_vm("vm-m1", MOVER, ["10.0.0.5/24"]),
           w.hv[1].add_vm("vm-m2", MOVER, ["10.0.0.5/24"])]
    w.ta, w.tb = w.a.tap("eth0"), w.b.tap("eth0")
    w.tm = [m.tap("eth0") for m in w.m]
    return w


@test
def vms_behind_two_nves_ping_each_other_and_the_far_end(w):
    for target in ("10.0.0.2", "10.0.0.9"):
        text = w.a.run(f"ping -c3 -i0.05 -W2 {target}")
        expect(" 3 received" in text, text)


@test
def frames_between_the_nves_are_unchanged_both_ways(w):
    for size in (60, 777, 1514):
        for src, dst, m1, m2 in ((w.ta, w.tb, A, B), (w.tb, w.ta, B, A)):
            token = f.token()
            crosses(f.plain(m1, m2, token, size), token, src, dst, f"{size} bytes")


@test
def a_vm_of_another_vn_on_the_other_nve_sees_nothing(w):
    tag = w.c[1].activate(3, "p1", "blue", ["02:00:00:00:02:07"]).tag
    spy = w.hv[1].add_vm("vm-spy", "02:00:00:00:02:07", ["10.0.0.7/24"], tag)
    tap, token, good = spy.tap("eth0"), f.token(), f.token()
    w.ta.send(f.plain(A, f.BROADCAST, token))
    w.tb.wait(token, what="the broadcast")
    text = spy.run("ping -c1 -W1 10.0.0.1", check=False)
    expect(" 0 received" in text, text)
    expect(not tap.find(token), "the other VN saw a broadcast of this one")
    w.ta.send(f.plain(A, "02:00:00:00:02:07", token), f.plain(A, B, good))
    w.tb.wait(good, what="the marker")
    expect(not tap.find(token), "the other VN saw a frame of this one")
    equal(w.c[1].clear(3, "p1").cleared, 1, "cleared")


@test
def the_source_of_a_migration_runs_until_the_destination_does(w):
    t1 = w.c[0].activate(5, "p1", "red", [f"{MOVER}/10.0.0.5"]).tag
    w.hv[0].tag("vm-m1", t1)
    t2 = w.c[1].associate(5, "p1", "red", [f"{MOVER}/10.0.0.5"], cause=pb.CAUSE_MIGRATE_IN).tag
    w.hv[1].tag("vm-m2", t2)
    for src, mac, tap in ((w.ta, A, w.tm[0]), (w.tb, B, w.tm[0]), (w.inside, FAR_MAC, w.tm[0])):
        token = f.token()
        crosses(f.plain(mac, MOVER, token), token, src, tap, "to the source of the migration")
        # What vm-b sends, their common switch has shown to vm-m2 already.
        expect(src is w.tb or not w.tm[1].find(token), "nothing at the destination yet")


@test
def once_activated_the_destination_sends_and_receives(w):
    reply = w.c[1].activate(5, "p1", "red", cause=pb.CAUSE_MIGRATE_IN)
    equal(reply.state, ACTIVATED, "state")
    for dst, tap in ((B, w.tb), (A, w.ta), (FAR_MAC, w.inside)):
        token = f.token()
        crosses(f.plain(MOVER, dst, token), token, w.tm[1], tap, "from the destination")
    token = f.token()
    crosses(f.plain(B, MOVER, token), token, w.tb, w.tm[1], "a neighbor on the new NVE")


@test
def late_frames_of_the_source_pass_and_do_not_take_the_address_back(w):
    token = f.token()
    crosses(f.plain(MOVER, A, token), token, w.tm[0], w.ta, "a late frame of the source")
    token = f.token()
    crosses(f.plain(MOVER, B, token), token, w.tm[0], w.tb, "a late frame over the underlay")
    token = f.token()
    crosses(f.plain(B, MOVER, token), token, w.tb, w.tm[1], "still to the new place")


@test
def after_deactivate_and_sighup_the_old_nve_sends_frames_on_to_the_new_one(w):
    equal(w.c[0].deactivate(5, "p1", "red").state, ASSOCIATED, "state")
    w.nve[0].hup(vns(NVE1, mover_at=NVE2))
    w.nve[1].hup(vns(NVE2, mover_at=None))

    def moved():
        token = f.token()
        w.ta.send(f.plain(A, MOVER, token))
        w.tm[1].pump()
        return w.tm[1].find(token)
    wait_for("a frame from the old NVE at the new place", moved, 5, 0.05)
    # far still believes that the MAC is at nve1.
    token = f.token()
    crosses(f.plain(FAR_MAC, MOVER, token), token, w.inside, w.tm[1], "by way of the old NVE")
    equal(len(w.tm[1].find(token)), 1, "copies")


@test
def clearing_the_source_leaves_the_destination_alone(w):
    equal(w.c[0].clear(5, "p1").cleared, 1, "cleared")
    for src, mac in ((w.ta, A), (w.tb, B), (w.inside, FAR_MAC)):
        token = f.token()
        crosses(f.plain(mac, MOVER, token), token, src, w.tm[1])
    equal(w.c[1].state(5, "p1"), ACTIVATED)


@test
def a_bad_nva_file_is_refused_and_the_old_contents_stay(w):
    w.nve[0].write_vns("{ this is no list")
    w.nve[0].hup()
    wait_for("a line in the log", lambda: "vns.yaml" in w.nve[0].log(), 5)
    token = f.token()
    crosses(f.plain(A, MOVER, token), token, w.ta, w.tm[1])
    w.nve[0].write_vns(vns(NVE1, mover_at=NVE2))


@test
def a_new_mac_of_the_next_hop_is_followed(w):
    token = f.token()
    crosses(f.plain(A, FAR_MAC, token), token, w.ta, w.inside)
    new = "02:00:00:00:fe:01"
    w.far.ns.run(f"ip link set eth0 address {new}")
    w.nve[0].ns.run(f"ip neigh replace {FAR} lladdr {new} dev eth0 nud reachable")

    def arrives():
        t = f.token()
        w.ta.send(f.plain(A, FAR_MAC, t))
        return w.inside.find(t)
    wait_for("a frame by the new MAC", arrives, 5, 0.02)
    for _ in range(20):
        token = f.token()
        crosses(f.plain(A, FAR_MAC, token), token, w.ta, w.inside)


@test
def a_vtep_behind_a_router_is_reached_and_a_new_route_is_followed(w):
    wire1, wire2 = w.far.ns.tap("eth0"), w.far2.ns.tap("eth0")
    run = w.nve[0].ns.run
    run(f"ip route add 198.51.100.0/24 via {FAR}")
    w.nve[0].hup([*vns(NVE1, mover_at=NVE2),
                  vn(300, 5300, "green", [ROUTED], [("02:00:00:00:09:30", None, ROUTED)])])
    mac = "02:00:00:00:01:30"
    wait_for("the VN green", lambda: connects(w.c[0], "green"), 5)
    tag = w.c[0].activate(30, "p1", "green", [mac]).tag
    vm = w.hv[0].add_vm("vm-green", mac, (), tag).tap("eth0")

    def arrives(wire, router):
        """A packet to the router's own MAC: the switch may have shown it others, too."""
        token = f.token()
        vm.send(f.plain(mac, "02:00:00:00:09:30", token))
        return [x for x in map(f.Outer, wire.find(token)) if x.dst_mac.hex(":") == router]
    packets = wait_for("a packet by the first router",
                       lambda: arrives(wire1, w.far.ns.mac("eth0")), 5, 0.02)
    equal(packets[0].dst, ROUTED, "by the first router")
    run("ip route replace 198.51.100.0/24 via 192.0.2.10")
    packets = wait_for("a packet by the second router",
                       lambda: arrives(wire2, w.far2.ns.mac("eth0")), 5, 0.02)
    equal(packets[0].dst, ROUTED, "by the second router")
    run("ip route del 198.51.100.0/24")
    with_no_route = w.c[0].drops()["VTEP_UNRESOLVED"]

    def counted():
        vm.send(f.plain(mac, "02:00:00:00:09:30", f.token()))
        return w.c[0].drops()["VTEP_UNRESOLVED"] > with_no_route
    wait_for("drops without a route", counted, 5, 0.02)


def connects(client, name):
    try:
        return client.vn_connect("p1", name).tag
    except Refused as e:
        if e.reason != "UNKNOWN_VN":
            raise
        return 0


if __name__ == "__main__":
    main(build, modes=("tc", "xdp"))
