/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hypervisor in a hurry: one Session, so many requests outstanding.  TSI i is in VN first_vn + i
 *% vns, on port p1, with three addresses.
 *
 *	fill  each TSI Activated (or, with associate=1, Associated) with its addresses
 *	flip  all TSIs Activated, all Deactivated, and so on for so many seconds
 *	keep  a Keepalive of all TSIs, 512 in a request
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/control/control.h"

enum { SAMPLES = 1 << 22, WINDOW_MAX = 4096, BATCH = 512, ADDRS = 3 };

static const struct control *conf;
static grpc_completion_queue *cq;
static grpc_call *call;
static char begun_tag, received_tag, sent_tag, status_tag;
static grpc_byte_buffer *incoming, *outgoing;
static uint64_t asked, answered, refused, at_ns[WINDOW_MAX];
static uint32_t *samples;
static uint64_t end_ns, total;
static bool welcome, sending;

static void batch(const grpc_op *ops, size_t n, void *tag)
{
	if (grpc_call_start_batch(call, ops, n, tag, NULL) != GRPC_CALL_OK)
		control_die("a batch was refused");
}

static void receive(void)
{
	grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };

	op.data.recv_message.recv_message = &incoming;
	batch(&op, 1, &received_tag);
}

/* --- messages --------------------------------------------------------------------------------- */

struct names {
	Nve__V1__VnRef vn;
	Nve__V1__TsiKey key;
	uint8_t id[16], mac[ADDRS][6], ip[ADDRS][16];
	Nve__V1__Address addr[ADDRS], *addrs[ADDRS];
};

static void name(struct names *n, uint32_t i)
{
	nve__v1__vn_ref__init(&n->vn);
	n->vn.vn_case = NVE__V1__VN_REF__VN_ID;
	n->vn.id = conf->first_vn + i % conf->vns;
	nve__v1__tsi_key__init(&n->key);
	memcpy(n->id, "nved-bench\0\0", 12);
	memcpy(n->id + 12, &i, sizeof(i));
	n->key.tsi_id = (ProtobufCBinaryData){ sizeof(n->id), n->id };
	n->key.port = (char *)"p1";
	n->key.vn = &n->vn;
}

/* A MAC with IPv4, the same with IPv6, and a second MAC. */
static void address(struct names *n, uint32_t i)
{
	for (int k = 0; k < ADDRS; k++) {
		size_t len = (size_t[]){ 4, 16, 0 }[k];

		memcpy(n->mac[k], (uint8_t[]){ 2, k == 2, 0, 0, 0, 0 }, 6);
		memcpy(n->mac[k] + 2, &i, sizeof(i));
		memcpy(n->ip[k], len == 4 ? "\x0a" : "\xfd", 1);
		memset(n->ip[k] + 1, 0, sizeof(n->ip[k]) - 1);
		for (int b = 0; len && b < 3; b++)
			n->ip[k][len - 1 - b] = (uint8_t)(i >> 8 * b);
		nve__v1__address__init(&n->addr[k]);
		n->addr[k].mac = (ProtobufCBinaryData){ 6, n->mac[k] };
		n->addr[k].ip = (ProtobufCBinaryData){ len, n->ip[k] };
		n->addrs[k] = &n->addr[k];
	}
}

static grpc_byte_buffer *pack(Nve__V1__SessionRequest *rq, uint64_t k)
{
	rq->request_id = k + 1;
	return control_pack(&rq->base);
}

static grpc_byte_buffer *fill(uint64_t k)
{
	Nve__V1__SessionRequest rq = NVE__V1__SESSION_REQUEST__INIT;
	Nve__V1__ActivateRequest activate = NVE__V1__ACTIVATE_REQUEST__INIT;
	Nve__V1__AssociateRequest associate = NVE__V1__ASSOCIATE_REQUEST__INIT;
	struct names n;

	name(&n, conf->first_tsi + (uint32_t)k);
	address(&n, conf->first_tsi + (uint32_t)k);
	if (conf->associate) {
		associate.tsi = &n.key;
		associate.n_addresses = ADDRS;
		associate.addresses = n.addrs;
		rq.request_case = NVE__V1__SESSION_REQUEST__REQUEST_ASSOCIATE;
		rq.associate = &associate;
	} else {
		activate.tsi = &n.key;
		activate.n_addresses = ADDRS;
		activate.addresses = n.addrs;
		rq.request_case = NVE__V1__SESSION_REQUEST__REQUEST_ACTIVATE;
		rq.activate = &activate;
	}
	return pack(&rq, k);
}

static grpc_byte_buffer *flip(uint64_t k)
{
	Nve__V1__SessionRequest rq = NVE__V1__SESSION_REQUEST__INIT;
	Nve__V1__ActivateRequest activate = NVE__V1__ACTIVATE_REQUEST__INIT;
	Nve__V1__DeactivateRequest deactivate = NVE__V1__DEACTIVATE_REQUEST__INIT;
	struct names n;

	name(&n, conf->first_tsi + (uint32_t)(k % conf->tsis));
	if (k / conf->tsis % 2) {
		deactivate.tsi = &n.key;
		rq.request_case = NVE__V1__SESSION_REQUEST__REQUEST_DEACTIVATE;
		rq.deactivate = &deactivate;
	} else {
		activate.tsi = &n.key;
		rq.request_case = NVE__V1__SESSION_REQUEST__REQUEST_ACTIVATE;
		rq.activate = &activate;
	}
	return pack(&rq, k);
}

static grpc_byte_buffer *keep(uint64_t k)
{
	static struct names n[BATCH];
	Nve__V1__TsiKey *keys[BATCH];
	Nve__V1__SessionRequest rq = NVE__V1__SESSION_REQUEST__INIT;
	Nve__V1__KeepaliveRequest keepalive = NVE__V1__KEEPALIVE_REQUEST__INIT;

	keepalive.tsis = keys;
	for (uint32_t i = (uint32_t)k * BATCH; i < conf->tsis && keepalive.n_tsis < BATCH; i++) {
		name(&n[keepalive.n_tsis], conf->first_tsi + i);
		keys[keepalive.n_tsis] = &n[keepalive.n_tsis].key;
		keepalive.n_tsis++;
	}
	rq.request_case = NVE__V1__SESSION_REQUEST__REQUEST_KEEPALIVE;
	rq.keepalive = &keepalive;
	return pack(&rq, k);
}

/* Events of a port that no TSI is on: none. */
static grpc_byte_buffer *hello(void)
{
	Nve__V1__SessionRequest rq = NVE__V1__SESSION_REQUEST__INIT;
	Nve__V1__Hello h = NVE__V1__HELLO__INIT;
	char *port = (char *)"quiet";

	h.client = (char *)"bench";
	h.n_ports = conf->events ? 0 : 1;
	h.ports = &port;
	rq.request_case = NVE__V1__SESSION_REQUEST__REQUEST_HELLO;
	rq.hello = &h;
	rq.request_id = UINT64_MAX;
	return control_pack(&rq.base);
}

static const struct {
	const char *what;
	grpc_byte_buffer *(*make)(uint64_t k);
} kinds[] = { { "fill", fill }, { "flip", flip }, { "keep", keep } };
static grpc_byte_buffer *(*make)(uint64_t k);

/* --- the stream ------------------------------------------------------------------------------- */

static bool more(void)
{
	return asked < total && control_ns() < end_ns;
}

static void send_message(grpc_byte_buffer *message, bool gather)
{
	grpc_op op = { .op = GRPC_OP_SEND_MESSAGE };

	outgoing = message;
	op.data.send_message.send_message = outgoing;
	op.flags = gather ? GRPC_WRITE_BUFFER_HINT : 0;
	batch(&op, 1, &sent_tag);
	sending = true;
}

static void send_next(void)
{
	static size_t gathered;
	bool gather;

	if (sending || !welcome || asked - answered >= conf->outstanding || !more())
		return;
	at_ns[asked % WINDOW_MAX] = control_ns();
	gather = asked + 1 - answered < conf->outstanding && asked + 1 < total &&
		 ++gathered % 64 != 0;
	send_message(make(asked++), gather);
}

static void take(const Nve__V1__Answer *a)
{
	uint64_t k = a->request_id - 1;

	if (a->request_id == UINT64_MAX) { /* Hello's */
		welcome = true;
		end_ns = control_ns() + conf->seconds * UINT64_C(1000000000);
		return;
	}
	if (a->status && !refused++)
		fprintf(stderr, "bench-control: request %llu: %s\n", (unsigned long long)k,
			a->status->message);
	if (answered < SAMPLES)
		samples[answered] = (uint32_t)(control_ns() - at_ns[k % WINDOW_MAX]);
	answered++;
}

static void received(void)
{
	static uint8_t data[CONTROL_MESSAGE_MAX];
	Nve__V1__SessionReply *reply;

	if (!incoming)
		control_die("the Session ended after %llu answers", (unsigned long long)answered);
	reply = nve__v1__session_reply__unpack(NULL, control_bytes(incoming, data), data);
	if (!reply)
		control_die("a reply cannot be unpacked");
	if (reply->reply_case == NVE__V1__SESSION_REPLY__REPLY_ANSWER)
		take(reply->answer);
	nve__v1__session_reply__free_unpacked(reply, NULL);
	grpc_byte_buffer_destroy(incoming);
	incoming = NULL;
	send_next();
	receive();
}

static void sent(void)
{
	grpc_byte_buffer_destroy(outgoing);
	sending = false;
	send_next();
}

static void run(void)
{
	uint64_t idle_end = control_ns() + UINT64_C(60000000000);

	while (!welcome || more() || asked != answered || sending) {
		grpc_event ev =
			grpc_completion_queue_next(cq, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);

		if (control_ns() > idle_end + conf->seconds * UINT64_C(1000000000))
			control_die("no end after %u s and a minute", conf->seconds);
		if (ev.type != GRPC_OP_COMPLETE || (!ev.success && ev.tag != &status_tag))
			control_die("the Session is broken");
		if (ev.tag == &begun_tag)
			receive();
		else if (ev.tag == &received_tag)
			received();
		else if (ev.tag == &sent_tag)
			sent();
	}
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static void print(uint64_t took_ns)
{
	size_t n = answered < SAMPLES ? answered : SAMPLES;

	if (!n)
		control_die("nothing was answered");
	qsort(samples, n, sizeof(samples[0]), by_size);
	printf("{\"requests\": %llu, \"refused\": %llu, \"seconds\": %.3f, \"rate\": %.0f, "
	       "\"p50_us\": %.1f, \"p99_us\": %.1f}\n",
	       (unsigned long long)answered, (unsigned long long)refused, took_ns / 1e9,
	       answered / (took_ns / 1e9), samples[n / 2] / 1e3, samples[n * 99 / 100] / 1e3);
}

static void connect_session(void)
{
	grpc_channel_credentials *creds = control_channel_creds(conf);
	grpc_arg name_arg = { .type = GRPC_ARG_STRING,
			      .key = (char *)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG,
			      .value.string = (char *)"localhost" };
	grpc_channel *channel = grpc_channel_create(
		conf->address, creds, &(grpc_channel_args){ conf->ca ? 1 : 0, &name_arg });
	static grpc_metadata_array initial, trailing;
	static grpc_status_code code;
	static grpc_slice details;
	grpc_op ops[2] = { { .op = GRPC_OP_SEND_INITIAL_METADATA },
			   { .op = GRPC_OP_RECV_INITIAL_METADATA } };
	grpc_op status = { .op = GRPC_OP_RECV_STATUS_ON_CLIENT };

	grpc_channel_credentials_release(creds);
	call = grpc_channel_create_call(channel, NULL, GRPC_PROPAGATE_DEFAULTS, cq,
					grpc_slice_from_static_string(CONTROL_METHOD), NULL,
					gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
	ops[1].data.recv_initial_metadata.recv_initial_metadata = &initial;
	status.data.recv_status_on_client.trailing_metadata = &trailing;
	status.data.recv_status_on_client.status = &code;
	status.data.recv_status_on_client.status_details = &details;
	batch(&status, 1, &status_tag);
	batch(ops, 2, &begun_tag);
	send_message(hello(), false);
}

int control_load(const struct control *c)
{
	conf = c;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(c->what, kinds[i].what))
			make = kinds[i].make;
	samples = calloc(SAMPLES, sizeof(samples[0]));
	if (!make || !samples || !c->outstanding || c->outstanding > WINDOW_MAX)
		control_die("what=fill, flip or keep; outstanding=1..%d", WINDOW_MAX);
	total = make == flip ? UINT64_MAX : make == fill ? c->tsis : (c->tsis + BATCH - 1) / BATCH;
	end_ns = UINT64_MAX;
	cq = grpc_completion_queue_create_for_next(NULL);
	connect_session();
	run();
	print(control_ns() - (end_ns - c->seconds * UINT64_C(1000000000)));
	return refused ? 1 : 0;
}
