# SPDX-License-Identifier: Apache-2.0
"""A hypervisor's Session stream: its events as they come, acknowledged or not."""
import queue
import threading

import grpc

from client import pb
from netlab import Failure


class Session:
    """window: events under way at most, each acknowledged at once; 0: none is.  hold: acknowledge
    only when ack() is called."""

    def __init__(self, client, name, window=0, ports=(), hold=False):
        self.window, self.hold, self.events = window, hold, queue.Queue()
        self.out, self.last = queue.Queue(), 0
        self.call = client.signaling.Session(iter(self.out.get, None))
        self.send(hello=pb.Hello(client=name, event_window=window, ports=ports))
        for reply in self.call:  # the Welcome, then the answer to Hello
            if reply.WhichOneof("reply") == "answer":
                break
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, **request):
        self.out.put(pb.SessionRequest(request_id=1, **request))

    def ack(self):
        self.send(event_ack=pb.EventAck(seq=self.last))

    def _read(self):
        try:
            for reply in self.call:
                if reply.WhichOneof("reply") == "event":
                    self.last = reply.event.seq
                    self.events.put(reply.event)
                    if self.window and not self.hold:
                        self.ack()
        except grpc.RpcError:
            pass
        self.events.put(None)

    def event(self, kind, timeout=5):
        """The next event of that kind; those of other kinds before it are passed over."""
        while True:
            try:
                event = self.events.get(timeout=timeout)
            except queue.Empty:
                raise Failure(f"no {kind} came in {timeout} s") from None
            if event is None:
                raise Failure(f"the session ended before a {kind} came")
            if event.WhichOneof("event") == kind:
                return event

    def close(self):
        self.out.put(None)
        self.call.cancel()
