#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Writes valid inputs into tests/fuzz/corpus, for the fuzz targets to start from: a message of each
kind, the documented examples, frames and lives of the core.  Afterwards 'make fuzz-merge' keeps
what adds something."""
import hashlib
import os
import random
import re
import struct
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
sys.path.insert(0, f"{ROOT}/build/gen/py")
# pylint: disable=wrong-import-position
from google.protobuf import descriptor as pb  # noqa: E402
from nve.v1 import nve_pb2 as nve  # noqa: E402

MAC, IP4, IP6 = bytes.fromhex("020000000001"), bytes([10, 0, 0, 1]), bytes([0xfd] + [0] * 14 + [1])
# In the order of enum nve_method and of enum nve_admin_call.
UNARY = ("VnConnect", "VnDisconnect", "Associate", "Activate", "Deactivate", "Disassociate",
         "Clear", "Update", "Keepalive", "Keepactive")
ADMIN = ("GetStatus", "ListPorts", "ListVns", "ListTsis", "ListDrops", "ListTables", "DumpTable",
         "Watch", "Why")
STRINGS = {"port": "p1", "new_port": "p2", "name": "blue", "table": "fdb", "client": "hyp1"}
BYTES = {"tsi_id": b"\xab" * 16, "mac": MAC, "ip": IP4,
         "frame": MAC + MAC + b"\x08\x00" + bytes(46)}


def add(target, data):
    folder = f"{ROOT}/tests/fuzz/corpus/{target}_fuzz"
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/{hashlib.sha1(data).hexdigest()}", "wb") as f:
        f.write(data)


def value_of(field):
    if field.type == pb.FieldDescriptor.TYPE_STRING:
        return STRINGS.get(field.name, "x")
    if field.type == pb.FieldDescriptor.TYPE_BYTES:
        return BYTES.get(field.name, b"x")
    if field.type == pb.FieldDescriptor.TYPE_ENUM:
        return field.enum_type.values[-1].number
    return True if field.type == pb.FieldDescriptor.TYPE_BOOL else 7


def fill(message, depth=0, pick=0):
    """Every field set; 'pick' chooses the members of oneofs."""
    chosen = {o.fields[pick % len(o.fields)].name for o in message.DESCRIPTOR.oneofs}
    for field in message.DESCRIPTOR.fields:
        if field.containing_oneof and field.name not in chosen:
            continue
        repeated = field.label == pb.FieldDescriptor.LABEL_REPEATED
        if field.type == pb.FieldDescriptor.TYPE_MESSAGE:
            if depth < 4:
                part = getattr(message, field.name)
                fill(part.add() if repeated else part, depth + 1, pick)
        elif repeated:
            getattr(message, field.name).append(value_of(field))
        else:
            setattr(message, field.name, value_of(field))
    return message


def instances(name):
    """The message in several shapes, serialized."""
    cls = getattr(nve, name)
    yield b""
    for pick in range(max([1] + [len(o.fields) for o in cls.DESCRIPTOR.oneofs] + [2])):
        yield fill(cls(), 0, pick).SerializeToString()


def messages():
    for i, method in enumerate(UNARY):
        for data in instances(f"{method}Request"):
            add("codec", bytes([i]) + data)
    for data in instances("SessionRequest"):
        add("codec", bytes([len(UNARY)]) + data)
    for i, call in enumerate(ADMIN):
        for data in instances(f"{call}Request"):
            add("admin", bytes([i]) + data)
    for text in (b"", b"nve.v1.Admin", b"no.such"):
        add("admin", bytes([len(ADMIN), 0x0a, len(text)]) + text)
    for number in (3, 4, 6, 7):  # of ServerReflectionRequest's oneof
        for text in (b"nve.v1.Admin", b"nve.v1.TsiKey.port", b"nve/v1/nve.proto"):
            add("admin", bytes([len(ADMIN) + 1, number << 3 | 2, len(text)]) + text)


def replies():
    services = nve.DESCRIPTOR.services_by_name
    methods = [m for s in ("Signaling", "Admin") for m in services[s].methods]
    for i, method in enumerate(methods):
        for kind, part in ((2 * i, method.output_type), (2 * i + 1, method.input_type)):
            if 1 + kind < 256:
                for data in instances(part.name):
                    add("json", bytes([1 + kind]) + data)
    for text in ('{}', '{"a": [1, -2.5e+3, "x\\u00e9\\n", null, {"b": true}], "c": ""}',
                 ' {"key":{"vni":7},"value":[[],{}]} '):
        add("json", b"\0" + text.encode())


def files():
    with open(f"{ROOT}/agent/nved.example.yaml", "rb") as f:
        add("config", f.read())
    with open(f"{ROOT}/agent/nva/local.example.yaml", "rb") as f:
        add("nva", f.read())
    for target, path in (("config", "tests/config_test.c"), ("nva", "tests/nva/local_test.c")):
        with open(f"{ROOT}/{path}", encoding="utf-8") as f:
            source = f.read()
        for literal in re.findall(r'((?:"(?:[^"\\]|\\.)*"\s*)+)', source):  # joined literals
            text = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', literal))
            text = text.replace("\\n", "\n").replace('\\"', '"')
            if "\n" in text and ":" in text:
                add(target, text.encode())


def frames():
    frame = BYTES["frame"]
    for order in "<>":
        head = struct.pack(f"{order}IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1)
        record = struct.pack(f"{order}IIII", 1, 2, len(frame), len(frame)) + frame
        add("frame", b"\0" + head + record)
        add("frame", b"\2" + head + 2 * record)
    add("frame", b"\1" + frame.hex(":").encode())
    add("frame", b"\1" + frame.hex(" ").encode())


def values():
    for i, text in enumerate(("abababab-abab-abab-abab-abababababab", "02:00:00:00:00:01/10.0.0.1",
                              "name:7", "0x10", "off", "1.5G/20000", "2.25", "org.x=v!",
                              "unix:/run/nved/nved.sock", "127.0.0.1:50051", "[::1]:50051")):
        add("parse", bytes([min(i, 8)]) + text.encode())


def lives():
    dice = random.Random(1)
    for _ in range(24):
        add("core", bytes(dice.randrange(256) for _ in range(1200)))


def main():
    messages()
    replies()
    files()
    frames()
    values()
    lives()


if __name__ == "__main__":
    main()
