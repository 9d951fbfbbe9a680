#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Functions of at most 60 lines, files 500, headers 150, nesting 3, lines 100 columns.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/lib/check.sh
# shellcheck disable=SC2046 # file names of this tree have no spaces
exec /usr/bin/python3 tests/lib/budgets.py \
	$(tree_files '*.c' '*.h' '*.sh' '*.py' 'vagrant/Vagrantfile')
