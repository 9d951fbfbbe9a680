#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The operator's view: nvectl, bpftool and the admin service on a live agent.

    hv --tagged==[p1 nve1 eth0]-- wire --[far: kernel VXLAN]

Passes when every nvectl command works on the agent, -o json parses and says what the admin service
says, a refusal names its reason and what to do, the whole life of a TSI can be driven by hand, the
(TSI, VAP, VN) chain is visible (S5), watch shows events, and bpftool prints named fields.
"""
import json
import subprocess
import uuid

import frames as f
from agent import NVECTL
from check import equal, expect, main, test
from client import ACTIVATED
from lab import FAR, NVE1, RED, RED_VNI, Netns, crosses, vn
from netlab import sh

VM, FAR_MAC = "02:00:00:00:01:01", "02:00:00:00:09:09"
ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
ID_BYTES = uuid.UUID(ID).bytes
AT = ("--port", "p1", "--vn", "red")


class World:
    pass


def build(lab):
    w = World()
    w.hv, far = Netns("hv"), lab.far_end()
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [
        vn(RED, RED_VNI, "red", [FAR], [(FAR_MAC, "10.0.0.9", FAR)])])
    w.trunk, w.inside, w.c = w.hv.tap("nve1-p1"), far.vn(RED_VNI, FAR_MAC, flood=[NVE1]), \
        w.nve.client
    w.ctl = w.nve.ctl
    return w


def as_json(w, *words):
    return json.loads(w.ctl("-o", "json", *words))


def fails(w, *words):
    """The output of a command that must fail, and its exit code."""
    done = subprocess.run([NVECTL, "-s", f"unix:{w.nve.socket}", *words], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=20, check=False)
    expect(done.returncode, f"'{' '.join(words)}' succeeded: {done.stdout}")
    return done.stdout, done.returncode


@test
def the_life_of_a_tsi_can_be_driven_by_hand_and_its_frames_follow(w):
    text = w.ctl("tsi", "associate", ID, *AT, "--addr", f"{VM}/10.0.0.1")
    expect("ssociated" in text or "ASSOCIATED" in text, text)
    w.ctl("tsi", "activate", ID, *AT)
    record = w.c.tsi(ID_BYTES, "p1")
    equal(record.state, ACTIVATED, "state")
    w.tag = record.tag
    token = f.token()
    frame = f.plain(VM, FAR_MAC, token)
    crosses(f.tagged(frame, w.tag), token, w.trunk, w.inside, as_sent=frame)


@test
def tables_for_people_show_the_chain_of_tsi_vap_and_vn(w):
    for words in (("tsi",), ("tsi", "list"), ("tsi", "show", ID)):
        text = w.ctl(*words)
        for part in (ID, "p1", "red", str(w.tag), VM):
            expect(part in text, f"{' '.join(words)} lacks {part}:\n{text}")
    text = w.ctl("vn")
    for part in ("red", str(RED), str(RED_VNI), "p1", str(w.tag), FAR):
        expect(part in text, f"vn lacks {part}:\n{text}")
    text = w.ctl("port")
    for part in ("p1", "access", "up", "underlay", "eth0", "tc"):
        expect(part in text, f"port lacks {part}:\n{text}")


@test
def every_listing_parses_as_json(w):
    for words in (("status",), ("port",), ("vn",), ("tsi",), ("tsi", "show", ID), ("drops",),
                  ("tsi", "list", "--stats"), ("table",), ("table", "src"), ("table", "fdb"),
                  ("table", "published")):
        expect(as_json(w, *words), f"{' '.join(words)} says nothing")


@test
def the_json_says_what_the_admin_service_says(w):
    text = json.dumps(as_json(w, "status"))
    status = w.c.status()
    expect(status.nve == "nve1" and status.nve in text, text)
    expect(status.version and status.version in text, text)
    text = json.dumps(as_json(w, "drops"))
    for reason in w.c.drops():
        expect(reason in text, f"drops lacks {reason}")


@test
def drops_are_shown_with_their_meaning(w):
    with w.nve.dropping("SRC_MAC"):
        w.trunk.send(f.tagged(f.plain("02:00:00:00:01:66", FAR_MAC, f.token()), w.tag))
    text = w.ctl("drops")
    line = next(x for x in text.splitlines() if x.startswith("SRC_MAC"))
    expect(str(w.c.drops()["SRC_MAC"]) in line and "source MAC" in line, text)


@test
def a_refusal_names_its_reason_and_what_to_do(w):
    for words, reason in ((("tsi", "activate", ID, "--port", "p9", "--vn", "red"), "UNKNOWN_PORT"),
                          (("tsi", "activate", ID, "--port", "p1", "--vn", "99"), "UNKNOWN_VN"),
                          (("tsi", "associate", ID, *AT), "ILLEGAL_TRANSITION"),
                          (("vn", "disconnect", "p1", "red", "--only-if-unused"), "VN_IN_USE")):
        text, code = fails(w, *words)
        expect(reason in text, f"{reason} is not named: {text}")
        expect(len(text) > len(reason) + 30, f"no remedy: {text}")
        expect(code == 1 or code > 2, f"exit code {code}")


@test
def a_wrong_command_line_is_told_and_exits_with_2(w):
    for words in (("tsi", "activat", ID), ("nonsense",), ("tsi", "activate"),
                  ("tsi", "activate", "no-uuid", *AT)):
        text, code = fails(w, *words)
        equal(code, 2, f"exit code of {words}, which said: {text}")


@test
def watch_shows_each_event_as_it_happens(w):
    watch = subprocess.Popen([NVECTL, "-s", f"unix:{w.nve.socket}", "-o", "json", "watch",
                              "--count", "2"], stdout=subprocess.PIPE, text=True)
    try:
        # The stream is there once the agent knows of one subscriber; until then, make events.
        while watch.poll() is None:
            w.ctl("tsi", "deactivate", ID, *AT)
            w.ctl("tsi", "activate", ID, *AT)
        text = watch.stdout.read()
    finally:
        watch.kill()
        watch.wait()
    expect(ID in text and ("ACTIVATED" in text or "ctivated" in text), text)
    for line in text.splitlines():
        json.loads(line)


@test
def update_keepactive_and_clear_work_by_hand(w):
    w.ctl("tsi", "update", ID, *AT, "--add", "02:00:00:00:01:03")
    equal(len(w.c.tsi(ID_BYTES, "p1").addresses), 2, "addresses")
    w.ctl("tsi", "update", ID, *AT, "--remove", "02:00:00:00:01:03")
    equal(len(w.c.tsi(ID_BYTES, "p1").addresses), 1, "addresses")
    w.ctl("tsi", "keepactive", ID, *AT)
    w.ctl("tsi", "keepalive", ID, *AT)
    w.ctl("vn", "connect", "p1", "red")
    expect(w.c.vaps()[0].connected_explicitly, "connected explicitly")


@test
def bpftool_prints_named_fields(w):
    fields = {"src": {"ifindex", "vid", "mac"}, "fdb": {"vn_id", "mac"}, "peer": {"vni", "ip"}}
    for table, names in fields.items():
        rows = w.nve.dump(table)
        expect(rows, f"{table} is empty")
        for key, value in rows:
            expect(names <= set(key), f"key of {table}: {key}")
            expect(isinstance(value, dict) and value, f"value of {table}: {value}")
    text = sh(f"bpftool map dump pinned {w.nve.pin('src')}")
    expect('"vid": ' + str(w.tag) in text, text)


@test
def dump_shows_the_rows_that_bpftool_shows(w):
    for table in ("src", "fdb", "peer"):
        equal(len(w.c.table(table)), len(w.nve.dump(table)), f"rows of {table}")


@test
def completion_and_help_come_out(w):
    for shell in ("bash", "zsh"):
        text = sh([NVECTL, "completion", shell])
        expect("nvectl" in text and len(text) > 200, text)
    for words in (("--help",), ("tsi", "--help"), ("tsi", "activate", "--help"), ("--version",)):
        expect(sh([NVECTL, *words]), f"{words} says nothing")


@test
def an_agent_that_is_not_there_is_told(w):
    done = subprocess.run([NVECTL, "-s", "unix:/run/lab/nobody.sock", "-t", "2", "status"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=20,
                          check=False)
    expect(done.returncode and "nobody.sock" in done.stdout, done.stdout)


@test
def clear_and_disconnect_by_hand_leave_nothing(w):
    w.ctl("tsi", "clear", ID, "--port", "p1")
    w.ctl("vn", "disconnect", "p1", "red")
    equal(w.nve.rows(), {t: 0 for t in w.nve.rows()}, "rows in use")
    expect(ID not in w.ctl("tsi") and "red" not in w.ctl("vn"), "lists are empty")
    for words in ("tsi", "vn"):
        as_json(w, words)


if __name__ == "__main__":
    main(build)
