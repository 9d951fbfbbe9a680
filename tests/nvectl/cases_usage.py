# SPDX-License-Identifier: Apache-2.0
"""Wrong usage, help and the manual page."""

from harness import *  # noqa: F403 - every case uses most of it


@test
def wrong_usage_is_exit_code_2_and_sends_nothing(far):
    far.requests.clear()
    for args in (["frobnicate"], ["tsi", "activate"], ["tsi", "activate", TSI, "--port", "p1"],
                 ["tsi", "activate", "xyz", *KEY], ["tsi", "activate", TSI, *KEY, "-a", "1.2.3"],
                 ["tsi", "activate", TSI, *KEY, "--cause", "boot"],
                 ["tsi", "activate", TSI, *KEY, "--keepalive", "soon"],
                 ["tsi", "activate", TSI, *KEY, "--tag", "ten"],
                 ["tsi", "activate", TSI, *KEY, "--param", "novalue"],
                 ["tsi", "associate", TSI, *KEY, "--only", "10.0.0.1"],
                 ["vn", "connect", "p1"], ["vn", "connect", "p1", "99999999999"],
                 ["status", "extra"], ["-t", "0", "status"], ["-o", "xml", "status"],
                 ["-s", "10.0.0.1:50051", "status"], ["-s", "nonsense", "status"],
                 ["watch", "--count", "0"], ["help", "frobnicate"], ["completion", "fish"], []):
        got = nvectl(*args)
        same((got.rc, got.out), (2, ""))
        assert got.err.startswith(("nvectl: ", "Usage: ")), (args, got.err)
    same(far.requests, [])


@test
def a_misspelt_command_or_option_suggests_the_nearest(far):
    assert "did you mean 'status'?" in nvectl("statsu").err
    assert "did you mean 'tsi activate'?" in nvectl("tsi", "actvate").err
    assert "did you mean '--port'?" in nvectl("tsi", "--prot", "p1").err
    assert "Try 'nvectl tsi list --help'" in nvectl("tsi", "--prot", "p1").err


def commands():
    """All commands, as the overview lists them: lines with two words are of a group."""
    lines = ok("--help").out.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    for line in lines:
        words = line[2:28].split()
        group = words[0] in ("vn", "tsi", "evict")
        yield words[:2] if group else words[:1]


@test
def every_command_explains_itself(far):
    all_commands = list(commands())
    same(len(all_commands), 31)
    for words in all_commands:
        got = ok(*words, "--help")
        assert got.out.startswith("Usage: nvectl [OPTIONS] " + words[0]), got.out
        same(ok("help", *words).out, got.out)
        assert "--timeout" in got.out
    assert "Exit codes: 0 done; 1 refused by the NVE; 2 wrong usage; 3 " in ok("--help").out
    assert ok("--version").out.startswith("nvectl ")
    assert "activate" in ok("tsi", "--help").out


@test
def the_manual_page_has_every_command_and_option_and_renders(far):
    page = os.path.join(ROOT, "agent/nvectl/nvectl.8")
    with open(page, encoding="utf-8") as file:
        source = file.read()
    for words in commands():
        assert "nvectl " + " ".join(words) in source.replace("\\-", "-"), words
        for line in ok(*words, "--help").out.splitlines():
            if line.startswith("  -") and ", --" in line:
                option = line.split(", --")[1].split()[0].removesuffix("...")
                assert "--" + option in source.replace("\\-", "-"), (words, option)
    got = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-P-cbou", page], text=True,
                         capture_output=True, check=True, timeout=PATIENCE)
    same(got.stderr, "")
    assert "EXIT STATUS" in got.stdout
