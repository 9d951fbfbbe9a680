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

static void a_setting_is_there_after_reopening_until_it_is_put_to_0(void **state)
{
	struct store_fixture *f = *state;
	uint64_t value = 1;

	assert_int_equal(f->ops->setting(f->store, "drain:p1", &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(f->ops->put_setting(f->store, "drain:p1", 7), -EINVAL);
	for (uint64_t put = 0; put < 3; put++) {
		assert_int_equal(f->ops->begin(f->store), 0);
		assert_int_equal(f->ops->put_setting(f->store, "drain:p1", UINT64_MAX - put), 0);
		assert_int_equal(f->ops->put_setting(f->store, "epoch", 5), 0);
		if (put == 1)
			f->ops->rollback(f->store);
		else
			assert_int_equal(f->ops->commit(f->store), 0);
	}
	store_reopen(f);
	assert_int_equal(f->ops->setting(f->store, "drain:p1", &value), 0);
	assert_true(value == UINT64_MAX - 2);
	assert_int_equal(f->ops->epoch(f->store, &value), 0);
	assert_int_equal(value, 0); /* another thing of that name */
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_setting(f->store, "drain:p1", 0), 0);
	assert_int_equal(f->ops->put_setting(f->store, "drain:p1", 0), 0); /* not there: fine */
	assert_int_equal(f->ops->commit(f->store), 0);
	assert_int_equal(f->ops->setting(f->store, "drain:p1", &value), 0);
	assert_int_equal(value, 0);
	assert_string_equal(store_contents(f), "");
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

/* --- contexts of VNs, and deadlines ----------------------------------------------------------- */

static const struct nve_ip vteps[] = { { .family = 4, .bytes = { 192, 0, 2, 2 } },
				       { .family = 6, .bytes = { 0x20, 1, [15] = 3 } } };
static const struct nve_stored_remote remotes[] = {
	{ .vtep = { .family = 4, .bytes = { 192, 0, 2, 2 } }, .mac = { 2, [5] = 9 }, .epoch = 7 }
};
static const struct nve_stored_neigh neighs[] = {
	{ { .flags = NVE_ADDR_MAC | NVE_ADDR_IPV4, .mac = { 2, [5] = 9 }, .ip = { 10, 0, 0, 9 } },
	  7 }
};
static const struct nve_acl_rule rules[] = {
	{ .ways = 1, .deny = 1, .has = NVE_ACL_HAS_TYPE, .type = 0x86dd }, { .ways = 2 }
};
static const struct nve_acl acl = { "web", true, 2, rules };

static struct nve_stored_vn a_vn(uint32_t vn_id, const char *profile)
{
	struct nve_stored_vn vn = { .vn_id = vn_id,
				    .digest = UINT64_MAX - vn_id,
				    .context = { .name = "blue", .vni = 5100, .mtu = 1400 },
				    .n_vteps = 2,
				    .n_remotes = 1,
				    .n_neighs = 1,
				    .vteps = vteps,
				    .remotes = remotes,
				    .neighs = neighs,
				    .rules = *profile ? &acl : NULL };

	strcpy(vn.context.profile, profile);
	return vn;
}

static int same_vn(void *arg, const struct nve_stored_vn *got)
{
	const struct nve_stored_vn *want = arg;

	assert_int_equal(got->vn_id, want->vn_id);
	assert_true(got->digest == want->digest);
	assert_memory_equal(&got->context, &want->context, sizeof(got->context));
	assert_int_equal(got->n_vteps, want->n_vteps);
	assert_int_equal(got->n_remotes, want->n_remotes);
	assert_int_equal(got->n_neighs, want->n_neighs);
	assert_memory_equal(got->vteps, want->vteps, got->n_vteps * sizeof(*got->vteps));
	assert_memory_equal(got->remotes, want->remotes, got->n_remotes * sizeof(*got->remotes));
	assert_memory_equal(got->neighs, want->neighs, got->n_neighs * sizeof(*got->neighs));
	assert_true(nve_acl_equal(got->rules, want->rules));
	return 7;
}

static void put_vns(struct store_fixture *f, const struct nve_stored_vn *vns, size_t n)
{
	assert_int_equal(f->ops->begin(f->store), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(f->ops->put_vn(f->store, &vns[i]), 0);
	assert_int_equal(f->ops->commit(f->store), 0);
}

static int on_vn(void *arg, uint32_t vn_id, uint64_t digest)
{
	return store_add(arg, "N %u %lu; ", vn_id, digest);
}

static void a_vns_context_comes_back_with_its_profiles_rules_and_goes(void **state)
{
	struct store_fixture *f = *state;
	struct nve_stored_vn vns[] = { a_vn(1, "web"), a_vn(2, "web"), a_vn(3, "") };
	const struct nve_store_reader reader = { store_on_tag, store_on_vap, store_on_tsi, f,
						 on_vn };

	put_vns(f, vns, 3);
	vns[1].n_remotes = vns[1].n_vteps = 0; /* the second one becomes smaller */
	put_vns(f, &vns[1], 1);
	store_reopen(f);
	for (int i = 0; i < 3; i++)
		assert_int_equal(f->ops->get_vn(f->store, 1 + i, same_vn, &vns[i]), 7);
	f->text[0] = '\0';
	assert_int_equal(f->ops->load(f->store, &reader), 0);
	assert_string_equal(f->text, "N 1 18446744073709551614; N 2 18446744073709551613; "
				     "N 3 18446744073709551612; ");
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->del_vn(f->store, 1), 0);
	assert_int_equal(f->ops->commit(f->store), 0);
	assert_int_equal(f->ops->get_vn(f->store, 1, same_vn, NULL), -ENOENT);
	/* The other VN with that profile has its rules still. */
	assert_int_equal(f->ops->get_vn(f->store, 2, same_vn, &vns[1]), 7);
	vns[1] = a_vn(2, "");
	put_vns(f, &vns[1], 1);
	assert_int_equal(f->ops->get_vn(f->store, 2, same_vn, &vns[1]), 7);
}

static int note_moved(void *arg, const struct nve_stored_tsi *tsi)
{
	return store_add(arg, "%u %lu; ", tsi->slot, tsi->moved_ns);
}

static void a_moved_deadline_counts_until_the_tsis_record_is_another(void **state)
{
	enum { N = NVE_STORED_DEADLINES };
	struct store_fixture *f = *state;
	const struct nve_store_reader reader = { store_on_tag, store_on_vap, note_moved, f, NULL };
	struct nve_stored_deadline list[N] = { [3] = { 50, 99 }, [4] = { 51, 99 } };
	const uint32_t slots[] = { 3, 4, 5, N + 3, 5 * N + 3 };
	struct nve_stored_tsi tsi = store_a_tsi(0, 0);

	tsi.tsi.deadline_ns = 50;
	assert_int_equal(f->ops->begin(f->store), 0);
	for (size_t i = 0; i < 5; i++) {
		tsi.slot = slots[i];
		assert_int_equal(f->ops->put_tsi(f->store, &tsi), 0);
	}
	assert_int_equal(f->ops->put_deadlines(f->store, 0, list), 0);
	list[3].deadline_ns = 100;
	assert_int_equal(f->ops->put_deadlines(f->store, 5, list), 0);
	assert_int_equal(f->ops->put_deadlines(f->store, 3, list), 0); /* of nobody */
	assert_int_equal(f->ops->commit(f->store), 0);
	store_reopen(f);
	assert_int_equal(f->ops->load(f->store, &reader), 0);
	assert_string_equal(f->text, "3 99; 4 50; 5 50; 131 50; 643 100; ");
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
		BOTH(a_setting_is_there_after_reopening_until_it_is_put_to_0),
		BOTH(a_transaction_rolled_back_or_never_committed_leaves_no_trace),
		BOTH(loading_stops_at_a_readers_error_and_returns_it),
		BOTH(changes_outside_a_transaction_are_refused),
		BOTH(a_second_opener_is_refused),
		BOTH(a_vns_context_comes_back_with_its_profiles_rules_and_goes),
		BOTH(a_moved_deadline_counts_until_the_tsis_record_is_another),
		cmocka_unit_test_setup_teardown(
			an_injected_failure_ends_the_transaction_and_the_store_is_as_before,
			store_setup_memory, store_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
