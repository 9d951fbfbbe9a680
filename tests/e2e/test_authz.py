#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may do what (S98, S99, S100, S101, B3, B17, D17).

    hv1 (uid 1001) ==+
                     [bridge]==[p1 nve1]      operator (uid 0), mover (uid 1003), stranger (1009)
    hv2 (uid 1002) ==+         [p2     ]

All reach the agent over its unix socket, each as another user.  Passes when each does what the
policy lets it, and nothing else; when two hypervisors behind one port neither see nor touch each
other's TSIs, also after a kill -9; when a new policy counts at once and a wrong one not at all; and
when a verified VN takes TSIs as the NVA has them recorded.
"""
import json
import os
import subprocess
import uuid

import grpc

from agent import NVED
from check import equal, expect, main, refused, test
from client import ACTIVATED, ASSOCIATED, INIT, Client, Refused, key, pb, tsi_id
from lab import BLUE, BLUE_VNI, NVE1, RED, RED_VNI, vn
from netlab import STATE, wait_for
from someone import Session, Someone

HV1, HV2, MOVER, STRANGER = 1001, 1002, 1003, 1009
SECURE = 300
M1, M2 = "02:00:00:00:01:01", "02:00:00:00:02:01"
CREATE, MIGRATE_IN = 1, 2


def hypervisor(number, **more):
    """May have TSIs number*10..number*10+9 (by the first 124 bits) with MACs and IPs of its own."""
    first = tsi_id(number * 16).hex()
    return {"name": f"hv{number}", "identities": [f"unix:100{number}"], "ports": ["p1"],
            "vns": [str(RED), "secure"], "tsis": [f"{first}/124"],
            "macs": [f"02:00:00:00:0{number}:00/40"],
            "ips": [f"10.0.{number}.0/24", "2001:db8::/32"],
            "admin": ["list", "watch"], "max": {"tsis": 3, "addresses": 4, "vns": 1}, **more}


OPERATOR = {"name": "operator", "identities": ["unix:0"], "owns": "any",
            **{k: ["*"] for k in ("ports", "vns", "tsis", "macs", "ips", "parameters", "admin")}}
POLICY = [OPERATOR, hypervisor(1), hypervisor(2),
          {**OPERATOR, "name": "mover", "identities": ["unix:1003"], "owns": "take"}]


def tsi(number):
    return str(uuid.UUID(bytes=tsi_id(number)))


RECORDS = [
    {"id": tsi(24), "port": "p1", "identity": "unix:1001",
     "addresses": [{"mac": "02:00:00:00:01:24", "ip": "10.0.1.24"},
                   {"mac": "02:00:00:00:01:24", "ip": "2001:db8::24"}]},
]


class World:
    pass


def vns(records):
    secure = vn(SECURE, 5300, "secure")
    return [vn(RED, RED_VNI, "red"), vn(BLUE, BLUE_VNI, "blue"),
            {**secure, "security": "verified", "tsis": records}]


def write_policy(w, roles):
    with open(w.policy, "w", encoding="utf-8") as f:
        f.write(roles if isinstance(roles, str) else f"roles: {json.dumps(roles)}\n")


def reload(w, roles=None, event="policy_loaded"):
    """Returns when the agent says what came of it."""
    if roles is not None:
        write_policy(w, roles)
    before = w.nve.log().count(event)
    w.nve.hup()
    wait_for(event, lambda: w.nve.log().count(event) > before)


def build(lab):
    w = World()
    w.policy = f"{STATE}/policy.yaml"
    write_policy(w, POLICY)
    bridge = lab.bridge("bridge")
    w.nve = lab.nve("nve1", NVE1, {"p1": bridge, "p2": lab.bridge("other")}, vns(RECORDS),
                    policy=w.policy)
    w.root = w.nve.client
    w.people = [Someone(w.nve, uid) for uid in (HV1, HV2, MOVER, STRANGER)]
    w.hv1, w.hv2, w.mover, w.stranger = (Client(p.target) for p in w.people)
    return w


def field(refusal):
    return refusal.metadata.get("field") or refusal.metadata.get("parameter")


def clear_all(w):
    for t in w.root.tsis():
        w.root.clear(t.key.tsi_id, t.key.port)


@test
def who_is_not_named_may_do_nothing_and_is_told_so(w):
    for call, args in ((w.stranger.associate, (16, "p1", RED)), (w.stranger.tsis, ()),
                       (w.stranger.vn_connect, ("p1", "red")), (w.stranger.status, ()),
                       (w.stranger.clear, (16, "p1")), (w.stranger.table, ("tsi",))):
        refusal = refused("NOT_AUTHORIZED", call, *args)
        equal(refusal.code, "PERMISSION_DENIED", "code")
        expect(refusal.metadata["remedy"], "it says what to do")
    try:
        Session(w.stranger, pb)
        raise AssertionError("a Session was opened")
    except grpc.RpcError as e:
        equal(Refused.of(e).reason, "NOT_AUTHORIZED", "reason")
    expect(w.stranger.healthy(), "the health service answers everybody")


@test
def a_hypervisor_gets_what_the_policy_names_and_nothing_else(w):
    ok = [f"{M1}/10.0.1.1"]
    before = w.nve.stored()
    for want, args, kw in (
            ("tsi.port", (16, "p2", RED, ok), {}), ("tsi.vn", (16, "p1", BLUE, ok), {}),
            ("tsi.tsi_id", (32, "p1", RED, ok), {}), ("tsi.tsi_id", (15, "p1", RED, ok), {}),
            ("addresses[0]", (16, "p1", RED, [M2]), {}),
            ("addresses[1]", (16, "p1", RED, [M1, f"{M1}/10.0.2.1"]), {}),
            ("addresses[0]", (16, "p1", RED, ["2001:db9::1"]), {}),
            ("qos", (16, "p1", RED, ok), {"qos": pb.Qos(priority=1)})):
        for call in (w.hv1.associate, w.hv1.activate):
            equal(field(refused("NOT_AUTHORIZED", call, *args, **kw)), want, f"field of {args}")
    equal(w.nve.stored(), before, "rows in the store")
    equal(w.hv1.activate(16, "p1", RED, ok).state, ACTIVATED, "state")
    for want, kw in (("add[0]", {"add": [M2]}), ("new_port", {"new_port": "p2"})):
        equal(field(refused("NOT_AUTHORIZED", w.hv1.update, 16, "p1", RED, **kw)), want, "field")
    w.hv1.update(16, "p1", RED, add=["2001:db8::1"])
    for verb, call in (("status", w.hv1.status), ("status", w.hv1.drops),
                       ("dump", lambda: w.hv1.table("tsi"))):
        equal(field(refused("NOT_AUTHORIZED", call)), f"admin.{verb}", "field")


@test
def a_vn_is_judged_alike_by_name_and_by_id_and_one_that_is_not_there_is_not_told(w):
    equal(w.hv1.activate(16, "p1", "red").vn_id, RED, "VN by its name, allowed by its ID")
    for name in (BLUE, "blue", 4711, "nowhere"):
        equal(field(refused("NOT_AUTHORIZED", w.hv1.vn_connect, "p1", name)), "vn", f"{name}")
        refused("NOT_AUTHORIZED", w.hv1.associate, 16, "p1", name)
        for call in (w.hv1.deactivate, w.hv1.disassociate, w.hv1.clear, w.hv1.update):
            refused("NOT_AUTHORIZED", call, 16, "p1", name)
        refused("NOT_AUTHORIZED", w.hv1.vn_disconnect, "p1", name)


@test
def the_other_hypervisor_of_the_port_neither_sees_nor_touches_the_tsi(w):
    equal([t.key.tsi_id for t in w.hv1.tsis()], [tsi_id(16)], "what hv1 sees")
    equal((w.hv2.tsis(), w.hv2.vaps()), ([], []), "what hv2 sees")
    # The same TSI ID is in hv2's range now: only the owner keeps them apart.
    reload(w, [OPERATOR, hypervisor(1), hypervisor(2, tsis=["*"], macs=["*"], ips=["*"])])
    refused("UNKNOWN_TSI", w.hv2.deactivate, 16, "p1", RED)
    refused("UNKNOWN_TSI", w.hv2.update, 16, "p1", RED, add=[M2])
    for call in (w.hv2.keepalive, w.hv2.keepactive):
        failures = call((16, "p1", RED), (17, "p1", RED)).failures
        equal([(x.index, x.reason) for x in failures], [(0, 13), (1, 13)], "as if not there")
    equal(w.hv2.clear(16, "p1").cleared, 0, "cleared in every VN")
    equal(w.hv2.clear(16, "p1", RED).cleared, 0, "cleared")
    expect(w.hv2.disassociate(16, "p1", RED).unchanged, "as one that is not there")
    refused("VN_NOT_CONNECTED", w.hv2.vn_disconnect, "p1", "red")
    equal(field(refused("NOT_AUTHORIZED", w.hv2.associate, 16, "p1", RED)), "tsi.tsi_id", "field")
    equal(w.hv1.state(16, "p1"), ACTIVATED, "state")
    reload(w, POLICY)


@test
def a_vn_that_both_use_is_disconnected_for_one_alone(w):
    w.hv2.associate(32, "p1", "red", [M2])
    equal([(v.vn_id, v.tsis) for v in w.hv1.vaps()], [(RED, 1)], "what hv1 sees")
    equal([(v.vn_id, v.tsis, v.activated) for v in w.hv2.vaps()], [(RED, 1, 0)], "what hv2 sees")
    equal([(v.vn_id, v.tsis) for v in w.root.vaps()], [(RED, 2)], "what the operator sees")
    equal([p.name for p in w.hv2.ports()], ["p1"], "ports that hv2 sees")
    equal(w.hv2.vn_disconnect("p1", RED).cleared, 1, "cleared")
    equal((w.hv1.state(16, "p1"), w.root.state(32, "p1")), (ACTIVATED, INIT), "states")


@test
def events_are_those_of_ones_own_tsis(w):
    mine, theirs, all_of_them = (Session(c, pb) for c in (w.hv2, w.hv1, w.root))
    w.hv2.associate(32, "p1", "red", [M2])
    w.hv2.clear(32, "p1")
    # An answer comes after the events of all turns before it.
    want = [("tsi_state", 32), ("tsi_state", 32)]
    ids = {tsi_id(n): n for n in (16, 32)}
    for session, expected in ((mine, want), (all_of_them, want), (theirs, [])):
        session.ask(keepalive=pb.KeepaliveRequest(tsis=[key(99, "p1", RED)]))
        got = [(k, ids[t.tsi_id]) for k, t in session.seen() if t is not None]
        equal(got, expected, "events of TSIs")
        session.close()


@test
def nobody_gets_more_than_the_policy_says(w):
    refusal = refused("NO_RESOURCES", w.hv1.update, 16, "p1", RED,
                      add=[f"10.0.1.{n}" for n in (5, 6, 7)])
    equal({k: refusal.metadata[k] for k in ("resource", "field", "used", "max")},
          {"resource": "client", "field": "max.addresses", "used": "2", "max": "4"}, "metadata")
    for n in (17, 18):
        w.hv1.associate(n, "p1", RED)
    equal(refused("NO_RESOURCES", w.hv1.associate, 19, "p1", RED).metadata["field"], "max.tsis",
          "field")
    equal(refused("NO_RESOURCES", w.hv1.associate, 24, "p1", SECURE).metadata["field"], "max.tsis",
          "field")
    w.hv1.clear(18, "p1")
    equal(refused("NO_RESOURCES", w.hv1.associate, 24, "p1", SECURE).metadata["field"], "max.vns",
          "field")
    w.hv1.associate(18, "p1", RED)
    for n in (17, 18):
        w.hv1.clear(n, "p1")


@test
def a_tsi_is_given_over_at_a_migration_behind_the_same_port_if_the_policy_lets_it(w):
    before = Session(w.hv1, pb)
    refused("UNKNOWN_TSI", w.mover.deactivate, 16, "p1", RED)
    refused("NOT_AUTHORIZED", w.mover.associate, 16, "p1", RED)  # without a cause nothing moves
    equal(w.mover.activate(16, "p1", RED, cause=MIGRATE_IN).state, ACTIVATED, "state")
    equal([t.owner for t in w.root.tsis()], ["unix:1003"], "owner")
    refused("UNKNOWN_TSI", w.hv1.deactivate, 16, "p1", RED)
    equal(w.hv1.tsis(), [], "what hv1 sees")
    before.ask(keepalive=pb.KeepaliveRequest(tsis=[key(99, "p1", RED)]))
    equal([k for k, _ in before.seen()], ["tsi_updated"], "what hv1 is told")
    before.close()
    equal(w.mover.deactivate(16, "p1", RED).state, ASSOCIATED, "state")
    # What an operator does with it does not make it the operator's.
    equal(w.root.activate(16, "p1", RED).state, ACTIVATED, "state")
    equal([t.owner for t in w.root.tsis()], ["unix:1003"], "owner")
    text = w.nve.ctl("tsi", "show", tsi(16), "-p", "p1")
    expect("unix:1003" in text, text)


@test
def owners_survive_a_kill(w):
    w.hv1.associate(17, "p1", RED, ["02:00:00:00:01:17"])
    w.hv1.vn_connect("p1", "red")
    w.nve.kill()
    w.nve.start()
    wait_for("hv1 to be served", lambda: [t.key.tsi_id for t in w.hv1.tsis()] == [tsi_id(17)])
    equal(sorted(t.owner for t in w.root.tsis()), ["unix:1001", "unix:1003"], "owners")
    refused("UNKNOWN_TSI", w.hv1.deactivate, 16, "p1", RED)
    # The explicit connection is hv1's still: nobody else takes it down.
    refused("VN_NOT_CONNECTED", w.hv2.vn_disconnect, "p1", RED)
    w.hv1.clear(17, "p1")
    equal([v.connected_explicitly for v in w.hv1.vaps()], [True], "connected")
    w.hv1.vn_disconnect("p1", RED)
    equal(w.hv1.vaps(), [], "what hv1 sees")
    clear_all(w)


@test
def a_new_policy_counts_at_once_on_an_open_session(w):
    session = Session(w.hv1, pb)

    def associate(number):
        answer = session.ask(associate=pb.AssociateRequest(tsi=key(number, "p1", RED)))
        return answer.status.code
    equal(associate(16), 0, "code")
    reload(w, [OPERATOR, hypervisor(1, vns=["blue"])])
    equal(associate(17), 7, "code: PERMISSION_DENIED")
    answer = session.ask(keepalive=pb.KeepaliveRequest(tsis=[key(16, "p1", RED)]))
    equal([f.reason for f in answer.keepalive.failures], [26], "what is not allowed any more ages")
    answer = session.ask(clear=pb.ClearRequest(tsi_id=tsi_id(16), port="p1"))
    equal(answer.clear.cleared, 1, "one's own can always go")
    reload(w, [OPERATOR])
    equal(associate(16), 7, "code for who is named no more")
    reload(w, POLICY)
    equal(associate(16), 0, "code")
    session.close()
    clear_all(w)


@test
def a_wrong_policy_changes_nothing_and_the_log_says_line_and_remedy(w):
    for bad, line in (("roles:\n  - name: x\n    identities: [unix:0]\n    vns: [0]\n", 4),
                      ("roles:\n  - name: x\n    identities: [root]\n", 3),
                      ("roles: [\n", 2), ("rules: []\n", 1)):
        reload(w, bad, "policy_not_reloaded")
        expect(f"policy.yaml:{line}: " in w.nve.log_news(3), f"line {line}: {w.nve.log_tail(3)}")
        equal(w.hv1.associate(16, "p1", RED).state, ASSOCIATED, "state")
        refused("NOT_AUTHORIZED", w.hv1.associate, 16, "p1", BLUE)
        done = subprocess.run([NVED, "-c", f"{w.nve.dir}/nved.yaml", "--check-config"],
                              capture_output=True, text=True, check=False)
        equal(done.returncode, 3, "exit code of --check-config")
        expect(f"policy.yaml:{line}: " in done.stderr, done.stderr)
    write_policy(w, POLICY)
    os.unlink(w.policy)
    reload(w, event="policy_not_reloaded")
    w.hv1.associate(16, "p1", RED)
    reload(w, POLICY)
    clear_all(w)


@test
def refusals_are_counted_and_status_says_which_policy_and_who_asks(w):
    before = {r.name: r.value for r in w.root.status().refusals}["NOT_AUTHORIZED"]
    refused("NOT_AUTHORIZED", w.hv1.associate, 16, "p1", BLUE)
    refused("NOT_AUTHORIZED", w.stranger.tsis)
    status = w.root.status()
    equal({r.name: r.value for r in status.refusals}["NOT_AUTHORIZED"], before + 2, "count")
    equal((status.policy, status.policy_roles, status.identity, status.role),
          (w.policy, 4, "unix:0", "operator"), "status")
    expect(w.policy in w.nve.ctl("status"), "nvectl says it too")


@test
def a_verified_vn_fills_in_what_its_record_has_and_refuses_the_rest(w):
    equal(w.hv1.associate(24, "p1", "secure").state, ASSOCIATED, "state")
    addrs = ["10.0.1.24", "2001:db8::24"]
    equal(len(w.hv1.tsi(24, "p1").addresses), 2, "addresses filled in (S101)")
    equal(w.hv1.activate(24, "p1", SECURE, ["02:00:00:00:01:24"]).state, ACTIVATED, "by its MAC")
    equal(len(w.hv1.tsi(24, "p1").addresses), 2, "addresses completed")
    w.hv1.activate(24, "p1", SECURE, [f"02:00:00:00:01:24/{a}" for a in addrs])
    for bad in ("02:00:00:00:01:25", "02:00:00:00:01:24/10.0.1.25", "10.0.1.24"):
        equal(field(refused("NOT_AUTHORIZED", w.hv1.activate, 24, "p1", SECURE, [bad])),
              "addresses[0]", f"field of {bad}")
        equal(field(refused("NOT_AUTHORIZED", w.hv1.update, 24, "p1", SECURE, add=[bad])),
              "add[0]", f"field of {bad}")
    equal(field(refused("NOT_AUTHORIZED", w.root.associate, 24, "p2", SECURE)), "tsi.tsi_id",
          "another identity than recorded")
    equal(field(refused("NOT_AUTHORIZED", w.hv1.associate, 25, "p1", SECURE)), "tsi.tsi_id",
          "no record")
    equal(w.root.activate(16, "p1", RED, [f"{M1}/10.0.9.1"]).state, ACTIVATED,
          "a trusted VN takes what it is told (S100)")


@test
def a_record_that_is_withdrawn_takes_the_tsi_along_with_a_reason(w):
    session = Session(w.hv1, pb)
    w.nve.hup(vns([{**RECORDS[0], "addresses": RECORDS[0]["addresses"][:1]}]))
    wait_for("the address to go", lambda: len(w.hv1.tsi(24, "p1").addresses) == 1)
    w.nve.hup(vns([]))
    wait_for("the TSI to go", lambda: w.hv1.state(24, "p1") == INIT)
    session.ask(keepalive=pb.KeepaliveRequest(tsis=[key(99, "p1", RED)]))
    events = []
    while not session.events.empty():
        event = session.events.get()
        events.append((event.WhichOneof("event"), event.tsi_state.reason))
    equal([e for e in events if e[0].startswith("tsi")], [("tsi_updated", 0), ("tsi_state", 42)],
          "events")
    session.close()
    refused("NOT_AUTHORIZED", w.hv1.associate, 24, "p1", "secure")
    equal(w.root.state(16, "p1"), ACTIVATED, "a TSI of another VN")
    clear_all(w)


@test
def a_record_that_was_withdrawn_while_the_agent_was_away_counts_when_it_is_back(w):
    w.nve.hup(vns(RECORDS))
    wait_for("the record", lambda: associates(w))
    w.nve.kill()
    w.nve.write_vns(vns([]))
    w.nve.start()
    wait_for("the TSI to go", lambda: w.root.tsis() == [])


def associates(w):
    try:
        return w.hv1.associate(24, "p1", "secure")
    except Refused:
        return None


if __name__ == "__main__":
    main(build)
