# SPDX-License-Identifier: Apache-2.0
"""The far end of nvectl's tests: a gRPC server made from the proto by another implementation.

It keeps no state: it writes down each request, answers what the test has laid out, and holds every
request to what the proto says of its form.
"""

import importlib
import os
import queue
import subprocess
import sys
from concurrent import futures

import grpc

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def generate(folder):
    """Generates the Python code of the proto into 'folder'; returns the modules."""
    protos = ["google/rpc/status.proto", "google/rpc/error_details.proto",
              "nve/v1/reason.proto", "nve/v1/tls.proto", "nve/v1/plan.proto", "nve/v1/nve.proto"]
    subprocess.run(["protoc", "-I", os.path.join(ROOT, "proto"), "-I", "/usr/include",
                    "--python_out=" + folder, "--grpc_out=" + folder,
                    "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", *protos], check=True)
    sys.path.insert(0, folder)
    import google
    google.__path__.append(os.path.join(folder, "google"))
    names = ["nve.v1.nve_pb2", "nve.v1.nve_pb2_grpc", "nve.v1.reason_pb2",
             "google.rpc.status_pb2", "google.rpc.error_details_pb2"]
    return [importlib.import_module(name) for name in names]


class Refusal(Exception):
    """How the NVE refuses: a canonical code, a message, and an ErrorInfo unless reason is None."""

    def __init__(self, code, message, reason=None, **metadata):
        super().__init__(message)
        self.code, self.message, self.reason, self.metadata = code, message, reason, metadata


class FarEnd:
    """Serves Signaling and Admin on 'address' with what is in 'answers'."""

    def __init__(self, address, nve, nve_grpc, status, details):
        self.address = address
        self.nve, self.status, self.details = nve, status, details
        self.answers = {}      # method -> message, list of messages, queue of events, Refusal
        self.requests = []     # (method, message)
        self.deadlines = {}    # method -> seconds the client gave; None = no end
        self.violations = []   # what no client may send
        self.server = grpc.server(futures.ThreadPoolExecutor(max_workers=8),
                                  options=[("grpc.so_reuseport", 0)])
        nve_grpc.add_SignalingServicer_to_server(self.servicer(nve_grpc.SignalingServicer),
                                                 self.server)
        nve_grpc.add_AdminServicer_to_server(self.servicer(nve_grpc.AdminServicer), self.server)
        assert self.server.add_insecure_port(address)
        self.tcp_port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def stop(self):
        self.server.stop(0).wait()

    def servicer(self, base):
        """An instance of 'base' with each of its methods answered from self.answers."""
        streaming = {"ListPorts", "ListVns", "ListTsis", "DumpTable", "Watch"}
        members = {}
        for name in dir(base):
            if name[0].isupper():
                members[name] = self.method(name, name in streaming)
        return type("Recorded" + base.__name__, (base,), members)()

    def method(self, name, streaming):
        def unary(_, request, context):
            return self.answer(name, request, context)

        def stream(_, request, context):
            got = self.answer(name, request, context)
            yield from iter(got.get, None) if isinstance(got, queue.Queue) else got
        return stream if streaming else unary

    def answer(self, name, request, context):
        left = context.time_remaining()
        self.deadlines[name] = left if left is not None and left < 1e6 else None
        self.requests.append((name, request))
        before = len(self.violations)
        self.judge(name, request)
        if len(self.violations) > before:
            context.abort(grpc.StatusCode.INTERNAL, self.violations[-1])
        answer = self.answers.get(name, Refusal(grpc.StatusCode.UNIMPLEMENTED, "not laid out"))
        if isinstance(answer, Refusal):
            self.refuse(context, answer)
        return answer(context) if callable(answer) else answer

    def refuse(self, context, refusal):
        if refusal.reason is not None:
            status = self.status.Status(code=refusal.code.value[0], message=refusal.message)
            info = self.details.ErrorInfo(reason=refusal.reason, domain="nve.v1",
                                          metadata=refusal.metadata)
            status.details.add().Pack(info)
            context.set_trailing_metadata((("grpc-status-details-bin",
                                            status.SerializeToString()),))
        context.abort(refusal.code, refusal.message)

    # What the proto says of the form of requests, whatever they mean.

    def judge(self, name, message):
        self.judge_fields(name, message)
        kind = type(message).__name__
        if kind == "TsiKey":
            self.want(name, len(message.tsi_id) == 16, "a TSI ID has 16 bytes")
            self.want(name, message.port, "a TSI is at a port")
            self.want(name, message.HasField("vn"), "a TSI is in a VN")
        elif kind == "ClearRequest":
            self.want(name, len(message.tsi_id) == 16, "a TSI ID has 16 bytes")
            self.want(name, message.port, "Clear names a port")
        elif kind == "VnRef":
            self.want(name, message.WhichOneof("vn"), "a VnRef names a VN")
        elif kind == "Address":
            self.want(name, len(message.mac) in (0, 6), "a MAC has 6 bytes")
            self.want(name, len(message.ip) in (0, 4, 16), "an IP has 4 or 16 bytes")
            self.want(name, message.mac or message.ip, "an address is not empty")
        elif kind == "Timers":
            self.want(name, message.ListFields(), "empty timers are left out")
        elif kind in ("KeepaliveRequest", "KeepactiveRequest"):
            self.want(name, 1 <= len(message.tsis) <= 512, "1..512 TSIs")
        elif kind == "Parameter":
            self.want(name, message.name, "a parameter has a name")

    def judge_fields(self, name, message):
        self.want(name, not list(message.UnknownFields()), "fields that the proto has not")
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            for one in value if field.label == field.LABEL_REPEATED else [value]:
                self.judge(name, one)
        if "tsi" in message.DESCRIPTOR.fields_by_name and name != "Watch":
            self.want(name, message.HasField("tsi"), "a TsiKey is missing")

    def want(self, name, good, what):
        if not good:
            self.violations.append(f"{name}: {what}")
