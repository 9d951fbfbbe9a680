/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many hypervisors at once, or one greedy one, on one thread.
 *
 *   storm TARGET all N FIRST       N clients connect at once, each with a connection of its own,
 * and do Associate, Activate, Keepalive and open a Session storm TARGET again N FIRST     the same
 * after a loss: Activate, Keepalive, Session storm TARGET idle N            each opens a Session
 * alone storm TARGET polite N          one client, N Keepalives one after the other storm TARGET
 * greedy N          one client that keeps N Keepalives under way on a Session, and as many unary
 * ones
 *
 * Client i has TSI FIRST + i on port p1, in VN 100 + i % 8.  Prints one line of JSON when all are
 * done ("greedy": when it has begun), then holds what it has until stdin ends.
 */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>

#include "nve/v1/nve.pb-c.h"

enum { VNS = 8, VN_FIRST = 100, STEPS_MAX = 4, DEADLINE_S = 60, SAMPLES_MAX = 1 << 20 };

enum step { DONE, ASSOCIATE, ACTIVATE, KEEPALIVE, SESSION };

static const char *const methods[] = {
	[ASSOCIATE] = "/nve.v1.Signaling/Associate",
	[ACTIVATE] = "/nve.v1.Signaling/Activate",
	[KEEPALIVE] = "/nve.v1.Signaling/Keepalive",
	[SESSION] = "/nve.v1.Signaling/Session",
};

struct client {
	grpc_channel *channel;
	const enum step *steps;
	uint32_t tsi;
	uint32_t again; /* unary calls: so often the last step once more */
	grpc_call *call;
	grpc_byte_buffer *request, *reply;
	grpc_metadata_array initial, trailing;
	grpc_status_code code;
	grpc_slice text;
	uint64_t begun_ns;
	bool holds; /* its Session is open */
};

/* Messages of a greedy Session: one send and one receive at a time. */
struct pump {
	grpc_call *call;
	grpc_byte_buffer *out, *in;
	grpc_metadata_array initial;
	uint32_t window, under_way;
	bool sending;
	uint64_t answered;
	int send_tag, recv_tag;
};

static struct storm {
	const char *target;
	grpc_completion_queue *cq;
	uint32_t running, answered, failed, sessions;
	char first_failure[160];
	uint32_t *samples_us;
	size_t n_samples;
} storm;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "storm: %s\n", what);
	exit(1);
}

static grpc_channel *open_channel(void)
{
	grpc_arg args[] = {
		{ .type = GRPC_ARG_INTEGER,
		  .key = (char *)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL,
		  .value.integer = 1 },
		{ .type = GRPC_ARG_INTEGER,
		  .key = (char *)GRPC_ARG_ENABLE_RETRIES,
		  .value.integer = 0 },
		{ .type = GRPC_ARG_INTEGER,
		  .key = (char *)GRPC_ARG_ENABLE_HTTP_PROXY,
		  .value.integer = 0 },
	};
	grpc_channel_args list = { sizeof(args) / sizeof(args[0]), args };
	grpc_channel_credentials *creds = grpc_insecure_credentials_create();
	grpc_channel *channel = grpc_channel_create(storm.target, creds, &list);

	grpc_channel_credentials_release(creds);
	return channel;
}

static grpc_call *open_call(grpc_channel *channel, enum step step)
{
	gpr_timespec deadline = gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
					     gpr_time_from_seconds(DEADLINE_S, GPR_TIMESPAN));

	return grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, storm.cq,
					grpc_slice_from_static_string(methods[step]), NULL,
					deadline, NULL);
}

/* --- requests -------------------------------------------------------------------------------- */

static grpc_byte_buffer *pack(const ProtobufCMessage *message)
{
	grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
	grpc_byte_buffer *buffer;

	protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	buffer = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buffer;
}

/* 'id' 0: not on a Session. */
static grpc_byte_buffer *make_request(enum step step, uint32_t tsi, uint64_t id)
{
	uint8_t tsi_id[16] = {
		's', 't', 'o', 'r', 'm', [12] = tsi >> 24, tsi >> 16, tsi >> 8, tsi
	};
	uint8_t mac[6] = { 0x02, 0x55, tsi >> 24, tsi >> 16, tsi >> 8, tsi };
	Nve__V1__VnRef vn = NVE__V1__VN_REF__INIT;
	Nve__V1__TsiKey key = NVE__V1__TSI_KEY__INIT, *keys[] = { &key };
	Nve__V1__Address address = NVE__V1__ADDRESS__INIT, *addresses[] = { &address };
	Nve__V1__AssociateRequest associate = NVE__V1__ASSOCIATE_REQUEST__INIT;
	Nve__V1__ActivateRequest activate = NVE__V1__ACTIVATE_REQUEST__INIT;
	Nve__V1__KeepaliveRequest keepalive = NVE__V1__KEEPALIVE_REQUEST__INIT;
	Nve__V1__SessionRequest session = NVE__V1__SESSION_REQUEST__INIT;

	vn.vn_case = NVE__V1__VN_REF__VN_ID;
	vn.id = VN_FIRST + tsi % VNS;
	key.tsi_id = (ProtobufCBinaryData){ sizeof(tsi_id), tsi_id };
	key.port = (char *)"p1";
	key.vn = &vn;
	address.mac = (ProtobufCBinaryData){ sizeof(mac), mac };
	if (step == ASSOCIATE) {
		associate.tsi = &key;
		associate.n_addresses = 1;
		associate.addresses = addresses;
		return pack(&associate.base);
	}
	if (step == ACTIVATE) {
		activate.tsi = &key;
		return pack(&activate.base);
	}
	keepalive.n_tsis = 1;
	keepalive.tsis = keys;
	if (!id)
		return pack(&keepalive.base);
	session.request_id = id;
	session.request_case = NVE__V1__SESSION_REQUEST__REQUEST_KEEPALIVE;
	session.keepalive = &keepalive;
	return pack(&session.base);
}

/* --- clients --------------------------------------------------------------------------------- */

static void begin(struct client *c)
{
	enum step step = *c->steps;
	grpc_op ops[6] = { { .op = GRPC_OP_SEND_INITIAL_METADATA,
			     .flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY },
			   { .op = GRPC_OP_RECV_INITIAL_METADATA },
			   { .op = GRPC_OP_RECV_MESSAGE },
			   { .op = GRPC_OP_SEND_MESSAGE },
			   { .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT },
			   { .op = GRPC_OP_RECV_STATUS_ON_CLIENT } };

	c->call = open_call(c->channel, step);
	c->begun_ns = now_ns();
	grpc_metadata_array_init(&c->initial);
	grpc_metadata_array_init(&c->trailing);
	ops[1].data.recv_initial_metadata.recv_initial_metadata = &c->initial;
	ops[2].data.recv_message.recv_message = &c->reply;
	if (step != SESSION) {
		c->request = make_request(step, c->tsi, 0);
		ops[3].data.send_message.send_message = c->request;
		ops[5].data.recv_status_on_client.trailing_metadata = &c->trailing;
		ops[5].data.recv_status_on_client.status = &c->code;
		ops[5].data.recv_status_on_client.status_details = &c->text;
	}
	if (grpc_call_start_batch(c->call, ops, step == SESSION ? 3 : 6, c, NULL) != GRPC_CALL_OK)
		die("a call cannot be made");
}

static void note_failure(const struct client *c)
{
	if (!storm.failed++)
		snprintf(storm.first_failure, sizeof(storm.first_failure), "%s: code %d: %.*s",
			 methods[*c->steps], c->code, (int)GRPC_SLICE_LENGTH(c->text),
			 (const char *)GRPC_SLICE_START_PTR(c->text));
}

static void release(struct client *c)
{
	grpc_metadata_array_destroy(&c->initial);
	grpc_metadata_array_destroy(&c->trailing);
	if (c->request)
		grpc_byte_buffer_destroy(c->request);
	grpc_slice_unref(c->text);
	c->text = grpc_empty_slice();
	c->request = NULL;
	if (!c->holds)
		grpc_call_unref(c->call);
}

static void step_done(struct client *c)
{
	bool ok = *c->steps == SESSION ? c->reply != NULL : c->code == GRPC_STATUS_OK;

	if (storm.n_samples < SAMPLES_MAX)
		storm.samples_us[storm.n_samples++] = (uint32_t)((now_ns() - c->begun_ns) / 1000);
	storm.answered += ok;
	if (!ok)
		note_failure(c);
	c->holds = ok && *c->steps == SESSION;
	storm.sessions += c->holds;
	if (c->reply)
		grpc_byte_buffer_destroy(c->reply);
	c->reply = NULL;
	release(c);
	if (c->again > 0)
		c->again--;
	else
		c->steps++;
	if (*c->steps != DONE)
		begin(c);
	else
		storm.running--;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static double quantile_ms(double q)
{
	if (!storm.n_samples)
		return 0;
	return storm.samples_us[(size_t)(q * (double)(storm.n_samples - 1))] / 1000.0;
}

static void report(uint64_t begun_ns)
{
	qsort(storm.samples_us, storm.n_samples, sizeof(storm.samples_us[0]), by_size);
	printf("{\"answered\": %u, \"failed\": %u, \"sessions\": %u, \"seconds\": %.3f, "
	       "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"first_failure\": \"%s\"}\n",
	       storm.answered, storm.failed, storm.sessions, (now_ns() - begun_ns) / 1e9,
	       quantile_ms(0.5), quantile_ms(0.99), quantile_ms(1), storm.first_failure);
	fflush(stdout);
}

static grpc_event next_event(void)
{
	return grpc_completion_queue_next(storm.cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

static void run_clients(uint32_t n, uint32_t first, const enum step *steps, uint32_t again)
{
	struct client *clients = calloc(n, sizeof(*clients));
	uint64_t begun_ns = now_ns();

	if (!clients)
		die("no memory");
	for (uint32_t i = 0; i < n; i++) {
		clients[i] = (struct client){ .channel = open_channel(),
					      .steps = steps,
					      .tsi = first + i,
					      .again = again,
					      .text = grpc_empty_slice() };
		storm.running++;
		begin(&clients[i]);
	}
	while (storm.running > 0)
		step_done(next_event().tag);
	report(begun_ns);
}

/* --- the greedy one -------------------------------------------------------------------------- */

static void pump_send(struct pump *p)
{
	grpc_op op = { .op = GRPC_OP_SEND_MESSAGE };

	if (p->sending || p->under_way >= p->window)
		return;
	p->under_way++;
	p->out = make_request(KEEPALIVE, 1, p->answered + p->under_way);
	op.data.send_message.send_message = p->out;
	p->sending = grpc_call_start_batch(p->call, &op, 1, &p->send_tag, NULL) == GRPC_CALL_OK;
}

static void pump_receive(struct pump *p)
{
	grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };

	op.data.recv_message.recv_message = &p->in;
	if (grpc_call_start_batch(p->call, &op, 1, &p->recv_tag, NULL) != GRPC_CALL_OK)
		die("the Session cannot be read");
}

static void pump_open(struct pump *p, grpc_channel *channel)
{
	grpc_op ops[3] = { { .op = GRPC_OP_SEND_INITIAL_METADATA },
			   { .op = GRPC_OP_RECV_INITIAL_METADATA },
			   { .op = GRPC_OP_RECV_MESSAGE } };

	p->call = open_call(channel, SESSION);
	grpc_metadata_array_init(&p->initial);
	ops[1].data.recv_initial_metadata.recv_initial_metadata = &p->initial;
	ops[2].data.recv_message.recv_message = &p->in;
	if (grpc_call_start_batch(p->call, ops, 3, &p->recv_tag, NULL) != GRPC_CALL_OK)
		die("the Session cannot be opened");
	p->under_way = 1; /* the Welcome */
	pump_send(p);
}

static void pump_event(struct pump *p, const int *tag)
{
	if (tag == &p->send_tag) {
		grpc_byte_buffer_destroy(p->out);
		p->sending = false;
	} else {
		if (!p->in)
			die("the Session has ended");
		grpc_byte_buffer_destroy(p->in);
		p->in = NULL;
		p->answered++;
		p->under_way--;
		pump_receive(p);
	}
	pump_send(p);
}

static bool stdin_ended(void)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

/* What is refused is asked again at once: that is what greed is. */
static void run_greedy(uint32_t n)
{
	static const enum step steps[] = { KEEPALIVE, DONE };
	struct client *clients = calloc(n, sizeof(*clients));
	grpc_channel *channel = open_channel();
	struct pump pump = { .window = n };
	uint64_t begun_ns = now_ns();

	if (!clients)
		die("no memory");
	pump_open(&pump, channel);
	for (uint32_t i = 0; i < n; i++) {
		clients[i] = (struct client){ .channel = channel,
					      .steps = steps,
					      .tsi = i,
					      .again = UINT32_MAX,
					      .text = grpc_empty_slice() };
		begin(&clients[i]);
	}
	report(begun_ns);
	while (!stdin_ended()) {
		const int *tag = next_event().tag;

		if (tag == &pump.send_tag || tag == &pump.recv_tag)
			pump_event(&pump, tag);
		else
			step_done((struct client *)tag);
	}
	storm.answered += pump.answered;
	report(begun_ns);
}

int main(int argc, char **argv)
{
	static const enum step all[] = { ASSOCIATE, ACTIVATE, KEEPALIVE, SESSION, DONE };
	static const enum step idle[] = { SESSION, DONE }, keep[] = { KEEPALIVE, DONE };
	uint32_t n = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 0;
	uint32_t first = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : 0;
	char byte;

	if (!n)
		die("usage: storm TARGET all|again|idle|polite|greedy N [FIRST]");
	storm.target = argv[1];
	storm.samples_us = calloc(SAMPLES_MAX, sizeof(*storm.samples_us));
	if (!storm.samples_us)
		die("no memory");
	setrlimit(RLIMIT_NOFILE, &(struct rlimit){ 16384, 16384 });
	setenv("GRPC_VERBOSITY", "NONE", 0);
	grpc_init();
	storm.cq = grpc_completion_queue_create_for_next(NULL);
	if (!strcmp(argv[2], "greedy"))
		run_greedy(n);
	else if (!strcmp(argv[2], "polite"))
		run_clients(1, first, keep, n - 1);
	else
		run_clients(n, first,
			    !strcmp(argv[2], "idle")    ? idle
			    : !strcmp(argv[2], "again") ? all + 1
							: all,
			    0);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	fflush(stdout);
	_exit(0); /* whatever is open ends as with a process that dies */
}
