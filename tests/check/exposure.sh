#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What systemd thinks of the unit's sandbox: an exposure of 3.0 or less, of 10.  It first is shown a
# unit without one, and must find that too exposed.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh

max=3.0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# The unit in a folder of its own, as systemd-analyze goes by names.
exposure() {
	systemd-analyze security --offline=true --no-pager "$1" 2>/dev/null |
		sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p'
}
low() { [ -n "$1" ] && awk "BEGIN { exit !($1 <= $max) }"; }

sed 's,@BINDIR@,/usr/sbin,' agent/nved.service.in >"$tmp/nved.service"
printf '[Service]\nExecStart=/bin/true\n' >"$tmp/bare.service"

bare=$(exposure "$tmp/bare.service")
if low "$bare"; then fail "a unit without a sandbox is fine: $bare"; else pass; fi
ours=$(exposure "$tmp/nved.service")
if low "$ours"; then pass; else fail "nved.service is too exposed: '$ours', not $max or less"; fi
echo "exposure: $ours (without a sandbox: $bare)"
finish
