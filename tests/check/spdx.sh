#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every file says its licence in its first lines: Apache-2.0, or dual in bpf/.  It also must refuse
# a file without one, and one with the wrong one.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh

bpf_licence='(GPL-2.0-only OR BSD-2-Clause)'

# Files that cannot bear a comment, or are the licence itself.
is_exempt() {
	case $1 in
	LICENSE | bpf/LICENSE.* | *.json | *.golden | *.bin | *.pcap | .gitignore) return 0 ;;
	*.md | tests/fuzz/corpus/*) return 0 ;;
	esac
	return 1
}

# check PATH AS: whether the file at PATH would be fine as AS.
check() {
	licence=$(sed -n '1,4s/.*SPDX-License-Identifier: *//p' "$1" | sed 's, *\(\*/\|-->\)$,,')
	case $2 in
	bpf/* | *.bpf.[ch]) [ "$licence" = "$bpf_licence" ] ;;
	*) [ "$licence" = Apache-2.0 ] ;;
	esac
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo 'int x;' >"$tmp/none"
echo '/* SPDX-License-Identifier: MIT */' >"$tmp/mit"
echo '/* SPDX-License-Identifier: Apache-2.0 */' >"$tmp/apache"
for case in 'none agent/x.c' 'mit agent/x.c' 'apache bpf/x.h'; do
	if check "$tmp/${case% *}" "${case#* }"; then fail "accepted: $case"; else pass; fi
done

# shellcheck disable=SC2119 # all of them
for f in $(tree_files); do
	is_exempt "$f" && continue
	if check "$f" "$f"; then pass; else fail "$f: no SPDX line, or the wrong licence"; fi
done
finish
