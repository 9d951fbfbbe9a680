#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nved as its operator and systemd see it: options, exit codes, signals, notifications.

Runs build/release/nved (or $NVED), with the fake datapath but for what is about the real one;
that runs in a network and mount namespace of its own, when this is root.  Waits for events only.
"""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../.."))
NVED = os.environ.get("NVED", f"{ROOT}/build/release/nved")
NVECTL = os.environ.get("NVECTL", f"{ROOT}/build/release/nvectl")
PATIENCE = 20  # seconds until something that should happen counts as not happening
TSI = "00000000-0000-0000-0000-000000000001"
tests = []


def test(function):
    tests.append(function)
    return function


class World:
    """A directory with a configuration, and the agents started on it."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="nved-")
        self.running = []
        self.config("vns.yaml", {"vns": [{"id": 1, "name": "red"}]})

    def config(self, name="nved.yaml", values=None, **changes):
        """Writes a file; YAML takes JSON as it is.  Returns its path."""
        if values is None:
            values = {"nve": "t1", "local_vtep": "192.0.2.1", "datapath": "fake",
                      "pin_dir": f"{self.dir}/pins", "store": {"backend": "memory"},
                      "nva": {"source": f"{self.dir}/vns.yaml"},
                      "listeners": [f"unix:{self.dir}/sock"],
                      "ports": [{"name": "p1", "ifname": "lo", "role": "access"}], **changes}
        path = f"{self.dir}/{name}"
        with open(path, "w", encoding="utf-8") as file:
            file.write(values if isinstance(values, str) else json.dumps(values, indent=1))
        return path

    def start(self, config, **env):
        agent = Agent(self.dir, config, env)
        self.running.append(agent)
        agent.expect("READY=1")
        return agent

    def ctl(self, *words):
        done = run(NVECTL, "-s", f"unix:{self.dir}/sock", *words)
        assert done.returncode == 0, f"nvectl {words}: {done.stderr}"
        return done.stdout

    def clear(self):
        for agent in self.running:
            if agent.process.poll() is None:
                agent.process.kill()
            agent.process.wait()
            agent.notify.close()
        shutil.rmtree(self.dir)


class Agent:
    def __init__(self, directory, config, env):
        self.log = f"{directory}/log"
        path = f"{directory}/notify"
        if os.path.exists(path):
            os.unlink(path)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        self.notify.settimeout(PATIENCE)
        self.heard = []
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", NVED, "-c", config], stderr=log,
                stdout=log, stdin=subprocess.DEVNULL,
                env={**os.environ, "NOTIFY_SOCKET": path, **env})

    def expect(self, word):
        """Waits until systemd would have been told 'word'; returns what came before it."""
        while True:
            try:
                lines = self.notify.recv(4096).decode().split("\n")
            except TimeoutError as late:
                raise AssertionError(f"no {word}; heard {self.heard}; {self.text()}") from late
            self.heard += lines
            if word in lines:
                before, self.heard = self.heard, []
                return before

    def text(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def stop(self, signum=signal.SIGTERM):
        self.process.send_signal(signum)
        return self.process.wait(PATIENCE)


def run(*words, **env):
    return subprocess.run(words, text=True, capture_output=True, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, env={**os.environ, **env}, check=False)


def ends(code, *words):
    done = run(NVED, *words)
    assert done.returncode == code, f"exit {done.returncode}, not {code}: {done.stderr}"
    return done.stdout + done.stderr


def private(script):
    """Runs a script with network, mounts and a BPF file system of its own."""
    done = run("unshare", "--mount", "--net", "sh", "-euc",
               "mount -t bpf bpf /sys/fs/bpf; ip link set lo up; " + script)
    return done.stdout + done.stderr


@test
def every_option_is_in_the_help_and_in_the_manual(_):
    with open(f"{ROOT}/agent/main.c", encoding="utf-8") as file:
        table = re.search(r"option options\[\] = \{(.*?)\n\};", file.read(), re.S).group(1)
    with open(f"{ROOT}/agent/nved.8", encoding="utf-8") as file:
        manual = file.read().replace("\\-", "-")
    names = re.findall(r'\{ "([a-z-]+)"', table)
    assert len(names) == 5, names
    text = ends(0, "--help")
    for name in names:
        assert re.search(rf"^ .*--{name}\b", text, re.M), f"the help lacks --{name}"
        assert re.search(rf"^\.B.*--{name}\b", manual, re.M), f"the manual lacks --{name}"
    for code in range(7):
        assert re.search(rf"\b{code} [a-z]", text), f"the help lacks exit code {code}"
        assert f"\n.B {code}\n" in manual, f"the manual lacks exit code {code}"


@test
def the_manuals_are_well_formed(_):
    for page in ("nved.8", "nved.yaml.5", "nved-policy.yaml.5"):
        done = run("groff", "-man", "-Tutf8", "-ww", "-z", f"{ROOT}/agent/{page}")
        assert done.returncode == 0 and not done.stderr, done.stderr


@test
def the_version_is_printed(_):
    assert re.match(r"nved \S+\n$", ends(0, "--version"))


@test
def misuse_ends_with_2_and_points_to_the_help(_):
    for words in (["--no-such"], ["-c"], ["surplus"], ["--check-config", "--flush"]):
        assert "nved --help" in ends(2, *words)


@test
def a_missing_configuration_ends_with_3_and_says_what_to_do(w):
    assert "name the configuration with -c FILE" in ends(3, "-c", f"{w.dir}/none.yaml")


@test
def a_bad_configuration_ends_with_3_line_and_remedy_with_and_without_check(w):
    path = w.config(values="local_vtep: 192.0.2.1\nvxlan_port: 0\n"
                    "ports: [{name: p1, ifname: lo, role: access}]\ndatapath: fake\n")
    for words in (["--check-config"], []):
        assert f"{path}:2: vxlan_port: 0 is out of range; write 1 to 65535" in \
            ends(3, "-c", path, *words)


@test
def the_example_is_accepted(_):
    assert "nved.example.yaml: ok" in \
        ends(0, "--check-config", "-c", f"{ROOT}/agent/nved.example.yaml")


@test
def a_good_configuration_is_said_to_be_and_nothing_is_started(w):
    assert ": ok" in ends(0, "--check-config", "-c", w.config())
    assert sorted(os.listdir(w.dir)) == ["nved.yaml", "vns.yaml"]


@test
def a_bad_source_of_the_nva_ends_with_3_with_and_without_check(w):
    w.config("vns.yaml", "vns:\n  - {id: 1, nmae: red}\n")
    for words in (["--check-config"], []):
        text = ends(3, "-c", w.config(), *words)
        assert re.search(r"vns\.yaml: near line 2: .*nmae", text), text


@test
def a_second_agent_on_the_same_socket_ends_with_4_and_harms_nothing(w):
    w.start(w.config())
    ends(4, "-c", w.config("second.yaml"))
    assert json.loads(w.ctl("-o", "json", "status"))


@test
def a_second_agent_on_the_same_tcp_port_ends_with_4(w):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    w.start(w.config(listeners=[f"unix:{w.dir}/sock", f"127.0.0.1:{port}"]))
    ends(4, "-c", w.config("second.yaml",
                           listeners=[f"unix:{w.dir}/sock2", f"127.0.0.1:{port}"]))


@test
def a_second_agent_on_the_same_store_ends_with_4(w):
    store = {"path": f"{w.dir}/nved.db"}
    w.start(w.config(store=store))
    ends(4, "-c", w.config("second.yaml", store=store, listeners=[f"unix:{w.dir}/sock2"]))


@test
def a_store_that_cannot_be_used_ends_with_6(w):
    w.config("nved.db", "this is no database" * 100)
    for path in (f"{w.dir}/no/such/nved.db", f"{w.dir}/nved.db"):
        text = ends(6, "-c", w.config(store={"path": path}))
        assert path in text, text


@test
def a_port_that_is_not_there_ends_with_5_and_is_named(w):
    ports = [{"name": "p1", "ifname": "nosuchif", "role": "access"},
             {"name": "up", "ifname": "lo", "role": "underlay"}]
    path = w.config(datapath="ebpf", pin_dir="/sys/fs/bpf/nved-test", ports=ports)
    text = private(f"{NVED} -c {path} || echo exit $?")
    assert "exit 5" in text and "nosuchif" in text, text


@test
def flush_is_refused_while_an_agent_has_the_datapath_and_empties_it_afterwards(w):
    ports = [{"name": "p1", "ifname": "acc", "role": "access"},
             {"name": "up", "ifname": "und", "role": "underlay"}]
    path = w.config(datapath="ebpf", pin_dir="/sys/fs/bpf/nved-test", ports=ports)
    text = private(f"""
        ip link add acc type veth peer name acc1; ip link add und type veth peer name und1
        for i in acc acc1 und und1; do ip link set $i up; done
        ip addr add 192.0.2.1/24 dev und
        mkfifo {w.dir}/log
        setpriv --pdeathsig KILL {NVED} -c {path} 2>{w.dir}/log &
        exec 3<{w.dir}/log
        while read -r line <&3; do case $line in *" ready "*) break;; esac; echo "$line"; done
        {NVED} -c {path} --flush && exit 1 || echo "flush: $?"
        {NVED} -c {path} && exit 1 || echo "second: $?"
        find /sys/fs/bpf/nved-test -type f | wc -l | sed s/^/pins:/
        kill $!; wait $! && echo "ended: $?"
        find /sys/fs/bpf/nved-test -type f | wc -l | sed s/^/kept:/
        {NVED} -c {path} --flush && echo "flush: $?"
        find /sys/fs/bpf/nved-test -type f 2>/dev/null | wc -l | sed s/^/left:/
        """)
    for line in ("flush: 4", "second: 4", "ended: 0", "flush: 0", "left:0"):
        assert f"\n{line}\n" in f"\n{text}\n", f"no '{line}' in: {text}"
    pins, kept = (int(re.search(rf"{key}:(\d+)", text).group(1)) for key in ("pins", "kept"))
    assert pins == kept > 5, text


@test
def systemd_is_told_ready_watchdog_reloading_and_stopping(w):
    agent = w.start(w.config(), WATCHDOG_USEC="200000")
    for _ in range(3):
        agent.expect("WATCHDOG=1")
    agent.process.send_signal(signal.SIGHUP)
    agent.expect("RELOADING=1")
    agent.expect("READY=1")
    agent.process.send_signal(signal.SIGTERM)
    agent.expect("STOPPING=1")
    assert agent.process.wait(PATIENCE) == 0
    assert " stopped " in agent.text()


@test
def without_a_watchdog_there_are_no_pings(w):
    agent = w.start(w.config())
    agent.process.send_signal(signal.SIGTERM)
    assert "WATCHDOG=1" not in agent.expect("STOPPING=1")


@test
def sigterm_and_sigint_end_it_with_0_and_take_the_socket_away(w):
    for signum in (signal.SIGTERM, signal.SIGINT):
        agent = w.start(w.config())
        assert os.path.exists(f"{w.dir}/sock")
        assert agent.stop(signum) == 0
        assert not os.path.exists(f"{w.dir}/sock")


@test
def sighup_reads_the_vns_again(w):
    agent = w.start(w.config())
    assert run(NVECTL, "-s", f"unix:{w.dir}/sock", "vn", "connect", "p1",
               "blue").returncode == 1
    w.config("vns.yaml", {"vns": [{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}]})
    agent.process.send_signal(signal.SIGHUP)
    agent.expect("RELOADING=1")
    agent.expect("READY=1")
    w.ctl("vn", "connect", "p1", "blue")
    assert " info reloaded " in agent.text()


@test
def a_bad_reload_is_logged_with_its_line_and_the_old_vns_stay(w):
    agent = w.start(w.config())
    w.config("vns.yaml", "vns:\n  - {id: 1, nmae: red}\n")
    agent.process.send_signal(signal.SIGHUP)
    agent.expect("RELOADING=1")
    agent.expect("READY=1")
    text = agent.text()
    assert re.search(r" error reload_failed why=.*vns\.yaml: near line 2: ", text), text
    w.ctl("vn", "connect", "p1", "red")


@test
def a_tsi_outlives_the_agent_in_the_sqlite_store_and_not_in_memory(w):
    sqlite, memory = {"path": f"{w.dir}/nved.db"}, {"backend": "memory"}
    for store, survives in ((sqlite, True), (memory, False)):
        path = w.config(store=store)
        agent = w.start(path)
        w.ctl("tsi", "associate", TSI, "--port", "p1", "--vn", "red", "--addr",
              "02:00:00:00:00:01/10.0.0.1")
        assert TSI in w.ctl("tsi", "list")
        assert agent.stop() == 0
        w.start(path)
        assert (TSI in w.ctl("tsi", "list")) == survives
        w.running[-1].stop()


@test
def timers_run_without_any_request(w):
    """The loop wakes at the engine's deadline: an idle TSI is released (S75)."""
    w.start(w.config(timers={"keepalive": {"default_ms": 300, "min_ms": 100}}))
    watch = subprocess.Popen([NVECTL, "-s", f"unix:{w.dir}/sock", "watch"], text=True,
                             stdout=subprocess.PIPE)
    try:
        w.ctl("tsi", "associate", TSI, "--port", "p1", "--vn", "red", "--addr",
              "02:00:00:00:00:01")
        while TSI in w.ctl("tsi", "list"):
            assert watch.stdout.readline(), "watch ended"
    finally:
        watch.kill()
        watch.wait()
        watch.stdout.close()


@test
def the_log_has_one_line_an_event_and_bears_priorities_in_the_journal(w):
    agent = w.start(w.config())
    agent.stop()
    lines = agent.text().splitlines()
    assert all(re.match(r"\S+Z (error|warning|info|debug) [a-z_]+( [a-z_]+=.+)?$", line)
               for line in lines), lines
    info = os.stat(agent.log)
    again = Agent(w.dir, w.config(), {"JOURNAL_STREAM": f"{info.st_dev}:{info.st_ino}"})
    w.running.append(again)
    again.expect("READY=1")
    again.stop()
    assert all(re.match(r"<[3467]>[a-z_]+ ", line) for line in again.text().splitlines())


@test
def the_unit_is_one_that_systemd_takes_and_leaves_the_pins_writable(w):
    with open(f"{ROOT}/agent/nved.service.in", encoding="utf-8") as file:
        unit = file.read()
    for name in ("nved.service", "bad.service"):
        text = unit.replace("@BINDIR@", os.path.dirname(NVED))
        if name == "bad.service":
            text = text.replace("Type=notify", "Type=ntfy")
        w.config(name, text)
    good = run("systemd-analyze", "verify", "--man=no", f"{w.dir}/nved.service")
    assert "nved.service" not in good.stderr, good.stderr
    bad = run("systemd-analyze", "verify", "--man=no", f"{w.dir}/bad.service")
    assert "service type" in bad.stderr, bad.stderr
    assert re.search(r"^ReadWritePaths=/sys/fs/bpf$", unit, re.M)
    for option in ("ReadOnlyPaths", "InaccessiblePaths", "ProtectKernelTunables"):
        assert not re.search(rf"^{option}=", unit, re.M), option


@test
def make_install_puts_all_below_destdir_and_the_unit_starts_what_it_installed(w):
    done = run("make", "-s", "-C", ROOT, "install", f"DESTDIR={w.dir}/root", "PREFIX=/usr",
               MAKEFLAGS="", MAKELEVEL="")
    assert done.returncode == 0, done.stderr
    for path in ("sbin/nved", "sbin/nvectl", "share/man/man8/nved.8", "share/man/man8/nvectl.8",
                 "share/man/man5/nved.yaml.5", "share/man/man5/nved-policy.yaml.5",
                 "share/doc/nved/nved-policy.example.yaml",
                 "share/bash-completion/completions/nvectl",
                 "share/doc/nved/nved.example.yaml", "share/doc/nved/vns.example.yaml"):
        assert os.path.getsize(f"{w.dir}/root/usr/{path}") > 0, path
    with open(f"{w.dir}/root/usr/lib/systemd/system/nved.service", encoding="utf-8") as file:
        start = re.search(r"^ExecStart=(\S+)$", file.read(), re.M).group(1)
    assert re.match(r"nved \S+\n$", run(f"{w.dir}/root{start}", "--version").stdout)


def main():
    failed = 0
    words = sys.argv[1:]
    chosen = [t for t in tests if not words or any(word in t.__name__ for word in words)]
    for function in chosen:
        world = World()
        try:
            function(world)
            print("ok  ", function.__name__)
        except Exception:  # whatever it was, the next test runs
            failed += 1
            print("FAIL", function.__name__)
            traceback.print_exc(file=sys.stdout)
        finally:
            world.clear()
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed or not chosen else 0


sys.exit(main())
