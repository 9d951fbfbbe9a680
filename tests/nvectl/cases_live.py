# SPDX-License-Identifier: Apache-2.0
"""Events as they happen, and completion in a shell."""

from harness import *  # noqa: F403 - every case uses most of it


def event(seq, client="", **what):
    return NVE.Event(seq=seq, time_unix_ns=1700000000000000000 + seq * 10**6, client=client,
                     **what)


def all_events():
    changed = NVE.TsiStateChanged(tsi=key(), to=NVE.TSI_STATE_ACTIVATED)
    setattr(changed, "from", NVE.TSI_STATE_ASSOCIATED)
    expired = NVE.TsiStateChanged(tsi=key(), to=NVE.TSI_STATE_ASSOCIATED,
                                  reason=REASON.REASON_KEEPACTIVE_EXPIRED)
    setattr(expired, "from", NVE.TSI_STATE_ACTIVATED)
    return [event(1, "hv-a", tsi_state=changed), event(2, tsi_state=expired),
            event(3, tsi_updated=NVE.TsiUpdated(tsi=key(), new_port="p2")),
            event(4, vn_connected=NVE.VnConnected(port="p1", vn_id=100, tag=10)),
            event(5, vn_disconnected=NVE.VnDisconnected(port="p1", vn_id=100,
                                                        reason=REASON.REASON_VN_WITHDRAWN)),
            event(6, duplicate_address=NVE.DuplicateAddress(tsi=key())),
            event(7, lost=NVE.EventsLost(count=12))]


@test
def watch_tells_each_kind_of_event_in_a_line(far):
    far.answers["Watch"] = all_events()
    tsi = f"TSI {TSI} at p1, VN 100: "
    want = [tsi + "Associated -> Activated, asked by hv-a",
            tsi + "Activated -> Associated (KEEPACTIVE_EXPIRED: no keepactive or frame within its "
            "time)", tsi + "updated, now at p2", "VN 100 at p1: connected, tag 10",
            "VN 100 at p1: disconnected (VN_WITHDRAWN: the NVA withdrew the VN)",
            tsi + "an address of it is Activated at two places", "12 events were lost here"]
    same(ok("watch").lines,
         [f"2023-11-14 22:13:20.{i:03}  {i}  {text}" for i, text in enumerate(want, 1)])


@test
def watch_in_json_is_one_object_a_line(far):
    far.answers["Watch"] = all_events()
    got = [json.loads(line) for line in ok("watch", "-o", "json", "--port", "p1").lines]
    same([e["seq"] for e in got], list(range(1, 8)))
    same(got[0]["tsi_state"]["from"], "TSI_STATE_ASSOCIATED")
    same(got[3]["vn_connected"], {"port": "p1", "vn_id": 100, "tag": 10})
    assert "tsi_state" not in got[3]
    same(far.requests[-1], ("Watch", NVE.WatchRequest(port="p1")))


@test
def watch_prints_each_event_when_it_happens(far):
    events = queue.Queue()
    far.answers["Watch"] = events
    with subprocess.Popen([NVECTL, "watch", "-o", "json", "--count", "2"], env=environment(),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        for seq in (1, 2):
            events.put(event(seq, lost=NVE.EventsLost(count=seq)))
            assert select.select([child.stdout], [], [], PATIENCE)[0], "nothing came"
            same(json.loads(child.stdout.readline())["seq"], seq)
        same(child.wait(PATIENCE), 0)  # --count, though the stream goes on
        same(child.stderr.read(), "")
    events.put(None)


@test
def watch_ends_well_after_its_timeout_and_badly_when_the_agent_goes(far):
    events = queue.Queue()
    far.answers["Watch"] = events
    same((ok("watch", "-t", "0.3").out), "")
    events.put(None)
    far.answers["Watch"] = Refusal(C.UNAVAILABLE, "the agent is stopping", "SHUTTING_DOWN",
                                   remedy="retry when it is back")
    same(nvectl("watch").rc, 1)
    far.answers["Watch"] = Refusal(C.UNAVAILABLE, "Socket closed")
    got = nvectl("watch")
    same(got.rc, 3)
    assert "Socket closed" in got.err, got.err


def completed(line, point=None, breaks=None):
    """What bash would offer for a line with the cursor at its end."""
    script = f'PATH={os.path.dirname(NVECTL)}:$PATH\neval "$(nvectl completion bash)"\n'
    if breaks is not None:
        script += f"COMP_WORDBREAKS={breaks!r}\n"
    script += 'COMP_LINE=$1 COMP_POINT=$2 _nvectl nvectl\nprintf "%s\\n" "${COMPREPLY[@]}"'
    got = subprocess.run(["bash", "--norc", "-c", script, "bash", line, str(point or len(line))],
                         env=environment(), capture_output=True, text=True, timeout=PATIENCE,
                         check=True)
    same(got.stderr, "")
    return [line for line in got.stdout.splitlines() if line]


@test
def the_completion_scripts_are_valid(far):
    for shell in ("bash", "zsh"):
        if not shutil.which(shell):
            print(f"         (there is no {shell} here: its script is not checked)")
            continue
        script = ok("completion", shell).out
        assert "_nvectl()" in script
        subprocess.run([shell, "-n"], input=script, text=True, check=True, timeout=PATIENCE)
    with open(os.path.join(TMP, "completion.bash"), "w", encoding="utf-8") as file:
        file.write(ok("completion", "bash").out)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "--shell=bash", file.name], check=True, timeout=PATIENCE)


@test
def commands_and_options_are_completed(far):
    same(completed("nvectl sta"), ["status"])
    same(completed("nvectl tsi ac"), ["activate"])
    same(completed("nvectl -o json vn "), ["list", "connect", "disconnect"])
    same(completed("nvectl tsi activate --keep"), ["--keepalive", "--keepactive"])
    same(completed("nvectl tsi --st"), ["--stats"])
    same(completed("nvectl tsi activate --cause m"), ["migrate-in"])
    same(completed("nvectl tsi activate --cause=m"), ["migrate-in"])
    same(completed("nvectl tsi activate --cause=m", breaks=" "), ["--cause=migrate-in"])
    same(completed("nvectl -o "), ["table", "json"])
    same(completed("nvectl help tsi k"), ["keepalive", "keepactive"])
    same(completed("nvectl tsi ac --port p", point=13), ["activate"])
    same(completed("nvectl frobnicate x"), [])


@test
def names_are_completed_by_asking_the_agent(far):
    same(completed("nvectl port "), ["p1", "up"])
    same(completed("nvectl tsi activate x --port p"), ["p1"])
    same(completed("nvectl vn connect p1 "), ["100", "blue"])
    same(completed("nvectl tsi show 0200"), [TSI, TSI2])
    same(completed("nvectl table f"), ["fdb"])
    same(completed("nvectl table p"), ["published"])
    same(completed("nvectl -s unix:/nowhere port "), [])


@test
def a_name_that_a_shell_would_run_is_not_offered(far):
    far.answers["ListPorts"] = [NVE.ListPortsReply(ports=[
        NVE.Port(name=n) for n in ("p1", "$(reboot)", "p;ls", "p 2", "p:3", "p\n4", "")])]
    same(completed("nvectl port p"), ["p1", "p:3"])
    same(completed("nvectl port p:"), ["3"])  # readline replaces what follows the colon
    same(completed("nvectl port p:", breaks=" "), ["p:3"])


@test
def the_tab_key_completes_in_an_interactive_bash(far):
    pid, fd = pty.fork()
    if not pid:
        os.chdir(TMP)
        env = environment(PATH=os.path.dirname(NVECTL) + ":" + os.environ["PATH"], TERM="dumb",
                          PS1="ready> ", INPUTRC="/dev/null")
        os.execvpe("bash", ["bash", "--norc", "--noprofile", "-i"], env)
    try:
        converse(fd, b'eval "$(nvectl completion bash)"; echo loa""ded\n', b"loaded")
        converse(fd, b"nvectl tsi show --port p1 " + TSI[:-2].encode() + b"a\t\n",
                 b"state       Activated")
        converse(fd, b"exit\n", b"exit")
    finally:
        os.close(fd)
        os.waitpid(pid, 0)


def converse(fd, say, hear):
    os.write(fd, say)
    heard, end = b"", time.monotonic() + PATIENCE
    while hear not in heard:
        assert select.select([fd], [], [], max(0, end - time.monotonic()))[0], heard
        heard += os.read(fd, 4096)
