# SPDX-License-Identifier: Apache-2.0
"""Numbered frames without a pause, in a process of their own (stream.c), each of them accounted
for.

Sends in bursts, and the next burst when the last one has arrived or a second has passed: so no
queue on the way can overflow, and what is lost was lost by the NVE.

    with Stream([(tap, frame), ..], [tap, ..], least) as stream:
        ...                      # frames are under way all the time
    stream.result                # sent, lost, twice, and how many came at each tap
"""
import json
import subprocess

from netlab import ROOT

STREAM = f"{ROOT}/build/gen/tests/stream"


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
        self.proc = subprocess.Popen([STREAM], text=True, pass_fds=fds, stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE)
        print(self.least, len(self.sends), len(self.taps),
              *(f"{tap.sock.fileno()} {frame.hex()}" for tap, frame in self.sends),
              *(tap.sock.fileno() for tap in self.taps), sep="\n", file=self.proc.stdin, flush=True)
        self.proc.stdout.readline()  # the first burst has arrived
        return self

    def __exit__(self, kind, value, trace):
        if kind:
            self.proc.kill()
        text = self.proc.communicate()[0]  # the end of its input stops it
        if not kind:
            self.result = json.loads(text)
