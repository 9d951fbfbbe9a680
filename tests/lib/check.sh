# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Shared by the checks: counts, and the last line that each prints.  Source it from the top.
passed=0
failed=0
pass() { passed=$((passed + 1)); }
fail() {
	failed=$((failed + 1))
	echo "FAIL: $*" >&2
}
finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
}
# Files of the tree, tracked or about to be; what .gitignore names is not ours.
tree_files() { git ls-files --cached --others --exclude-standard -- "$@" | while read -r f; do
	if [ -f "$f" ]; then echo "$f"; fi; done; }
