#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The Vagrantfile is one that Vagrant takes and defines the five machines; a broken one is refused.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
export VAGRANT_HOME="$tmp/home" VAGRANT_DOTFILE_PATH="$tmp/dot" VAGRANT_CHECKPOINT_DISABLE=1
in_dir() { (cd "$1" && shift && vagrant "$@") >"$tmp/out" 2>&1; }

if in_dir vagrant validate --ignore-provider; then pass; else fail "$(cat "$tmp/out")"; fi
sed 's/vm\.provision "shell"/vm.provision "no-such"/' vagrant/Vagrantfile >"$tmp/Vagrantfile"
if in_dir "$tmp" validate --ignore-provider; then fail "it validates anything"; else pass; fi

for machine in nve1 nve2 far hv1 hv2; do
	if grep -q "^MACHINES = .*\b$machine\b" vagrant/Vagrantfile; then
		pass
	else
		fail "no machine $machine"
	fi
done
if bash -n vagrant/provision.sh; then pass; else fail "provision.sh is no script"; fi
finish
