/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of store.h on every backend. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/store_fixture.h"
#include <cmocka.h>

static void a_new_store_is_empty(void **state)
{
	struct store_fixture *f = *state;
	uint64_t epoch = 1;

	assert_string_equal(store_contents(f), "");
	assert_int_equal(f->ops->epoch(f->store, &epoch), 0);
	assert_int_equal(epoch, 0);
}

static void what_was_committed_is_there_after_reopening_in_order(void **state)
{
	struct store_fixture *f = *state;
	uint64_t epoch;

	store_put_first(f);
	store_has_first(f);
	store_reopen(f);
	store_has_first(f);
	assert_int_equal(f->ops->epoch(f->store, &epoch), 0);
	assert_true(epoch == 1ull << 63);
}

static int on_tag(void *arg, const struct nve_stored_tag *tag)
{
	(void)arg, (void)tag;
	return 0;
}

static int on_vap(void *arg, const struct nve_stored_vap *vap)
{
	return store_add(arg, "V %s; ", vap->owner);
}

static int on_tsi(void *arg, const struct nve_stored_tsi *tsi)
{
	return store_add(arg, "S %s; ", tsi->owner);
}

/* B3. */
static void whose_tsis_and_vns_are_is_kept(void **state)
{
	struct store_fixture *f = *state;
	const struct nve_store_reader reader = { on_tag, on_vap, on_tsi, f };
	struct nve_stored_tsi mine = store_a_tsi(3, 1), nobodys = store_a_tsi(4, 0);
	struct nve_stored_vap vap = { "p1", 100, 5, true, "tls:uri:spiffe://a/b" };

	mine.owner = "unix:1001";
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_vap(f->store, &vap), 0);
	assert_int_equal(f->ops->put_tsi(f->store, &mine), 0);
	assert_int_equal(f->ops->put_tsi(f->store, &nobodys), 0);
	assert_int_equal(f->ops->commit(f->store), 0);
	store_reopen(f);
	f->text[0] = '\0';
	assert_int_equal(f->ops->load(f->store, &reader), 0);
	assert_string_equal(f->text, "V tls:uri:spiffe://a/b; S unix:1001; S ; ");
}

static void a_record_put_again_is_replaced_and_one_deleted_is_gone(void **state)
{
	struct store_fixture *f = *state;
	struct nve_stored_tag tag = store_a_tag(5, true);
	struct nve_stored_tsi tsi = store_a_tsi(3, NVE_TSI_ADDRS_MAX);

	store_put_first(f);
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tag(f->store, &tag), 0);
	assert_int_equal(f->ops->del_tag(f->store, "br", 6), 0);
	assert_int_equal(f->ops->del_vap(f->store, "p1", 100), 0);
	assert_int_equal(f->ops->del_vap(f->store, "p2", 100), 0);
	assert_int_equal(f->ops->del_vap(f->store, "p2", 100), 0); /* not there: fine */
	assert_int_equal(f->ops->del_tsi(f->store, 9), 0);
	assert_int_equal(f->ops->del_tsi(f->store, 3), 0);
	assert_int_equal(f->ops->commit(f->store), 0);
	assert_string_equal(store_contents(f), "T br 5 1 100 77; ");
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tsi(f->store, &tsi), 0);
	assert_int_equal(f->ops->commit(f->store), 0);
	assert_non_null(strstr(store_contents(f), "S 3 p1 100 0 id 1 2 2 3 256 128 "));
}

static void a_transaction_rolled_back_or_never_committed_leaves_no_trace(void **state)
{
	struct store_fixture *f = *state;
	struct nve_stored_tsi tsi = store_a_tsi(4, 1);
	uint64_t epoch;

	store_put_first(f);
	for (int how = 0; how < 2; how++) {
		assert_int_equal(f->ops->begin(f->store), 0);
		assert_int_equal(f->ops->put_tsi(f->store, &tsi), 0);
		tsi.tsi.state = NVE_TSI_ASSOCIATED;
		assert_int_equal(f->ops->put_tsi(f->store, &tsi), 0);
		assert_int_equal(f->ops->del_tsi(f->store, 3), 0);
		assert_int_equal(f->ops->del_tag(f->store, "br", 5), 0);
		assert_int_equal(f->ops->put_epoch(f->store, 5), 0);
		if (how)
			f->ops->rollback(f->store);
		else
			store_reopen(f);
		store_has_first(f);
	}
	assert_int_equal(f->ops->epoch(f->store, &epoch), 0);
	assert_true(epoch == 1ull << 63);
}

static int stop_at_vap(void *arg, const struct nve_stored_vap *vap)
{
	(void)vap;
	store_add(arg, "stop");
	return -ECANCELED;
}

static void loading_stops_at_a_readers_error_and_returns_it(void **state)
{
	struct store_fixture *f = *state;
	const struct nve_store_reader reader = { store_on_tag, stop_at_vap, store_on_tsi, f };

	store_put_first(f);
	f->text[0] = '\0';
	assert_int_equal(f->ops->load(f->store, &reader), -ECANCELED);
	assert_string_equal(f->text, "T br 5 0 100 0; T br 6 1 100 77; stop");
	store_has_first(f); /* and it can be loaded again */
}

static void changes_outside_a_transaction_are_refused(void **state)
{
	struct store_fixture *f = *state;
	struct nve_stored_tag tag = store_a_tag(5, false);

	assert_int_equal(f->ops->put_tag(f->store, &tag), -EINVAL);
	assert_int_equal(f->ops->commit(f->store), -EINVAL);
	assert_string_equal(store_contents(f), "");
}

static void a_second_opener_is_refused(void **state)
{
	struct store_fixture *f = *state;
	struct nve_store *second = NULL;
	char *err = NULL;

	assert_int_equal(f->ops->open(&f->config, &second, &err), -EBUSY);
	assert_null(second);
	assert_non_null(strstr(err, f->path));
	free(err);
	store_put_first(f); /* the first is not disturbed */
}

/* --- memory ---------------------------------------------------------------------------------- */

static void an_injected_failure_ends_the_transaction_and_the_store_is_as_before(void **state)
{
	struct store_fixture *f = *state;
	struct nve_store_memory_control *control = nve_store_memory_control(f->path);
	struct nve_stored_tag tag = store_a_tag(9, false);

	store_put_first(f);
	control->put = (struct nve_store_fault){ 1, 1, -EIO };
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tag(f->store, &tag), 0);
	assert_int_equal(f->ops->del_tsi(f->store, 3), -EIO);
	assert_int_equal(f->ops->commit(f->store), -EINVAL);
	store_has_first(f);
	control->commit = (struct nve_store_fault){ 0, 1, -ENOSPC };
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tag(f->store, &tag), 0);
	assert_int_equal(f->ops->commit(f->store), -ENOSPC);
	store_has_first(f);
	store_put_first(f);
}

#define BOTH(name)                                                                                 \
	{ #name " (memory)", name, store_setup_memory, store_teardown, NULL },                     \
	{                                                                                          \
#name " (sqlite)", name, store_setup_sqlite, store_teardown, NULL                  \
	}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_new_store_is_empty),
		BOTH(what_was_committed_is_there_after_reopening_in_order),
		BOTH(a_record_put_again_is_replaced_and_one_deleted_is_gone),
		BOTH(whose_tsis_and_vns_are_is_kept),
		BOTH(a_transaction_rolled_back_or_never_committed_leaves_no_trace),
		BOTH(loading_stops_at_a_readers_error_and_returns_it),
		BOTH(changes_outside_a_transaction_are_refused),
		BOTH(a_second_opener_is_refused),
		cmocka_unit_test_setup_teardown(
			an_injected_failure_ends_the_transaction_and_the_store_is_as_before,
			store_setup_memory, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
