# SPDX-License-Identifier: Apache-2.0
"""A hypervisor's side of the protocol (tNVE): a thin client over the code that protoc makes."""
import json
import os
import sys

import grpc

from frames import ip, mac
from netlab import ROOT

GENERATED = f"{ROOT}/build/gen/py"
sys.path.insert(0, GENERATED)
try:
    from google.rpc import error_details_pb2, status_pb2
    from nve.v1 import nve_pb2 as pb
    from nve.v1 import nve_pb2_grpc, reason_pb2
except ImportError as e:
    sys.exit(f"{os.path.basename(sys.argv[0])}: {e}: run 'make e2e-tools' first")

INIT, ASSOCIATED, ACTIVATED = range(3)


class Refused(Exception):
    """A request that failed: the gRPC code and what its ErrorInfo says."""

    def __init__(self, code, details, blob):
        self.code, self.details, self.reason, self.metadata = code, details, None, {}
        status = status_pb2.Status.FromString(blob or b"")
        for item in status.details:
            info = error_details_pb2.ErrorInfo()
            if item.Unpack(info):
                self.reason, self.metadata = info.reason, dict(info.metadata)
        super().__init__(f"{code}: {self.reason}: {details} {self.metadata}")

    @classmethod
    def of(cls, error):
        blob = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
        return cls(error.code().name, error.details(), blob)


def tsi_id(number):
    return b"nved-e2e" + number.to_bytes(8, "big")


def address(text):
    """'MAC', 'IP' or 'MAC/IP'."""
    parts = text.split("/")
    out = pb.Address()
    if len(parts[0].split(":")) == 6:
        out.mac = mac(parts.pop(0))
    if parts:
        out.ip = ip(parts[0])
    return out


def addresses(texts):
    return [address(text) for text in texts]


def vn_ref(vn):
    return pb.VnRef(name=vn) if isinstance(vn, str) else pb.VnRef(id=vn)


def key(tsi, port, vn):
    return pb.TsiKey(tsi_id=tsi if isinstance(tsi, bytes) else tsi_id(tsi), port=port,
                     vn=vn_ref(vn))


def parameters(qos):
    """The list with the parameter "qos"; None: without it."""
    if qos is None:
        return []
    return [pb.Parameter(name="qos", value=qos.SerializeToString(), critical=True)]


class Client:
    """tsi: number or 16 bytes; vn: ID or name; addrs: texts as in address()."""

    def __init__(self, target, timeout=10):
        # A stopped agent's address is tried again at once, not after a growing pause.
        self.channel = grpc.insecure_channel(target, options=[
            ("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 200)])
        self.timeout = timeout
        self.signaling = nve_pb2_grpc.SignalingStub(self.channel)
        self.admin = nve_pb2_grpc.AdminStub(self.channel)

    def close(self):
        self.channel.close()

    def _call(self, method, request, **kw):
        try:
            return method(request, timeout=self.timeout, **kw)
        except grpc.RpcError as e:
            raise Refused.of(e) from None

    def healthy(self):
        """What grpc.health.v1 says of the whole server."""
        raw = self.channel.unary_unary("/grpc.health.v1.Health/Check", lambda b: b, lambda b: b)
        try:
            return raw(b"", timeout=2, wait_for_ready=True) == b"\x08\x01"  # SERVING
        except grpc.RpcError:
            return False

    # --- signaling ---

    def vn_connect(self, port, vn, tag=0):
        return self._call(self.signaling.VnConnect,
                          pb.VnConnectRequest(port=port, vn=vn_ref(vn), tag=tag))

    def vn_disconnect(self, port, vn, only_if_unused=False):
        return self._call(self.signaling.VnDisconnect, pb.VnDisconnectRequest(
            port=port, vn=vn_ref(vn), only_if_unused=only_if_unused))

    def associate(self, tsi, port, vn, addrs=(), tag=0, cause=0, timers=None, qos=None):
        return self._call(self.signaling.Associate, pb.AssociateRequest(
            tsi=key(tsi, port, vn), addresses=addresses(addrs), tag=tag, cause=cause,
            timers=timers, parameters=parameters(qos)))

    def activate(self, tsi, port, vn, addrs=(), tag=0, cause=0, timers=None, only=(),
                 qos=None):
        return self._call(self.signaling.Activate, pb.ActivateRequest(
            tsi=key(tsi, port, vn), addresses=addresses(addrs), tag=tag, cause=cause,
            timers=timers, only=addresses(only), parameters=parameters(qos)))

    def deactivate(self, tsi, port, vn, only=()):
        return self._call(self.signaling.Deactivate, pb.DeactivateRequest(
            tsi=key(tsi, port, vn), only=addresses(only)))

    def disassociate(self, tsi, port, vn):
        return self._call(self.signaling.Disassociate,
                          pb.DisassociateRequest(tsi=key(tsi, port, vn)))

    def clear(self, tsi, port, vn=None):
        return self._call(self.signaling.Clear, pb.ClearRequest(
            tsi_id=tsi if isinstance(tsi, bytes) else tsi_id(tsi), port=port,
            vn=vn_ref(vn) if vn is not None else None))

    def update(self, tsi, port, vn, add=(), remove=(), new_port="", timers=None, qos=None):
        return self._call(self.signaling.Update, pb.UpdateRequest(
            tsi=key(tsi, port, vn), add=addresses(add), remove=addresses(remove),
            new_port=new_port, timers=timers, parameters=parameters(qos)))

    def keepalive(self, *keys):
        return self._call(self.signaling.Keepalive,
                          pb.KeepaliveRequest(tsis=[key(*k) for k in keys]))

    def keepactive(self, *keys):
        return self._call(self.signaling.Keepactive,
                          pb.KeepactiveRequest(tsis=[key(*k) for k in keys]))

    # --- admin ---

    def status(self):
        return self._call(self.admin.GetStatus, pb.GetStatusRequest())

    def _list(self, method, request, field):
        try:
            return [x for part in method(request, timeout=self.timeout)
                    for x in getattr(part, field)]
        except grpc.RpcError as e:
            raise Refused.of(e) from None

    def ports(self):
        return self._list(self.admin.ListPorts, pb.ListPortsRequest(), "ports")

    def vaps(self):
        return self._list(self.admin.ListVns, pb.ListVnsRequest(), "vaps")

    def tsis(self, statistics=False):
        return self._list(self.admin.ListTsis, pb.ListTsisRequest(statistics=statistics), "tsis")

    def tsi(self, tsi, port):
        """The record of a TSI at a port, or None when it is in Init."""
        for x in self._list(self.admin.ListTsis, pb.ListTsisRequest(
                tsi_id=tsi if isinstance(tsi, bytes) else tsi_id(tsi), port=port,
                statistics=True), "tsis"):
            return x
        return None

    def state(self, tsi, port):
        found = self.tsi(tsi, port)
        return found.state if found else INIT

    def drops(self):
        return {d.reason: d.frames
                for d in self._call(self.admin.ListDrops, pb.ListDropsRequest()).drops}

    def answers(self):
        return {a.kind: a.frames
                for a in self._call(self.admin.ListDrops, pb.ListDropsRequest()).answers}

    def table(self, name):
        """Rows of a table of the datapath as (key, value), both decoded."""
        return [(json.loads(r.key or "null"), json.loads(r.value or "null"))
                for r in self._list(self.admin.DumpTable, pb.DumpTableRequest(table=name), "rows")]

    def tables(self):
        reply = self._call(self.admin.ListTables, pb.ListTablesRequest())
        return {t.name: (t.used, t.max) for t in reply.tables}
