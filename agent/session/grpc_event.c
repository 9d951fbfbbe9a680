/* SPDX-License-Identifier: Apache-2.0 */
/* The engine's events, to every Session and Watch that wants them.  The engine's thread. */
#include "session/grpc_stream.h"

static const char *port_name(const struct nve_session_server *s, uint16_t slot)
{
	if (slot >= nve_engine_n_ports(s->config.engine))
		return "";
	return nve_engine_port(s->config.engine, slot)->dp.name;
}

/* What it may see, and for Watch: still may. */
static bool may_see(const struct nve_stream *st, const struct nve_notice *notice)
{
	struct nve_authz *authz = st->base.server->config.authz;

	return nve_authz_sees_notice(authz, st->owner, notice) &&
	       (st->feed.session || nve_authz_may(authz, st->owner, NVE_VERB_WATCH));
}

static grpc_slice encode(const struct nve_session_server *s, const struct nve_engine_event *event,
			 bool session)
{
	const struct nve_notice *n = &event->notice;
	struct nve_codec_event e = { .event = event, .session = session };
	uint8_t bytes[NVE_CODEC_EVENT_BYTES];

	e.port = port_name(s, n->key.port);
	e.new_port = n->kind == NVE_NOTICE_TSI_UPDATED ? port_name(s, n->new_port) : "";
	return grpc_slice_from_copied_buffer((const char *)bytes, nve_codec_event(&e, bytes));
}

void nve_event_occurred(void *arg, const struct nve_engine_event *event)
{
	struct nve_session_server *s = arg;
	grpc_slice slices[2] = {
		{ 0 }
	}; /* bare, and for Sessions; made when the first one wants it */
	bool made[2] = { false, false };

	s->last_seq = event->seq;
	nve_evict_told(s, event, NULL);
	if (event->notice.kind == NVE_NOTICE_DRAINING)
		nve_drain_changed(s);
	for (struct nve_stream *st = s->streams; st; st = st->next) {
		pthread_mutex_lock(&st->lock);
		if (nve_feed_wants(&st->feed, &event->notice) && may_see(st, &event->notice)) {
			bool session = st->feed.session;

			if (!made[session])
				slices[session] = encode(s, event, session);
			made[session] = true;
			nve_feed_push(&st->feed, slices[session], event->seq, event->realtime_ns);
			nve_evict_told(s, event, st);
			nve_stream_pump(st);
		}
		pthread_mutex_unlock(&st->lock);
	}
	for (int i = 0; i < 2; i++) {
		if (made[i])
			grpc_slice_unref(slices[i]);
	}
}
