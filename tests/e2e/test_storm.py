#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Keepalive and reconnect storms, and a greedy client, against a live agent (issue 4, 4).

Passes when a thousand clients that come at once, and again after all their connections died, are
all answered in bounded time and memory, and a polite one hardly notices one that takes all it can.
"""
import json
import subprocess

from agent import BUILD
from check import equal, expect, main, test
from client import ACTIVATED, Client, pb
from lab import NVE1, Netns, vn
from netlab import PATIENCE, STATE, wait_for

CLIENTS, TARGET, STORM = 1000, "127.0.0.1:4800", f"{BUILD}/storm"
SECONDS = 30 * PATIENCE  # for all of them, on cores that their own work shares; alone it is two
RSS_KB = 128 << 10       # a thousand connections with a Session each
TIMER = {"default_ms": 600000, "min_ms": 1000, "max_ms": 3600000}


class World:
    pass


class Storm:
    """One process of tests/tools/storm.c; its first line is there when the constructor returns."""

    def __init__(self, w, *words):
        self.process = w.nve.ns.popen([STORM, TARGET, *map(str, words)], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
        self.figures = self.line()

    def line(self):
        return json.loads(self.process.stdout.readline())

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)

    def kill(self):
        self.process.kill()
        self.process.wait(20)


def build(lab):
    w = World()
    w.hv = Netns("hv")
    w.nve = lab.nve("nve1", NVE1, {"p1": w.hv}, [vn(100 + i, 5100 + i) for i in range(8)],
                    listeners=[f"unix:{STATE}/nve1/nved.sock", TARGET], log={"level": "warning"},
                    timers={"keepalive": TIMER, "keepactive": TIMER})
    return w


def counted(w):
    return [t.state for t in w.nve.client.tsis()]


def polite(w):
    one = Storm(w, "polite", 1000)
    one.end()
    equal((one.figures["answered"], one.figures["failed"]), (1000, 0), "polite calls")
    return one.figures


@test
def a_polite_client_is_served_while_a_greedy_one_takes_all_it_can(w):
    alone = polite(w)
    greedy = Storm(w, "greedy", 256)
    beside = polite(w)
    greedy.process.stdin.close()
    took = greedy.line()
    greedy.process.wait(20)
    print(f"    alone: {alone}\n    beside: {beside}\n    greedy: {took}")
    expect(took["answered"] > 1000, f"the greedy one was idle: {took}")
    expect(beside["p50_ms"] < took["p50_ms"] / 3,
           f"the polite one waits like the greedy one: {beside} {took}")
    expect(beside["p99_ms"] <= 10 * alone["p99_ms"] + 25 * PATIENCE,
           f"p99 {alone['p99_ms']} ms alone, {beside['p99_ms']} ms beside the greedy one")


def come(w, how):
    """All come at once; the process that holds their connections."""
    storm = Storm(w, how, CLIENTS, 1)
    f = storm.figures
    calls = {"all": 4, "again": 3}[how] * CLIENTS
    print(f"    {how}: {f}, agent {w.nve.rss_kb()} kB")
    equal((f["answered"], f["failed"], f["sessions"]), (calls, 0, CLIENTS), f["first_failure"])
    expect(f["seconds"] < SECONDS, f"it took {f['seconds']} s")
    equal(counted(w), [ACTIVATED] * CLIENTS, "TSIs")
    return storm


@test
def a_thousand_clients_at_once_are_all_answered_and_again_after_all_connections_died(w):
    before = w.nve.rss_kb()
    storm = come(w, "all")
    first = w.nve.rss_kb()
    expect(first - before < RSS_KB, f"{before} kB before, {first} kB with {CLIENTS} clients")
    equal(w.nve.client.status().sessions, CLIENTS, "Sessions")
    storm.kill()
    wait_for("the agent to see that they are gone",
             lambda: w.nve.client.status().sessions == 0, 20)
    equal(counted(w), [ACTIVATED] * CLIENTS, "TSIs after the loss (D9)")
    storm = come(w, "again")
    expect(w.nve.rss_kb() - first < RSS_KB / 4,
           f"{first} kB with the first ones, {w.nve.rss_kb()} kB with the second")
    storm.end()


@test
def the_resync_of_another_client_touches_none_of_theirs(w):
    c = Client(f"unix:{w.nve.socket}", timeout=20)
    keys = [x.key for x in c.tsis()][:5]
    r = c.signaling.Resync(pb.ResyncRequest(ports=["p1"], tsis=keys, done=True), timeout=20)
    equal((r.known, r.cleared), (5, 0), "known and cleared")
    equal(counted(w), [ACTIVATED] * CLIENTS, "TSIs")
    c.close()


if __name__ == "__main__":
    main(build)
