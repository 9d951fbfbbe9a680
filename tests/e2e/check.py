# SPDX-License-Identifier: Apache-2.0
"""A test program: functions marked @test, each named by the sentence it proves, over one lab.

    def build(lab): ...                 builds the topology, returns what the tests get
    if __name__ == "__main__":
        main(build, modes=("tc", "xdp"))

Each mode runs in namespaces of its own.  The agents that the lab has started must be there at the
end and leave with exit code 0; that is a test, too.  Words on the command line choose tests.
"""
import os
import signal
import subprocess
import sys
import time
import traceback

import netlab

TIME_LIMIT = int(120 * netlab.PATIENCE)  # seconds a test
TESTS = []


def test(function):
    TESTS.append(function)
    return function


def expect(condition, text):
    if not condition:
        raise netlab.Failure(text)


def equal(got, want, what="value"):
    if got != want:
        raise netlab.Failure(f"{what}: got {got!r}, want {want!r}")


def refused(reason, call, *args, **kw):
    """The call must be refused for that reason; returns the refusal."""
    from client import Refused
    try:
        reply = call(*args, **kw)
    except Refused as e:
        if e.reason != reason:
            raise netlab.Failure(f"refused with {e}, not {reason}") from None
        return e
    raise netlab.Failure(f"not refused with {reason}, but answered: {reply}")


def _late(*_):
    raise netlab.Failure(f"not done in {TIME_LIMIT} s")


def _report(name, error):
    print(f"FAIL {name}")
    at = [x for x in traceback.extract_tb(error.__traceback__) if "/test_" in x.filename]
    print("    " + (f"line {at[-1].lineno}: " if at else "") + (
        str(error) if isinstance(error, netlab.Failure) else f"{type(error).__name__}: {error}"))
    if not at:
        traceback.print_tb(error.__traceback__, file=sys.stdout)


def _guarded(name, agents, function, *args):
    """Runs one test, prints its line; True if it passed."""
    begin = time.monotonic()
    signal.signal(signal.SIGALRM, _late)
    signal.alarm(TIME_LIMIT)
    try:
        function(*args)
    except Exception as e:  # pylint: disable=broad-except
        signal.alarm(0)
        _report(name, e)
        for agent in agents:
            print(agent.log_news(), end="")
        return False
    finally:
        signal.alarm(0)
    for agent in agents:
        agent.log_news()
    print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    return True


def _the_agents_end_cleanly(lab):
    for agent in lab.agents:
        expect(agent.alive(), f"{agent.name} is gone: {agent.proc.poll()}")
        equal(agent.stop(), 0, f"exit code of {agent.name}")


def _run(build, mode, chosen):
    """Inside: all tests of one mode."""
    from lab import Lab
    netlab.enter()
    lab, worlds, suffix = Lab(mode or "tc"), [], f" [{mode}]" if mode else ""
    tests = [t for t in TESTS if not chosen or any(c in t.__name__ for c in chosen)]
    if not _guarded("the topology comes up" + suffix, lab.agents,
                    lambda: worlds.append(build(lab))):
        print(f"0 passed, {1 + len(tests)} failed")
        return 1
    tests = [(t.__name__.replace("_", " "), t, worlds) for t in tests]
    tests.append(("the agents are still there and end cleanly", _the_agents_end_cleanly, [lab]))
    passed = 1
    for name, function, args in tests:
        passed += _guarded(name + suffix, lab.agents, function, *args)
        dead = [a for a in lab.agents if not a.alive()]
        if dead and function is not _the_agents_end_cleanly:
            print("".join(f"    {a.name} has died: {a.proc.returncode}\n" for a in dead)
                  + "    so the rest is not run and counts as failed")
            break
    print(f"{passed} passed, {1 + len(tests) - passed} failed")
    return passed <= len(tests)


def main(build, modes=(None,)):
    words = [a for a in sys.argv[1:] if not a.startswith("--mode=")]
    wanted = [a[7:] for a in sys.argv[1:] if a.startswith("--mode=")]
    if wanted or modes == (None,):
        chosen = [a for a in words if not a.startswith("--")]  # the others are the program's own
        sys.exit(_run(build, wanted[0] if wanted else None, chosen))
    status = 0
    for mode in modes:  # each prints its own total; tests/run.py adds them up
        done = subprocess.run(["setpriv", "--pdeathsig", "KILL", sys.executable,
                               os.path.abspath(sys.argv[0]), f"--mode={mode}", *words],
                              check=False)
        status |= done.returncode
    sys.exit(1 if status else 0)
