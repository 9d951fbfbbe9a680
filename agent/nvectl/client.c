/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls over gRPC C core: one channel, one completion queue that is plucked, one call at a time.
 * A unary answer is read as a stream of one message, so there is one path for both.
 */
#include "nvectl/client.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/alloc.h>
#include <grpc/support/time.h>

#include "google/rpc/status.pb-c.h"

#define MESSAGE_MAX (4 << 20)

_Static_assert((int)CTL_CODE_UNAVAILABLE == (int)GRPC_STATUS_UNAVAILABLE &&
		       (int)CTL_CODE_DEADLINE_EXCEEDED == (int)GRPC_STATUS_DEADLINE_EXCEEDED &&
		       (int)CTL_CODE_CANCELLED == (int)GRPC_STATUS_CANCELLED &&
		       (int)CTL_CODE_INTERNAL == (int)GRPC_STATUS_INTERNAL,
	       "ctl_code are gRPC's numbers");

struct ctl_client {
	grpc_channel *channel;
	grpc_completion_queue *cq;
};

/* One call under way, and where gRPC writes while it is. */
struct exchange {
	struct ctl_client *client;
	grpc_call *call;
	grpc_metadata_array initial;
	grpc_metadata_array trailing;
};

static grpc_channel_credentials *make_credentials(const struct ctl_tls *tls)
{
	grpc_ssl_pem_key_cert_pair pair;

	if (!tls)
		return grpc_insecure_credentials_create();
	pair = (grpc_ssl_pem_key_cert_pair){ tls->key, tls->cert };
	return grpc_ssl_credentials_create_ex(tls->ca, &pair, NULL, NULL);
}

int ctl_client_new(const char *target, const struct ctl_tls *tls, struct ctl_client **ret)
{
	grpc_arg args[] = {
		{ .type = GRPC_ARG_INTEGER,
		  .key = (char *)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
		  .value.integer = MESSAGE_MAX },
		/* The agent is near: http_proxy is not meant for it. */
		{ .type = GRPC_ARG_INTEGER,
		  .key = (char *)GRPC_ARG_ENABLE_HTTP_PROXY,
		  .value.integer = 0 },
		{ .type = GRPC_ARG_STRING,
		  .key = (char *)GRPC_SSL_TARGET_NAME_OVERRIDE_ARG,
		  .value.string = tls ? (char *)tls->name : NULL },
	};
	grpc_channel_args list = { tls && tls->name ? 3 : 2, args };
	struct ctl_client *client = calloc(1, sizeof(*client));
	grpc_channel_credentials *creds;

	if (!client)
		return -ENOMEM;
	/* What gRPC would log is said in the outcome; GRPC_VERBOSITY in the environment prevails.
	 */
	setenv("GRPC_VERBOSITY", "NONE", 0);
	grpc_init();
	creds = make_credentials(tls);
	client->channel = grpc_channel_create(target, creds, &list);
	grpc_channel_credentials_release(creds);
	client->cq = grpc_completion_queue_create_for_pluck(NULL);
	*ret = client;
	return 0;
}

void ctl_client_free(struct ctl_client *client)
{
	if (!client)
		return;
	grpc_channel_destroy(client->channel);
	grpc_completion_queue_shutdown(client->cq);
	while (grpc_completion_queue_pluck(client->cq, NULL, gpr_inf_future(GPR_CLOCK_MONOTONIC),
					   NULL)
		       .type != GRPC_QUEUE_SHUTDOWN)
		continue;
	grpc_completion_queue_destroy(client->cq);
	grpc_shutdown_blocking();
	free(client);
}

void ctl_outcome_free(struct ctl_outcome *outcome)
{
	free(outcome->message);
	google__rpc__error_info__free_unpacked(outcome->info, NULL);
	*outcome = (struct ctl_outcome){ 0 };
}

Google__Rpc__ErrorInfo *ctl_outcome_info(const uint8_t *status, size_t len)
{
	static const char type[] = "google.rpc.ErrorInfo";
	Google__Rpc__Status *st = google__rpc__status__unpack(NULL, len, status);
	Google__Rpc__ErrorInfo *info = NULL;

	for (size_t i = 0; st && !info && i < st->n_details; i++) {
		const Google__Protobuf__Any *any = st->details[i];
		const char *slash = any->type_url ? strrchr(any->type_url, '/') : NULL;

		if (slash && !strcmp(slash + 1, type))
			info = google__rpc__error_info__unpack(NULL, any->value.len,
							       any->value.data);
	}
	google__rpc__status__free_unpacked(st, NULL);
	return info;
}

static char *slice_text(grpc_slice slice)
{
	return strndup((const char *)GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice));
}

/* Starts a batch and waits for it; 'ops' is its tag.  The call's deadline is the only limit. */
static bool run_batch(struct exchange *x, const grpc_op *ops, size_t n)
{
	void *tag = (void *)(uintptr_t)ops;

	if (grpc_call_start_batch(x->call, ops, n, tag, NULL) != GRPC_CALL_OK)
		return false;
	return grpc_completion_queue_pluck(x->client->cq, tag, gpr_inf_future(GPR_CLOCK_MONOTONIC),
					   NULL)
		.success;
}

static grpc_byte_buffer *pack(const ProtobufCMessage *message)
{
	grpc_slice slice = grpc_slice_malloc(protobuf_c_message_get_packed_size(message));
	grpc_byte_buffer *buf;

	protobuf_c_message_pack(message, GRPC_SLICE_START_PTR(slice));
	buf = grpc_raw_byte_buffer_create(&slice, 1);
	grpc_slice_unref(slice);
	return buf;
}

static void send_request(struct exchange *x, const ProtobufCMessage *request)
{
	grpc_byte_buffer *buf = pack(request);
	const grpc_op ops[] = {
		{ .op = GRPC_OP_SEND_INITIAL_METADATA },
		{ .op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = buf },
		{ .op = GRPC_OP_SEND_CLOSE_FROM_CLIENT },
	};

	/* If it cannot be sent, the status tells. */
	run_batch(x, ops, sizeof(ops) / sizeof(ops[0]));
	grpc_byte_buffer_destroy(buf);
}

static grpc_byte_buffer *receive(struct exchange *x, bool first)
{
	grpc_byte_buffer *buf = NULL;
	const grpc_op ops[] = {
		{ .op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &buf },
		{ .op = GRPC_OP_RECV_INITIAL_METADATA,
		  .data.recv_initial_metadata.recv_initial_metadata = &x->initial },
	};

	run_batch(x, ops, first ? 2 : 1);
	return buf;
}

/* Decodes one message, hands it over, and takes 'buf'.  Returns what 'take' does, or -errno. */
static int hand_over(grpc_byte_buffer *buf, const ProtobufCMessageDescriptor *type, ctl_take take,
		     void *arg)
{
	grpc_byte_buffer_reader reader;
	ProtobufCMessage *message = NULL;
	grpc_slice slice;
	int r = -EBADMSG;

	if (grpc_byte_buffer_reader_init(&reader, buf)) {
		slice = grpc_byte_buffer_reader_readall(&reader);
		message = protobuf_c_message_unpack(type, NULL, GRPC_SLICE_LENGTH(slice),
						    GRPC_SLICE_START_PTR(slice));
		grpc_slice_unref(slice);
		grpc_byte_buffer_reader_destroy(&reader);
	}
	if (message)
		r = take(arg, &message);
	protobuf_c_message_free_unpacked(message, NULL);
	grpc_byte_buffer_destroy(buf);
	return r;
}

static void receive_status(struct exchange *x, struct ctl_outcome *outcome)
{
	grpc_slice text = grpc_empty_slice();
	grpc_status_code code = GRPC_STATUS_UNKNOWN;
	const grpc_op ops[] = {
		{ .op = GRPC_OP_RECV_STATUS_ON_CLIENT,
		  .data.recv_status_on_client = { &x->trailing, &code, &text, NULL } },
	};

	run_batch(x, ops, 1);
	outcome->code = (int)code;
	outcome->message = slice_text(text);
	grpc_slice_unref(text);
	for (size_t i = 0; i < x->trailing.count && !outcome->info; i++) {
		const grpc_metadata *md = &x->trailing.metadata[i];

		if (!grpc_slice_str_cmp(md->key, "grpc-status-details-bin"))
			outcome->info = ctl_outcome_info(GRPC_SLICE_START_PTR(md->value),
							 GRPC_SLICE_LENGTH(md->value));
	}
}

static gpr_timespec deadline(uint64_t timeout_ms)
{
	if (!timeout_ms)
		return gpr_inf_future(GPR_CLOCK_MONOTONIC);
	return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC),
			    gpr_time_from_millis((int64_t)timeout_ms, GPR_TIMESPAN));
}

int ctl_client_call(struct ctl_client *client, const struct ctl_call *call, ctl_take take,
		    void *arg, struct ctl_outcome *outcome)
{
	struct exchange x = { .client = client };
	grpc_byte_buffer *buf;
	bool first = true;
	int r = 0;

	*outcome = (struct ctl_outcome){ 0 };
	grpc_metadata_array_init(&x.initial);
	grpc_metadata_array_init(&x.trailing);
	x.call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
					  client->cq, grpc_slice_from_static_string(call->method),
					  NULL, deadline(call->timeout_ms), NULL);
	send_request(&x, call->request);
	while (!r) {
		buf = receive(&x, first);
		first = false;
		if (!buf)
			break;
		r = hand_over(buf, call->reply, take, arg);
	}
	if (r)
		grpc_call_cancel(x.call, NULL);
	receive_status(&x, outcome);
	grpc_call_unref(x.call);
	grpc_metadata_array_destroy(&x.initial);
	grpc_metadata_array_destroy(&x.trailing);
	if (!outcome->message)
		return -ENOMEM;
	if (r)
		return r < 0 ? r : 0;
	return outcome->code == GRPC_STATUS_OK ? 0 : -EREMOTE;
}
