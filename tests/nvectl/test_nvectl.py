#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""nvectl as a process against a server that knows the proto only.

Usage: test_nvectl.py [NVECTL]   (default build/release/nvectl)
Each function in cases_*.py that is marked is one test; its name is the sentence it proves.
"""

import os
import sys
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import harness  # noqa: E402
import cases_requests, cases_tables, cases_json  # noqa: E401, E402, F401
import cases_failures, cases_usage, cases_why, cases_live, cases_operate  # noqa: E401, E402, F401


def main():
    failed = 0
    far = harness.FarEnd("unix:" + harness.SOCKET, harness.NVE, harness.NVE_GRPC, harness.STATUS,
                         harness.DETAILS)
    for function in harness.TESTS:
        name = function.__name__.replace("_", " ")
        harness.lay_out(far)
        try:
            function(far)
            assert not far.violations, far.violations
            print("ok      ", name, flush=True)
        except Exception:  # a test may fail in any way; the others still run
            failed += 1
            far.violations.clear()
            print("FAILED  ", name, flush=True)
            traceback.print_exc(file=sys.stdout)
    far.stop()
    print(f"{len(harness.TESTS) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
