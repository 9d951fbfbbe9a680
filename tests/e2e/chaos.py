# SPDX-License-Identifier: Apache-2.0
"""What the chaos test is made of: hypervisors with a model of their own, and steady traffic.

A hypervisor knows what it was answered, and so what state each of its TSIs must be in.  An answer
that never came (the agent was killed under it) leaves two states possible; the next look decides,
and any third one is a failure.
"""
import random
import threading
import time

import frames as f
from client import ACTIVATED, ASSOCIATED, INIT, Client, Refused
from netlab import Failure

NAMES = ("associate", "activate", "activate", "deactivate", "disassociate", "clear", "update",
         "keepalive")
#: Where an operation leads from each state; None: refused.
TABLE = {
    "associate": (ASSOCIATED, ASSOCIATED, None),
    "activate": (ACTIVATED, ACTIVATED, ACTIVATED),
    "deactivate": (None, ASSOCIATED, ASSOCIATED),
    "disassociate": (INIT, INIT, INIT),
    "clear": (INIT, INIT, INIT),
    "update": (None, ASSOCIATED, ACTIVATED),
}
LOST = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}  # no answer, or one that gRPC made up
STARVED = {"STORE_FAILED", "SHUTTING_DOWN"}


class Tsi:
    """One instance: what it was last known to be, and what it may be instead."""

    def __init__(self, number, port, vn, macs):
        self.number, self.port, self.vn, self.macs = number, port, vn, macs
        self.state, self.n_macs = INIT, 0
        self.maybe = None  # (state, n_macs) if an answer is missing

    def addresses(self, n):
        return self.macs[:n]

    def __repr__(self):
        return f"TSI {self.number} on {self.port} in {self.vn}: {self.state}, {self.n_macs} MACs"


class Hypervisor(threading.Thread):
    """Signals at random until told to stop; 'failure' says what went wrong, if anything."""

    def __init__(self, number, target, tsis, seed):
        super().__init__(daemon=True, name=f"hypervisor-{number}")
        self.client, self.tsis, self.random = Client(target, timeout=5), tsis, random.Random(seed)
        self.failure, self.counts = None, {"answered": 0, "refused": 0, "starved": 0, "lost": 0}
        self.stopping, self.go, self.parked = (threading.Event() for _ in range(3))
        self.go.set()

    def run(self):
        try:
            while not self.stopping.is_set():
                if not self.go.is_set():
                    self.parked.set()
                    self.go.wait()
                    self.parked.clear()
                    continue
                self.step(self.random.choice(self.tsis), self.random.choice(NAMES))
        except Exception as e:  # pylint: disable=broad-except
            self.failure = e
            self.parked.set()

    def pause(self):
        """Returns when no request is under way."""
        self.go.clear()
        if not self.parked.wait(20):
            raise Failure(f"{self.name} waits for an answer for 20 s")
        if self.failure:
            raise self.failure

    def resume(self):
        self.parked.clear()
        self.go.set()

    def ask(self, tsi, name, n):
        c, args = self.client, (tsi.number, tsi.port, tsi.vn)
        if name in ("associate", "activate"):
            return getattr(c, name)(*args, tsi.addresses(n)).state
        if name == "clear":
            c.clear(*args)
            return INIT
        if name == "keepalive":
            failed = [x.reason for x in c.keepalive(args).failures]
            if failed and tsi.state != INIT and not tsi.maybe:
                raise Failure(f"{tsi}: keepalive failed: {failed}")
            return None
        if name == "update":
            more = n > tsi.n_macs
            return c.update(*args, add=tsi.macs[tsi.n_macs:n] if more else (),
                            remove=() if more else tsi.macs[n:tsi.n_macs]).state
        return getattr(c, name)(*args).state

    def step(self, tsi, name):
        if tsi.maybe:
            self.look(tsi)
            if tsi.maybe:
                return
        n = self.random.randint(1, len(tsi.macs))
        want = tsi.state if name == "keepalive" else TABLE[name][tsi.state]
        after = (want, self.macs_after(tsi, name, want, n))
        try:
            got = self.ask(tsi, name, n)
        except Refused as e:
            self.refused(tsi, name, want, after, e)
            return
        if want is None or (got is not None and got != want):
            raise Failure(f"{tsi}: {name} was answered with {got}, not {want}")
        tsi.state, tsi.n_macs = after
        self.counts["answered"] += 1

    @staticmethod
    def macs_after(tsi, name, want, n):
        if want == INIT:
            return 0
        return n if name in ("associate", "activate", "update") else tsi.n_macs

    def refused(self, tsi, name, want, after, error):
        if error.reason in STARVED:
            self.counts["starved"] += 1
            time.sleep(self.random.random() / 50)  # not an event: a client that backs off
        elif error.reason is None and error.code in LOST:
            self.counts["lost"] += 1
            if want is not None:
                tsi.maybe = after
        elif want is not None:
            raise Failure(f"{tsi}: {name} was refused: {error}") from None
        else:
            self.counts["refused"] += 1

    def look(self, tsi):
        """Decides between what it was and what it may be."""
        try:
            found = [x for x in self.client.tsis() if x.key.port == tsi.port
                     and int.from_bytes(x.key.tsi_id[8:], "big") == tsi.number]
        except Refused as e:
            if e.code in LOST:
                return
            raise
        got = (found[0].state, len(found[0].addresses)) if found else (INIT, 0)
        if got not in ((tsi.state, tsi.n_macs), tsi.maybe):
            raise Failure(f"{tsi}, or after a lost answer {tsi.maybe}; it is {got}")
        (tsi.state, tsi.n_macs), tsi.maybe = got, None

    def settle(self):
        for tsi in self.tsis:
            if tsi.maybe:
                self.look(tsi)
            if tsi.maybe:
                raise Failure(f"{tsi}: the agent does not answer")


class Stream(threading.Thread):
    """Numbered frames of TSIs that nobody touches: each must arrive once, whatever happens."""

    GAP = 0.005

    def __init__(self, pairs):
        """pairs: (from tap, frame maker, to tap)."""
        super().__init__(daemon=True, name="stream")
        self.pairs, self.first, self.sent, self.failure = pairs, 0, 0, None
        self.stopping, self.lock = threading.Event(), threading.Lock()
        self.prefix = b"chaos-" + f.token()

    def token(self, number):
        return self.prefix + b"%010d;" % number

    def run(self):
        try:
            while not self.stopping.wait(self.GAP):
                with self.lock:
                    for tap, make, _ in self.pairs:
                        tap.send(*[make(self.token(n)) for n in range(self.sent, self.sent + 5)])
                    self.sent += 5
        except Exception as e:  # pylint: disable=broad-except
            self.failure = e

    def check(self):
        """All that was sent since the last check has arrived, once."""
        if self.failure:
            raise self.failure
        with self.lock:
            for _, _, tap in self.pairs:
                tap.wait(self.token(self.sent - 1), 10, "the last frame of a steady stream")
                seen = {}
                for frame in tap.find(self.prefix):
                    at = frame.index(self.prefix) + len(self.prefix)
                    number = int(frame[at:at + 10])
                    seen[number] = seen.get(number, 0) + 1
                tap.seen.clear()
                self._judge(tap, seen)
            self.first = self.sent

    def _judge(self, tap, seen):
        lost = [n for n in range(self.first, self.sent) if n not in seen]
        twice = [n for n, times in seen.items() if times > 1]
        if lost or twice:
            raise Failure(f"at {tap.where}, of frames {self.first} to {self.sent - 1}: lost "
                          f"{len(lost)} {lost[:5]}, twice {len(twice)} {twice[:5]}")
