/* SPDX-License-Identifier: Apache-2.0 */
/* Replies: from the engine's answers to messages. */
#include <errno.h>
#include <string.h>

#include "session/codec_internal.h"

int nve_codec_pack(const ProtobufCMessage *msg, struct nve_arena *arena, struct nve_bytes *ret)
{
	size_t len = protobuf_c_message_get_packed_size(msg);
	uint8_t *data = nve_arena_alloc(arena, len);

	if (!data)
		return -ENOMEM;
	protobuf_c_message_pack(msg, data);
	*ret = (struct nve_bytes){ data, len };
	return 0;
}

/* One of the reply messages, and which. */
struct reply {
	Nve__V1__Answer__ReplyCase which;
	union {
		ProtobufCMessage base;
		Nve__V1__VnConnectReply vn_connect;
		Nve__V1__VnDisconnectReply vn_disconnect;
		Nve__V1__TsiReply tsi;
		Nve__V1__ClearReply clear;
		Nve__V1__KeepaliveReply keepalive;
		Nve__V1__HelloReply hello;
		Nve__V1__ResyncReply resync;
	};
	struct nve_codec_qos qos;
};

static void fill_vn_connect(const struct nve_decoded *d, const struct nve_codec_vn *vn,
			    struct reply *r)
{
	const struct nve_answer *a = &d->requests[0].req.answer;

	r->which = NVE__V1__ANSWER__REPLY_VN_CONNECT;
	nve__v1__vn_connect_reply__init(&r->vn_connect);
	r->vn_connect.vn_id = a->vn_id;
	if (vn) {
		r->vn_connect.vn_name = (char *)vn->name;
		r->vn_connect.mtu = vn->mtu;
	}
	r->vn_connect.tag = a->tag;
	r->vn_connect.n_ignored_parameters = d->n_ignored;
	r->vn_connect.ignored_parameters = d->ignored;
}

static void fill_vn_disconnect(const struct nve_decoded *d, struct reply *r)
{
	r->which = NVE__V1__ANSWER__REPLY_VN_DISCONNECT;
	nve__v1__vn_disconnect_reply__init(&r->vn_disconnect);
	r->vn_disconnect.cleared = d->requests[0].req.answer.n_cleared;
	r->vn_disconnect.n_ignored_parameters = d->n_ignored;
	r->vn_disconnect.ignored_parameters = d->ignored;
}

static void fill_clear(const struct nve_decoded *d, struct reply *r)
{
	r->which = NVE__V1__ANSWER__REPLY_CLEAR;
	nve__v1__clear_reply__init(&r->clear);
	r->clear.cleared = d->requests[0].req.answer.n_cleared;
	r->clear.n_ignored_parameters = d->n_ignored;
	r->clear.ignored_parameters = d->ignored;
}

static void fill_tsi(const struct nve_decoded *d, const struct nve_codec_vn *vn, struct reply *r)
{
	const struct nve_answer *a = &d->requests[0].req.answer;

	r->which = NVE__V1__ANSWER__REPLY_TSI;
	nve__v1__tsi_reply__init(&r->tsi);
	r->tsi.state = (Nve__V1__TsiState)a->state;
	r->tsi.vn_id = a->vn_id;
	if (a->state != NVE_TSI_INIT) {
		r->tsi.tag = a->tag;
		r->tsi.keepalive_ms = a->keepalive_ms;
		r->tsi.keepactive_ms = a->keepactive_ms;
		r->tsi.epoch = a->epoch;
		r->tsi.qos = nve_encode_qos(&a->qos, &r->qos);
		r->tsi.mtu = vn ? vn->mtu : 0;
	}
	r->tsi.unchanged = a->unchanged;
	r->tsi.n_ignored_parameters = d->n_ignored;
	r->tsi.ignored_parameters = d->ignored;
}

/* Those refused by the codec and those refused by the engine, merged by their place. */
static int list_failures(const struct nve_decoded *d, struct nve_arena *arena, size_t *n_list,
			 Nve__V1__KeepaliveFailure ***ret)
{
	size_t max = d->n_failures + d->n_requests, n = 0, f = 0;
	Nve__V1__KeepaliveFailure *failures = nve_arena_alloc(arena, max * sizeof(*failures));
	Nve__V1__KeepaliveFailure **list = nve_arena_alloc(arena, max * sizeof(*list));

	if (!failures || !list)
		return -ENOMEM;
	for (size_t i = 0; i < d->n_requests || f < d->n_failures;) {
		const struct nve_decoded_request *req = &d->requests[i];
		struct nve_batch_failure bad;

		if (f < d->n_failures &&
		    (i == d->n_requests || d->failures[f].index < req->index)) {
			bad = d->failures[f++];
		} else {
			bad = (struct nve_batch_failure){ req->index, req->req.answer.reason };
			i++;
		}
		if (bad.reason == NVE_REASON_OK)
			continue;
		nve__v1__keepalive_failure__init(&failures[n]);
		failures[n].index = bad.index;
		failures[n].reason = (Nve__V1__Reason)bad.reason;
		list[n] = &failures[n];
		n++;
	}
	*n_list = n;
	*ret = list;
	return 0;
}

static int fill_keepalive(const struct nve_decoded *d, struct nve_arena *arena, struct reply *r)
{
	r->which = NVE__V1__ANSWER__REPLY_KEEPALIVE;
	nve__v1__keepalive_reply__init(&r->keepalive);
	return list_failures(d, arena, &r->keepalive.n_failures, &r->keepalive.failures);
}

static int fill_resync(const struct nve_decoded *d, struct nve_arena *arena, struct reply *r,
		       struct nve_refusal *why)
{
	int x;

	if (d->refused != NVE_REASON_OK) {
		nve_refusal_init(why, d->refused);
		return -EREMOTE;
	}
	r->which = NVE__V1__ANSWER__REPLY_RESYNC;
	nve__v1__resync_reply__init(&r->resync);
	x = list_failures(d, arena, &r->resync.n_failures, &r->resync.failures);
	r->resync.known = (uint32_t)(d->n_requests + d->n_failures - r->resync.n_failures);
	r->resync.cleared = d->n_cleared;
	return x;
}

static int fill(const struct nve_decoded *d, const struct nve_codec_vn *vn, struct nve_arena *arena,
		struct reply *r, struct nve_refusal *why)
{
	if (d->method == NVE_METHOD_KEEPALIVE || d->method == NVE_METHOD_KEEPACTIVE)
		return fill_keepalive(d, arena, r);
	if (d->method == NVE_METHOD_RESYNC)
		return fill_resync(d, arena, r, why);
	if (d->method == NVE_METHOD_HELLO) {
		r->which = NVE__V1__ANSWER__REPLY_HELLO;
		nve__v1__hello_reply__init(&r->hello);
		return 0;
	}
	if (d->requests[0].req.answer.reason != NVE_REASON_OK) {
		nve_codec_refusal(&d->requests[0].req.answer, why);
		return -EREMOTE;
	}
	switch (d->method) {
	case NVE_METHOD_VN_CONNECT:
		fill_vn_connect(d, vn, r);
		break;
	case NVE_METHOD_VN_DISCONNECT:
		fill_vn_disconnect(d, r);
		break;
	case NVE_METHOD_CLEAR:
		fill_clear(d, r);
		break;
	default:
		fill_tsi(d, vn, r);
		break;
	}
	return 0;
}

int nve_codec_reply(const struct nve_decoded *d, const struct nve_codec_vn *vn,
		    struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why)
{
	struct reply reply;
	int r = fill(d, vn, arena, &reply, why);

	return r < 0 ? r : nve_codec_pack(&reply.base, arena, ret);
}

int nve_codec_session_answer(const struct nve_decoded *d, const struct nve_codec_vn *vn,
			     struct nve_arena *arena, struct nve_bytes *ret)
{
	Nve__V1__SessionReply outer = NVE__V1__SESSION_REPLY__INIT;
	Nve__V1__Answer answer = NVE__V1__ANSWER__INIT;
	struct nve_refusal why;
	struct reply reply;
	int r = fill(d, vn, arena, &reply, &why);

	if (r == -EREMOTE)
		return nve_codec_session_refusal(d->request_id, &why, arena, ret);
	if (r < 0)
		return r;
	answer.request_id = d->request_id;
	answer.reply_case = reply.which;
	answer.hello = &reply.hello; /* all members of the oneof are pointers to messages */
	outer.reply_case = NVE__V1__SESSION_REPLY__REPLY_ANSWER;
	outer.answer = &answer;
	return nve_codec_pack(&outer.base, arena, ret);
}

int nve_codec_welcome(const struct nve_codec_welcome *w, struct nve_arena *arena,
		      struct nve_bytes *ret)
{
	Nve__V1__SessionReply outer = NVE__V1__SESSION_REPLY__INIT;
	Nve__V1__Welcome welcome = NVE__V1__WELCOME__INIT;

	welcome.nve = (char *)w->nve;
	welcome.version = (char *)w->version;
	welcome.max_outstanding = w->max_outstanding;
	welcome.max_message_bytes = w->max_message_bytes;
	welcome.next_event_seq = w->next_event_seq;
	outer.reply_case = NVE__V1__SESSION_REPLY__REPLY_WELCOME;
	outer.welcome = &welcome;
	return nve_codec_pack(&outer.base, arena, ret);
}
