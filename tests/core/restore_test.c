/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up: what was read out of one core goes into another and makes it the same. */
#include "lib/core_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct nve_core_config config;

static int open_with_model(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	config = world_config;
	config.n_ports = MODEL_PORTS;
	*state = w;
	return w ? world_open_with(w, &config) : -1;
}

/* As an engine does with its store: tags, VAPs, TSIs. */
static void copy(const struct nve_core *from, struct nve_core *to)
{
	const struct nve_vap *vap;
	const struct nve_tsi *tsi;
	uint32_t cursor = 0, slot;

	for (uint16_t scope = 0; scope < config.n_scopes; scope++)
		for (uint16_t tag = 100; tag <= 103; tag++) {
			struct nve_tag record = nve_core_tag(from, scope, tag);

			if (record.use != NVE_TAG_FREE)
				assert_int_equal(nve_core_restore_tag(to, &record), 0);
		}
	while ((vap = nve_core_next_vap(from, &cursor)))
		assert_int_equal(nve_core_restore_vap(to, vap->port, vap->vn_id, vap->tag,
						      vap->connected_explicitly),
				 0);
	cursor = 0;
	while ((tsi = nve_core_next_tsi(from, &cursor, &slot))) {
		struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];

		nve_core_tsi_addrs(from, slot, addrs);
		assert_int_equal(nve_core_restore_tsi(to, slot, tsi, addrs), 0);
	}
}

static void populate(struct world *w)
{
	struct nve_addr set[] = { mac(1), mac_ip4(1, 2), ip4(1) };

	assert_ok(vn_connect(w, 2, 3, .tag = 103));
	assert_ok(activate(w, tsi_key(9, 0, 2)));
	assert_ok(activate(w, tsi_key(1, 0, 1), SET_OF(set)));
	assert_ok(activate(w, tsi_key(1, 1, 1), SET_OF(set)));
	assert_ok(deactivate(w, tsi_key(1, 0, 1), ONLY(set)));
	assert_ok(associate(w, tsi_key(2, 2, 1), SET_OF(set)));
	assert_ok(clear(w, tsi_key(9, 0, 2))); /* leaves a hole and a tag in quarantine */
}

static void a_restored_core_reads_as_the_old_one_did(void **state)
{
	struct world *w = *state, other;
	struct model was, is;

	populate(w);
	assert_int_equal(world_open_with(&other, &config), 0);
	copy(w->core, other.core);
	nve_core_check(other.core);
	assert_int_equal(nve_core_mark(other.core).actions, 0);
	model_read(&was, w->core);
	model_read(&is, other.core);
	assert_true(model_equal(&was, &is));
	assert_int_equal(nve_core_next_deadline(other.core), nve_core_next_deadline(w->core));
	nve_core_free(other.core);
	free(other.bytes);
}

/* Timers, quarantine and alarm go on with what was left. */
static void a_restored_core_goes_on_as_the_old_one_does(void **state)
{
	struct world *w = *state, other;
	struct model was, is;
	uint64_t end = w->now_ns + 700000 * MS;

	populate(w);
	assert_int_equal(world_open_with(&other, &config), 0);
	copy(w->core, other.core);
	nve_core_forget(w->core);
	assert_int_equal(world_expire_until(w, end), world_expire_until(&other, end));
	assert_int_equal(world_notices(&other, NVE_NOTICE_TSI_STATE),
			 world_notices(w, NVE_NOTICE_TSI_STATE));
	model_read(&was, w->core);
	model_read(&is, other.core);
	assert_true(model_equal(&was, &is));
	nve_core_free(other.core);
	free(other.bytes);
}

static void a_duplicate_is_watched_again_after_a_restart(void **state)
{
	struct world *w = *state, other;
	struct nve_addr set[] = { mac(1) };
	uint16_t flags = NVE_EV_HAS_ADDRS | NVE_EV_HAS_KEEPACTIVE;
	uint64_t later;

	assert_ok(activate(w, tsi_key(1, 1, 1), .flags = flags, .addrs = set, .n_addrs = 1));
	assert_ok(activate(w, tsi_key(1, 0, 1), .flags = flags, .addrs = set, .n_addrs = 1));
	later = w->now_ns;
	assert_int_equal(world_open_with(&other, &config), 0);
	copy(w->core, other.core);
	assert_int_equal(nve_core_next_deadline(other.core), later + 60000 * MS);
	assert_int_equal(world_expire_until(&other, later + 60000 * MS), 1);
	assert_int_equal(world_notice(&other, NVE_NOTICE_DUPLICATE)->key.port, 0);
	nve_core_free(other.core);
	free(other.bytes);
}

/* A slot that was never used is taken before a freed one, wherever the restored ones lie. */
static void new_tsis_do_not_take_restored_slots(void **state)
{
	struct world *w = *state;
	struct nve_tsi tsi = { .key = tsi_key(1, 0, 1),
			       .state = NVE_TSI_ASSOCIATED,
			       .deadline_ns = NVE_NEVER_NS };

	assert_int_equal(nve_core_restore_vap(w->core, 0, 1, 100, false), 0);
	assert_int_equal(nve_core_restore_tsi(w->core, 1, &tsi, NULL), 0);
	assert_ok(associate(w, tsi_key(2, 0, 1)));
	assert_int_equal(w->answer.slot, 0);
	assert_ok(associate(w, tsi_key(3, 0, 1)));
	assert_int_equal(w->answer.slot, 2);
	assert_ok(clear(w, tsi_key(1, 0, 1)));
	assert_ok(associate(w, tsi_key(4, 0, 1)));
	assert_int_equal(w->answer.slot, 3);
}

static void refuse_tsi(struct world *w, uint32_t slot, struct nve_tsi tsi,
		       const struct nve_tsi_addr *addrs)
{
	memcpy(w->bytes, w->core->state, w->core->state_size);
	assert_int_equal(nve_core_restore_tsi(w->core, slot, &tsi, addrs), -EINVAL);
	assert_memory_equal(w->bytes, w->core->state, w->core->state_size);
}

static void a_tsi_record_that_contradicts_is_refused_and_changes_nothing(void **state)
{
	struct world *w = *state;
	struct nve_tsi_addr addrs[] = { { mac(1), false }, { mac(1), false } };
	struct nve_tsi good = { .key = tsi_key(1, 0, 1),
				.state = NVE_TSI_ASSOCIATED,
				.n_addrs = 1,
				.deadline_ns = NVE_NEVER_NS },
		       bad;

	assert_int_equal(nve_core_restore_vap(w->core, 0, 1, 100, false), 0);
	refuse_tsi(w, config.max_tsis, good, addrs);
	assert_int_equal(nve_core_restore_tsi(w->core, 0, &good, addrs), 0);
	refuse_tsi(w, 1, good, addrs); /* the same key */
	bad = good;
	bad.key = tsi_key(2, 0, 1);
	refuse_tsi(w, 0, bad, addrs); /* the same slot */
	refuse_tsi(w, 1, bad, addrs); /* the same address */
	addrs[0].addr = mac(2);
	bad.n_active = 1;
	refuse_tsi(w, 1, bad, addrs); /* counts what is not */
	addrs[0].active = true;
	refuse_tsi(w, 1, bad, addrs); /* active in Associated */
	addrs[0].active = false;
	bad.n_active = 0;
	bad.state = NVE_TSI_INIT;
	refuse_tsi(w, 1, bad, addrs);
	bad.state = NVE_TSI_ASSOCIATED;
	bad.key.vn_id = 2;
	refuse_tsi(w, 1, bad, addrs); /* no VAP */
	bad.key.vn_id = 1;
	bad.n_addrs = 2;
	addrs[1].addr = mac(2);
	refuse_tsi(w, 1, bad, addrs); /* an address twice */
	addrs[1].addr.flags = 0;
	refuse_tsi(w, 1, bad, addrs);
	addrs[1].addr = mac(3);
	assert_int_equal(nve_core_restore_tsi(w->core, 1, &bad, addrs), 0);
	nve_core_check(w->core);
}

static void tags_and_vaps_that_contradict_are_refused(void **state)
{
	struct world *w = *state;
	struct nve_tag tag = { .scope = 0, .tag = 101, .use = NVE_TAG_BOUND, .vn_id = 1 };
	struct nve_tag second = { .scope = 0, .tag = 102, .use = NVE_TAG_BOUND, .vn_id = 1 };
	struct nve_tag out = { .scope = 0, .tag = 104, .use = NVE_TAG_FREE };

	assert_int_equal(nve_core_restore_tag(w->core, &tag), 0);
	memcpy(w->bytes, w->core->state, w->core->state_size);
	assert_int_equal(nve_core_restore_tag(w->core, &tag), -EINVAL);
	assert_int_equal(nve_core_restore_tag(w->core, &second), -EINVAL);
	assert_int_equal(nve_core_restore_tag(w->core, &out), -EINVAL);
	out.scope = 7;
	assert_int_equal(nve_core_restore_tag(w->core, &out), -EINVAL);
	assert_int_equal(nve_core_restore_vap(w->core, 0, 2, 101, true), -EINVAL);
	assert_int_equal(nve_core_restore_vap(w->core, 0, 1, 102, true), -EINVAL);
	assert_int_equal(nve_core_restore_vap(w->core, 0, 1, 0, true), -EINVAL);
	assert_int_equal(nve_core_restore_vap(w->core, 9, 1, 101, true), -EINVAL);
	assert_memory_equal(w->bytes, w->core->state, w->core->state_size);
	assert_int_equal(nve_core_restore_vap(w->core, 0, 1, 101, true), 0);
	assert_int_equal(nve_core_restore_vap(w->core, 0, 1, 101, true), -EINVAL);
	nve_core_check(w->core);
}

static void a_bound_tag_whose_vap_never_comes_is_given_back(void **state)
{
	struct world *w = *state;
	struct nve_tag tag = { .scope = 0, .tag = 101, .use = NVE_TAG_BOUND, .vn_id = 1 };

	assert_int_equal(nve_core_restore_tag(w->core, &tag), 0);
	assert_int_equal(world_expire_until(w, w->now_ns), 1);
	assert_int_equal(nve_core_tag(w->core, 0, 101).use, NVE_TAG_FREE);
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, open_with_model, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_WORLD(a_restored_core_reads_as_the_old_one_did),
		IN_WORLD(a_restored_core_goes_on_as_the_old_one_does),
		IN_WORLD(a_duplicate_is_watched_again_after_a_restart),
		IN_WORLD(new_tsis_do_not_take_restored_slots),
		IN_WORLD(a_tsi_record_that_contradicts_is_refused_and_changes_nothing),
		IN_WORLD(tags_and_vaps_that_contradict_are_refused),
		IN_WORLD(a_bound_tag_whose_vap_never_comes_is_given_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
