/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judging requests.  Two questions: does the role allow what is named (port, VN, TSI ID, addresses,
 * parameters), and is the TSI the client's to touch.  The first is answered alike whether anything
 * is there or not, and what is not the client's is not there for it (B3).
 */
#include "audit.h"
#include "log.h"
#include "session/authz_internal.h"

static enum nve_reason deny(struct nve_answer *answer, const char *field)
{
	answer->field = field;
	answer->item = UINT16_MAX;
	return NVE_REASON_NOT_AUTHORIZED;
}

static bool names_tsi(const struct nve_event *ev)
{
	return ev->kind != NVE_EV_VN_CONNECT && ev->kind != NVE_EV_VN_DISCONNECT;
}

static bool signals(const struct nve_event *ev)
{
	return ev->kind == NVE_EV_ASSOCIATE || ev->kind == NVE_EV_ACTIVATE;
}

/* Clear without a VN; one whose VN is not known has its name. */
static bool names_every_vn(const struct nve_event *ev, const char *vn_name)
{
	return ev->kind == NVE_EV_CLEAR && !ev->key.vn_id && !*vn_name;
}

static enum nve_reason check_addrs(const struct nve_role *role, const struct nve_event *ev,
				   struct nve_answer *answer)
{
	for (uint32_t i = 0; i < ev->n_addrs; i++) {
		if (nve_role_addr(role, &ev->addrs[i]))
			continue;
		deny(answer, ev->kind == NVE_EV_UPDATE ? "add" : "addresses");
		answer->item = (uint16_t)i;
		return NVE_REASON_NOT_AUTHORIZED;
	}
	return NVE_REASON_OK;
}

/* All that the request names; the VN's own name is known where the VN is. */
static enum nve_reason check_named(const struct nve_role *role, const struct nve_event *ev,
				   const char *vn_name, struct nve_answer *answer)
{
	bool every_vn = names_every_vn(ev, vn_name);
	bool tsi = names_tsi(ev);

	if (!nve_role_port(role, ev->key.port))
		return deny(answer, tsi && ev->kind != NVE_EV_CLEAR ? "tsi.port" : "port");
	if (every_vn ? !role->all_vns : !nve_role_vn(role, ev->key.vn_id, vn_name))
		return deny(answer, tsi && ev->kind != NVE_EV_CLEAR ? "tsi.vn" : "vn");
	if (tsi && !nve_role_tsi(role, &ev->key.id))
		return deny(answer, ev->kind != NVE_EV_CLEAR ? "tsi.tsi_id" : "tsi_id");
	if (ev->kind == NVE_EV_UPDATE && ev->new_port != NVE_PORT_NONE &&
	    !nve_role_port(role, ev->new_port))
		return deny(answer, "new_port");
	if ((ev->flags & NVE_EV_HAS_QOS) && !(role->parameters & NVE_PARAM_QOS))
		return deny(answer, "parameter:qos");
	if ((ev->flags & NVE_EV_HAS_GLEAN) && !(role->parameters & NVE_PARAM_GLEAN))
		return deny(answer, "parameter:glean");
	return check_addrs(role, ev, answer);
}

static bool takes_down(const struct nve_event *ev)
{
	return ev->kind == NVE_EV_DEACTIVATE || ev->kind == NVE_EV_DISASSOCIATE ||
	       ev->kind == NVE_EV_CLEAR;
}

/* The VN is disconnected, or cleared of a TSI, as far as it is the client's. */
static bool only_own(const struct nve_role *role, const struct nve_event *ev, const char *vn_name)
{
	if (ev->kind == NVE_EV_VN_DISCONNECT) /* takes TSIs along, whatever their IDs */
		return role->owns != NVE_OWNS_ANY || !nve_role_all_tsis(role);
	return names_every_vn(ev, vn_name) && role->owns != NVE_OWNS_ANY;
}

static bool holds(const struct nve_authz *a, const struct nve_event *ev)
{
	const struct nve_core *core = nve_engine_core(a->engine);
	const struct nve_vap *vap = nve_core_vap(core, ev->key.port, ev->key.vn_id);
	uint32_t n;

	return vap && nve_core_owner_holds(core, ev->owner, vap, &n, &n);
}

static enum nve_reason check_owner(const struct nve_role *role, const struct nve_event *ev,
				   const struct nve_tsi *tsi, struct nve_answer *answer)
{
	if (!tsi || tsi->owner == ev->owner || role->owns == NVE_OWNS_ANY)
		return NVE_REASON_OK;
	if (!signals(ev))
		return NVE_REASON_UNKNOWN_TSI;
	/* Nobody's is for whoever may have it. */
	if (tsi->owner == NVE_OWNER_NONE ||
	    (role->owns == NVE_OWNS_TAKE && ev->cause != NVE_CAUSE_UNSPECIFIED))
		return NVE_REASON_OK;
	return deny(answer, "tsi.tsi_id");
}

static enum nve_reason judge(const struct nve_authz *a, const struct nve_role *role,
			     struct nve_event *ev, const char *vn_name, struct nve_answer *answer)
{
	const struct nve_core *core = nve_engine_core(a->engine);
	const struct nve_tsi *tsi = NULL;
	enum nve_reason reason;

	if (names_tsi(ev) && ev->key.vn_id)
		tsi = nve_core_tsi(core, nve_core_find_tsi(core, &ev->key));
	/* What is one's own can go, also when the policy would not let it come any more. */
	if (tsi && tsi->owner == ev->owner && takes_down(ev))
		return NVE_REASON_OK;
	if (only_own(role, ev, vn_name)) {
		ev->flags |= NVE_EV_OWN_ONLY;
		if (ev->kind == NVE_EV_CLEAR || holds(a, ev))
			return NVE_REASON_OK;
	}
	reason = check_named(role, ev, vn_name, answer);
	return reason == NVE_REASON_OK ? check_owner(role, ev, tsi, answer) : reason;
}

static void tell(const struct nve_authz *a, const struct nve_role *role, const struct nve_event *ev,
		 const struct nve_answer *answer)
{
	const char *identity = nve_engine_owner_name(a->engine, ev->owner);
	const char *name = role ? role->name : NULL;
	uint32_t line = role ? role->line : 0;

	nve_log(INFO, "not_authorized", LOG_S("identity", identity), LOG_S("role", name),
		LOG_U("line", line), LOG_S("field", answer->field), LOG_U("vn", ev->key.vn_id),
		LOG_X("tsi", ev->key.id.bytes, NVE_TSI_ID_LEN));
	nve_audit("denied", LOG_S("identity", identity), LOG_S("role", name), LOG_U("line", line),
		  LOG_S("field", answer->field), LOG_U("vn", ev->key.vn_id),
		  LOG_X("tsi", ev->key.id.bytes, NVE_TSI_ID_LEN));
}

enum nve_reason nve_authz_judge(void *arg, struct nve_event *ev, const char *vn_name,
				struct nve_answer *answer)
{
	struct nve_authz *a = arg;
	const struct nve_role *role = nve_authz_role(a, ev->owner);
	enum nve_reason reason;

	reason = role ? judge(a, role, ev, vn_name, answer) : NVE_REASON_NOT_AUTHORIZED;
	if (reason == NVE_REASON_NOT_AUTHORIZED)
		tell(a, role, ev, answer);
	return reason;
}

struct nve_owner_usage nve_authz_maxima(void *arg, uint16_t owner)
{
	const struct nve_role *role = nve_authz_role(arg, owner);

	if (!role)
		return (struct nve_owner_usage){ 0 };
	return (struct nve_owner_usage){ role->max_tsis, role->max_addrs, role->max_vns };
}

bool nve_authz_gleans(void *arg, const struct nve_tsi *tsi, const char *vn_name,
		      const struct nve_addr *addr)
{
	struct nve_authz *a = arg;
	const struct nve_role *role = nve_authz_role(a, tsi->owner);
	struct nve_owner_usage usage;

	if (tsi->owner == NVE_OWNER_NONE)
		return true;
	usage = nve_core_owner_usage(nve_engine_core(a->engine), tsi->owner);
	return role && usage.addrs < role->max_addrs && nve_role_addr(role, addr) &&
	       nve_role_vn(role, tsi->key.vn_id, vn_name);
}
