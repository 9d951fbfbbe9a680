# SPDX-License-Identifier: Apache-2.0
"""What the tests of the gRPC front end share: generated client code, a server, a Session."""
import atexit
import glob
import importlib.util
import os
import queue
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import google
import google.protobuf  # noqa: F401  (makes google.__path__)
import grpc

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
TMP = tempfile.mkdtemp(prefix="nve-grpc-test-")
atexit.register(shutil.rmtree, TMP, ignore_errors=True)
PROGRAM = os.path.join(ROOT, "build/san/tests/session/grpc_test")  # grpc_clients.py may say other
TIMEOUT = 60  # seconds; nothing here takes so long

OURS = sorted(os.path.relpath(path, f"{ROOT}/proto")
              for path in glob.glob(f"{ROOT}/proto/**/*.proto", recursive=True))
STANDARD = ["grpc/health/v1/health.proto", "grpc/reflection/v1/reflection.proto",
            "grpc/reflection/v1alpha/reflection.proto"]


def _generate():
    gen = os.path.join(TMP, "gen")
    os.mkdir(gen)
    subprocess.run(["protoc", f"--proto_path={ROOT}/proto", "--proto_path=/usr/share/grpc-proto",
                    "--proto_path=/usr/include", f"--python_out={gen}", f"--grpc_out={gen}",
                    "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin", *OURS], check=True)
    # Into another folder: a generated grpc/ beside ours would shadow the library.
    std = os.path.join(TMP, "std")
    os.mkdir(std)
    subprocess.run(["protoc", "--proto_path=/usr/share/grpc-proto", f"--python_out={std}",
                    *STANDARD], check=True)
    sys.path.insert(0, gen)
    google.__path__.append(os.path.join(gen, "google"))
    return std


def _load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_STD = _generate()
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from nve.v1 import nve_pb2 as pb  # noqa: E402
from nve.v1 import nve_pb2_grpc  # noqa: E402
from nve.v1 import plan_pb2  # noqa: E402, F401
from nve.v1 import reason_pb2  # noqa: E402

health = _load("health_pb2", f"{_STD}/grpc/health/v1/health_pb2.py")
reflection_v1 = _load("reflection_v1_pb2", f"{_STD}/grpc/reflection/v1/reflection_pb2.py")
reflection_v1alpha = _load("reflection_v1alpha_pb2",
                           f"{_STD}/grpc/reflection/v1alpha/reflection_pb2.py")

NVA = os.path.join(TMP, "nva.yaml")
with open(NVA, "w", encoding="utf-8") as f:
    f.write("vns:\n")
    for i in range(64):
        f.write(f"  - {{ id: {100 + i}, name: vn-{100 + i}, vteps: [192.0.2.2] }}\n")


class Server:
    """The program with --serve.  close() proves that it ended well: code 0, no sanitizer."""
    count = 0

    def __init__(self, *args, listen=None):
        Server.count += 1
        self.unix = os.path.join(TMP, f"s{Server.count}")
        listen = listen or [f"unix:{self.unix}", "127.0.0.1:0"]
        self.log = open(os.path.join(TMP, f"log{Server.count}"), "w+", encoding="utf-8")
        words = [PROGRAM, "--serve", "--nva", NVA, *map(str, args)]
        for address in listen:
            words += ["--listen", address]
        # A small quarantine, or ASan's own memory hides what the tests measure.
        asan = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.log, text=True,
                                        env={**os.environ, "ASAN_OPTIONS": asan})
        ready = self.process.stdout.readline().split()
        self.ready = ready[:1] == ["ready"]
        self.ports = [int(p) for p in ready[1:]]
        self.ended = False

    @property
    def tcp(self):
        return f"127.0.0.1:{next(p for p in self.ports if p)}"

    def stderr(self):
        self.log.flush()
        with open(self.log.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        if not command.startswith("stop"):
            assert self.process.stdout.readline() == f"ok {command}\n"

    def memory(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def end(self):
        """Waits; returns (exit code, whether all calls ended by themselves)."""
        out, _ = self.process.communicate(timeout=TIMEOUT)
        self.ended = True
        return self.process.returncode, "idle 1" in out

    def close(self):
        if not self.ended:
            if self.process.poll() is None:
                self.say("stop 2000")
            self.end()
        text = self.stderr()
        self.log.close()
        assert self.process.returncode == 0, f"exit {self.process.returncode}\n{text}"
        assert "Sanitizer" not in text and "runtime error" not in text, text

    def channel(self, target=None, **options):
        """A channel with a connection of its own."""
        options = {"grpc.use_local_subchannel_pool": 1, "grpc.enable_retries": 0, **options}
        return grpc.insecure_channel(target or f"unix:{self.unix}", options=list(options.items()))


class Session:
    """One Session stream.  send() and recv(); messages are pipelined as they come."""

    def __init__(self, channel, welcome=True):
        self.requests = queue.Queue()
        self.call = nve_pb2_grpc.SignalingStub(channel).Session(
            iter(self.requests.get, None), timeout=TIMEOUT)
        self.welcome = self.recv().welcome if welcome else None
        self.events = []

    def send(self, request_id=0, **request):
        self.requests.put(pb.SessionRequest(request_id=request_id, **request))

    def half_close(self):
        self.requests.put(None)

    def recv(self):
        return next(self.call)

    def answer(self):
        """The next answer; events on the way are kept."""
        while True:
            reply = self.recv()
            if reply.WhichOneof("reply") == "answer":
                return reply.answer
            self.events.append(reply.event)

    def event(self):
        if self.events:
            return self.events.pop(0)
        reply = self.recv()
        assert reply.WhichOneof("reply") == "event", reply
        return reply.event


def key(n, port="p1", vn=100):
    return pb.TsiKey(tsi_id=n.to_bytes(16, "big"), port=port, vn=pb.VnRef(id=vn))


def mac(n):
    return pb.Address(mac=b"\x02\x00" + n.to_bytes(4, "big"))


def ip(text):
    family = socket.AF_INET6 if ":" in text else socket.AF_INET
    return pb.Address(ip=socket.inet_pton(family, text))


def error_info(status):
    """The ErrorInfo of a google.rpc.Status."""
    info = error_details_pb2.ErrorInfo()
    assert len(status.details) == 1 and status.details[0].Unpack(info), status
    assert info.domain == "nve.v1"
    return info


def details(error):
    """Status and ErrorInfo of an RpcError."""
    trailer = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(trailer)
    assert status.code == error.code().value[0] and status.message == error.details()
    return status, error_info(status)


def raw(channel, path, streams=False):
    """A method called with bytes."""
    kind = channel.stream_stream if streams else channel.unary_unary
    return kind(path, request_serializer=None, response_deserializer=None)


class Proxy:
    """A TCP connection that can be cut without a word."""

    def __init__(self, target):
        self.target = target
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        try:
            a, _ = self.listener.accept()
        except OSError:
            return
        host, port = self.target.rsplit(":", 1)
        b = socket.create_connection((host, int(port)))
        self.sockets = [a, b]
        for x, y in ((a, b), (b, a)):
            threading.Thread(target=self._copy, args=(x, y), daemon=True).start()

    @staticmethod
    def _copy(x, y):
        try:
            while data := x.recv(65536):
                y.sendall(data)
        except OSError:
            pass

    def cut(self):
        self.listener.close()
        for s in self.sockets:  # a reset, not a FIN
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            s.shutdown(socket.SHUT_RD)
            s.close()
