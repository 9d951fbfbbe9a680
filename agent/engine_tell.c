/* SPDX-License-Identifier: Apache-2.0 */
/* What has happened, once it is durable and visible: to the log, the audit log and the watchers. */
#include "audit.h"
#include "engine_internal.h"
#include "log.h"

static const char *const names[] = { "tsi_state",       "tsi_updated",       "vn_connected",
				     "vn_disconnected", "duplicate_address", "draining" };
static const char *const states[] = { "INIT", "ASSOCIATED", "ACTIVATED" };

static const char *or_null(const char *text)
{
	return text && *text ? text : NULL;
}

static bool of_tsi(const struct nve_notice *n)
{
	return n->kind == NVE_NOTICE_TSI_STATE || n->kind == NVE_NOTICE_TSI_UPDATED ||
	       n->kind == NVE_NOTICE_DUPLICATE;
}

static const char *new_port(const struct nve_engine *e, const struct nve_notice *n)
{
	return n->new_port == NVE_PORT_NONE ? NULL : nve_port_name(e, n->new_port);
}

static void log_notice(const struct nve_engine *e, const struct nve_engine_event *event)
{
	const struct nve_notice *n = &event->notice;
	bool tsi = of_tsi(n);

	nve_log(INFO, names[n->kind], LOG_U("seq", event->seq),
		LOG_S("port", nve_port_name(e, n->key.port)), LOG_U("vn", n->key.vn_id),
		LOG_U("tag", n->tag), LOG_X("tsi", tsi ? n->key.id.bytes : NULL, NVE_TSI_ID_LEN),
		LOG_S("from", tsi ? states[n->from] : NULL),
		LOG_S("to", tsi ? states[n->to] : NULL), LOG_S("new_port", new_port(e, n)),
		LOG_S("client", or_null(event->client)),
		LOG_S("reason", n->reason == NVE_REASON_OK ? NULL : nve_reason_name(n->reason)));
}

/* The TSI as it is now, at the end of the turn: other steps of the same turn may have followed. */
static uint32_t n_addrs(const struct nve_engine *e, const struct nve_notice *n)
{
	struct nve_tsi_key key = n->key;
	const struct nve_tsi *tsi;

	if (n->kind == NVE_NOTICE_TSI_UPDATED && n->new_port != NVE_PORT_NONE)
		key.port = n->new_port;
	tsi = nve_core_tsi(e->core, nve_core_find_tsi(e->core, &key));
	return tsi ? tsi->n_addrs : 0;
}

static void audit_tsi(const struct nve_engine *e, const struct nve_engine_event *event)
{
	const struct nve_notice *n = &event->notice;
	bool changes = n->kind == NVE_NOTICE_TSI_STATE;

	nve_audit(names[n->kind], LOG_U("event_seq", event->seq),
		  LOG_X("tsi_id", n->key.id.bytes, NVE_TSI_ID_LEN),
		  LOG_S("port", nve_port_name(e, n->key.port)), LOG_U("vn_id", n->key.vn_id),
		  LOG_U("tag", n->tag), LOG_S("from", changes ? states[n->from] : NULL),
		  LOG_S("to", changes ? states[n->to] : NULL), LOG_S("new_port", new_port(e, n)),
		  LOG_U("addresses", n_addrs(e, n)), LOG_S("reason", nve_reason_name(n->reason)),
		  LOG_S("client", or_null(event->client)),
		  LOG_S("identity", or_null(event->identity)));
}

static void audit_port(const struct nve_engine *e, const struct nve_engine_event *event)
{
	const struct nve_notice *n = &event->notice;
	bool drain = n->kind == NVE_NOTICE_DRAINING;
	const char *began = n->to ? "begin" : "end";

	nve_audit(names[n->kind], LOG_U("event_seq", event->seq),
		  LOG_S("port", nve_port_name(e, n->key.port)),
		  LOG_S("phase", drain ? began : NULL),
		  LOG_U(drain ? "wait_ms" : "vn_id", drain ? event->wait_ms : n->key.vn_id),
		  LOG_U("tag", n->tag), LOG_S("reason", nve_reason_name(n->reason)),
		  LOG_S("client", or_null(event->client)),
		  LOG_S("identity", or_null(event->identity)));
}

void nve_tell(struct nve_engine *e, struct nve_engine_event *event)
{
	event->seq = ++e->seq;
	event->realtime_ns = e->realtime_ns();
	e->counters.events++;
	e->counters.duplicates += event->notice.kind == NVE_NOTICE_DUPLICATE;
	/* An operator reads one of the two: lines of the log cost a write each. */
	if (!nve_audit_on() || nve_log_enabled(NVE_LOG_DEBUG))
		log_notice(e, event);
	if (nve_audit_on() && of_tsi(&event->notice))
		audit_tsi(e, event);
	else if (nve_audit_on())
		audit_port(e, event);
	for (struct nve_engine_watch *w = e->watches; w; w = w->next)
		w->fn(w->arg, event);
}

void nve_tell_watchers(struct nve_engine *e)
{
	size_t n, item = 0;
	const struct nve_action *actions = nve_core_actions(e->core, &n);

	for (size_t i = 0; i < n; i++) {
		struct nve_engine_event event = { .client = "", .identity = "" };

		while (item < e->n_items && i >= e->items[item].actions)
			item++;
		if (actions[i].kind != NVE_ACT_NOTICE)
			continue;
		event.notice = actions[i].notice;
		if (item < e->n_items) {
			event.client = e->items[item].client;
			event.identity = e->items[item].identity;
			event.req = e->items[item].req;
		}
		nve_tell(e, &event);
	}
}
