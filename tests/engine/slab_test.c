/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine_slab.h"

struct object {
	uint32_t number;
	uint64_t payload;
};

enum { MANY = 3 * NVE_SLAB_CHUNK + 7 };

static void objects_stay_where_they_are_while_the_slab_grows(void **state)
{
	struct nve_slab slab = { .size = sizeof(struct object) };
	struct object *first;

	(void)state;
	for (uint32_t i = 1; i <= MANY; i++) {
		struct object *o;

		assert_int_equal(nve_slab_take(&slab), i);
		o = nve_slab_at(&slab, i);
		assert_int_equal(o->number, 0);
		assert_int_equal(o->payload, 0);
		*o = (struct object){ i, ~(uint64_t)i };
	}
	first = nve_slab_at(&slab, 1);
	for (uint32_t i = 1; i <= MANY; i++) {
		struct object *o = nve_slab_at(&slab, i);

		assert_int_equal(o->number, i);
		assert_int_equal(o->payload, ~(uint64_t)i);
	}
	assert_ptr_equal(nve_slab_at(&slab, 1), first);
	nve_slab_clear(&slab);
}

static void what_is_given_back_is_taken_again_zeroed_before_anything_new(void **state)
{
	struct nve_slab slab = { .size = sizeof(struct object) };
	uint32_t a, b;

	(void)state;
	for (int i = 0; i < 10; i++)
		((struct object *)nve_slab_at(&slab, nve_slab_take(&slab)))->payload = 99;
	nve_slab_give(&slab, 3);
	nve_slab_give(&slab, 7);
	a = nve_slab_take(&slab);
	b = nve_slab_take(&slab);
	assert_int_equal(a, 7);
	assert_int_equal(b, 3);
	assert_int_equal(((struct object *)nve_slab_at(&slab, a))->payload, 0);
	assert_int_equal(nve_slab_take(&slab), 11);
	nve_slab_clear(&slab);
}

static void number_0_is_no_object_and_a_cleared_slab_begins_again(void **state)
{
	struct nve_slab slab = { .size = sizeof(struct object) };

	(void)state;
	assert_null(nve_slab_at(&slab, 0));
	assert_int_equal(nve_slab_take(&slab), 1);
	nve_slab_clear(&slab);
	assert_int_equal(nve_slab_take(&slab), 1);
	nve_slab_clear(&slab);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_stay_where_they_are_while_the_slab_grows),
		cmocka_unit_test(what_is_given_back_is_taken_again_zeroed_before_anything_new),
		cmocka_unit_test(number_0_is_no_object_and_a_cleared_slab_begins_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
