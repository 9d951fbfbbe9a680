# SPDX-License-Identifier: Apache-2.0
"""Clients of other users: a relay runs as that user, so the agent's SO_PEERCRED sees its uid.

    client --unix socket of the relay--> relay (uid) --> the agent's socket
"""
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading

from netlab import wait_for


def relay(own, agent, uid):
    """In the relay's process: one thread a direction a connection."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(own)
    listener.listen()
    os.setgroups([0])  # the agent's socket is for its group
    os.setresgid(0, 0, 0)
    os.setresuid(uid, uid, uid)
    while True:
        here = listener.accept()[0]
        there = socket.socket(socket.AF_UNIX)
        try:
            there.connect(agent)
        except OSError:
            here.close()
            continue
        threading.Thread(target=pump, args=(here, there), daemon=True).start()


def pump(here, there):
    """Until either side ends."""
    while True:
        for sock in select.select([here, there], [], [])[0]:
            try:
                data = sock.recv(65536)
                (there if sock is here else here).sendall(data)
            except OSError:
                data = b""
            if not data:
                here.close()
                there.close()
                return


class Someone:
    """A user's socket to an agent: Client(someone.target) is that user's."""

    def __init__(self, agent, uid):
        self.path = f"{agent.dir}/uid-{uid}.sock"
        self.target = f"unix:{self.path}"
        self.proc = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", sys.executable,
                                      os.path.abspath(__file__), self.path, agent.socket,
                                      str(uid)])
        wait_for(f"the relay of uid {uid}", lambda: os.path.exists(self.path))


class Session:
    """A Session stream whose events are gathered as they come."""

    def __init__(self, client, pb):
        self.out, self.events, self.answers = queue.Queue(), queue.Queue(), queue.Queue()
        self.pb, self.next_id, self.error = pb, 1, None
        self.call = client.signaling.Session(iter(self.out.get, None))
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.welcome = next(self.call)
        self.thread.start()

    def _read(self):
        try:
            for reply in self.call:
                kind = reply.WhichOneof("reply")
                (self.events if kind == "event" else self.answers).put(getattr(reply, kind))
        except Exception as e:  # pylint: disable=broad-except
            self.error = e

    def ask(self, **request):
        self.out.put(self.pb.SessionRequest(request_id=self.next_id, **request))
        self.next_id += 1
        return self.answers.get(timeout=5)

    def seen(self):
        """TSI IDs and kinds of the events so far; call it when an answer says all are there."""
        out = []
        while not self.events.empty():
            event = self.events.get()
            kind = event.WhichOneof("event")
            out.append((kind, getattr(getattr(event, kind), "tsi", None)))
        return out

    def close(self):
        self.out.put(None)
        self.thread.join(5)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    relay(sys.argv[1], sys.argv[2], int(sys.argv[3]))
