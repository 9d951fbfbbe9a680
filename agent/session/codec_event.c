/* SPDX-License-Identifier: Apache-2.0 */
/* Events, bare for Watch or inside a SessionReply. */
#include "session/codec_internal.h"

/* One event with all that it points to. */
struct event {
	Nve__V1__Event msg;
	Nve__V1__TsiKey key;
	Nve__V1__VnRef vn;
	union {
		Nve__V1__TsiStateChanged tsi_state;
		Nve__V1__TsiUpdated tsi_updated;
		Nve__V1__VnConnected vn_connected;
		Nve__V1__VnDisconnected vn_disconnected;
		Nve__V1__DuplicateAddress duplicate;
		Nve__V1__EventsLost lost;
		Nve__V1__Draining draining;
	};
};

static void fill_key(struct event *ev, const struct nve_tsi_key *key, const char *port)
{
	nve__v1__vn_ref__init(&ev->vn);
	ev->vn.vn_case = NVE__V1__VN_REF__VN_ID;
	ev->vn.id = key->vn_id;
	nve__v1__tsi_key__init(&ev->key);
	ev->key.tsi_id.data = (uint8_t *)key->id.bytes;
	ev->key.tsi_id.len = sizeof(key->id.bytes);
	ev->key.port = (char *)port;
	ev->key.vn = &ev->vn;
}

static void fill_lost(struct event *ev, uint64_t count)
{
	nve__v1__events_lost__init(&ev->lost);
	ev->lost.count = count;
	ev->msg.event_case = NVE__V1__EVENT__EVENT_LOST;
	ev->msg.lost = &ev->lost;
}

static void fill_tsi_state(struct event *ev, const struct nve_notice *n)
{
	nve__v1__tsi_state_changed__init(&ev->tsi_state);
	ev->tsi_state.tsi = &ev->key;
	ev->tsi_state.from = (Nve__V1__TsiState)n->from;
	ev->tsi_state.to = (Nve__V1__TsiState)n->to;
	ev->tsi_state.reason = (Nve__V1__Reason)n->reason;
	ev->msg.event_case = NVE__V1__EVENT__EVENT_TSI_STATE;
	ev->msg.tsi_state = &ev->tsi_state;
}

static void fill_vn(struct event *ev, const struct nve_notice *n, const char *port)
{
	if (n->kind == NVE_NOTICE_VN_CONNECTED) {
		nve__v1__vn_connected__init(&ev->vn_connected);
		ev->vn_connected.port = (char *)port;
		ev->vn_connected.vn_id = n->key.vn_id;
		ev->vn_connected.tag = n->tag;
		ev->msg.event_case = NVE__V1__EVENT__EVENT_VN_CONNECTED;
		ev->msg.vn_connected = &ev->vn_connected;
		return;
	}
	nve__v1__vn_disconnected__init(&ev->vn_disconnected);
	ev->vn_disconnected.port = (char *)port;
	ev->vn_disconnected.vn_id = n->key.vn_id;
	ev->vn_disconnected.reason = (Nve__V1__Reason)n->reason;
	ev->msg.event_case = NVE__V1__EVENT__EVENT_VN_DISCONNECTED;
	ev->msg.vn_disconnected = &ev->vn_disconnected;
}

static void fill_draining(struct event *ev, const struct nve_codec_event *e)
{
	nve__v1__draining__init(&ev->draining);
	ev->draining.port = (char *)e->port;
	ev->draining.over = !e->event->notice.to;
	ev->draining.wait_ms = e->event->wait_ms;
	ev->msg.event_case = NVE__V1__EVENT__EVENT_DRAINING;
	ev->msg.draining = &ev->draining;
}

static void fill(struct event *ev, const struct nve_codec_event *e)
{
	const struct nve_notice *n = &e->event->notice;

	ev->msg.client = (char *)e->event->client;
	fill_key(ev, &n->key, e->port);
	switch (n->kind) {
	case NVE_NOTICE_TSI_STATE:
		fill_tsi_state(ev, n);
		break;
	case NVE_NOTICE_TSI_UPDATED:
		nve__v1__tsi_updated__init(&ev->tsi_updated);
		ev->tsi_updated.tsi = &ev->key;
		ev->tsi_updated.new_port = (char *)e->new_port;
		ev->tsi_updated.reason = (Nve__V1__Reason)n->reason;
		ev->msg.event_case = NVE__V1__EVENT__EVENT_TSI_UPDATED;
		ev->msg.tsi_updated = &ev->tsi_updated;
		break;
	case NVE_NOTICE_VN_CONNECTED:
	case NVE_NOTICE_VN_DISCONNECTED:
		fill_vn(ev, n, e->port);
		break;
	case NVE_NOTICE_DUPLICATE:
		nve__v1__duplicate_address__init(&ev->duplicate);
		ev->duplicate.tsi = &ev->key;
		ev->msg.event_case = NVE__V1__EVENT__EVENT_DUPLICATE_ADDRESS;
		ev->msg.duplicate_address = &ev->duplicate;
		break;
	case NVE_NOTICE_DRAINING:
		fill_draining(ev, e);
		break;
	}
}

size_t nve_codec_event(const struct nve_codec_event *e, uint8_t out[NVE_CODEC_EVENT_BYTES])
{
	Nve__V1__SessionReply outer = NVE__V1__SESSION_REPLY__INIT;
	const ProtobufCMessage *msg;
	struct event ev;

	nve__v1__event__init(&ev.msg);
	ev.msg.seq = e->event ? e->event->seq : e->seq;
	ev.msg.time_unix_ns = e->event ? e->event->realtime_ns : e->realtime_ns;
	if (e->event)
		fill(&ev, e);
	else
		fill_lost(&ev, e->lost);
	outer.reply_case = NVE__V1__SESSION_REPLY__REPLY_EVENT;
	outer.event = &ev.msg;
	msg = e->session ? &outer.base : &ev.msg.base;
	if (protobuf_c_message_get_packed_size(msg) > NVE_CODEC_EVENT_BYTES)
		return 0;
	return protobuf_c_message_pack(msg, out);
}
