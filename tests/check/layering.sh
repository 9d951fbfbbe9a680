#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may know whom (README, "Layers"): the compiler lists what each source includes, and the table
# below says what it may.  It first is shown each kind of violation, and must refuse it.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh

inc="-D_GNU_SOURCE -Iagent -Ibpf"

# Extended regular expressions over paths from the top; the first row that fits a source counts.
# CONTRACTS are what joins the layers, NOUNS what everybody speaks of.
nouns='agent/core/(types|reasons|acl)\\.h'
headers="engine(_check|_drain|_guard|_read)?|doctor|log|audit|dp/dp(_check)?|nva/nva|store/store"
contracts="agent/(core/.*|($headers)\\\\.h)"
rules() {
	# what sources | what of agent/, bpf/ and of generated files they may include
	sed "s,CONTRACTS,$contracts,;s,NOUNS,$nouns," <<-'TABLE'
		^agent/core/ ^agent/core/
		^agent/dp/ebpf[^/]*$ ^(agent/dp/.*|NOUNS|bpf/[a-z]*_abi\.h|.*\.skel\.h)$
		^agent/dp/ ^(agent/dp/.*|NOUNS)$
		^agent/nva/ ^(agent/nva/|agent/core/(types|acl)\.h$|agent/yaml_marks\.h$)
		^agent/store/ ^(agent/store/|agent/core/(types|acl)\.h$)
		^agent/authz/ ^(agent/(authz/|core/(types|glob)\.h$|yaml_marks\.h$))
		^agent/engine[^/]*$ ^(CONTRACTS|agent/engine[^/]*\.h)$
		^agent/doctor[^/]*$ ^(CONTRACTS|agent/(doctor[^/]*|config|dp/features)\.h)$
		^agent/log\.c$ ^agent/log\.h$
		^agent/audit[^/]*$ ^agent/(audit[^/]*\.h|log\.h|session/peer\.h)$
		^agent/yaml_marks\.c$ ^agent/yaml_marks\.h$
		^agent/config[^/]*$ ^(CONTRACTS|agent/config[^/]*\.h|agent/yaml_marks\.h)$
		^agent/nvectl/ ^(agent/nvectl/.*|NOUNS|agent/doctor\.h|.*\.pb-c\.h)$
		^agent/sandbox[^/]*\.c$ ^agent/sandbox\.h$
		^agent/session/ ^(CONTRACTS|agent/(session/.*|authz/policy\.h)|.*(pb-c|desc.*)\.h)$
		^agent/(main|daemon|loop)\.c$ ^agent/
	TABLE
}

# Headers outside the tree that some files alone may see: header | who may include it.
externals() {
	cat <<-'TABLE'
		<grpc/ ^agent/(session/grpc[^/]*|session/listen[^/]*|nvectl/[^/]*)$
		<openssl/ ^agent/session/(tls|door_tls|door_pipe)\.[ch]$
		<bpf/ ^agent/dp/ebpf[^/]*$
		<linux/bpf ^agent/(dp/ebpf[^/]*|sandbox_filter\.c)$
		<sqlite3\.h> ^agent/store/sqlite[^/]*$
		<cyaml/ ^agent/(config_raw\.c|nva/local[^/]*|authz/policy_raw\.c)$
		<yaml\.h> ^agent/(yaml_marks\.c|nva/local[^/]*)$
		<uv\.h> ^agent/loop\.c$
		<seccomp\.h> ^agent/sandbox_filter\.c$
		<systemd/ ^agent/(loop|main|daemon)\.c$
		protobuf-c ^agent/(session|nvectl)/
	TABLE
}

# Own headers that a source reaches, directly or not.  Generated ones may be missing (-MG); those
# of the system are not listed (-MM).
includes_of() {
	# shellcheck disable=SC2086 # several flags
	gcc -MM -MG $inc "$1" | tr -d '\134' | tr -s ' ' '\n' | sed '1d;/^$/d' |
		sed -e 's,^\./,,' -e ':a' -e 's,[^/.][^/]*/\.\./,,' -e 'ta' | grep -vxF "$1"
}

# Core also must not reach for what does I/O or reads a clock.  <sys/mman.h> is the exception: it is
# where nve_core_new() gets its block of memory from.
impure='<(time|unistd|fcntl|syslog|pthread|signal|poll)\.h>|<sys/([^m]|m[^m])|<arpa/|<net/'

# Prints what is wrong with one source; nothing if it is fine.
check_source() {
	rule=$(rules | while read -r who what; do
		if echo "$2" | grep -qE "$who"; then
			echo "$what"
			break
		fi
	done)
	if [ -z "$rule" ]; then
		echo "$2: no row of the table says what it may include: add one"
		return
	fi
	includes_of "$1" | grep -vE "$rule" | sed "s,^,$2 must not include ,"
	externals | while read -r header who; do
		grep -qE "^[ 	]*#[ 	]*include.*$header" "$1" || continue
		echo "$2" | grep -qE "$who" || echo "$2 must not include $header"
	done
	case $2 in agent/core/*)
		grep -nE "^[ 	]*#[ 	]*include +($impure)" "$1" |
			sed "s,^,$2 is pure\, yet line ,"
		;;
	esac
}

# A violation of every kind, put where no source of the tree is: each must be refused.
self_test() {
	while read -r where include; do
		printf '#include %s\n' "$include" >"$tmp/x.c"
		if [ -n "$(check_source "$tmp/x.c" "$where")" ]; then
			pass
		else
			fail "$where could include $include unnoticed"
		fi
	done <<-'CASES'
		agent/core/x.c "engine.h"
		agent/core/x.c "dp/dp.h"
		agent/core/x.c "log.h"
		agent/core/x.c <time.h>
		agent/core/x.c <sys/socket.h>
		agent/dp/fake.c "nve_abi.h"
		agent/dp/fake.c <bpf/libbpf.h>
		agent/dp/ebpf_x.c "engine.h"
		agent/dp/ebpf_x.c "core/core.h"
		agent/nva/local.c "dp/dp.h"
		agent/store/sqlite.c "nva/nva.h"
		agent/authz/policy.c "engine.h"
		agent/authz/role.c "core/core.h"
		agent/engine_x.c "authz/policy.h"
		agent/session/x.c "authz/policy_internal.h"
		agent/store/memory.c <sqlite3.h>
		agent/engine.c "session/session.h"
		agent/engine.c "config.h"
		agent/engine_x.c <sqlite3.h>
		agent/engine_x.c <grpc/grpc.h>
		agent/engine_x.c <bpf/bpf.h>
		agent/config.c "daemon.h"
		agent/session/codec.c <grpc/grpc.h>
		agent/session/grpc_x.c <openssl/ssl.h>
		agent/session/grpc_x.c "nve_abi.h"
		agent/session/grpc_x.c "config.h"
		agent/nvectl/x.c "engine.h"
		agent/nvectl/x.c "core/core.h"
		agent/main.c <sqlite3.h>
		agent/unheard_of.c <stdio.h>
	CASES
	printf '#include "core/core.h"\n#include "log.h"\n#include <stdio.h>\n' >"$tmp/x.c"
	wrong=$(check_source "$tmp/x.c" agent/engine_x.c)
	if [ -z "$wrong" ]; then pass; else fail "refused what is allowed: $wrong"; fi
}

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
self_test
for src in $(tree_files 'agent/*.c'); do
	wrong=$(check_source "$src" "$src")
	if [ -z "$wrong" ]; then pass; else fail "$wrong"; fi
done
# The programs in the kernel know the kernel's headers, libbpf's and each other.
for src in $(tree_files 'bpf/*.c' 'bpf/*.h'); do
	if grep -nE '#[ 	]*include.*(agent/|core/|dp/|engine\.h)' "$src"; then
		fail "$src must not include headers of the agent"
	else
		pass
	fi
done
finish
