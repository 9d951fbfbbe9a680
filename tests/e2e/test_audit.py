#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The audit log says all that happened, once, in order, and by whom (B16).

    hv --tagged==[p1 nve1 eth0]-- wire      [p2 nve1], an access port without a cable's other end

Passes when a scripted life is in the log line by line, when names from clients cannot break a
line, when logrotate's rename and SIGHUP lose none, and when a kill leaves a log that can be read.
"""
import json
import os

from check import equal, expect, main, test
from client import pb
from lab import BLUE, BLUE_VNI, FAR, NVE1, RED, RED_VNI, Netns, vn
from netlab import wait_for
from session import Session

VM, VM2 = "02:00:00:00:01:01", "02:00:00:00:01:02"
TIMER = {"default_ms": 60000, "min_ms": 100, "max_ms": 60000, "may_be_off": True}


class World:
    def path(self):
        return f"{self.nve.dir}/audit.jsonl"

    def lines(self, name=None):
        """All lines; each must be a JSON object, and 'seq' without a gap from each start on."""
        with open(name or self.path(), encoding="utf-8") as log:
            out = [json.loads(x) for x in log]
        for before, line in zip(out, out[1:]):
            equal(line["seq"], 1 if line["event"] == "start" else before["seq"] + 1, "seq")
        return out

    def news(self, event):
        """What was written since this was called last, up to the first line of that event."""
        def ready():
            lines = self.lines()[self.read:]
            at = [i for i, x in enumerate(lines) if x["event"] == event]
            return lines[:at[0] + 1] if at else None
        found = wait_for(f"a line {event}", ready)
        self.read += len(found)
        return found


def build(lab):
    w = World()
    w.nve = lab.nve("nve1", NVE1, {"p1": Netns("hv1"), "p2": Netns("hv2")}, [
        vn(RED, RED_VNI, "red", [FAR]), vn(BLUE, BLUE_VNI, "blue", [FAR])],
        timers={"keepalive": TIMER, "keepactive": TIMER, "quarantine_ms": 0},
        audit={"path": "/run/lab/nve1/audit.jsonl"})
    w.c, w.read = w.nve.client, 0
    return w


def brief(lines):
    """What a test compares: the event, and what it says in the order of the protocol."""
    out = []
    for x in lines:
        words = [x["event"]]
        words += [str(x[k]) for k in ("port", "vn_id", "from", "to", "new_port") if k in x]
        words += [x["reason"]] if x.get("reason", "OK") != "OK" else []
        out.append(" ".join(words))
    return out


@test
def a_start_is_the_first_line(w):
    first = w.news("start")[0]
    equal((first["seq"], first["nve"], first["pid"]), (1, "nve1", w.nve.proc.pid))
    expect(first["time"].endswith("Z") and len(first["time"]) == 30, first["time"])


@test
def every_transition_of_a_life_is_there_once_in_order_with_its_client(w):
    timers = pb.Timers(keepalive_ms=200, keepactive_ms=200)
    w.c.vn_connect("p1", BLUE)
    w.c.vn_disconnect("p1", BLUE)
    w.c.associate(1, "p1", RED, [VM])
    w.c.activate(1, "p1", RED)
    w.c.activate(1, "p1", RED)  # a repeat: nothing changes
    w.c.update(1, "p1", RED, add=[VM2])
    w.c.update(1, "p1", RED, new_port="p2")
    w.c.deactivate(1, "p2", RED)
    w.c.activate(1, "p2", RED, timers=timers)  # and then silence
    got = w.news("vn_disconnected") + w.news("vn_disconnected") + w.news("vn_disconnected")
    equal(brief(x for x in got if x["event"] != "auth"), [
        "vn_connected p1 200", "vn_disconnected p1 200",
        "vn_connected p1 100", "tsi_state p1 100 INIT ASSOCIATED",
        "tsi_state p1 100 ASSOCIATED ACTIVATED",
        "tsi_updated p1 100",
        "vn_connected p2 100", "vn_disconnected p1 100", "tsi_updated p1 100 p2",
        "tsi_state p2 100 ACTIVATED ASSOCIATED",
        "tsi_updated p2 100", "tsi_state p2 100 ASSOCIATED ACTIVATED",  # its timers
        "tsi_state p2 100 ACTIVATED ASSOCIATED KEEPACTIVE_EXPIRED",
        "tsi_state p2 100 ASSOCIATED INIT KEEPALIVE_EXPIRED",
        "vn_disconnected p2 100 KEEPALIVE_EXPIRED"])
    asked = [x for x in got if x.get("reason") == "OK"]
    equal({x["identity"] for x in asked}, {"unix:0"})
    expect(all("identity" not in x and "client" not in x for x in got if x.get("reason", "OK")
               != "OK"), "a timer has a client")
    equal(next(x["tsi_id"] for x in got if "tsi_id" in x), (b"nved-e2e" + bytes(7) + b"\1").hex())
    equal([x["addresses"] for x in got if x["event"] == "tsi_updated"], [2, 2, 2])


@test
def sessions_are_there_with_their_names_and_no_name_can_break_a_line(w):
    name = 'x"}\\u0041\\ {"seq":1'
    s = Session(w.c, name)
    s.send(associate=pb.AssociateRequest(tsi=pb.TsiKey(
        tsi_id=bytes(15) + b"9", port="p1", vn=pb.VnRef(id=RED))))
    up, hello = w.news("session_hello")[-2:]
    equal((up["event"], up["identity"], hello["client"]), ("session_up", "unix:0", name))
    expect(up["address"].startswith("unix:"), up["address"])
    equal(w.news("tsi_state")[-1]["client"], name)
    s.close()
    equal(w.news("session_down")[-1]["client"], name)
    w.c.clear(bytes(15) + b"9", "p1")
    w.news("vn_disconnected")


@test
def an_operators_verbs_are_there_and_looking_is_not(w):
    w.nve.ctl("status")
    w.nve.ctl("tsi")
    w.nve.ctl("drain", "--port", "p2")
    w.nve.ctl("drain", "--port", "p2", "--undo")
    got = [x for x in w.news("draining") + w.news("draining") if x["event"] != "auth"]
    equal([(x["event"], x.get("method") or x["port"] + " " + x["phase"]) for x in got],
          [("admin", "Drain"), ("draining", "p2 begin"), ("admin", "Drain"),
           ("draining", "p2 end")])
    equal({x["identity"] for x in got}, {"unix:0"})


@test
def a_file_that_logrotate_renames_loses_no_line(w):
    w.c.vn_connect("p1", RED)
    w.news("vn_connected")
    os.rename(w.path(), w.path() + ".old")
    w.c.vn_disconnect("p1", RED)
    wait_for("the line in the renamed file",
             lambda: w.lines(w.path() + ".old")[-1]["event"] == "vn_disconnected")
    last = w.lines(w.path() + ".old")[-1]["seq"]
    w.nve.hup()
    wait_for("the file again", lambda: os.path.exists(w.path()))
    w.c.vn_connect("p1", BLUE)
    w.read = 0
    both = w.lines(w.path() + ".old") + w.news("vn_connected")
    for before, line in zip(both[-10:], both[-9:]):
        equal(line["seq"], before["seq"] + 1, "seq over both files")
    expect("reload" in [x["event"] for x in both if x["seq"] > last - 1], "no line of the SIGHUP")
    equal(os.stat(w.path()).st_mode & 0o777, 0o600)
    w.c.vn_disconnect("p1", BLUE)
    w.news("vn_disconnected")


@test
def a_kill_leaves_a_log_that_can_be_read_and_a_stop_a_last_line(w):
    w.c.associate(1, "p1", RED, [VM])
    w.news("tsi_state")
    w.nve.kill()
    w.nve.start()
    equal(w.news("start")[-1]["seq"], 1)
    w.c.clear(1, "p1")
    w.news("vn_disconnected")
    equal(w.nve.stop(), 0)
    got = w.news("stop")
    equal(([x["event"] for x in got][-2:], got[-1]["exit"]), (["stopping", "stop"], 0))
    w.nve.start()


@test
def the_status_and_nvectl_show_the_log(w):
    status = w.c.status().audit
    equal((status.path, status.lost, status.failures, status.error), (w.path(), 0, 0, ""))
    text = w.nve.ctl("status")
    expect(w.path() in text and " lines, 0 lost" in text, text)


@test
def changes_of_state_are_not_in_the_log_as_well(w):
    expect("tsi_state" not in w.nve.log(), "a change of state is in the log too")


if __name__ == "__main__":
    main(build)
