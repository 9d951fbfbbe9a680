# SPDX-License-Identifier: Apache-2.0
"""What people read."""

from harness import *  # noqa: F403 - every case uses most of it


def columns(line):
    return [cell for cell in line.split("  ") if cell.strip()]


@test
def status_tells_what_an_operator_must_know(far):
    out = ok("status").out
    for text in ("NVE         nve1\n", "VTEP        192.0.2.1\n", "Datapath    ebpf\n",
                 "Started     2023-11-14 22:13:20.123\n", "Durability  power\n",
                 "Listens on  unix:/run/nved/nved.sock (peer's uid)\n"
                 "            127.0.0.1:50051 (loopback)\n",
                 "TLS         certificate until 2023-11-14 22:13:20.000, revocations until none\n"
                 "            2 connected, 0 at the handshake; 5 accepted, 1 refused, 0 revoked\n",
                 "Sessions    2\n", "Note        no TLS: loopback only\n",
                 "POOL  USED    MAX\ntsi      3  65536\n", "COUNTER   VALUE\nrequests     12\n",
                 "REFUSED FOR  TIMES\nTAG_IN_USE       1\n"):
        assert text in out, (text, out)


@test
def ports_are_a_table_over_all_pieces_of_the_stream(far):
    same(ok("port").lines,
         ["PORT  IFNAME  ROLE      SCOPE  LINK  MODE  VNS  TSIS  WHY THAT MODE",
          "p1    eth1    access    p1     up    xdp     1    12  native XDP",
          "up    eth0    underlay  -      down  tc      0     0  -"])


@test
def vns_are_a_table_with_tags_and_vteps(far):
    same(ok("vn").lines,
         [" VN  NAME  PORT  TAG   VNI  TSIS  ACTIVE  CONNECT   ENCAP   MTU  VTEPS",
          "100  blue  p1     10  5000     2       1  explicit  vxlan  1450  192.0.2.2,192.0.2.3"])


@test
def tsis_are_a_table_with_state_timer_and_first_address(far):
    lines = ok("tsi").lines
    same(lines[0].split(),
         ["TSI", "PORT", "VN", "NAME", "TAG", "STATE", "FOR", "TIMER", "ADDRESSES"])
    same([c.strip() for c in columns(lines[1])],
         [TSI, "p1", "100", "blue", "10", "Activated", "12.3 s", "29.9 s",
          "02:00:00:00:00:01/10.0.0.1 (+1)"])
    same([c.strip() for c in columns(lines[2])],
         [TSI2, "p1", "100", "blue", "10", "Associated", "12.3 s", "off", "-"])
    lines = ok("tsi", "--stats").lines
    same(lines[1].split()[-5:], ["5", "500", "6", "600", "2"])
    same(lines[2].split()[-5:], ["0"] * 5)


@test
def show_has_the_whole_chain_from_tsi_to_vap_to_vn(far):
    far.answers["ListTsis"] = [NVE.ListTsisReply(tsis=[tsi_entry()])]
    same(ok("tsi", "show", TSI).lines,
         [f"TSI {TSI}",
          "  VAP         port p1, tag 10, slot 3",
          "  VN          100 (blue)",
          "  state       Activated for 12.3 s, cause create, epoch 7",
          "  timer       29.9 s left; keepalive 300 s, keepactive 30 s",
          "  QoS         DSCP 46",
          "  addresses   02:00:00:00:00:01/10.0.0.1",
          "              2001:db8::1 (inactive) (gleaned)",
          "  gleaning    up to 8, for 300 s unseen",
          "  in          5 frames, 500 bytes",
          "  out         6 frames, 600 bytes",
          "  dropped     2 frames",
          "              2 SRC_MAC: spoofed"])
    far.answers["ListTsis"] = [NVE.ListTsisReply(tsis=[tsi_entry(timer_left_ms=0)])]
    assert "  timer       off; keepalive 300 s, keepactive 30 s" in ok("tsi", "show", TSI).lines


@test
def drops_answers_and_tables_are_aligned(far):
    same(ok("drops").lines,
         ["REASON    FRAMES  MEANING",
          "SHORT          0  frame ends inside a header",
          "SRC_MAC  1234567  source MAC is not the TSI's"])
    same(ok("answers").lines,
         ["ANSWER         FRAMES  MEANING",
          "ARP          12345678  ARP requests answered",
          "FRAG_NEEDED         3  fragmentation-needed sent"])
    same(ok("table").lines, ["TABLE  USED   MAX", "fdb       4  1024", "vap       1  4096"])
    lines = ok("table", "fdb").lines
    same([c.strip() for c in columns(lines[1])], ["vni 5000, mac 02:00:00:00:00:01", "tsi 3"])
    same([c.strip() for c in columns(lines[2])], ["not json", '{"broken"'])


@test
def each_verb_says_in_a_line_what_holds_now(far):
    where = f"{TSI} at p1: "
    timers = "VN 100, tag 10, keepalive 300 s, keepactive 30 s"
    same(ok("tsi", "activate", TSI, *KEY).out, where + f"Activated, {timers}, epoch 7\n")
    same(ok("tsi", "deactivate", TSI, *KEY).out, where + f"Associated, {timers} (unchanged)\n")
    same(ok("tsi", "disassociate", TSI, *KEY).out, where + "Init, VN 100\n")
    same(ok("tsi", "update", TSI, *KEY, "-N", "p2").out, f"{TSI} at p2: Activated, {timers}\n")
    same(ok("tsi", "clear", TSI, "-p", "p1").out, where + "1 instance cleared\n")
    same(ok("tsi", "keepactive", TSI, TSI2, *KEY).out, "2 of 2 restarted\n")
    same(ok("vn", "connect", "p1", "blue").out,
         "VN 100 (blue) is connected on p1: tag 10, MTU 1450\n")
    same(ok("vn", "disconnect", "p1", "blue").out,
         "VN blue is disconnected on p1: 2 TSIs cleared\n")


@test
def what_qos_was_granted_is_told(far):
    far.answers["Update"] = tsi_reply(qos=NVE.Qos(
        from_tsi=NVE.Rate(bits_per_second=10_000_000, burst_bytes=65536), priority=0))
    line = ok("tsi", "update", TSI, *KEY, "--rate-from", "10M").lines[0]
    same(line.split("; ")[1], "from TSI 10 Mbit/s burst 65536, PCP 0")


@test
def ignored_parameters_are_named(far):
    far.answers["Activate"] = tsi_reply(ignored_parameters=["a.b", "c"])
    same(ok("tsi", "activate", TSI, *KEY, "-P", "a.b=1", "-P", "c=2").lines[1],
         "ignored parameters, not known to this NVE: a.b, c")


@test
def an_empty_list_is_a_header_or_an_empty_array(far):
    far.answers["ListTsis"] = [NVE.ListTsisReply()]
    same(len(ok("tsi").lines), 1)
    same(ok("tsi", "-o", "json").json, [])
    far.answers["ListTsis"] = []
    same(ok("-o", "json", "tsi").json, [])


@test
def names_from_the_agent_cannot_steer_the_terminal(far):
    far.answers["ListPorts"] = [NVE.ListPortsReply(ports=[NVE.Port(name="p\x1b[2J\u009b1")])]
    out = ok("port").out
    assert "\x1b" not in out and "\u009b" not in out and "p?[2J?1" in out, out
    far.answers["VnConnect"] = Refusal(C.NOT_FOUND, "no\x1b[31m", "UNKNOWN\x1b_VN", remedy="\x07")
    err = nvectl("vn", "connect", "p1", "1").err
    assert "\x1b" not in err and "\x07" not in err, err


@test
def there_is_no_colour_unless_on_a_terminal(far):
    assert "\x1b" not in ok("port").out
    assert b"\x1b[1mPORT" in on_terminal(["port"], TERM="xterm")
    assert b"\x1b" not in on_terminal(["port"], TERM="xterm", NO_COLOR="1")
    assert b"\x1b" not in on_terminal(["port"], TERM="dumb")


def on_terminal(args, **env):
    pid, fd = pty.fork()
    if not pid:
        os.execve(NVECTL, [NVECTL, *args], environment(**env))
    out = b""
    with contextlib.suppress(OSError):  # EIO is a terminal's end of file
        while piece := os.read(fd, 4096):
            out += piece
    os.close(fd)
    same(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)
    return out
