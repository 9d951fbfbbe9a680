/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The frame library itself: known bytes, known checksums, and a comparer that rejects.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "lib/frame.h"

static struct frame tunnel(uint32_t vni)
{
	return FRAME(eth(.dst = "02:00:00:00:00:02", .src = "02:00:00:00:00:01"),
		     ipv4(.src = "192.0.2.1", .dst = "192.0.2.2"), udp(.sport = 1, .dport = 4789),
		     vxlan(.vni = vni), text("inside"));
}

static void a_frame_equals_itself(void **state)
{
	struct frame a = tunnel(100), b = tunnel(100);

	(void)state;
	assert_true(frame_equal(&a, &b));
}

static void the_comparer_rejects_a_change_of_any_bit(void **state)
{
	struct frame want = tunnel(100), got;

	(void)state;
	for (size_t i = 0; i < want.len * 8; i++) {
		got = want;
		got.bytes[i / 8] ^= 1 << i % 8;
		assert_false(frame_equal(&got, &want));
	}
}

static void the_comparer_rejects_another_length(void **state)
{
	struct frame want = tunnel(100), got = want;

	(void)state;
	got.len--;
	assert_false(frame_equal(&got, &want));
	got.len += 2;
	assert_false(frame_equal(&got, &want));
}

/* The example of RFC 1071's checksum in an IPv4 header that everybody quotes. */
static void the_ipv4_checksum_is_right(void **state)
{
	struct frame f =
		FRAME(eth(.type = 0x0800), ipv4(.src = "192.168.0.1", .dst = "192.168.0.199",
						.proto = 17, .frag = 0x4000, .extra_len = 95));

	(void)state;
	assert_int_equal(f.bytes[14 + 3], 0x73);
	assert_int_equal(f.bytes[14 + 10], 0xb8);
	assert_int_equal(f.bytes[14 + 11], 0x61);
}

static void layers_fill_in_what_follows_from_each_other(void **state)
{
	static const uint8_t want[] = {
		2, 0, 0, 0, 0, 2, 2, 0, 0, 0,  0, 1, 0x81, 0, 0xa0, 10, 0x08, 0x06, 0, 1,  8, 0, 6,
		4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1,    0, 0,    0,  0,    0,    0, 10, 0, 0, 2,
	};
	struct frame f = FRAME(eth(.dst = "02:00:00:00:00:02", .src = "02:00:00:00:00:01"),
			       vlan(.vid = 10, .pcp = 5),
			       arp(.sender_mac = "02:00:00:00:00:01", .sender_ip = "10.0.0.1",
				   .target_ip = "10.0.0.2"));

	(void)state;
	assert_int_equal(f.len, sizeof(want));
	assert_memory_equal(f.bytes, want, sizeof(want));
}

static void taking_a_tag_off_undoes_putting_it_on(void **state)
{
	struct frame plain = tunnel(5), tagged = frame_tag(&plain, 3, 77), back;

	(void)state;
	back = frame_untag(&tagged);
	assert_int_equal(tagged.len, plain.len + 4);
	assert_false(frame_equal(&tagged, &plain));
	assert_true(frame_equal(&back, &plain));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_equals_itself),
		cmocka_unit_test(the_comparer_rejects_a_change_of_any_bit),
		cmocka_unit_test(the_comparer_rejects_another_length),
		cmocka_unit_test(the_ipv4_checksum_is_right),
		cmocka_unit_test(layers_fill_in_what_follows_from_each_other),
		cmocka_unit_test(taking_a_tag_off_undoes_putting_it_on),
	};

	frame_quiet = true;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
