#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Who may reach the agent, and as whom (B12, S99, B16).

    this program --mgmt: 198.51.100.0/24-- [nve1: tls:0.0.0.0:4801, unix socket]

Certificates are made by openssl(1), clients are grpcio, nvectl and openssl s_client.  Passes when
clients with a good certificate are served, from another machine, under the name that it bears; when
every other one is refused, by either side, with a line in the log that says why; and when
certificates and revocations change under open Sessions without disturbing whom they don't concern.
"""
import os
import queue
import re
import socket
import subprocess
import sys

import grpc

from agent import NVECTL, NVED
from check import equal, expect, main, refused, test
from client import Client, Refused, nve_pb2_grpc, pb
from lab import NVE1, RED, RED_VNI, Netns, vn
from netlab import ROOT, STATE, Failure, sh, wait_for

sys.path.insert(0, f"{ROOT}/tests/lib")
from pki import Authority, openssl  # noqa: E402

HERE, THERE, PORT = "198.51.100.2", "198.51.100.1", 4801
TARGET = f"{THERE}:{PORT}"
HANDSHAKES = 4


class World:
    pass


def copy(source, target):
    """As an operator would: the new file takes the old one's place at once."""
    with open(source, "rb") as src, open(f"{target}.new", "wb") as dst:
        dst.write(src.read())
    os.chmod(f"{target}.new", 0o600)
    os.rename(f"{target}.new", target)


# Without a policy TLS clients may do nothing (S99); test_authz.py is about policies.
EVERYBODY = """roles: [{name: all, identities: ["tls:*", "unix:*"], ports: ["*"], vns: ["*"],
  tsis: ["*"], macs: ["*"], ips: ["*"], parameters: ["*"], admin: ["*"], owns: any}]
"""


def build(lab):
    w = World()
    w.ca, w.other = Authority(f"{STATE}/ca"), Authority(f"{STATE}/other", "another CA")
    names = f"IP:{THERE},DNS:nve1.example"
    w.nved = w.ca.issue("nved", names, "serverAuth")
    w.nved2 = w.ca.issue("nved2", names, "serverAuth")
    w.hv1 = w.ca.issue("hv1", "URI:spiffe://example/hv1,DNS:hv1.example")
    w.hv2 = w.ca.issue("hv2", "DNS:hv2.example,DNS:second.example")
    w.hv3 = w.ca.issue("hv3", "URI:spiffe://example/hv3")
    w.files = {"certificate": f"{STATE}/cert.pem", "key": f"{STATE}/key.pem",
               "client_ca": w.ca.ca, "crl": w.ca.crl}
    use(w, w.nved)
    with open(f"{STATE}/policy.yaml", "w", encoding="utf-8") as f:
        f.write(EVERYBODY)
    w.nve = lab.nve("nve1", NVE1, {"p1": Netns("hv")}, [vn(RED, RED_VNI, "red")],
                    listeners=[f"unix:{STATE}/nve1/nved.sock", f"tls:0.0.0.0:{PORT}"],
                    policy=f"{STATE}/policy.yaml",
                    tls={**w.files, "handshakes": HANDSHAKES, "handshake_timeout_ms": 1000})
    sh(f"ip link add mgmt type veth peer name mgmt netns {w.nve.ns.name}")
    sh("ip link set lo up")
    sh(f"ip addr add {HERE}/24 dev mgmt")
    sh("ip link set mgmt up")
    w.nve.ns.run(f"ip addr add {THERE}/24 dev mgmt")
    w.nve.ns.run("ip link set mgmt up")
    wait_for("the agent to be reached", lambda: tcp_works())
    return w


def tcp_works():
    try:
        socket.create_connection((THERE, PORT), 1).close()
        return True
    except OSError:
        return False


def use(w, own):
    copy(own[0], w.files["certificate"])
    copy(own[1], w.files["key"])


def text(path):
    with open(path, "rb") as file:
        return file.read()


def channel(w, own, ca=None, name=None):
    """Each a connection of its own."""
    creds = grpc.ssl_channel_credentials(text(ca or w.ca.ca), text(own[1]) if own else None,
                                         text(own[0]) if own else None)
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
    if name:
        options.append(("grpc.ssl_target_name_override", name))
    return grpc.secure_channel(TARGET, creds, options)


def client(w, own, **kw):
    out = Client(f"unix:{w.nve.socket}", timeout=5)
    out.channel.close()
    out.channel = channel(w, own, **kw)
    out.signaling = nve_pb2_grpc.SignalingStub(out.channel)
    out.admin = nve_pb2_grpc.AdminStub(out.channel)
    return out


class Session:
    """A Session stream through TLS."""

    def __init__(self, w, own):
        self.requests, self.client = queue.Queue(), client(w, own)
        self.call = self.client.signaling.Session(iter(self.requests.get, None), timeout=60)
        equal(next(self.call).WhichOneof("reply"), "welcome")

    def ask(self, number):
        self.requests.put(pb.SessionRequest(request_id=number,
                                            keepalive=pb.KeepaliveRequest(tsis=[])))
        while True:
            reply = next(self.call)
            if reply.WhichOneof("reply") == "answer":
                return equal(reply.answer.request_id, number)

    def end(self):
        """Its status."""
        try:
            while True:
                next(self.call)
        except grpc.RpcError as e:
            return e
        except StopIteration as e:
            raise Failure("the Session ended with OK") from e

    def close(self):
        self.requests.put(None)
        self.client.close()


class Log:
    """What the agent logs from now on."""

    def __init__(self, w):
        self.nve, self.begin = w.nve, len(w.nve.log())

    def find(self, *words):
        for line in self.nve.log()[self.begin:].splitlines():
            if all(word in line for word in words):
                return line
        return None

    def wait(self, *words):
        return wait_for(f"a line of the log with {words}", lambda: self.find(*words))


def fails(w, own, *words, **kw):
    """No call of that client gets through, and the log says why; 'words': what it says."""
    log, it = Log(w), client(w, own, **kw)
    try:
        it.status()
    except Exception as e:  # pylint: disable=broad-except
        expect("UNAVAILABLE" in str(e), f"not UNAVAILABLE but {e}")
    else:
        raise Failure("it was served")
    finally:
        it.close()
    line = log.wait("client_refused", *words)
    expect(f"address=ipv4:{HERE}:" in line, f"no address in: {line}")
    return line


def serial(cert):
    return subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-serial"], check=True,
                          capture_output=True, text=True).stdout.strip()


def shaken(*words):
    """What openssl s_client says of the agent; it does not wait for more than the handshake."""
    done = subprocess.run(["openssl", "s_client", "-connect", TARGET, "-alpn", "h2", *words],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=20,
                          stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace")  # behind the text stand bytes of HTTP/2


@test
def a_client_with_a_good_certificate_is_served_from_another_machine_under_its_URI(w):
    log, it = Log(w), client(w, w.hv1)
    equal(it.status().nve, "nve1")
    reply = it.vn_connect("p1", RED)
    expect(reply.tag > 0, f"no tag: {reply}")
    it.vn_disconnect("p1", RED)
    it.close()
    line = log.wait("client_authenticated", "identity=tls:uri:spiffe://example/hv1")
    expect(re.search(rf"address=ipv4:{HERE}:\d+", line), line)


@test
def without_a_URI_the_first_DNS_name_is_the_identity(w):
    log, it = Log(w), client(w, w.hv2)
    it.status()
    it.close()
    log.wait("client_authenticated", "identity=tls:dns:hv2.example")
    expect(not log.find("second.example"), "the second name was taken, too")


@test
def clients_that_cannot_prove_who_they_are_are_refused_and_the_log_says_why(w):
    fails(w, None, "did not return a certificate")
    fails(w, w.other.issue("hv1", "URI:spiffe://example/hv1"), "unable to get local issuer",
          "claims=tls:uri:spiffe://example/hv1")
    fails(w, w.ca.issue("old", "URI:spiffe://example/old", until="20240101"), "has expired",
          "claims=tls:uri:spiffe://example/old")
    fails(w, w.ca.issue("server", "URI:spiffe://example/s", use="serverAuth"),
          "purpose")


@test
def clients_refuse_an_agent_of_another_CA_or_another_name(w):
    fails(w, w.hv1, "perhaps it does not trust the agent", ca=w.other.ca)
    it = client(w, w.hv1, name="nve2.example")
    try:
        it.status()
        raise Failure("a client took nve1 for nve2.example")
    except Exception as e:  # pylint: disable=broad-except
        expect("UNAVAILABLE" in str(e), str(e))
    it.close()
    it = client(w, w.hv1, name="nve1.example")
    equal(it.status().nve, "nve1")
    it.close()


@test
def a_certificate_without_a_usable_name_is_told_NOT_AUTHORIZED_whatever_it_asks(w):
    for name, san, why in (("nobody", None, "neither a URI nor a DNS name"),
                           ("long", "URI:spiffe://example/" + "x" * 250, "too long")):
        log, it = Log(w), client(w, w.ca.issue(name, san))
        refused("NOT_AUTHORIZED", it.status)
        refused("NOT_AUTHORIZED", it.vn_connect, "p1", RED)
        refused("NOT_AUTHORIZED", it.ports)
        log.wait("client_refused", why)
        expect(not log.find("client_authenticated"), "it counts as authenticated")
        it.close()


@test
def old_protocols_weak_ciphers_and_plain_text_are_refused(w):
    own = ["-cert", w.hv1[0], "-key", w.hv1[1], "-CAfile", w.ca.ca]
    for old in (["-tls1_1"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
                ["-tls1_2", "-cipher", "ALL:!ECDHE:@SECLEVEL=0"]):
        got = shaken(*own, *old)
        expect("Cipher is (NONE)" in got or "no protocols available" in got, got)
    for version, new in (("TLSv1.2", ["-tls1_2"]), ("TLSv1.3", ["-tls1_3"])):
        got = shaken(*own, *new)
        expect(f"New, {version}, Cipher is " in got and "Verify return code: 0" in got, got)
        expect("Session Resumption" not in got and "\n    TLS session ticket:" not in got, got)
    log, plain = Log(w), Client(TARGET, timeout=3)
    try:
        plain.status()
        raise Failure("it was served without TLS")
    except Exception as e:  # pylint: disable=broad-except
        expect("UNAVAILABLE" in str(e), str(e))
    plain.close()
    log.wait("client_refused", f"address=ipv4:{HERE}:", "does not speak TLS")


@test
def a_new_certificate_takes_effect_on_SIGHUP_and_an_open_Session_goes_on(w):
    session = Session(w, w.hv1)
    session.ask(1)
    use(w, w.nved2)
    log = Log(w)
    w.nve.hup()
    log.wait("tls_reloaded", "certificate_until=")
    got = shaken("-cert", w.hv1[0], "-key", w.hv1[1])
    shown = re.search("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", got, re.S)
    with open(f"{STATE}/shown.pem", "w", encoding="ascii") as file:
        file.write(shown.group(0) + "\n")
    equal(serial(f"{STATE}/shown.pem"), serial(w.nved2[0]), "the certificate of a new handshake")
    session.ask(2)
    session.close()


@test
def a_reload_of_what_is_wrong_changes_nothing_and_says_so(w):
    session = Session(w, w.hv1)
    good = text(w.files["key"])
    for breakage, why in ((lambda: copy(w.nved[1], w.files["key"]), "is not the key of"),
                          (lambda: os.unlink(w.files["key"]), "No such file"),
                          (lambda: w.ca.revoke(until="20240101"), "crl: it has expired")):
        breakage()
        log = Log(w)
        w.nve.hup()
        log.wait("tls_reload_failed", why, "certificates that were loaded before stay")
        it = client(w, w.hv1)
        it.status()
        it.close()
        session.ask(1)
        with open(w.files["key"], "wb") as file:
            file.write(good)
        os.chmod(w.files["key"], 0o600)
        w.ca.revoke()
    session.close()


@test
def a_revoked_client_is_put_out_with_NOT_AUTHORIZED_and_no_other_one_is(w):
    stays, goes = Session(w, w.hv1), Session(w, w.hv2)
    stays.ask(1)
    goes.ask(1)
    w.ca.revoke(w.hv2[0])
    log = Log(w)
    w.nve.hup()
    end = goes.end()
    equal(end.code(), grpc.StatusCode.PERMISSION_DENIED, "status of the revoked Session")
    log.wait("client_revoked", "identity=tls:dns:hv2.example")
    stays.ask(2)
    fails(w, w.hv2, "certificate revoked", "claims=tls:dns:hv2.example")
    stays.ask(3)
    expect(not log.find("client_revoked", "hv1"), "hv1 was put out, too")
    goes.close()
    stays.close()


@test
def silent_connections_neither_keep_others_out_nor_stay(w):
    silent = [socket.create_connection((THERE, PORT), 5) for _ in range(3 * HANDSHAKES)]
    it = client(w, w.hv1)
    it.timeout = 20
    it.status()
    now = wait_for("the handshakes to end", lambda: not it.status().tls.handshakes, 20)
    expect(now, "they stay")
    it.close()
    for s in silent:
        s.settimeout(10)
        equal(s.recv(100), b"", "what a silent client gets")
        s.close()


@test
def requests_of_every_size_pass_and_a_client_that_does_not_read_hinders_no_other(w):
    deaf = Session(w, w.hv1)
    name = "x" * 40000
    for number in range(400):
        deaf.requests.put(pb.SessionRequest(request_id=number, clear=pb.ClearRequest(
            tsi_id=bytes(16), port=name[:1 + number * 97])))
    session = Session(w, w.hv1)
    for number in range(300):
        session.ask(number)
    seen = 0
    while seen < 400:
        if next(deaf.call).WhichOneof("reply") == "answer":
            seen += 1
    deaf.close()
    session.close()


@test
def a_unix_peer_is_known_by_the_uid_that_the_kernel_says(w):
    log = Log(w)
    sh(["setpriv", "--reuid=65534", "--regid=0", "--clear-groups", NVECTL, "-s",
        f"unix:{w.nve.socket}", "status"])
    line = log.wait("client_authenticated", "identity=unix:65534")
    expect(re.search(r'address="unix:uid=65534,pid=\d+"', line), line)
    log = Log(w)
    w.nve.ctl("status")
    log.wait("client_authenticated", "identity=unix:0")


@test
def descriptors_that_are_used_again_never_mix_up_whose_call_it_is(w):
    uids, times, log = (0, 65534, 65533), 60, Log(w)
    procs = [subprocess.Popen([sys.executable, f"{ROOT}/tests/e2e/knocker.py", w.nve.socket,
                               str(times), str(uid)]) for uid in uids]
    for proc in procs:
        equal(proc.wait(60), 0, "exit code of a client")
    for proc, uid in zip(procs, uids):
        mine = [line for line in w.nve.log()[log.begin:].splitlines()
                if " refused " in line and proc.pid.to_bytes(16, "big").hex() in
                line.replace("-", "")]
        equal(len(mine), times, f"lines of the log about {proc.pid}'s TSI")
        for line in mine:
            expect(f'client="unix:uid={uid},pid={proc.pid}"' in line, f"not {uid}: {line}")


@test
def nvectl_reaches_the_agent_through_TLS_and_says_what_is_missing(w):
    def nvectl(*words, **env):
        return subprocess.run([NVECTL, *words], text=True, capture_output=True, timeout=30,
                              env={**os.environ, **env}, check=False)
    own = ["--tls-ca", w.ca.ca, "--tls-cert", w.hv1[0], "--tls-key", w.hv1[1]]
    got = nvectl("-s", f"tls:{TARGET}", *own, "status")
    equal(got.returncode, 0, got.stderr)
    for line in (f"tls:0.0.0.0:{PORT} (mutual TLS)", "nved.sock (peer's uid)",
                 "certificate until 20", "1 connected, 0 at the handshake"):
        expect(line in got.stdout, f"no '{line}' in:\n{got.stdout}")
    expect("no listener is tls:" not in got.stdout, got.stdout)
    got = nvectl("-s", TARGET, "status", NVED_TLS_CA=w.ca.ca, NVED_TLS_CERT=w.hv1[0],
                 NVED_TLS_KEY=w.hv1[1], NVED_TLS_NAME="nve1.example")
    equal(got.returncode, 0, got.stderr)
    got = nvectl("-s", f"tls:{TARGET}", *own[:4], "status")
    equal((got.returncode, got.stdout), (2, ""), "exit code and output without a key")
    expect("--tls-key FILE (or $NVED_TLS_KEY) is missing" in got.stderr, got.stderr)
    got = nvectl("-s", f"tls:{TARGET}", "--tls-name", "nve2.example", *own, "status")
    equal(got.returncode, 3, got.stderr)
    expect("trusts the other's certificate" in got.stderr, got.stderr)


@test
def an_agent_that_stops_tells_its_clients_why_and_the_next_one_serves_them(w):
    session = Session(w, w.hv1)
    session.ask(1)
    equal(w.nve.stop(), 0, "exit code")
    end = session.end()
    equal(end.code(), grpc.StatusCode.UNAVAILABLE, "status of the Session")
    equal(Refused.of(end).reason, "SHUTTING_DOWN", "its reason")
    session.close()
    w.nve.start()
    it = client(w, w.hv1)
    equal(it.status().nve, "nve1")
    it.close()


@test
def a_hundred_clients_at_once_are_all_served(w):
    clients = [client(w, (w.hv1, w.hv3)[number % 2]) for number in range(100)]
    calls = [it.admin.GetStatus.future(pb.GetStatusRequest(), timeout=30) for it in clients]
    for call in calls:
        equal(call.result().nve, "nve1")
    expect(clients[0].status().tls.connections >= 100, "they are not all connected")
    for it in clients:
        it.close()
    wait_for("their connections to end",
             lambda: not Client(f"unix:{w.nve.socket}").status().tls.connections)


@test
def check_config_says_what_is_wrong_with_the_files(w):
    def check(*words, **changes):
        with open(f"{STATE}/check.yaml", "w", encoding="utf-8") as file:
            file.write(text(f"{w.nve.dir}/nved.yaml").decode())
        listing = text(f"{STATE}/check.yaml").decode()
        for key, value in changes.items():
            listing = listing.replace(w.files[key], value)
        with open(f"{STATE}/check.yaml", "w", encoding="utf-8") as file:
            file.write(listing)
        done = subprocess.run([NVED, "-c", f"{STATE}/check.yaml", "--check-config"], text=True,
                              capture_output=True, timeout=20, check=False)
        equal(done.returncode, 3 if words else 0, done.stderr)
        for word in words:
            expect(word in done.stderr, f"no '{word}' in: {done.stderr}")
    check()
    check("certificate: cannot read /nowhere.pem: No such file", certificate="/nowhere.pem")
    check("key: ", "is not the key of", key=w.hv1[1])
    expired = w.ca.issue("was", f"IP:{THERE}", "serverAuth", until="20240101")
    check("certificate: it has expired", certificate=expired[0], key=expired[1])
    check("crl: ", "no list signed by", crl=w.other.crl)
    check("client_ca: ", "holds no certificate", client_ca=w.files["key"])
    os.chmod(w.hv1[1], 0o604)
    check("key: others may read", key=w.hv1[1])
    os.chmod(w.hv1[1], 0o600)
    openssl("ec", "-in", w.hv1[1], "-aes128", "-passout", "pass:secret",
            "-out", f"{STATE}/locked.key")
    os.chmod(f"{STATE}/locked.key", 0o600)
    check("holds no key without a password", key=f"{STATE}/locked.key")


if __name__ == "__main__":
    main(build)
