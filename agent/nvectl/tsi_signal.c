/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl tsi associate, activate, deactivate, disassociate, clear, update. */
#include "nvectl/tsi.h"

#include <inttypes.h>

#include "nvectl/text.h"

/* All that the requests are made of; each verb uses its share. */
struct request {
	struct ctl_tsi_key key;
	struct ctl_tsi_addrs addrs;
	struct ctl_tsi_addrs others; /* --only, --remove */
	struct ctl_params params;
	struct ctl_tsi_glean glean;
	Nve__V1__Timers timers;
	bool has_timers;
	uint32_t tag;
};

static void request_free(struct request *q)
{
	ctl_tsi_addrs_free(&q->addrs);
	ctl_tsi_addrs_free(&q->others);
	ctl_params_free(&q->params);
}

/* Reads the key, the parameters, the timers, the tag and the addresses of up to two options. */
static int request_read(const struct ctl *ctl, const char *addrs, const char *others,
			struct request *q)
{
	int r = ctl_tsi_get_key(ctl, ctl->in.operands[0], &q->key);

	if (r == CTL_OK)
		r = ctl_get_params(ctl, &q->params);
	if (r == CTL_OK)
		r = ctl_tsi_add_glean(ctl, &q->params, &q->glean);
	if (r == CTL_OK)
		r = ctl_tsi_get_qos(ctl, &q->params);
	if (r == CTL_OK)
		r = ctl_tsi_get_timers(ctl, &q->timers, &q->has_timers);
	if (r == CTL_OK)
		r = ctl_get_u32(ctl, "tag", &q->tag);
	if (r == CTL_OK)
		r = ctl_tsi_get_addrs(ctl, addrs, &q->addrs);
	if (r == CTL_OK)
		r = ctl_tsi_get_addrs(ctl, others, &q->others);
	return r;
}

/* "<TSI> at p1: Activated, VN 100, tag 10, keepalive 300 s, keepactive 30 s, epoch 7". */
static void print_reply(const struct ctl *ctl, const ProtobufCMessage *msg)
{
	const Nve__V1__TsiReply *reply = (const void *)msg;
	const char *moved = ctl_option_value(&ctl->in, "new-port");
	const char *port = moved && *moved ? moved : ctl_option_value(&ctl->in, "port");
	char alive[CTL_SPAN_TEXT], active[CTL_SPAN_TEXT];

	printf("%s at %s: %s, VN %u", ctl->in.operands[0], port, ctl_text_state(reply->state),
	       reply->vn_id);
	if (reply->state != NVE__V1__TSI_STATE__TSI_STATE_INIT)
		printf(", tag %u, keepalive %s, keepactive %s", reply->tag,
		       ctl_text_timer(reply->keepalive_ms, alive, sizeof(alive)),
		       ctl_text_timer(reply->keepactive_ms, active, sizeof(active)));
	if (reply->epoch)
		printf(", epoch %" PRIu64, reply->epoch);
	if (reply->qos) {
		fputs("; ", stdout);
		ctl_tsi_print_qos(stdout, reply->qos);
	}
	puts(reply->unchanged ? " (unchanged)" : "");
	ctl_print_ignored(reply->n_ignored_parameters, reply->ignored_parameters);
}

/* Sends, prints the TsiReply, and frees 'q'. */
static int request_send(struct ctl *ctl, const char *method, const ProtobufCMessage *message,
			struct request *q)
{
	int r = ctl_call_print(ctl, method, message, &nve__v1__tsi_reply__descriptor, print_reply);

	request_free(q);
	return r;
}

static int run_associate(struct ctl *ctl)
{
	Nve__V1__AssociateRequest req = NVE__V1__ASSOCIATE_REQUEST__INIT;
	struct request q = { 0 };
	int r = request_read(ctl, "addr", "only", &q);

	if (r != CTL_OK) {
		request_free(&q);
		return r;
	}
	req.tsi = &q.key.key;
	req.addresses = q.addrs.list;
	req.n_addresses = q.addrs.n;
	req.tag = q.tag;
	req.cause = ctl_tsi_get_cause(ctl);
	req.timers = q.has_timers ? &q.timers : NULL;
	req.parameters = q.params.list;
	req.n_parameters = q.params.n;
	return request_send(ctl, CTL_SIGNALING("Associate"), &req.base, &q);
}

static int run_activate(struct ctl *ctl)
{
	Nve__V1__ActivateRequest req = NVE__V1__ACTIVATE_REQUEST__INIT;
	struct request q = { 0 };
	int r = request_read(ctl, "addr", "only", &q);

	if (r != CTL_OK) {
		request_free(&q);
		return r;
	}
	req.tsi = &q.key.key;
	req.addresses = q.addrs.list;
	req.n_addresses = q.addrs.n;
	req.only = q.others.list;
	req.n_only = q.others.n;
	req.tag = q.tag;
	req.cause = ctl_tsi_get_cause(ctl);
	req.timers = q.has_timers ? &q.timers : NULL;
	req.parameters = q.params.list;
	req.n_parameters = q.params.n;
	return request_send(ctl, CTL_SIGNALING("Activate"), &req.base, &q);
}

static int run_deactivate(struct ctl *ctl)
{
	Nve__V1__DeactivateRequest req = NVE__V1__DEACTIVATE_REQUEST__INIT;
	struct request q = { 0 };
	int r = request_read(ctl, "addr", "only", &q);

	if (r != CTL_OK) {
		request_free(&q);
		return r;
	}
	req.tsi = &q.key.key;
	req.only = q.others.list;
	req.n_only = q.others.n;
	req.parameters = q.params.list;
	req.n_parameters = q.params.n;
	return request_send(ctl, CTL_SIGNALING("Deactivate"), &req.base, &q);
}

static int run_disassociate(struct ctl *ctl)
{
	Nve__V1__DisassociateRequest req = NVE__V1__DISASSOCIATE_REQUEST__INIT;
	struct request q = { 0 };
	int r = request_read(ctl, "addr", "only", &q);

	if (r != CTL_OK) {
		request_free(&q);
		return r;
	}
	req.tsi = &q.key.key;
	req.parameters = q.params.list;
	req.n_parameters = q.params.n;
	return request_send(ctl, CTL_SIGNALING("Disassociate"), &req.base, &q);
}

static int run_update(struct ctl *ctl)
{
	const char *port = ctl_option_value(&ctl->in, "new-port");
	Nve__V1__UpdateRequest req = NVE__V1__UPDATE_REQUEST__INIT;
	struct request q = { 0 };
	int r = request_read(ctl, "add", "remove", &q);

	if (r != CTL_OK) {
		request_free(&q);
		return r;
	}
	req.tsi = &q.key.key;
	req.add = q.addrs.list;
	req.n_add = q.addrs.n;
	req.remove = q.others.list;
	req.n_remove = q.others.n;
	req.new_port = (char *)(port ? port : "");
	req.timers = q.has_timers ? &q.timers : NULL;
	req.parameters = q.params.list;
	req.n_parameters = q.params.n;
	return request_send(ctl, CTL_SIGNALING("Update"), &req.base, &q);
}

static void print_cleared(const struct ctl *ctl, const ProtobufCMessage *msg)
{
	const Nve__V1__ClearReply *reply = (const void *)msg;
	printf("%s at %s: %u instance%s cleared\n", ctl->in.operands[0],
	       ctl_option_value(&ctl->in, "port"), reply->cleared, reply->cleared == 1 ? "" : "s");
	ctl_print_ignored(reply->n_ignored_parameters, reply->ignored_parameters);
}

static int run_clear(struct ctl *ctl)
{
	const char *vn = ctl_option_value(&ctl->in, "vn");
	Nve__V1__ClearRequest req = NVE__V1__CLEAR_REQUEST__INIT;
	struct ctl_params params = { 0 };
	struct nve_tsi_id id;
	Nve__V1__VnRef ref = NVE__V1__VN_REF__INIT;
	int r = ctl_get_tsi_id(ctl, ctl->in.operands[0], &id);

	if (r == CTL_OK && vn)
		r = ctl_get_vn(ctl, vn, &ref);
	if (r == CTL_OK)
		r = ctl_get_params(ctl, &params);
	req.tsi_id.data = id.bytes;
	req.tsi_id.len = sizeof(id.bytes);
	req.port = (char *)ctl_option_value(&ctl->in, "port");
	req.vn = vn ? &ref : NULL;
	req.parameters = params.list;
	req.n_parameters = params.n;
	if (r == CTL_OK)
		r = ctl_call_print(ctl, CTL_SIGNALING("Clear"), &req.base,
				   &nve__v1__clear_reply__descriptor, print_cleared);
	ctl_params_free(&params);
	return r;
}

#define ADDRESS_HELP                                                                               \
	"An ADDR is a MAC, an IP, or an IP bound to a MAC: 02:00:00:00:00:01/10.0.0.1.\n"
#define QOS_HELP "Rates and marks are given as a whole: of these, what is left out is off.\n"

#define RESERVING_OPTIONS                                                                          \
	CTL_OPTION_PORT, CTL_OPTION_VN,                                                            \
		{ "addr", 'a', "ADDR", CTL_WORDS_ANY, false, true, "an address of the TSI" },      \
		{ "tag",                                                                           \
		  'T',                                                                             \
		  "TAG",                                                                           \
		  CTL_WORDS_ANY,                                                                   \
		  false,                                                                           \
		  false,                                                                           \
		  "propose this 802.1Q tag; without it the NVE chooses" },                         \
		{ "cause",                                                                         \
		  'c',                                                                             \
		  "CAUSE",                                                                         \
		  CTL_WORDS_CAUSE,                                                                 \
		  false,                                                                           \
		  false,                                                                           \
		  "why it happens: create, migrate-in or resume" },                                \
		CTL_OPTION_KEEPALIVE, CTL_OPTION_KEEPACTIVE, CTL_OPTION_GLEAN, CTL_OPTIONS_QOS,    \
		CTL_OPTION_PARAM

#define OPTION_ONLY(what)                                                                          \
	{                                                                                          \
		"only", 'O', "ADDR", CTL_WORDS_ANY, false, true, "only this address " what         \
	}

static const struct ctl_option associate_options[] = { RESERVING_OPTIONS, { 0 } };
static const struct ctl_option activate_options[] = { RESERVING_OPTIONS,
						      OPTION_ONLY("begins to function"),
						      { 0 } };
static const struct ctl_option deactivate_options[] = {
	CTL_OPTION_PORT, CTL_OPTION_VN, OPTION_ONLY("ceases to function"), CTL_OPTION_PARAM, { 0 }
};
static const struct ctl_option disassociate_options[] = {
	CTL_OPTION_PORT, CTL_OPTION_VN, CTL_OPTION_PARAM, { 0 }
};
static const struct ctl_option clear_options[] = {
	CTL_OPTION_PORT,
	{ "vn", 'n', "VN", CTL_WORDS_VN, false, false, "only in this VN; without it in all" },
	CTL_OPTION_PARAM,
	{ 0 },
};
static const struct ctl_option update_options[] = {
	CTL_OPTION_PORT,
	CTL_OPTION_VN,
	{ "add", 'a', "ADDR", CTL_WORDS_ANY, false, true, "an address that it has from now on" },
	{ "remove", 'r', "ADDR", CTL_WORDS_ANY, false, true, "an address that it has no more" },
	{ "new-port", 'N', "PORT", CTL_WORDS_PORT, false, false, "the port it is at now" },
	CTL_OPTION_KEEPALIVE,
	CTL_OPTION_KEEPACTIVE,
	CTL_OPTION_GLEAN,
	CTL_OPTIONS_QOS,
	CTL_OPTION_PARAM,
	{ 0 },
};

const struct ctl_command ctl_tsi_associate_command = {
	.name = "associate",
	.summary = "reserve all that a TSI needs; nothing passes yet",
	.details = ADDRESS_HELP QOS_HELP,
	.operands = CTL_OPERAND_TSI,
	.options = associate_options,
	.run = run_associate,
};

const struct ctl_command ctl_tsi_activate_command = {
	.name = "activate",
	.summary = "let a TSI's traffic pass; reserves first if need be",
	.details = ADDRESS_HELP QOS_HELP,
	.operands = CTL_OPERAND_TSI,
	.options = activate_options,
	.run = run_activate,
};

const struct ctl_command ctl_tsi_deactivate_command = {
	.name = "deactivate",
	.summary = "stop a TSI's traffic, keep what is reserved",
	.details = ADDRESS_HELP,
	.operands = CTL_OPERAND_TSI,
	.options = deactivate_options,
	.run = run_deactivate,
};

const struct ctl_command ctl_tsi_disassociate_command = {
	.name = "disassociate",
	.summary = "release one instance of a TSI",
	.operands = CTL_OPERAND_TSI,
	.options = disassociate_options,
	.run = run_disassociate,
};

const struct ctl_command ctl_tsi_clear_command = {
	.name = "clear",
	.summary = "release every instance of a TSI on a port",
	.operands = CTL_OPERAND_TSI,
	.options = clear_options,
	.run = run_clear,
};

const struct ctl_command ctl_tsi_update_command = {
	.name = "update",
	.summary = "change a TSI's addresses, port, timers or QoS, all at once",
	.details = ADDRESS_HELP QOS_HELP,
	.operands = CTL_OPERAND_TSI,
	.options = update_options,
	.run = run_update,
};
