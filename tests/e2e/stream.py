# SPDX-License-Identifier: Apache-2.0
"""Numbered frames without a pause, in a process of their own, each of them accounted for.

Sends in bursts, and the next burst when the last one has arrived or a second has passed: so no
queue on the way can overflow, and what is lost was lost by the NVE.

    with Stream([(tap, frame), ..], [tap, ..], least) as stream:
        ...                      # frames are under way all the time
    stream.result                # sent, lost, twice, and how many came at each tap
"""
import json
import os
import select
import socket
import struct
import subprocess
import sys
import time

MAGIC = b"nvedstrm"
BURST, PATIENCE = 32, 1.0


class Stream:
    """sends: a tap and a frame to be sent there again and again, with a number behind it;
    taps: where all of them are expected, each at one of these.  At least 'least' are sent."""

    def __init__(self, sends, taps, least):
        self.sends, self.taps, self.least = sends, taps, least
        self.proc = self.result = None

    def __enter__(self):
        for tap in self.taps:
            tap.clear()
        fds = {tap.sock.fileno() for tap, _ in self.sends} | {t.sock.fileno() for t in self.taps}
        self.proc = subprocess.Popen([sys.executable, os.path.abspath(__file__)], text=True,
                                     pass_fds=fds, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        print(json.dumps({
            "sends": [[tap.sock.fileno(), frame.hex()] for tap, frame in self.sends],
            "taps": [tap.sock.fileno() for tap in self.taps], "least": self.least,
        }), file=self.proc.stdin, flush=True)
        self.proc.stdout.readline()  # the first burst has arrived
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.proc.kill()
        text = self.proc.communicate()[0]  # the end of its input stops it
        if not kind:
            self.result = json.loads(text)


class Run:
    """In that process."""

    def __init__(self, order):
        socks = {fd: socket.socket(fileno=fd)
                 for fd in {fd for fd, _ in order["sends"]} | set(order["taps"])}
        self.sends = [(socks[fd], bytes.fromhex(frame) + MAGIC) for fd, frame in order["sends"]]
        self.taps = [socks[fd] for fd in order["taps"]]
        self.at, self.buffer = [0] * len(self.taps), bytearray(2048)
        self.out, self.sent, self.lost, self.twice = set(), 0, [], []

    def take(self, i):
        """All that has arrived at a tap."""
        while True:
            try:
                n = self.taps[i].recv_into(self.buffer)
            except BlockingIOError:
                return
            if self.buffer[n - 16:n - 8] != MAGIC:
                continue
            number, = struct.unpack_from("!Q", self.buffer, n - 8)
            self.at[i] += 1
            if number in self.out:
                self.out.remove(number)
            else:
                self.twice.append(number)

    def burst(self):
        for _ in range(BURST):
            sock, frame = self.sends[self.sent % len(self.sends)]
            self.out.add(self.sent)
            sock.send(frame + struct.pack("!Q", self.sent))
            self.sent += 1
        end = time.monotonic() + PATIENCE
        while True:
            for i in range(len(self.taps)):
                self.take(i)
            left = end - time.monotonic()
            if not self.out or left <= 0:
                break
            select.select(self.taps, [], [], left)
        self.lost += sorted(self.out)
        self.out.clear()


def main():
    order = json.loads(sys.stdin.readline())
    run, begin, least = Run(order), time.monotonic(), order["least"]
    run.burst()
    print("begun", flush=True)
    while run.sent < least or not select.select([sys.stdin], [], [], 0)[0]:
        run.burst()
    print(json.dumps({"sent": run.sent, "lost": run.lost, "twice": run.twice, "at": run.at,
                      "kpps": run.sent / (time.monotonic() - begin) / 1000}))


if __name__ == "__main__":
    main()
