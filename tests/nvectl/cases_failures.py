# SPDX-License-Identifier: Apache-2.0
"""Refusals, failures, and what nvectl says of them."""

from harness import *  # noqa: F403 - every case uses most of it


@test
def a_refusal_names_reason_details_and_remedy(far):
    far.answers["VnConnect"] = Refusal(
        C.ALREADY_EXISTS, "the proposed tag has another meaning in this scope", "TAG_IN_USE",
        tag="101", remedy="use the NVE's counter-offer, or propose none")
    got = nvectl("vn", "connect", "p1", "100", "--tag", "100")
    same((got.rc, got.out), (1, ""))
    same(got.err, "nvectl: TAG_IN_USE: the proposed tag has another meaning in this scope "
         "(proposed 100; counter-offer 101). What to do: use the NVE's counter-offer, or propose "
         "none.\n")


@test
def what_the_message_and_the_metadata_both_say_is_said_once(far):
    far.answers["VnConnect"] = Refusal(
        C.ALREADY_EXISTS, "the proposed tag has another meaning in this scope; no tag is free",
        "TAG_IN_USE", tag="0", remedy="propose none")
    same(nvectl("vn", "connect", "p1", "100", "-T", "9").err,
         "nvectl: TAG_IN_USE: the proposed tag has another meaning in this scope (proposed 9; no "
         "tag is free). What to do: propose none.\n")
    far.answers["VnConnect"] = Refusal(C.NOT_FOUND, "the NVA is asleep; try Monday", "UNKNOWN_VN")
    same(nvectl("vn", "connect", "p1", "100").err,
         "nvectl: UNKNOWN_VN: the NVA is asleep; try Monday\n")


@test
def each_reason_is_told_and_ends_with_exit_code_1(far):
    for name in REASON.Reason.keys()[1:]:
        name = name.removeprefix("REASON_")
        far.answers["Activate"] = Refusal(C.UNAVAILABLE, "why.", name, field="tsi", remedy="do.")
        got = nvectl("tsi", "activate", TSI, *KEY)
        same((got.rc, got.err), (1, f"nvectl: {name}: why (field tsi). What to do: do.\n"))


@test
def a_refusal_without_error_info_is_told_with_its_code(far):
    far.answers["GetStatus"] = Refusal(C.UNIMPLEMENTED, "Method not found!")
    got = nvectl("status")
    same((got.rc, got.err),
         (1, "nvectl: Method not found! (gRPC code 12; no reason was given)\n"))


@test
def a_list_that_fails_half_way_prints_nothing_on_stdout(far):
    def half(context):
        yield NVE.ListTsisReply(tsis=[tsi_entry()])
        far.refuse(context, Refusal(C.INTERNAL, "a defect", "INTERNAL", remedy="report it"))
    for args in (["tsi"], ["tsi", "-o", "json"], ["tsi", "show", TSI]):
        far.answers["ListTsis"] = half
        got = nvectl(*args)
        same((got.rc, got.out, got.err),
             (1, "", "nvectl: INTERNAL: a defect. What to do: report it.\n"))


@test
def keepactive_tells_each_tsi_that_failed(far):
    far.answers["Keepactive"] = NVE.KeepaliveReply(failures=[
        NVE.KeepaliveFailure(index=1, reason=REASON.REASON_UNKNOWN_TSI)])
    got = nvectl("tsi", "keepactive", TSI, TSI2, *KEY)
    same((got.rc, got.out), (1, "1 of 2 restarted\n"))
    assert got.err.startswith("nvectl: UNKNOWN_TSI: ") and TSI2 in got.err, got.err
    assert "What to do: " in got.err and TSI not in got.err, got.err
    far.answers["Keepactive"].failures[0].index = 9
    same(nvectl("tsi", "keepactive", TSI, *KEY).rc, 4)


@test
def what_is_not_there_is_refused_not_shown_as_empty(far):
    far.answers["ListTsis"] = []
    far.answers["ListPorts"] = [NVE.ListPortsReply()]
    got = nvectl("tsi", "show", TSI)
    same((got.rc, got.out), (1, ""))
    assert "UNKNOWN_TSI" in got.err and TSI in got.err
    got = nvectl("port", "p9")
    same(got.rc, 1)
    assert "UNKNOWN_PORT" in got.err and "p9" in got.err


@test
def an_agent_that_is_not_there_is_exit_code_3_and_says_what_to_check(far):
    missing = os.path.join(TMP, "missing.sock")
    got = nvectl("-s", missing, "status")
    same((got.rc, got.out), (3, ""))
    same(got.err, f"nvectl: cannot reach the agent at {missing}: No such file or directory. What "
         "to do: start nved, or name its socket with --server or NVED_SERVER.\n")
    got = nvectl("-s", "127.0.0.1:1", "status")
    same(got.rc, 3)
    assert "127.0.0.1:1: Connection refused" in got.err and "listeners" in got.err, got.err


@test
def a_socket_nobody_listens_on_is_told_from_a_missing_one(far):
    import socket
    path = os.path.join(TMP, "dead.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    got = nvectl("status", NVED_SERVER="unix:" + path)
    same(got.rc, 3)
    assert "Connection refused" in got.err and "no agent listens" in got.err, got.err


@test
def an_agent_that_does_not_answer_is_exit_code_3_within_the_timeout(far):
    ask = queue.Queue()
    far.answers["GetStatus"] = lambda context: ask.get(timeout=PATIENCE)
    start = time.monotonic()
    got = nvectl("-t", "0.5", "status")
    ask.put(NVE.Status())
    assert time.monotonic() - start < PATIENCE / 2
    same(got.rc, 3)
    assert "did not answer within 0.5 s" in got.err, got.err


@test
def an_answer_that_is_no_protobuf_is_exit_code_4(far):
    with raw_server(b"\xff\xff\xff") as address:
        got = nvectl("-s", address, "status")
    same((got.rc, got.out), (4, ""))
    assert "cannot read the agent's answer" in got.err, got.err


@test
def an_answer_of_more_than_4_mib_is_refused(far):
    with raw_server(b"\x0a\x80\x80\x80\x04" + b"x" * (8 << 20)) as address:
        got = nvectl("-s", address, "status")
    same((got.rc, got.out), (1, ""))
    assert "larger than max" in got.err, got.err


@contextlib.contextmanager
def raw_server(reply):
    from concurrent import futures
    path = "unix:" + os.path.join(TMP, "raw.sock")
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[
        ("grpc.max_send_message_length", -1)])
    handler = grpc.unary_unary_rpc_method_handler(lambda request, context: reply)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        "nve.v1.Admin", {"GetStatus": handler}),))
    server.add_insecure_port(path)
    server.start()
    try:
        yield path
    finally:
        server.stop(0).wait()


@test
def output_that_cannot_be_written_is_exit_code_4(far):
    with open("/dev/full", "w", encoding="ascii") as full:
        got = subprocess.run([NVECTL, "port"], env=environment(), stdout=full, check=False,
                             stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
    same(got.returncode, 4)
    assert "No space left on device" in got.stderr, got.stderr


@test
def tcp_on_loopback_works_and_a_proxy_is_not_asked(far):
    got = nvectl("-s", f"127.0.0.1:{far.tcp_port}", "status", http_proxy="http://127.0.0.1:1",
                 https_proxy="http://127.0.0.1:1", grpc_proxy="http://127.0.0.1:1")
    same((got.rc, got.err), (0, ""))
    same(nvectl("-s", f"[::1]:{far.tcp_port}", "status").rc, 3)  # well written; nobody there
