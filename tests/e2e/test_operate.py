#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The operator takes down, drains and flushes; hypervisors learn why (B7, B10, D10).

    hv1 --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]
    hv2 --tagged==[p2 ]

Passes when each verb has the effect of the request that it stands for, on traffic, store and
tables, when Sessions are told with the reason and counted by what they acknowledge, when a drain
refuses what is new over a restart, and when nothing is left of the datapath after a flush.
"""
import json
import os
import signal
import subprocess
import time

import frames as f
from agent import NVECTL
from check import equal, expect, main, refused, test
from client import ACTIVATED, ASSOCIATED, INIT, Refused, pb, reason_pb2
from lab import BLUE, BLUE_VNI, FAR, NVE1, RED, RED_VNI, Netns, crosses, vn
from netlab import wait_for
from session import Session

VM, VM2, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02", "02:00:00:00:09:09"


class World:
    pass


def build(lab):
    w = World()
    hv1, hv2, far = Netns("hv1"), Netns("hv2"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": hv1, "p2": hv2}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, None, FAR)]), vn(BLUE, BLUE_VNI, "blue", [FAR])],
        timers={"quarantine_ms": 0}, audit={"path": f"{netlab_state()}/audit.jsonl"})
    w.trunk, w.inside, w.c = hv1.tap("nve1-p1"), far.vn(RED_VNI, FAR_MAC, flood=[NVE1]), \
        w.nve.client
    return w


def netlab_state():
    from netlab import STATE
    os.makedirs(STATE, exist_ok=True)
    return STATE


def evict(w, verb, **kw):
    only = [pb.Address(mac=f.mac(a)) for a in kw.pop("only", ())]
    from nve.v1 import operate_pb2
    kw["addresses"] = [operate_pb2.EvictAddress(mac=a.mac) for a in only]
    return w.c._call(getattr(w.c.admin, verb), operate_pb2.EvictRequest(**kw))


def reason(name):
    return reason_pb2.Reason.Value(f"REASON_{name}")


def passes(w, tag, mac=VM):
    token = f.token()
    frame = f.plain(mac, FAR_MAC, token)
    crosses(f.tagged(frame, tag), token, w.trunk, w.inside, as_sent=frame)


@test
def a_deactivation_by_the_nve_stops_traffic_and_tells_sessions_who_and_why(w):
    tag = w.c.activate(1, "p1", RED, [VM]).tag
    passes(w, tag)
    s = Session(w.c, "hv1", window=8)
    got = evict(w, "DeactivateTsi", port="p1", wait_ms=5000)
    equal((got.matched, got.done, got.sessions, got.acknowledged, got.silent), (1, 1, 1, 1, 0))
    event = s.event("tsi_state")
    equal((event.tsi_state.to, event.tsi_state.reason), (ASSOCIATED, reason("OPERATOR")))
    expect(event.client, "nobody is named")
    equal(event.seq, got.last_event_seq)
    with w.nve.dropping("SRC_INACTIVE"):
        w.trunk.send(f.tagged(f.plain(VM, FAR_MAC, f.token()), tag))
    equal(evict(w, "DeactivateTsi", port="p1").matched, 0, "Activated TSIs")
    w.c.activate(1, "p1", RED)
    passes(w, tag)
    s.close()


@test
def some_addresses_are_deactivated_and_others_removed_by_the_nve(w):
    w.c.activate(1, "p1", RED, [VM, VM2])
    s = Session(w.c, "hv1", window=8, ports=["p1"])
    tsi = w.c.tsi(1, "p1").key.tsi_id
    got = evict(w, "DeactivateTsi", tsi_id=tsi, only=[VM2], wait_ms=5000)
    equal((got.done, got.acknowledged), (1, 1))
    equal(s.event("tsi_updated").tsi_updated.reason, reason("OPERATOR"))
    equal({a.address.mac: a.active for a in w.c.tsi(1, "p1").addresses},
          {f.mac(VM): True, f.mac(VM2): False})
    tag = w.c.tsi(1, "p1").tag
    passes(w, tag)
    equal(evict(w, "DisassociateTsi", tsi_id=tsi, only=[VM2]).done, 1)
    equal([a.address.mac for a in w.c.tsi(1, "p1").addresses], [f.mac(VM)])
    equal(s.event("tsi_updated").tsi_updated.reason, reason("OPERATOR"))
    got = evict(w, "DisassociateTsi", tsi_id=tsi, only=[VM2])
    equal([(x.port, x.vn_id, x.reason) for x in got.failures],
          [("p1", RED, reason("UNKNOWN_ADDRESS"))])
    equal(w.c.state(1, "p1"), ACTIVATED)
    s.close()


@test
def a_disassociation_by_the_nve_releases_what_fits_and_nothing_else(w):
    w.c.activate(2, "p2", RED, [VM2])
    w.c.activate(2, "p2", BLUE, [VM2])
    s = Session(w.c, "hv2", window=1, ports=["p2"])
    got = evict(w, "DisassociateTsi", port="p2", vn_name="red", wait_ms=5000)
    equal((got.matched, got.done, got.tsis_cleared, got.sessions), (1, 1, 1, 1))
    event = s.event("tsi_state").tsi_state
    equal((event.to, event.reason, event.tsi.vn.id), (INIT, reason("OPERATOR"), RED))
    equal(w.c.state(1, "p1"), ACTIVATED)
    equal([t.key.vn.id for t in w.c.tsis() if t.key.port == "p2"], [BLUE])
    s.close()


@test
def a_vn_disconnected_by_the_nve_takes_its_tsis_along(w):
    s = Session(w.c, "hv2", window=8, ports=["p2"])
    got = evict(w, "DisconnectVn", port="p2", wait_ms=5000)
    equal((got.done, got.tsis_cleared, got.acknowledged), (1, 1, 1))
    equal(s.event("tsi_state").tsi_state.reason, reason("OPERATOR"))
    event = s.event("vn_disconnected").vn_disconnected
    equal((event.port, event.vn_id, event.reason), ("p2", BLUE, reason("OPERATOR")))
    equal([v.port for v in w.c.vaps()], ["p1"])
    s.close()


@test
def a_reply_waits_for_acknowledgements_but_not_for_longer_than_it_was_told(w):
    slow, deaf = Session(w.c, "slow", window=8, hold=True), Session(w.c, "deaf")
    begin = time.monotonic()
    got = evict(w, "DeactivateTsi", everything=True, wait_ms=300)
    expect(0.29 < time.monotonic() - begin < 3, f"waited {time.monotonic() - begin:.2f} s")
    equal((got.sessions, got.acknowledged, got.silent), (2, 0, 1))
    expect(got.waited_ms >= 299, f"waited {got.waited_ms} ms")
    equal(w.c.state(1, "p1"), ASSOCIATED)  # whatever they do
    slow.event("tsi_state")
    slow.ack()
    w.c.activate(1, "p1", RED)
    slow.event("tsi_state")
    slow.hold = False
    equal(evict(w, "DeactivateTsi", everything=True, wait_ms=20000).acknowledged, 1)
    for s in (slow, deaf):
        s.close()


@test
def a_session_that_ends_is_not_waited_for(w):
    w.c.activate(1, "p1", RED)
    s = Session(w.c, "slow", window=8, hold=True)
    words = ["-o", "json", "evict", "deactivate", "--all", "--wait", "30"]
    begin = time.monotonic()
    with subprocess.Popen([NVECTL, "-s", f"unix:{w.nve.socket}", *words], text=True,
                          stdout=subprocess.PIPE) as proc:
        s.event("tsi_state")
        s.close()
        got = json.loads(proc.communicate(timeout=10)[0])
    expect(time.monotonic() - begin < 8, "it was waited for")
    equal((got["done"], got["sessions"], got["acknowledged"]), (1, 1, 0))


@test
def what_names_nothing_or_too_much_is_refused(w):
    equal(refused("INVALID_REQUEST", evict, w, "DisconnectVn").metadata["field"], "everything")
    refused("INVALID_REQUEST", evict, w, "DisconnectVn", port="p1", everything=True)
    refused("INVALID_REQUEST", evict, w, "DisconnectVn", tsi_id=bytes(15) + b"1")
    refused("INVALID_REQUEST", evict, w, "DeactivateTsi", port="p1", only=[VM])
    refused("INVALID_REQUEST", evict, w, "DeactivateTsi", port="p1", wait_ms=60001)
    refused("INVALID_REQUEST", lambda: evict(w, "DeactivateTsi", port="p1",
                                             reason=reason("INTERNAL")))
    refused("UNKNOWN_PORT", evict, w, "DeactivateTsi", port="p9")
    refused("UNKNOWN_VN", evict, w, "DeactivateTsi", vn_name="nobody's")


@test
def many_tsis_go_in_one_call_each_with_its_event(w):
    for i in range(300):
        w.c.associate(100 + i, "p2", BLUE, [f"02:00:00:00:{2 + i // 256:02x}:{i % 256:02x}"])
    s = Session(w.c, "hv2", window=1000, ports=["p2"])
    got = evict(w, "DisassociateTsi", vn_id=BLUE, wait_ms=10000)
    equal((got.matched, got.done, got.tsis_cleared, got.acknowledged), (300, 300, 300, 1))
    equal(len({s.event("tsi_state").tsi_state.tsi.tsi_id for _ in range(300)}), 300)
    s.close()


def drain_process(w, *words):
    return subprocess.Popen([NVECTL, "-s", f"unix:{w.nve.socket}", "-o", "json", "drain", *words],
                            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def answers(w):
    try:
        return w.c.status()
    except Refused:  # the channel still has the old connection
        return None


def restart(w):
    """Without waiting for SERVING, which a drained NVE never says."""
    equal(w.nve.stop(), 0)
    w.nve.client.healthy, healthy = (lambda: True), w.nve.client.healthy
    w.nve.start()
    w.nve.client.healthy = healthy
    wait_for("an answer", lambda: answers(w), 10)


@test
def a_drained_port_takes_nothing_new_and_keeps_what_is_there(w):
    w.c.activate(1, "p1", RED, [VM])
    s1, s2 = Session(w.c, "hv1", window=8), Session(w.c, "hv2", ports=["p2"])
    w.nve.ctl("drain", "--port", "p1")
    equal(s1.event("draining").draining.port, "p1")
    refused("DRAINING", w.c.associate, 2, "p1", RED, [VM2])
    refused("DRAINING", w.c.activate, 2, "p1", RED, [VM2])
    refused("DRAINING", w.c.vn_connect, "p1", BLUE)
    w.c.associate(2, "p2", RED, [VM2])
    refused("DRAINING", w.c.update, 2, "p2", RED, new_port="p1")
    w.c.deactivate(1, "p1", RED)
    w.c.activate(1, "p1", RED)
    passes(w, w.c.tsi(1, "p1").tag)
    expect(w.c.healthy(), "one port drains, and the NVE is not SERVING")
    w.nve.ctl("drain", "--port", "p1", "--undo")
    expect(s1.event("draining").draining.over, "the end was not announced")
    w.c.associate(3, "p1", RED, ["02:00:00:00:01:03"])
    w.c.clear(3, "p1")
    w.c.clear(2, "p2")
    expect(all(e.WhichOneof("event") != "draining" for e in list(s2.events.queue)),
           "a Session was told of another port's drain")
    s1.close()
    s2.close()


@test
def a_drain_survives_a_restart_and_clears_what_is_left_when_its_time_is_over(w):
    begin = time.monotonic()
    restart(w)
    patience = 3 + int(2 * (time.monotonic() - begin))
    w.c.activate(1, "p1", RED, [VM])
    w.c.activate(2, "p2", BLUE, [VM2])
    w.c.vn_connect("p2", RED)
    s1, s2 = Session(w.c, "hv1", window=8, ports=["p1"]), Session(w.c, "hv2", ports=["p2"])
    proc = drain_process(w, "--wait", str(patience))
    equal(s1.event("draining").draining.wait_ms, patience * 1000)
    s2.event("draining")
    expect(not w.c.healthy(), "all ports drain, and the NVE is SERVING")
    w.c.clear(2, "p2")  # one hypervisor moves its TSI away
    restart(w)
    expect(not w.c.healthy(), "SERVING after the restart")
    equal([(p.port, p.tsis) for p in w.c.status().draining], [("p1", 1), ("p2", 0)])
    refused("DRAINING", w.c.associate, 2, "p2", BLUE, [VM2])
    passes(w, w.c.tsi(1, "p1").tag)
    s1, s2 = Session(w.c, "hv1", window=8, ports=["p1"]), Session(w.c, "hv2", ports=["p2"])
    out, err = proc.communicate(timeout=patience + 20)
    equal(proc.returncode, 0, f"exit code: {err}")
    got = json.loads(out)
    equal((got["evicted"]["done"], got["evicted"]["tsis_cleared"], got["evicted"]["sessions"]),
          (2, 1, 2))
    expect("1 TSI left" in err, err)
    equal(s1.event("tsi_state").tsi_state.reason, reason("DRAINING"))
    equal(s1.event("vn_disconnected").vn_disconnected.reason, reason("DRAINING"))
    s2.event("vn_disconnected")
    equal((w.c.tsis(), w.c.vaps()), ([], []))
    equal(w.nve.rows(), {t: 0 for t in w.nve.rows()}, "rows in use")
    s1.close()
    s2.close()
    w.nve.ctl("drain", "--undo")
    expect(w.c.healthy(), "not SERVING when the drain is over")
    equal(list(w.c.status().draining), [])


@test
def an_interrupted_drain_stays_announced_and_clears_nothing(w):
    w.c.activate(1, "p1", RED, [VM])
    proc = drain_process(w, "--wait", "60")
    wait_for("the drain", lambda: w.c.status().draining)
    proc.stderr.readline()  # "1 TSI left"
    proc.send_signal(signal.SIGINT)
    proc.communicate(timeout=10)
    equal(len(w.c.status().draining), 2)
    equal(w.c.state(1, "p1"), ACTIVATED)
    proc = drain_process(w, "--wait", "60")
    proc.stderr.readline()
    w.nve.ctl("drain", "--undo")  # by somebody else
    _, err = proc.communicate(timeout=10)
    equal(proc.returncode, 1)
    expect("nothing was cleared" in err, err)
    equal(w.c.state(1, "p1"), ACTIVATED)


@test
def the_audit_log_names_who_took_down_what(w):
    def lines():
        with open(f"{netlab_state()}/audit.jsonl", encoding="utf-8") as log:
            return [json.loads(x) for x in log]
    wait_for("the last line", lambda: lines()[-1]["event"] == "draining")
    log = lines()
    verbs = [x["method"] for x in log if x["event"] == "admin"]
    expect({"DisconnectVn", "DeactivateTsi", "DisassociateTsi", "Drain"} <= set(verbs), verbs)
    evicted = [x for x in log if x["event"] == "tsi_state" and x["reason"] == "OPERATOR"]
    equal({x["identity"] for x in evicted}, {"unix:0"})
    equal(sum(x["event"] == "start" for x in log), 3)


@test
def a_flush_is_refused_while_tsis_are_activated_and_takes_all_down_with_force(w):
    why = w.nve.ctl("flush", "--yes", check=False)
    equal(w.c.state(1, "p1"), ACTIVATED, why)
    expect("--yes" in ctl_error(w, "flush"), "flush without --yes was taken")
    expect("TSIS_ACTIVATED" in ctl_error(w, "flush", "--yes"), "it was not refused")
    s = Session(w.c, "hv1")
    expect("agent ends" in w.nve.ctl("flush", "--yes", "--force"), "no reply")
    equal(s.event("tsi_state").tsi_state.reason, reason("OPERATOR"))
    equal(w.nve.proc.wait(10), 0, "exit code")
    expect(not os.path.exists(w.nve.pins) or not os.listdir(w.nve.pins), "pins are left")
    expect("nved --flush" in ctl_error(w, "flush", "--yes"), "no advice")
    w.nve.start()
    equal(w.c.tsis(), [])
    passes(w, w.c.activate(1, "p1", RED, [VM]).tag)
    w.c.clear(1, "p1")


def ctl_error(w, *words):
    done = subprocess.run([NVECTL, "-s", f"unix:{w.nve.socket}", "-t", "2", *words], text=True,
                          capture_output=True, check=False)
    expect(done.returncode, f"{words} succeeded")
    return done.stderr


if __name__ == "__main__":
    main(build)
