# SPDX-License-Identifier: Apache-2.0
"""What nvectl evict, drain and flush send and print."""
import importlib

from harness import *  # noqa: F403 - every case uses most of it

OPERATE = importlib.import_module("nve.v1.operate_pb2")


def lay_out_operate(far):
    far.answers.update({
        "DisconnectVn": OPERATE.EvictReply(matched=2, done=1, tsis_cleared=3, sessions=2,
                                           acknowledged=1, silent=1, failures=[
                                               OPERATE.EvictFailure(port="p1", vn_id=7,
                                                                    reason=23)]),
        "DeactivateTsi": OPERATE.EvictReply(matched=1, done=1),
        "DisassociateTsi": OPERATE.EvictReply(),
        "Drain": OPERATE.DrainReply(ports=[OPERATE.DrainingPort(
            port="p1", since_unix_ns=1700000000000000000, tsis=1, vns=2)]),
        "Flush": OPERATE.FlushReply(vns=1, tsis=2)})


@test
def evictions_send_what_is_named_and_print_who_was_told(far):
    lay_out_operate(far)
    same(asked(far, "evict", "deactivate", TSI, "-p", "p1", "--only", "02:00:00:00:00:01", "-w",
               "1.5"),
         ("DeactivateTsi", OPERATE.EvictRequest(
             tsi_id=key().tsi_id, port="p1", wait_ms=1500,
             addresses=[OPERATE.EvictAddress(mac=bytes.fromhex("020000000001"))])))
    same(asked(far, "evict", "disassociate", "--vn", "blue"),
         ("DisassociateTsi", OPERATE.EvictRequest(vn_name="blue")))
    got = nvectl("evict", "vn", "--all")
    same(got.rc, 1)
    same(far.requests[-1], ("DisconnectVn", OPERATE.EvictRequest(everything=True)))
    same(got.out, "1 of 2 VNs disconnected, 3 TSIs released\n"
         "2 sessions told, 1 acknowledged, 1 acknowledges no events\n"
         "  at p1, VN 7: STORE_FAILED: the change could not be made durable\n")
    same(ok("evict", "deactivate", "--vn", "7").out,
         "1 of 1 TSI deactivated\nno session was there to be told\n")


@test
def an_eviction_without_or_with_too_many_names_is_not_sent(far):
    lay_out_operate(far)
    for words in (["vn"], ["vn", "--all", "-p", "p1"], ["deactivate", TSI, "--all"],
                  ["vn", "-p", "p1", "--wait", "61"]):
        same(nvectl("evict", *words).rc, 2)
    same(far.requests, [])


@test
def a_drain_without_wait_is_announced_and_nothing_more(far):
    lay_out_operate(far)
    same(asked(far, "drain", "--port", "p1"), ("Drain", OPERATE.DrainRequest(port="p1")))
    same([m for m, _ in far.requests], ["Drain"])
    assert "p1 drains since 2023-11-14 22:13:20" in ok("drain").out
    assert ": 1 TSI, 2 VNs left" in ok("drain").out
    same(asked(far, "drain", "--undo"), ("Drain", OPERATE.DrainRequest(undo=True)))
    same(nvectl("drain", "--undo", "--wait", "3").rc, 2)


@test
def a_drain_that_waits_clears_with_its_reason_when_its_time_is_over(far):
    lay_out_operate(far)
    far.answers["GetStatus"] = NVE.Status(draining=[OPERATE.DrainingPort(port="p1", tsis=4)])
    got = nvectl("-o", "json", "drain", "-p", "p1", "--wait", "0.3")
    assert "4 TSIs left, 1 s to go" in got.err, got.err
    same(far.requests[0], ("Drain", OPERATE.DrainRequest(port="p1", wait_ms=300)))
    same(far.requests[-1], ("DisconnectVn", OPERATE.EvictRequest(port="p1", reason=39,
                                                                 wait_ms=2000)))
    same(json.loads(got.out)["evicted"]["done"], 1)
    far.answers["GetStatus"] = NVE.Status()
    got = nvectl("drain", "--wait", "60")
    assert got.rc == 1 and "nothing was cleared" in got.err, got.err


@test
def a_flush_needs_yes(far):
    lay_out_operate(far)
    same(nvectl("flush").rc, 2)
    same(asked(far, "flush", "--yes", "--force"),
         ("Flush", OPERATE.FlushRequest(yes=True, force=True)))
    assert "1 VN disconnected, 2 TSIs released" in ok("flush", "--yes").out


@test
def the_status_shows_what_drains_and_the_audit_log(far):
    far.answers["GetStatus"] = NVE.Status(
        nve="n", draining=[OPERATE.DrainingPort(port="p1", tsis=4)],
        audit=OPERATE.AuditLog(path="/a", lines=5, lost=1, failures=2, error="No space"))
    out = ok("status").out
    assert "Draining    p1: 4 TSIs left\n" in out, out
    assert "Audit       /a\n            5 lines, 1 lost, 2 failures; now: No space\n" in out, out
