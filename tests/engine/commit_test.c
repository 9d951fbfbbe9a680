/* SPDX-License-Identifier: Apache-2.0 */
/* Group commit: how often the disk is synced, counted where SQLite calls it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/engine_world.h"

enum { REQUESTS = 300 };

static unsigned syncs;

/* In the C library's place, for SQLite too. */
int fdatasync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
	syncs++;
	return (int)syscall(SYS_fsync, fd);
}

static struct call calls[REQUESTS];
static struct nve_addr addrs[REQUESTS];

/* All of them before the loop turns once; returns how often the disk was synced. */
static unsigned syncs_of(struct world *w, enum nve_event_kind kind, unsigned n)
{
	unsigned before = syncs;

	for (unsigned i = 0; i < n; i++) {
		addrs[i] = ew_mac((uint8_t)i);
		addrs[i].mac[1] = (uint8_t)(i >> 8);
		ew_call_init(&calls[i], kind, 0, P1, 100);
		memcpy(calls[i].req.ev.key.id.bytes, &i, sizeof(i));
		if (kind == NVE_EV_ACTIVATE)
			ew_call_addrs(&calls[i], &addrs[i], 1);
		ew_call_submit(w, &calls[i]);
	}
	ew_run(w);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(calls[i].answered, 1);
		assert_int_equal(calls[i].answer.reason, NVE_REASON_OK);
	}
	return syncs - before;
}

static void in_sqlite(void (*run)(struct world *w), enum nve_durability durability)
{
	char dir[] = "/tmp/nve-commit-XXXXXX", file[64], side[80];
	struct world w;

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/intent.db", dir);
	ew_init(&w);
	w.config.store_ops = &nve_store_sqlite;
	w.config.store = (struct nve_store_config){ file, durability };
	ew_open(&w);
	run(&w);
	ew_done(&w);
	for (const char *const *end = (const char *const[]){ "", "-wal", "-shm", NULL }; *end;
	     end++) {
		snprintf(side, sizeof(side), "%s%s", file, *end);
		unlink(side);
	}
	assert_int_equal(rmdir(dir), 0);
}

static void power(struct world *w)
{
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(syncs_of(w, NVE_EV_ACTIVATE, 1), 1);
	assert_int_equal(syncs_of(w, NVE_EV_CLEAR, 1), 1);
	assert_int_equal(syncs_of(w, NVE_EV_ACTIVATE, REQUESTS), 1);
	assert_int_equal(syncs_of(w, NVE_EV_DEACTIVATE, REQUESTS), 1);
	assert_int_equal(syncs_of(w, NVE_EV_KEEPALIVE, REQUESTS), 0);
	assert_int_equal(syncs_of(w, NVE_EV_CLEAR, REQUESTS), 1);
}

static void one_sync_covers_all_requests_of_a_turn(void **state)
{
	(void)state;
	in_sqlite(power, NVE_DURABLE_POWER);
}

static void process(struct world *w)
{
	assert_int_equal(ew_ask(w, NVE_EV_VN_CONNECT, 0, P1, 100, 0), NVE_REASON_OK);
	assert_int_equal(syncs_of(w, NVE_EV_ACTIVATE, 1), 0);
	assert_int_equal(syncs_of(w, NVE_EV_ACTIVATE, REQUESTS), 0);
	assert_int_equal(syncs_of(w, NVE_EV_CLEAR, REQUESTS), 0);
}

static void what_only_has_to_outlive_the_process_is_not_synced(void **state)
{
	(void)state;
	in_sqlite(process, NVE_DURABLE_PROCESS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_sync_covers_all_requests_of_a_turn),
		cmocka_unit_test(what_only_has_to_outlive_the_process_is_not_synced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
