#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of the gRPC front end against a program: build/VARIANT/tests/session/grpc_test.

    tests/session/grpc_clients.py [PROGRAM [WORD...]]     words choose tests by their names
"""
import os
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True
import harness  # noqa: E402

if len(sys.argv) > 1:
    harness.PROGRAM = os.path.abspath(sys.argv[1])

import cases_admin  # noqa: E402
import cases_hostile  # noqa: E402
import cases_life  # noqa: E402
import cases_limits  # noqa: E402
import cases_resync  # noqa: E402
import cases_server  # noqa: E402
import cases_session  # noqa: E402


class Result(unittest.TextTestResult):
    """Says which tests are slow."""

    def startTest(self, test):
        self.begin = time.monotonic()
        super().startTest(test)

    def addSuccess(self, test):
        super().addSuccess(test)
        seconds = time.monotonic() - self.begin
        if seconds > 1:
            self.stream.writeln(f"    {seconds:.1f} s")


def main():
    suite = unittest.TestSuite()
    for module in (cases_life, cases_session, cases_admin, cases_hostile, cases_resync,
                   cases_limits, cases_server):
        for group in unittest.defaultTestLoader.loadTestsFromModule(module):
            for test in group:
                if not sys.argv[2:] or any(w in test.id() for w in sys.argv[2:]):
                    suite.addTest(test)
    result = unittest.TextTestRunner(verbosity=2, stream=sys.stdout, resultclass=Result).run(suite)
    bad = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - bad} passed, {bad} failed")
    return 1 if bad or not result.testsRun else 0


if __name__ == "__main__":
    sys.exit(main())
