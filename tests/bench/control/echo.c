/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent is compared with: the least that a server on gRPC C core can do for a Session.  It
 * unpacks each request and packs an answer of the size that the agent's has, and nothing between.
 * One thread; messages gathered as the agent gathers them, so that it is not slower than need be.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/control/control.h"

enum { QUEUE = 4096 };

struct stream {
	grpc_call *call;
	grpc_metadata_array metadata;
	gpr_timespec deadline;
	grpc_byte_buffer *incoming, *outgoing;
	grpc_byte_buffer *queue[QUEUE]; /* answers, and since when they wait */
	unsigned int head, n;
	size_t gathered;
	bool sending, begun, ended;
};

/* Tags are the addresses of these; one stream at a time is served. */
static char accepted_tag, received_tag, sent_tag, stopped_tag;
static grpc_completion_queue *cq;
static struct stream st;
static volatile sig_atomic_t stop;

static void batch(const grpc_op *ops, size_t n, void *tag)
{
	if (grpc_call_start_batch(st.call, ops, n, tag, NULL) != GRPC_CALL_OK)
		control_die("a batch was refused");
}

static void receive(void)
{
	grpc_op op = { .op = GRPC_OP_RECV_MESSAGE };

	op.data.recv_message.recv_message = &st.incoming;
	batch(&op, 1, &received_tag);
}

static void send_next(void)
{
	grpc_op ops[2] = { { .op = GRPC_OP_SEND_INITIAL_METADATA },
			   { .op = GRPC_OP_SEND_MESSAGE } };

	if (st.sending || !st.n)
		return;
	st.outgoing = st.queue[st.head % QUEUE];
	st.head++;
	st.n--;
	st.gathered += grpc_byte_buffer_length(st.outgoing);
	if (st.n && st.gathered < CONTROL_GATHER)
		ops[1].flags = GRPC_WRITE_BUFFER_HINT;
	else
		st.gathered = 0;
	ops[1].data.send_message.send_message = st.outgoing;
	batch(st.begun ? ops + 1 : ops, st.begun ? 1 : 2, &sent_tag);
	st.begun = st.sending = true;
}

/* As the agent's TsiReply, with a state, a VN, a tag, timers, an epoch and an MTU. */
static void answer(const uint8_t *data, size_t len)
{
	Nve__V1__SessionRequest *request = nve__v1__session_request__unpack(NULL, len, data);
	Nve__V1__SessionReply reply = NVE__V1__SESSION_REPLY__INIT;
	Nve__V1__Answer a = NVE__V1__ANSWER__INIT;
	Nve__V1__TsiReply tsi = NVE__V1__TSI_REPLY__INIT;

	if (!request)
		control_die("a request cannot be unpacked");
	if (st.n == QUEUE)
		control_die("more than %d answers wait", QUEUE);
	tsi.state = NVE__V1__TSI_STATE__TSI_STATE_ACTIVATED;
	tsi.vn_id = 70001;
	tsi.tag = 200;
	tsi.keepalive_ms = 300000;
	tsi.keepactive_ms = 30000;
	tsi.epoch = request->request_id + (1u << 20);
	tsi.mtu = 1500;
	a.request_id = request->request_id;
	a.reply_case = NVE__V1__ANSWER__REPLY_TSI;
	a.tsi = &tsi;
	reply.reply_case = NVE__V1__SESSION_REPLY__REPLY_ANSWER;
	reply.answer = &a;
	st.queue[(st.head + st.n++) % QUEUE] = control_pack(&reply.base);
	nve__v1__session_request__free_unpacked(request, NULL);
}

static void forget(void)
{
	while (st.n) {
		grpc_byte_buffer_destroy(st.queue[st.head++ % QUEUE]);
		st.n--;
	}
	grpc_metadata_array_destroy(&st.metadata);
	grpc_call_unref(st.call);
	st = (struct stream){ 0 };
}

static void accept_one(grpc_server *server, void *method)
{
	grpc_metadata_array_init(&st.metadata);
	if (grpc_server_request_registered_call(server, method, &st.call, &st.deadline,
						&st.metadata, NULL, cq, cq,
						&accepted_tag) != GRPC_CALL_OK)
		control_die("no call can be asked for");
}

static void received(void)
{
	static uint8_t data[CONTROL_MESSAGE_MAX];

	if (!st.incoming) { /* the client has ended */
		grpc_op op = { .op = GRPC_OP_SEND_STATUS_FROM_SERVER };

		st.ended = true;
		if (!st.begun)
			control_die("a Session without a request");
		batch(&op, 1, &sent_tag);
		return;
	}
	answer(data, control_bytes(st.incoming, data));
	grpc_byte_buffer_destroy(st.incoming);
	st.incoming = NULL;
	send_next();
	receive();
}

static void sent(grpc_server *server, void *method)
{
	if (st.ended && !st.sending) {
		forget();
		accept_one(server, method);
		return;
	}
	grpc_byte_buffer_destroy(st.outgoing);
	st.sending = false;
	send_next();
}

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void serve(grpc_server *server, void *method)
{
	accept_one(server, method);
	while (!stop) {
		grpc_event ev = grpc_completion_queue_next(
			cq,
			gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
				     gpr_time_from_millis(100, GPR_TIMESPAN)),
			NULL);

		if (ev.type != GRPC_OP_COMPLETE)
			continue;
		if (ev.tag == &accepted_tag && ev.success)
			receive();
		else if (ev.tag == &received_tag)
			received();
		else if (ev.tag == &sent_tag)
			sent(server, method);
	}
}

int control_echo(const struct control *c)
{
	grpc_server_credentials *creds = control_server_creds(c);
	grpc_server *server;
	void *method;

	signal(SIGTERM, on_signal);
	cq = grpc_completion_queue_create_for_next(NULL);
	server = grpc_server_create(NULL, NULL);
	grpc_server_register_completion_queue(server, cq, NULL);
	method =
		grpc_server_register_method(server, CONTROL_METHOD, NULL, GRPC_SRM_PAYLOAD_NONE, 0);
	if (!grpc_server_add_http2_port(server, c->address, creds))
		control_die("%s: cannot listen", c->address);
	grpc_server_credentials_release(creds);
	grpc_server_start(server);
	puts("ready");
	fflush(stdout);
	serve(server, method);
	grpc_server_shutdown_and_notify(server, cq, &stopped_tag);
	grpc_server_cancel_all_calls(server);
	return 0; /* the process ends here: gRPC need not be taken down */
}
