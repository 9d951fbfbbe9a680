/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dp.h's send() on every backend: what is refused and when it waits; for the eBPF datapath also
 * what comes out.  What copies look like is tests/bpf/send_test.c's; the world is lib/dp_world.h's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/dp_world.h"

enum { WAIT_MS = 5000 };

static struct dpw w;
static const struct dpw *backend;
static const uint8_t hello[60] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,   0,   0,  0,
				   0,    1,    0x88, 0xb5, 'h',  'e',  'l', 'l', 'o' };

static int set_up(void **state)
{
	(void)state;
	dpw_open(&w, backend);
	dpw_vap(&w, A0, TAG_10, 1);
	dpw_vap(&w, A1, TAG_20, 1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dpw_close(&w);
	return 0;
}

static int send_hello(uint16_t port, uint16_t tag, enum nve_dp_send_to to)
{
	return w.ops->send(w.dp, port, tag, to, hello, sizeof(hello));
}

static void it_needs_a_vap_that_the_tables_show(void **state)
{
	const struct nve_dp_vap rests = { .port = A0, .tag = TAG_10, .quarantined = true };

	(void)state;
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_VAP), -ENOENT); /* not applied */
	dpw_apply(&w);
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_VAP), 0);
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_VN), 0);
	assert_int_equal(send_hello(A0, TAG_20, NVE_DP_SEND_VAP), -ENOENT);
	assert_int_equal(send_hello(99, TAG_10, NVE_DP_SEND_VN), -ENOENT);
	assert_int_equal(w.ops->vap_set(w.dp, &rests), 0);
	dpw_apply(&w);
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_VAP), -ENOENT);
}

static void it_takes_whole_frames_of_the_standard_size_only(void **state)
{
	uint8_t frame[NVE_DP_SEND_MAX + 1] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2 };

	(void)state;
	dpw_apply(&w);
	assert_int_equal(w.ops->send(w.dp, A0, TAG_10, NVE_DP_SEND_VAP, frame, 13), -EINVAL);
	assert_int_equal(w.ops->send(w.dp, A0, TAG_10, NVE_DP_SEND_VAP, frame, sizeof(frame)),
			 -EINVAL);
	assert_int_equal(w.ops->send(w.dp, A0, TAG_10, NVE_DP_SEND_VAP, frame, sizeof(frame) - 1),
			 0);
}

static void resolve(bool known)
{
	if (w.ops == &nve_dp_fake)
		nve_fake_unresolved(w.dp, !known);
	else if (known)
		dpw_ip("neigh replace 192.0.2.3 dev u0 lladdr 02:aa:00:00:00:03");
	else
		dpw_ip("neigh del 192.0.2.3 dev u0");
}

/* The datapath was told of the neighbor. */
static void follow(void)
{
	struct pollfd p = { .fd = w.ops->fd(w.dp), .events = POLLIN };

	for (int i = 0; i < 100 && send_hello(A0, TAG_10, NVE_DP_SEND_WHOLE_VN) != 0; i++) {
		if (w.ops == &nve_dp_fake)
			continue;
		assert_int_equal(poll(&p, 1, WAIT_MS), 1);
		w.ops->dispatch(w.dp);
	}
}

static void to_the_whole_vn_waits_until_each_vtep_can_be_reached(void **state)
{
	(void)state;
	if (w.ops == &nve_dp_fake) {
		resolve(false);
	} else { /* known from the start, a way stays in use: so it opens anew without */
		dpw_close(&w);
		resolve(false);
		set_up(state);
	}
	dpw_apply(&w);
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_WHOLE_VN), -EAGAIN);
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_VN), 0);
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_VAP), 0);
	resolve(true);
	follow();
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_WHOLE_VN), 0);
}

/* --- on the wire ----------------------------------------------------------------------------- */

static int listen_at(const char *ifname)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(ifname),
	};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	assert_return_code(fd, errno);
	assert_int_equal(
		setsockopt(fd, SOL_PACKET, 23 /* PACKET_IGNORE_OUTGOING */, &on, sizeof(on)), 0);
	assert_return_code(bind(fd, (struct sockaddr *)&at, sizeof(at)), errno);
	return fd;
}

/* Waits for a frame that ends like 'hello'. */
static bool comes(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	uint8_t frame[256];

	while (poll(&p, 1, wait_ms) == 1) {
		ssize_t n = recv(fd, frame, sizeof(frame), 0);

		assert_return_code(n, errno);
		if (n >= (ssize_t)sizeof(hello) &&
		    !memcmp(frame + n - sizeof(hello), hello, sizeof(hello)))
			return true;
	}
	return false;
}

static void what_is_sent_comes_out_where_it_shall_and_nowhere_else(void **state)
{
	int a0, a1, u0;

	(void)state;
	if (w.ops == &nve_dp_fake)
		return;
	dpw_apply(&w);
	a0 = listen_at("a0x");
	a1 = listen_at("a1x");
	u0 = listen_at("u0x");
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_VN), 0);
	assert_true(comes(u0, WAIT_MS)); /* a copy for each VTEP */
	assert_true(comes(u0, WAIT_MS));
	assert_true(comes(a1, WAIT_MS));
	assert_int_equal(send_hello(A0, TAG_10, NVE_DP_SEND_VAP), 0);
	assert_true(comes(a0, WAIT_MS));
	/* The one to a0 came last: whatever else there was would be here. */
	assert_false(comes(a0, 0));
	assert_false(comes(a1, 0));
	assert_false(comes(u0, 0));
	close(a0);
	close(a1);
	close(u0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(it_needs_a_vap_that_the_tables_show, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(it_takes_whole_frames_of_the_standard_size_only,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			to_the_whole_vn_waits_until_each_vtep_can_be_reached, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_sent_comes_out_where_it_shall_and_nowhere_else, set_up, tear_down),
	};
	int failed = 0;

	dpw_enter();
	for (size_t i = 0; i < dpw_n_backends; i++) {
		backend = &dpw_backends[i];
		failed += cmocka_run_group_tests_name(backend->name, tests, NULL, NULL);
	}
	return failed;
}
