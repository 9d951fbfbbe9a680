#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Every pool of a live agent on eBPF filled up (issue 4, 5; S54, S94, D12).

In each case: one more is refused at Associate with NO_RESOURCES, which pool, used and maximum,
and changes nothing; what was associated is activated all the same; and after one has gone the next
fits.
"""
from check import equal, main, refused, test
from client import ACTIVATED, pb
from lab import FAR, FAR2, NVE1, Netns, vn

THIRD = "192.0.2.11"
LIMITS = {"tsis": 6, "addresses": 8, "vns": 3, "vaps": 4, "fdb": 7, "vteps": 2, "meters": 1,
          "flood": 3}
RATE = pb.Qos(from_tsi=pb.Rate(bits_per_second=1000000))


class World:
    pass


def mac(n):
    return f"02:00:00:00:00:{n:02x}"


def build(lab):
    w = World()
    vns = [vn(100 + i, 5100 + i) for i in range(5)]
    vns += [vn(110, 5110, vteps=[FAR, FAR2]), vn(111, 5111, vteps=[THIRD])]
    vns += [vn(120, 5120, mappings=[(mac(0x80 + i), None, FAR) for i in range(6)])]
    vns += [vn(130, 5130, vteps=[FAR, FAR2])]
    w.nve = lab.nve("nve1", NVE1, {"p1": (Netns("hv1"), "narrow"), "p2": Netns("hv2"),
                                   "p3": Netns("hv3")}, vns,
                    limits=LIMITS, scopes=[{"name": "narrow", "tag_min": 10, "tag_max": 12}],
                    timers={"quarantine_ms": 0})
    w.c = w.nve.client
    return w


def everything(w):
    """What can be seen from outside, but for counters and times."""
    tables = {name: sorted(map(str, w.nve.dump(name)))
              for name in ("src", "src_ip", "fdb", "flood", "peer", "neigh", "bum")}
    pools = [(p.name, p.used) for p in w.c.status().pools]
    tsis = sorted((bytes(t.key.tsi_id), t.key.port, t.state, t.tag, len(t.addresses))
                  for t in w.c.tsis())
    return tables, pools, tsis, w.nve.rows(), w.nve.stored()


def fill_up(w, resource, used, top, fills, extra):
    """fills and extra: (port, VN, addresses, qos)."""
    for i, (port, number, addrs, qos) in enumerate(fills):
        w.c.associate(1 + i, port, number, addrs, qos=qos)
    before = everything(w)
    port, number, addrs, qos = extra
    for call in (w.c.associate, w.c.activate):
        e = refused("NO_RESOURCES", call, 99, port, number, addrs, qos=qos)
        equal({k: e.metadata[k] for k in ("resource", "used", "max")},
              {"resource": resource, "used": str(used), "max": str(top)}, "metadata")
        equal(everything(w), before, "what can be seen")
    for i, (port, number, _, _) in enumerate(fills):
        equal(w.c.activate(1 + i, port, number).state, ACTIVATED, "state")
    w.c.clear(1, fills[0][0])
    port, number, addrs, qos = extra
    equal(w.c.activate(99, port, number, addrs, qos=qos).state, ACTIVATED, "state of the next one")
    for i, (port, _, _, _) in enumerate(fills[1:]):
        w.c.clear(2 + i, port)
    w.c.clear(99, extra[0])
    equal(sum(w.nve.rows().values()), 0, "rows at the end")


@test
def a_full_pool_of_tsis_is_named(w):
    fill_up(w, "tsis", 6, 6, [("p2", 100, [], None)] * 6, ("p2", 100, [], None))


@test
def a_full_pool_of_addresses_is_named(w):
    fill_up(w, "addresses", 8, 8, [("p2", 100, [f"10.0.{i}.{j}" for j in range(1, 5)], None)
                                   for i in range(2)], ("p2", 100, ["10.0.9.9"], None))


@test
def a_full_pool_of_vns_is_named(w):
    fill_up(w, "vns", 3, 3, [("p2", 100 + i, [], None) for i in range(3)], ("p2", 103, [], None))


@test
def a_full_pool_of_vaps_is_named(w):
    fill_up(w, "vaps", 4, 4, [("p2", 100, [], None), ("p2", 101, [], None), ("p3", 100, [], None),
                              ("p3", 101, [], None)], ("p2", 102, [], None))


@test
def a_full_scope_of_tags_is_named(w):
    fill_up(w, "tags", 3, 3, [("p1", 100 + i, [], None) for i in range(3)], ("p1", 103, [], None))


@test
def a_full_pool_of_vteps_is_named(w):
    fill_up(w, "vteps", 2, 2, [("p2", 110, [], None)], ("p2", 111, [], None))


@test
def a_full_forwarding_table_is_named_be_it_local_or_remote(w):
    fill_up(w, "fdb", 7, 7, [("p2", 100, [mac(1)], None), ("p2", 120, [], None)],
            ("p2", 101, [mac(2)], None))
    fill_up(w, "fdb", 2, 7, [("p2", 100, [mac(1), mac(2)], None)], ("p2", 120, [], None))


@test
def a_full_list_of_a_vns_members_is_named(w):
    fill_up(w, "flood", 3, 3, [("p2", 130, [], None)], ("p3", 130, [], None))


@test
def a_full_pool_of_meters_is_named(w):
    fill_up(w, "meters", 1, 1, [("p2", 100, [], RATE)], ("p2", 100, [], RATE))


if __name__ == "__main__":
    main(build)
