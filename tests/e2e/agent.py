# SPDX-License-Identifier: Apache-2.0
"""One nved under test: its files, its process, its pins."""
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess

import bpfmap
from client import Client
from netlab import BPFFS, ROOT, STATE, Failure, sh, wait_for

BUILD = f"{ROOT}/build/{os.environ.get('NVED_VARIANT', 'release')}"
NVED, NVECTL = f"{BUILD}/nved", f"{BUILD}/nvectl"
HASHES = ("src", "src_ip", "fdb", "peer", "flood", "neigh", "bum")
VAP_LIVE = 1
# With "process", a request that comes alone is done by the thread that received it (loop.h).
DURABILITY = os.environ.get("NVED_DURABILITY", "process")


class Agent:
    """config: further sections of nved.yaml, as Python values.  YAML takes JSON as it is."""

    def __init__(self, name, ns, vtep, ports, vns, **config):
        self.name, self.ns, self.vtep, self.ports, self.proc = name, ns, vtep, ports, None
        self.dir, self.pins = f"{STATE}/{name}", f"{BPFFS}/{name}"
        self.log_read, self.binary = 0, NVED
        self.wrap = []  # a command to start it with
        self.profiles = config.pop("profiles", [])  # of the NVA's file
        os.makedirs(self.dir)
        self.socket = f"{self.dir}/nved.sock"
        self.config = {
            "nve": name, "local_vtep6" if ":" in vtep else "local_vtep": vtep, "pin_dir": self.pins,
            "store": {"path": f"{self.dir}/nved.db", "durability": DURABILITY},
            "nva": {"backend": "local", "source": f"{self.dir}/vns.yaml"},
            "listeners": [f"unix:{self.socket}"], "ports": ports, **config}
        self.write_vns(vns)
        self.write_config()
        self.client = Client(f"unix:{self.socket}")

    def write_config(self):
        with open(f"{self.dir}/nved.yaml", "w", encoding="utf-8") as f:
            for section, value in self.config.items():
                f.write(f"{section}: {json.dumps(value)}\n")

    def write_vns(self, vns):
        self.vns = vns
        with open(f"{self.dir}/vns.yaml", "w", encoding="utf-8") as f:
            if self.profiles:
                f.write(f"profiles: {json.dumps(self.profiles)}\n")
            f.write(f"vns: {json.dumps(vns)}\n")

    # --- the process ---

    def start(self):
        """Returns when the agent has said READY=1 and its health service says SERVING."""
        notify = f"{self.dir}/notify"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(notify)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, \
                open(f"{self.dir}/log", "ab") as log:
            ready.bind(notify)
            ready.settimeout(0.2)
            self.proc = self.ns.popen(
                [*self.wrap, "setpriv", "--pdeathsig", "KILL", self.binary, "-c",
                 f"{self.dir}/nved.yaml"],
                stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                env={**os.environ, "NOTIFY_SOCKET": notify})
            wait_for(f"{self.name} to be ready", lambda: self._is_ready(ready), 20, 0)
        wait_for(f"{self.name} to be SERVING", self.client.healthy, 10)
        return self

    def _is_ready(self, ready):
        if self.proc.poll() is not None:
            raise Failure(f"{self.name} ended with {self.proc.returncode}:\n{self.log_tail()}")
        try:
            return b"READY=1" in ready.recv(4096).split(b"\n")
        except TimeoutError:
            return False

    def stop(self):
        """Ends it as systemd would; returns its exit code."""
        self.proc.send_signal(signal.SIGTERM)
        return self.proc.wait(10)

    def kill(self):
        self.proc.kill()
        self.proc.wait(10)

    def hup(self, vns=None):
        if vns is not None:
            self.write_vns(vns)
        self.proc.send_signal(signal.SIGHUP)

    def alive(self):
        return self.proc and self.proc.poll() is None

    def log(self):
        with open(f"{self.dir}/log", encoding="utf-8", errors="replace") as f:
            return f.read()

    def log_tail(self, lines=15):
        return "".join(f"    {self.name}: {x}\n" for x in self.log().splitlines()[-lines:])

    def log_news(self, lines=15):
        """The last lines of what it has logged since this was called last."""
        text = self.log()
        new, self.log_read = text[self.log_read:], len(text)
        return "".join(f"    {self.name}: {x}\n" for x in new.splitlines()[-lines:])

    def rss_kb(self):
        with open(f"/proc/{self.proc.pid}/status", encoding="ascii") as f:
            return int(next(x for x in f if x.startswith("VmRSS")).split()[1])

    # --- what it keeps ---

    def pin(self, table):
        """The path of a pinned map by the name of its table."""
        for folder, _, files in os.walk(self.pins):
            for name in files:
                if name.removeprefix("nve_") == table:
                    return f"{folder}/{name}"
        raise Failure(f"{self.name} has no pin for '{table}' below {self.pins}")

    def dump(self, table):
        """bpftool's view of a map: [(key, value)] with named fields."""
        rows = json.loads(sh(f"bpftool -j map dump pinned {self.pin(table)}") or "[]")
        return [(r["formatted"]["key"], r["formatted"].get("value")) for r in rows]

    def rows(self):
        """How many rows of the datapath are in use, by table, past the agent: all zero after the
        last Clear.  A released tag's quarantine is not counted (D6)."""
        out = {table: len(self.dump(table)) for table in HASHES}
        out["vap"] = sum(1 for row in bpfmap.rows(self.pin("vap")) if row[12] == VAP_LIVE)
        out["tsi"] = sum(1 for row in bpfmap.rows(self.pin("tsi")) if any(row[:8]))
        return out

    def sql(self, query):
        """Rows of a query on a copy of the store: the agent has locked the original."""
        copy = f"{self.dir}/copy"
        os.makedirs(copy, exist_ok=True)
        for suffix in ("", "-wal"):
            shutil.copyfile(f"{self.dir}/nved.db{suffix}", f"{copy}/nved.db{suffix}")
        return sh(["sqlite3", f"{copy}/nved.db", query]).split("\n")[:-1]

    def stored(self):
        """Rows of VNs, TSIs and bound tags in the store; a tag in quarantine is not counted."""
        return int(self.sql("SELECT (SELECT count(*) FROM tsi) + (SELECT count(*) FROM vap) + "
                            "(SELECT count(*) FROM tag WHERE NOT quarantined)")[0])

    def ctl(self, *words, check=True, stdin=None):
        """nvectl against this agent."""
        return sh([NVECTL, "-s", f"unix:{self.socket}", *words], check=check, stdin=stdin)

    # --- what it counts ---

    @contextlib.contextmanager
    def dropping(self, reason, frames=1, tsi=None, port="p1"):
        """The block sends exactly 'frames' frames that are lost for 'reason', and loses none for
        another one; 'tsi': and they are counted as this TSI's."""
        before, mine = self.client.drops(), self._tsi_drops(tsi, port, reason)
        yield
        wait_for(f"{self.name} to count {frames} x {reason} (it counts {self._diff(before)})",
                 lambda: self.client.drops()[reason] >= before[reason] + frames)
        diff = self._diff(before)
        if diff != {reason: frames}:
            raise Failure(f"{self.name} counts {diff}, not {{'{reason}': {frames}}}")
        if tsi is not None and self._tsi_drops(tsi, port, reason) != mine + frames:
            raise Failure(f"TSI {tsi} counts {self._tsi_drops(tsi, port, reason) - mine} x {reason}"
                          f", not {frames}")

    def _diff(self, before):
        return {k: v - before[k] for k, v in self.client.drops().items() if v != before[k]}

    def _tsi_drops(self, tsi, port, reason):
        if tsi is None:
            return 0
        record = self.client.tsi(tsi, port)
        return sum(d.frames for d in record.statistics.drops if d.reason == reason)
