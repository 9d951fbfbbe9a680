/* SPDX-License-Identifier: Apache-2.0 */
/* Clients share the engine's thread, and what each has under way is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/clients.h"

enum { WORK = 1000 };

struct job {
	struct nve_work work; /* first */
	int of;
};

static struct job jobs[8][WORK];

static void push(struct nve_fair *fair, struct nve_source *source, int of, int n, uint32_t cost)
{
	for (int i = 0; i < n; i++) {
		jobs[of][i] = (struct job){ { .cost = cost }, of };
		nve_fair_push(fair, source, &jobs[of][i].work);
	}
}

/* Takes 'n' pieces; how many were of each. */
static void take(struct nve_fair *fair, int n, int counts[8])
{
	memset(counts, 0, 8 * sizeof(counts[0]));
	for (int i = 0; i < n; i++) {
		struct job *job = (struct job *)nve_fair_take(fair);

		assert_non_null(job);
		counts[job->of]++;
	}
}

static void a_newcomer_waits_for_one_share_of_each_other_at_most(void **state)
{
	struct nve_flow flows[3] = { 0 };
	struct nve_source sources[3] = { { .flow = &flows[0] },
					 { .flow = &flows[1] },
					 { .flow = &flows[2] } };
	struct nve_fair fair;
	int counts[8];

	(void)state;
	nve_fair_init(&fair);
	push(&fair, &sources[0], 0, WORK, 1);
	push(&fair, &sources[1], 1, WORK, 1);
	take(&fair, 100, counts);
	push(&fair, &sources[2], 2, 1, 1);
	take(&fair, 2 * NVE_FAIR_QUANTUM + 1, counts);
	assert_int_equal(counts[2], 1);
	take(&fair, 1000, counts);
	assert_true(abs(counts[0] - counts[1]) <= 2 * NVE_FAIR_QUANTUM);
}

static void a_client_with_many_streams_gets_no_more_than_one_with_one(void **state)
{
	struct nve_flow flows[2] = { 0 };
	struct nve_source sources[6] = { 0 };
	struct nve_fair fair;
	int counts[8];

	(void)state;
	nve_fair_init(&fair);
	for (int i = 0; i < 6; i++) {
		sources[i].flow = &flows[i == 5];
		push(&fair, &sources[i], i, WORK, 1);
	}
	take(&fair, 1600, counts);
	assert_in_range(counts[5], 800 - NVE_FAIR_QUANTUM, 800 + NVE_FAIR_QUANTUM);
	for (int i = 0; i < 5; i++) /* and its own streams share alike */
		assert_in_range(counts[i], 160 - NVE_FAIR_QUANTUM, 160 + NVE_FAIR_QUANTUM);
}

static void dear_work_is_paid_for_with_turns(void **state)
{
	struct nve_flow flows[2] = { 0 };
	struct nve_source dear = { .flow = &flows[0] }, cheap = { .flow = &flows[1] };
	struct nve_fair fair;
	int counts[8];

	(void)state;
	nve_fair_init(&fair);
	push(&fair, &dear, 0, 20, 1000); /* counts as the most there is */
	push(&fair, &cheap, 1, WORK, 0); /* counts as one */
	take(&fair, 660, counts);
	assert_in_range(counts[0], 8, 12);
}

static void work_of_a_source_is_done_in_order_and_all_of_it(void **state)
{
	struct nve_flow flow = { 0 };
	struct nve_source a = { .flow = &flow }, b = { 0 }; /* b: the server's own */
	struct nve_fair fair;
	int next[2] = { 0 };

	(void)state;
	nve_fair_init(&fair);
	for (int round = 0; round < 3; round++) {
		next[0] = next[1] = 0;
		push(&fair, &a, 0, 100, 3);
		push(&fair, &b, 1, 100, 50);
		for (int i = 0; i < 200; i++) {
			struct job *job = (struct job *)nve_fair_take(&fair);

			assert_ptr_equal(job, &jobs[job->of][next[job->of]++]);
		}
		assert_null(nve_fair_take(&fair));
		assert_true(nve_fair_empty(&fair));
	}
}

static struct nve_peer peer(enum nve_peer_kind kind, const char *identity)
{
	struct nve_peer p = { .kind = (uint8_t)kind };

	snprintf(p.identity, sizeof(p.identity), "%s", identity);
	return p;
}

static void an_identity_is_one_client_whatever_its_connections(void **state)
{
	const struct nve_client_limits limits = { .connections = 2, .streams = 2, .calls = 1 };
	struct nve_peer tls = peer(NVE_PEER_TLS, "tls:dns:hv1"),
			other = peer(NVE_PEER_UNIX, "unix:1");
	struct nve_conn *a, *b, *c;
	struct nve_client_full full;
	struct nve_clients clients;

	(void)state;
	nve_clients_init(&clients, &limits);
	a = nve_clients_enter(&clients, &tls, "fd:7", NVE_USE_STREAM, &full);
	b = nve_clients_enter(&clients, &tls, "fd:8", NVE_USE_STREAM, &full);
	assert_non_null(a);
	assert_non_null(b);
	assert_ptr_equal(a->client, b->client);
	assert_null(nve_clients_enter(&clients, &tls, "fd:9", NVE_USE_CALL, &full));
	assert_string_equal(full.resource, "client.connections");
	assert_null(nve_clients_enter(&clients, &tls, "fd:8", NVE_USE_STREAM, &full));
	assert_string_equal(full.resource, "client.streams");
	assert_int_equal(full.used, 2);
	c = nve_clients_enter(&clients, &tls, "fd:8", NVE_USE_CALL, &full);
	assert_ptr_equal(c, b);
	assert_null(nve_clients_enter(&clients, &tls, "fd:8", NVE_USE_CALL, &full));
	assert_string_equal(full.resource, "client.calls");
	nve_clients_leave(&clients, a, NVE_USE_STREAM);
	/* The number of a connection that has ended may be another client's next one. */
	a = nve_clients_enter(&clients, &other, "fd:8", NVE_USE_CALL, &full);
	assert_non_null(a);
	assert_ptr_not_equal(a->client, b->client);
	nve_clients_leave(&clients, a, NVE_USE_CALL);
	nve_clients_leave(&clients, b, NVE_USE_STREAM);
	nve_clients_leave(&clients, c, NVE_USE_CALL);
	assert_int_equal(clients.n_clients + clients.n_conns, 0);
	nve_clients_free(&clients);
}

static void where_nothing_is_proven_each_connection_is_a_client(void **state)
{
	const struct nve_client_limits limits = { .calls = 1, .bytes = 100 };
	struct nve_peer who = peer(NVE_PEER_LOOPBACK, "loopback");
	struct nve_client_full full;
	struct nve_clients clients;
	struct nve_conn *a, *b;

	(void)state;
	nve_clients_init(&clients, &limits);
	a = nve_clients_enter(&clients, &who, "ipv4:127.0.0.1:1", NVE_USE_STREAM, &full);
	b = nve_clients_enter(&clients, &who, "ipv4:127.0.0.1:2", NVE_USE_STREAM, &full);
	assert_ptr_not_equal(a->client, b->client);
	nve_clients_take(&clients, a, 100);
	assert_true(nve_clients_heavy(&clients, a, &full));
	assert_false(nve_clients_heavy(&clients, b, &full));
	assert_null(nve_clients_enter(&clients, &who, "ipv4:127.0.0.1:1", NVE_USE_CALL, &full));
	assert_string_equal(full.resource, "client.bytes");
	nve_clients_give(&clients, a, 1);
	assert_false(nve_clients_heavy(&clients, a, &full));
	nve_clients_give(&clients, a, 99);
	nve_clients_leave(&clients, a, NVE_USE_STREAM);
	nve_clients_leave(&clients, b, NVE_USE_STREAM);
	assert_int_equal(clients.bytes, 0);
	nve_clients_free(&clients);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_newcomer_waits_for_one_share_of_each_other_at_most),
		cmocka_unit_test(a_client_with_many_streams_gets_no_more_than_one_with_one),
		cmocka_unit_test(dear_work_is_paid_for_with_turns),
		cmocka_unit_test(work_of_a_source_is_done_in_order_and_all_of_it),
		cmocka_unit_test(an_identity_is_one_client_whatever_its_connections),
		cmocka_unit_test(where_nothing_is_proven_each_connection_is_a_client),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
