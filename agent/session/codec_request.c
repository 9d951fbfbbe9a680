/* SPDX-License-Identifier: Apache-2.0 */
/* Requests: one function for each message, and a table of them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "session/codec_internal.h"

static struct nve_request *new_requests(struct nve_decode *d, enum nve_event_kind kind, size_t n)
{
	struct nve_decoded *out = d->out;

	out->requests = nve_arena_zalloc(d->arena, n, sizeof(*out->requests));
	if (!out->requests) {
		nve_refuse(d, NVE_REASON_TOO_LARGE, "%s", "");
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		struct nve_decoded_request *r = &out->requests[i];

		r->decoded = out;
		r->index = (uint32_t)i;
		r->req.ev.kind = (uint8_t)kind;
		r->req.ev.new_port = NVE_PORT_NONE;
	}
	out->n_requests = (uint32_t)n;
	return &out->requests[0].req;
}

static int decode_port_vn(struct nve_decode *d, const char *port, const Nve__V1__VnRef *vn,
			  struct nve_request *req)
{
	int r = nve_decode_port(d, "port", port, &req->ev.key.port);

	return r < 0 ? r : nve_decode_vn(d, "", vn, req);
}

static int vn_connect(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__VnConnectRequest *m = (const void *)msg;
	struct nve_request *req = new_requests(d, NVE_EV_VN_CONNECT, 1);
	int r;

	if (!req)
		return -EBADMSG;
	r = decode_port_vn(d, m->port, m->vn, req);
	if (r < 0)
		return r;
	r = nve_decode_tag(d, m->tag, req);
	return r < 0 ? r : nve_decode_parameters(d, m->n_parameters, m->parameters, NULL);
}

static int vn_disconnect(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__VnDisconnectRequest *m = (const void *)msg;
	struct nve_request *req = new_requests(d, NVE_EV_VN_DISCONNECT, 1);
	int r;

	if (!req)
		return -EBADMSG;
	r = decode_port_vn(d, m->port, m->vn, req);
	if (r < 0)
		return r;
	if (m->only_if_unused)
		req->ev.flags |= NVE_EV_ONLY_IF_UNUSED;
	return nve_decode_parameters(d, m->n_parameters, m->parameters, NULL);
}

/* An empty list leaves the TSI's set as it is. */
static int decode_set(struct nve_decode *d, size_t n, Nve__V1__Address **list,
		      struct nve_request *req)
{
	if (n > 0)
		req->ev.flags |= NVE_EV_HAS_ADDRS;
	return nve_decode_addrs(d, "addresses", n, list, &req->ev.addrs, &req->ev.n_addrs);
}

/* An empty list means all of the TSI's addresses (D13). */
static int decode_only(struct nve_decode *d, size_t n, Nve__V1__Address **list,
		       struct nve_request *req)
{
	if (n > 0)
		req->ev.flags |= NVE_EV_HAS_ONLY;
	return nve_decode_addrs(d, "only", n, list, &req->ev.only, &req->ev.n_only);
}

static int take_cause(uint32_t cause)
{
	return cause <= NVE_CAUSE_RESUME ? (int)cause : NVE_CAUSE_UNSPECIFIED;
}

static int associate(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__AssociateRequest *m = (const void *)msg;
	struct nve_request *req = new_requests(d, NVE_EV_ASSOCIATE, 1);
	int r;

	if (!req)
		return -EBADMSG;
	r = nve_decode_key(d, "tsi.", m->tsi, req);
	if (r < 0)
		return r;
	r = decode_set(d, m->n_addresses, m->addresses, req);
	if (r < 0)
		return r;
	r = nve_decode_tag(d, m->tag, req);
	if (r < 0)
		return r;
	req->ev.cause = (uint8_t)take_cause((uint32_t)m->cause);
	nve_decode_timers(m->timers, req);
	return nve_decode_parameters(d, m->n_parameters, m->parameters, req);
}

static int activate(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__ActivateRequest *m = (const void *)msg;
	struct nve_request *req = new_requests(d, NVE_EV_ACTIVATE, 1);
	int r;

	if (!req)
		return -EBADMSG;
	r = nve_decode_key(d, "tsi.", m->tsi, req);
	if (r < 0)
		return r;
	r = decode_set(d, m->n_addresses, m->addresses, req);
	if (r < 0)
		return r;
	r = nve_decode_tag(d, m->tag, req);
	if (r < 0)
		return r;
	r = decode_only(d, m->n_only, m->only, req);
	if (r < 0)
		return r;
	req->ev.cause = (uint8_t)take_cause((uint32_t)m->cause);
	nve_decode_timers(m->timers, req);
	return nve_decode_parameters(d, m->n_parameters, m->parameters, req);
}

static int deactivate(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__DeactivateRequest *m = (const void *)msg;
	struct nve_request *req = new_requests(d, NVE_EV_DEACTIVATE, 1);
	int r;

	if (!req)
		return -EBADMSG;
	r = nve_decode_key(d, "tsi.", m->tsi, req);
	if (r < 0)
		return r;
	r = decode_only(d, m->n_only, m->only, req);
	if (r < 0)
		return r;
	return nve_decode_parameters(d, m->n_parameters, m->parameters, NULL);
}

static int disassociate(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__DisassociateRequest *m = (const void *)msg;
	struct nve_request *req = new_requests(d, NVE_EV_DISASSOCIATE, 1);
	int r;

	if (!req)
		return -EBADMSG;
	r = nve_decode_key(d, "tsi.", m->tsi, req);
	return r < 0 ? r : nve_decode_parameters(d, m->n_parameters, m->parameters, NULL);
}

static int clear(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__ClearRequest *m = (const void *)msg;
	struct nve_request *req = new_requests(d, NVE_EV_CLEAR, 1);
	int r;

	if (!req)
		return -EBADMSG;
	r = nve_decode_tsi_id(d, "", m->tsi_id, req);
	if (r < 0)
		return r;
	r = nve_decode_port(d, "port", m->port, &req->ev.key.port);
	if (r < 0)
		return r;
	if (m->vn) {
		r = nve_decode_vn(d, "", m->vn, req);
		if (r < 0)
			return r;
	}
	return nve_decode_parameters(d, m->n_parameters, m->parameters, NULL);
}

static int update(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__UpdateRequest *m = (const void *)msg;
	struct nve_request *req = new_requests(d, NVE_EV_UPDATE, 1);
	int r;

	if (!req)
		return -EBADMSG;
	r = nve_decode_key(d, "tsi.", m->tsi, req);
	if (r < 0)
		return r;
	r = nve_decode_addrs(d, "add", m->n_add, m->add, &req->ev.addrs, &req->ev.n_addrs);
	if (r < 0)
		return r;
	r = nve_decode_addrs(d, "remove", m->n_remove, m->remove, &req->ev.only, &req->ev.n_only);
	if (r < 0)
		return r;
	if (m->new_port[0]) {
		r = nve_decode_port(d, "new_port", m->new_port, &req->ev.new_port);
		if (r < 0)
			return r;
	}
	nve_decode_timers(m->timers, req);
	return nve_decode_parameters(d, m->n_parameters, m->parameters, req);
}

/* Each TSI has its own result: a bad one fails alone, the others become requests. */
static int batch(struct nve_decode *d, enum nve_event_kind kind, size_t n, Nve__V1__TsiKey **tsis)
{
	struct nve_decoded *out = d->out;
	struct nve_refusal why, *outer = d->why;

	if (n == 0)
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "tsis");
	if (n > NVE_CODEC_BATCH_MAX)
		return nve_refuse(d, NVE_REASON_TOO_LARGE, "tsis");
	out->failures = nve_arena_alloc(d->arena, n * sizeof(*out->failures));
	if (!out->failures || !new_requests(d, kind, n))
		return nve_refuse(d, NVE_REASON_TOO_LARGE, "tsis");
	out->n_requests = 0;
	d->why = &why;
	for (size_t i = 0; i < n; i++) {
		struct nve_decoded_request *r = &out->requests[out->n_requests];

		if (nve_decode_key(d, "tsis.", tsis[i], &r->req) == 0) {
			r->index = (uint32_t)i;
			out->n_requests++;
			continue;
		}
		memset(&r->req.ev.key, 0, sizeof(r->req.ev.key));
		out->failures[out->n_failures++] =
			(struct nve_batch_failure){ (uint32_t)i, why.reason };
	}
	d->why = outer;
	return 0;
}

static int keepalive(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__KeepaliveRequest *m = (const void *)msg;

	return batch(d, NVE_EV_KEEPALIVE, m->n_tsis, m->tsis);
}

static int keepactive(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__KeepactiveRequest *m = (const void *)msg;

	return batch(d, NVE_EV_KEEPACTIVE, m->n_tsis, m->tsis);
}

static int decode_ports(struct nve_decode *d, const char *field, size_t n, char **names)
{
	uint16_t *ports;

	if (n > NVE_PORTS_MAX)
		return nve_refuse(d, NVE_REASON_TOO_LARGE, "%s", field);
	ports = nve_arena_alloc(d->arena, n * sizeof(*ports));
	if (!ports)
		return nve_refuse(d, NVE_REASON_TOO_LARGE, "%s", field);
	for (size_t i = 0; i < n; i++) {
		int r = nve_decode_port(d, field, names[i], &ports[i]);

		if (r < 0)
			return r;
	}
	d->out->n_ports = (uint32_t)n;
	d->out->ports = ports;
	return 0;
}

/* What is listed goes no way through the engine: the kind of event does not matter. */
static int resync(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__ResyncRequest *m = (const void *)msg;
	int r = decode_ports(d, "ports", m->n_ports, m->ports);

	d->out->done = m->done;
	if (r == 0 && m->n_tsis > 0)
		r = batch(d, NVE_EV_KEEPALIVE, m->n_tsis, m->tsis);
	return r;
}

static int hello(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__Hello *m = (const void *)msg;

	if (strlen(m->client) > NVE_NAME_MAX)
		return nve_refuse(d, NVE_REASON_INVALID_REQUEST, "hello.client");
	d->out->hello_client = m->client;
	d->out->event_window = m->event_window;
	return decode_ports(d, "hello.ports", m->n_ports, m->ports);
}

static int event_ack(struct nve_decode *d, const ProtobufCMessage *msg)
{
	const Nve__V1__EventAck *m = (const void *)msg;

	d->out->ack_seq = m->seq;
	return 0;
}

static const struct {
	const ProtobufCMessageDescriptor *type;
	int (*decode)(struct nve_decode *d, const ProtobufCMessage *msg);
} methods[NVE_METHOD_NONE] = {
	[NVE_METHOD_VN_CONNECT] = { &nve__v1__vn_connect_request__descriptor, vn_connect },
	[NVE_METHOD_VN_DISCONNECT] = { &nve__v1__vn_disconnect_request__descriptor, vn_disconnect },
	[NVE_METHOD_ASSOCIATE] = { &nve__v1__associate_request__descriptor, associate },
	[NVE_METHOD_ACTIVATE] = { &nve__v1__activate_request__descriptor, activate },
	[NVE_METHOD_DEACTIVATE] = { &nve__v1__deactivate_request__descriptor, deactivate },
	[NVE_METHOD_DISASSOCIATE] = { &nve__v1__disassociate_request__descriptor, disassociate },
	[NVE_METHOD_CLEAR] = { &nve__v1__clear_request__descriptor, clear },
	[NVE_METHOD_UPDATE] = { &nve__v1__update_request__descriptor, update },
	[NVE_METHOD_KEEPALIVE] = { &nve__v1__keepalive_request__descriptor, keepalive },
	[NVE_METHOD_KEEPACTIVE] = { &nve__v1__keepactive_request__descriptor, keepactive },
	[NVE_METHOD_RESYNC] = { &nve__v1__resync_request__descriptor, resync },
	[NVE_METHOD_HELLO] = { &nve__v1__hello__descriptor, hello },
	[NVE_METHOD_EVENT_ACK] = { &nve__v1__event_ack__descriptor, event_ack },
};

/* Checks the wire form, then unpacks; NULL with d->why filled in. */
static ProtobufCMessage *unpack(struct nve_decode *d, const ProtobufCMessageDescriptor *type,
				const uint8_t *bytes, size_t len)
{
	ProtobufCMessage *msg;

	if (nve_wire_check(type, bytes, len, d->why) < 0)
		return NULL;
	msg = protobuf_c_message_unpack(type, &d->arena->pb, len, bytes);
	if (!msg)
		nve_refuse(d, d->arena->full ? NVE_REASON_TOO_LARGE : NVE_REASON_INVALID_REQUEST,
			   "%s", "");
	return msg;
}

int nve_codec_decode(enum nve_method method, const uint8_t *bytes, size_t len,
		     const struct nve_codec_ports *ports, struct nve_arena *arena,
		     struct nve_decoded *ret, struct nve_refusal *why)
{
	struct nve_decode d = { ports, arena, ret, why };
	const ProtobufCMessage *msg;

	memset(ret, 0, sizeof(*ret));
	ret->method = method;
	msg = unpack(&d, methods[method].type, bytes, len);
	return msg ? methods[method].decode(&d, msg) : -EBADMSG;
}

/* The members of the oneof stand in the order of enum nve_method, but for these. */
static enum nve_method session_method(Nve__V1__SessionRequest__RequestCase which)
{
	if (which == NVE__V1__SESSION_REQUEST__REQUEST_HELLO)
		return NVE_METHOD_HELLO;
	if (which == NVE__V1__SESSION_REQUEST__REQUEST_EVENT_ACK)
		return NVE_METHOD_EVENT_ACK;
	if (which == NVE__V1__SESSION_REQUEST__REQUEST_RESYNC)
		return NVE_METHOD_RESYNC;
	if (which >= NVE__V1__SESSION_REQUEST__REQUEST_VN_CONNECT &&
	    which <= NVE__V1__SESSION_REQUEST__REQUEST_KEEPACTIVE)
		return NVE_METHOD_VN_CONNECT + (enum nve_method)which -
		       (enum nve_method)NVE__V1__SESSION_REQUEST__REQUEST_VN_CONNECT;
	return NVE_METHOD_NONE;
}

int nve_codec_decode_session(const uint8_t *bytes, size_t len, const struct nve_codec_ports *ports,
			     struct nve_arena *arena, struct nve_decoded *ret,
			     struct nve_refusal *why)
{
	struct nve_decode d = { ports, arena, ret, why };
	const Nve__V1__SessionRequest *m;

	memset(ret, 0, sizeof(*ret));
	ret->method = NVE_METHOD_NONE;
	ret->request_id = nve_wire_request_id(bytes, len);
	m = (const void *)unpack(&d, &nve__v1__session_request__descriptor, bytes, len);
	if (!m)
		return -EBADMSG;
	ret->request_id = m->request_id;
	ret->method = session_method(m->request_case);
	if (ret->method == NVE_METHOD_NONE)
		return nve_refuse(&d, NVE_REASON_INVALID_REQUEST, "request");
	/* All members of the oneof are pointers to messages. */
	return methods[ret->method].decode(&d, (const ProtobufCMessage *)m->hello);
}
