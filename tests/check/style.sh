#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What clang-format and clang-tidy do not say: names, guards, traces of unfinished work, and what
# the top level holds.  Each rule is shown a line it must catch.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh

# rule NAME 'REGEX' 'LINE IT MUST CATCH' 'WHY' FILES..
rule() {
	name=$1 regex=$2 bad=$3 why=$4
	shift 4
	if printf '%s\n' "$bad" | grep -qE "$regex"; then
		pass
	else
		fail "$name does not catch: $bad"
	fi
	for f in "$@"; do
		if hits=$(grep -nE "$regex" "$f"); then
			fail "$f: $why: $hits"
		else
			pass
		fi
	done
}

c=$(tree_files 'agent/*.c' 'agent/*.h' 'bpf/*.c' 'bpf/*.h' 'tests/*.c' 'tests/*.h')
agent=$(tree_files 'agent/*.c' 'agent/*.h')
headers=$(tree_files 'agent/*.h' 'bpf/*.h' 'tests/*.h')
# shellcheck disable=SC2119 # all of them
all=$(tree_files | grep -vE '^(LICENSE$|tests/check/style\.sh$|tests/fuzz/corpus/)')
# shellcheck disable=SC2086 # lists of files
{
	rule line-comments '(^|[;{} 	])//([^/]|$)' '	x = 1; // why' 'comments are /* */' $c
	rule guards '^#ifndef [A-Z_]+_H_?$' '#ifndef NVE_X_H' 'use #pragma once' $headers
	rule underscores '^[a-z][a-z_0-9 ]*[ *]_[a-z]\w*\(' 'static int _f(void)' \
		'names do not begin with _' $agent
	rule unfinished '\b(TODO|FIXME|XXX|HACK)\b' '/* TODO: later */' \
		'finish it, or leave it out' $all
	rule backward '^	+goto (again|retry|restart)' '	goto again;' \
		'no backward goto: write a loop' $agent
	rule sleeping '\b(u?sleep|nanosleep)\(' '	sleep(1);' 'wait for the event' $c
	rule trailing '[ 	]+$' 'x = 1; ' 'blanks at the end of the line' $all
	rule unsafe '\b(strcat|gets|tmpnam|atoi|alloca)\(' '	x = atoi(s);' \
		'it cannot say that it failed' $agent
}

# A function that other files see is called nve_<module>_<verb>, and is declared in a header.
public() { grep -E '^[a-z].*\(' "$1" | grep -vE '^(static|typedef|extern|return)'; }
for f in $(tree_files 'agent/*.c' | grep -v '^agent/nvectl/'); do
	names=$(public "$f" |
		sed -nE 's/^[a-z][a-z_0-9 ]*[ *]([a-z_0-9]+)\(.*/\1/p' | grep -vE '^(nve_|main$)')
	if [ -z "$names" ]; then pass; else fail "$f: global, but not nve_..: $names"; fi
done
for f in $headers; do
	if grep -q '^#pragma once' "$f"; then pass; else fail "$f: no #pragma once"; fi
done

# The top level is a promise to whoever looks for the first time.
# shellcheck disable=SC2119 # all of them
for f in $(tree_files | cut -d/ -f1 | sort -u); do
	case $f in
	agent | bpf | proto | p4 | tests | vagrant | Makefile | README.md | LICENSE | .*) pass ;;
	*) fail "$f: the top level holds nothing else" ;;
	esac
done
finish
