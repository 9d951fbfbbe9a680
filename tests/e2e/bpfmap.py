# SPDX-License-Identifier: Apache-2.0
"""Reads a pinned, memory-mappable array whole: bpftool would need seconds for a million rows."""
import ctypes
import json
import mmap
import os

from netlab import sh

SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
BPF_OBJ_GET = 7

libc = ctypes.CDLL(None, use_errno=True)


def _obj_get(path):
    name = ctypes.create_string_buffer(path.encode())
    attr = (ctypes.c_uint64 * 16)(ctypes.addressof(name))
    fd = libc.syscall(SYS_BPF, BPF_OBJ_GET, attr, ctypes.sizeof(attr))
    if fd < 0:
        raise OSError(ctypes.get_errno(), f"BPF_OBJ_GET {path}")
    return fd


def rows(path):
    """The values that are not all zero, as bytes."""
    info = json.loads(sh(f"bpftool -j map show pinned {path}"))
    size, count = info["bytes_value"], info["max_entries"]
    length = (size * count + mmap.PAGESIZE - 1) & -mmap.PAGESIZE
    fd = _obj_get(path)
    try:
        with mmap.mmap(fd, length, mmap.MAP_SHARED, mmap.PROT_READ) as data:
            return list(_nonzero(data, size, count))
    finally:
        os.close(fd)


def _nonzero(data, size, count):
    step = max(1, 65536 // size)
    for first in range(0, count, step):
        chunk = data[first * size:min(first + step, count) * size]
        if chunk.count(0) != len(chunk):
            for at in range(0, len(chunk), size):
                row = chunk[at:at + size]
                if any(row):
                    yield row
