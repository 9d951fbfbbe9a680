# SPDX-License-Identifier: Apache-2.0
"""A client with many short connections, one after the other: each asks for what does not exist.

    knocker.py SOCKET TIMES [UID]     takes that uid first, keeps its group
"""
import os
import sys

if len(sys.argv) > 3:
    os.setuid(int(sys.argv[3]))

import grpc  # noqa: E402

from client import Refused, nve_pb2_grpc, pb  # noqa: E402

OPTIONS = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
OWN = os.getpid().to_bytes(16, "big")  # the TSI that this process asks for

for _ in range(int(sys.argv[2])):
    with grpc.insecure_channel(f"unix:{sys.argv[1]}", options=OPTIONS) as channel:
        try:
            nve_pb2_grpc.SignalingStub(channel).Deactivate(pb.DeactivateRequest(tsi=pb.TsiKey(
                tsi_id=OWN, port="p1", vn=pb.VnRef(id=100))), timeout=20)
            sys.exit("it was not refused")
        except grpc.RpcError as e:
            if not Refused.of(e).reason:
                sys.exit(f"it was refused without a reason: {e}")
