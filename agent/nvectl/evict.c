/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl evict, nvectl flush: what the operator takes down (B7, B10, D10). */
#include "nvectl/evict.h"

#include <stdlib.h>
#include <string.h>

#include "nvectl/text.h"
#include "nvectl/tsi.h"

static void print_failure(const Nve__V1__EvictFailure *f)
{
	char id[CTL_TSI_TEXT];

	if (f->tsi_id.len)
		printf("  TSI %s at ", ctl_text_tsi_id(f->tsi_id, id, sizeof(id)));
	else
		fputs("  at ", stdout);
	ctl_text_print(stdout, f->port);
	printf(", VN %u: %s: %s\n", f->vn_id, ctl_text_reason(f->reason),
	       ctl_reason_text(f->reason));
}

static void print_sessions(const Nve__V1__EvictReply *r)
{
	if (!r->sessions) {
		puts("no session was there to be told");
		return;
	}
	printf("%u session%s told, %u acknowledged", r->sessions, r->sessions == 1 ? "" : "s",
	       r->acknowledged);
	if (r->silent)
		printf(", %u acknowledge%s no events", r->silent, r->silent == 1 ? "s" : "");
	putchar('\n');
}

void ctl_evict_print(const Nve__V1__EvictReply *r, const char *what, const char *done)
{
	printf("%u of %u %s%s %s", r->done, r->matched, what, r->matched == 1 ? "" : "s", done);
	if (r->tsis_cleared)
		printf(", %u TSI%s released", r->tsis_cleared, r->tsis_cleared == 1 ? "" : "s");
	putchar('\n');
	if (r->done)
		print_sessions(r);
	for (size_t i = 0; i < r->n_failures; i++)
		print_failure(r->failures[i]);
}

int ctl_evict_call(struct ctl *ctl, const char *method, const Nve__V1__EvictRequest *req,
		   ProtobufCMessage **ret)
{
	uint64_t was = ctl->timeout_ms;
	int r;

	if (ctl->timeout_ms)
		ctl->timeout_ms += req->wait_ms;
	r = ctl_call_unary(ctl, method, &req->base, &nve__v1__evict_reply__descriptor, ret);
	ctl->timeout_ms = was;
	return r;
}

/* What the options of the three commands name. */
struct named {
	Nve__V1__EvictRequest req;
	Nve__V1__VnRef vn;
	struct nve_tsi_id id;
	struct ctl_tsi_addrs addrs;
	Nve__V1__EvictAddress *all;
	Nve__V1__EvictAddress **list;
};

static void named_free(struct named *n)
{
	ctl_tsi_addrs_free(&n->addrs);
	free(n->all);
	free(n->list);
}

static int get_addrs(const struct ctl *ctl, struct named *n)
{
	int r = ctl_tsi_get_addrs(ctl, "only", &n->addrs);

	if (r != CTL_OK)
		return r;
	n->all = calloc(n->addrs.n + 1, sizeof(*n->all));
	n->list = calloc(n->addrs.n + 1, sizeof(*n->list));
	if (!n->all || !n->list)
		return ctl_broken(-ENOMEM, "cannot build the request");
	for (size_t i = 0; i < n->addrs.n; i++) {
		nve__v1__evict_address__init(&n->all[i]);
		n->all[i].mac = n->addrs.list[i]->mac;
		n->all[i].ip = n->addrs.list[i]->ip;
		n->list[i] = &n->all[i];
	}
	n->req.addresses = n->list;
	n->req.n_addresses = n->addrs.n;
	return CTL_OK;
}

int ctl_get_wait(const struct ctl *ctl, uint64_t max_ms, uint32_t *ret)
{
	const char *text = ctl_option_value(&ctl->in, "wait");
	uint64_t ms = 0;

	if (text && strcmp(text, "0") && (ctl_parse_seconds(text, &ms) < 0 || ms > max_ms))
		return ctl_usage(ctl, "--wait '%s': use seconds, 0 to %llu", text,
				 (unsigned long long)max_ms / 1000);
	*ret = (uint32_t)ms;
	return CTL_OK;
}

static int get_named(const struct ctl *ctl, struct named *n)
{
	const char *port = ctl_option_value(&ctl->in, "port");
	const char *vn = ctl_option_value(&ctl->in, "vn");
	int r = CTL_OK;

	nve__v1__evict_request__init(&n->req);
	n->req.everything = ctl_option_value(&ctl->in, "all") != NULL;
	if (n->req.everything == (ctl->in.n_operands || port || vn))
		return ctl_usage(ctl, "say what: by --port, by --vn%s, or --all for all of it",
				 ctl->in.command->operands.max ? ", by TSI-ID" : "");
	if (port)
		n->req.port = (char *)port;
	if (vn)
		r = ctl_get_vn(ctl, vn, &n->vn);
	if (r == CTL_OK && vn && n->vn.vn_case == NVE__V1__VN_REF__VN_NAME)
		n->req.vn_name = n->vn.name;
	else if (r == CTL_OK && vn)
		n->req.vn_id = n->vn.id;
	if (r == CTL_OK && ctl->in.n_operands) {
		r = ctl_get_tsi_id(ctl, ctl->in.operands[0], &n->id);
		n->req.tsi_id.data = n->id.bytes;
		n->req.tsi_id.len = sizeof(n->id.bytes);
	}
	if (r == CTL_OK)
		r = get_addrs(ctl, n);
	return r == CTL_OK ? ctl_get_wait(ctl, 60000, &n->req.wait_ms) : r;
}

static int evict(struct ctl *ctl, const char *method, const char *what, const char *done)
{
	ProtobufCMessage *reply = NULL;
	struct named named = { 0 };
	int r = get_named(ctl, &named);

	if (r == CTL_OK)
		r = ctl_evict_call(ctl, method, &named.req, &reply);
	named_free(&named);
	if (r != CTL_OK)
		return r;
	if (ctl->json)
		ctl_print_json(reply);
	else
		ctl_evict_print((const void *)reply, what, done);
	r = ((const Nve__V1__EvictReply *)reply)->n_failures ? CTL_REFUSED : CTL_OK;
	protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

static int run_vn(struct ctl *ctl)
{
	return evict(ctl, CTL_ADMIN("DisconnectVn"), "VN", "disconnected");
}

static int run_deactivate(struct ctl *ctl)
{
	return evict(ctl, CTL_ADMIN("DeactivateTsi"), "TSI", "deactivated");
}

static int run_disassociate(struct ctl *ctl)
{
	bool some = ctl_option_count(&ctl->in, "only") > 0;

	return evict(ctl, CTL_ADMIN("DisassociateTsi"), "TSI",
		     some ? "without these addresses now" : "disassociated");
}

static void print_flushed(const struct ctl *ctl, const ProtobufCMessage *msg)
{
	const Nve__V1__FlushReply *reply = (const void *)msg;

	(void)ctl;
	printf("%u VN%s disconnected, %u TSI%s released; the agent ends, and its datapath with "
	       "it\n",
	       reply->vns, reply->vns == 1 ? "" : "s", reply->tsis, reply->tsis == 1 ? "" : "s");
}

static int run_flush(struct ctl *ctl)
{
	Nve__V1__FlushRequest req = NVE__V1__FLUSH_REQUEST__INIT;
	int r;

	req.yes = true;
	req.force = ctl_option_value(&ctl->in, "force") != NULL;
	r = ctl_call_print(ctl, CTL_ADMIN("Flush"), &req.base, &nve__v1__flush_reply__descriptor,
			   print_flushed);
	if (r == CTL_UNREACHABLE)
		fputs("nvectl: if no agent runs, 'nved --flush' unloads the datapath that it "
		      "left\n",
		      stderr);
	return r;
}

#define SCOPE_OPTIONS                                                                              \
	{ "port", 'p', "PORT", CTL_WORDS_PORT, false, false, "what is at this port" },             \
		{ "vn", 'n', "VN", CTL_WORDS_VN, false, false, "what is in this VN" },             \
		{ "all", 'A', NULL, CTL_WORDS_ANY, false, false, "all of it, on the whole NVE" },  \
	{                                                                                          \
		"wait", 'w', "SECONDS", CTL_WORDS_ANY, false, false,                               \
			"wait so long for sessions to acknowledge, 60 at most\n"                   \
			"(default 0); the change itself waits for nobody"                          \
	}

static const struct ctl_option vn_options[] = { SCOPE_OPTIONS, { 0 } };
static const struct ctl_option tsi_options[] = {
	SCOPE_OPTIONS,
	{ "only", 'O', "ADDR", CTL_WORDS_ANY, false, true,
	  "only this address of the TSI; needs TSI-ID" },
	{ 0 },
};
static const struct ctl_option flush_options[] = {
	{ "yes", 'y', NULL, CTL_WORDS_ANY, true, false, "it is meant: all traffic stops" },
	{ "force", 'f', NULL, CTL_WORDS_ANY, false, false, "also while TSIs are Activated" },
	{ 0 },
};

#define DETAILS                                                                                    \
	"Nothing is asked back.  Hypervisors learn of it by events with the reason OPERATOR;\n"    \
	"what they ask for afterwards is taken again: drain a port to keep it empty.\n"

static const struct ctl_command vn_command = {
	.name = "vn",
	.summary = "disconnect VNs from ports, with their TSIs",
	.details = DETAILS,
	.options = vn_options,
	.run = run_vn,
};

static const struct ctl_command deactivate_command = {
	.name = "deactivate",
	.summary = "stop the traffic of TSIs, keep what is reserved",
	.details = DETAILS,
	.operands = { "[TSI-ID]", 0, 1, { CTL_WORDS_TSI, CTL_WORDS_TSI } },
	.options = tsi_options,
	.run = run_deactivate,
};

static const struct ctl_command disassociate_command = {
	.name = "disassociate",
	.summary = "release TSIs, or take addresses from one",
	.details = DETAILS,
	.operands = { "[TSI-ID]", 0, 1, { CTL_WORDS_TSI, CTL_WORDS_TSI } },
	.options = tsi_options,
	.run = run_disassociate,
};

static const struct ctl_command *const commands[] = { &vn_command, &deactivate_command,
						      &disassociate_command, NULL };
const struct ctl_group ctl_evict_group = {
	"evict", "take down what hypervisors have: vn, deactivate, disassociate", commands
};

static const struct ctl_command flush_command = {
	.summary = "release all, end the agent, unload the datapath",
	.details =
		"All VNs are disconnected first, so that hypervisors and other NVEs learn of it;\n"
		"the next start of the agent begins empty.  Refused while TSIs are Activated,\n"
		"unless --force.  'nved --flush' does it without an agent, and keeps what the\n"
		"agent has stored.\n",
	.options = flush_options,
	.run = run_flush,
};

static const struct ctl_command *const flush_commands[] = { &flush_command, NULL };
const struct ctl_group ctl_flush_group = { "flush",
					   "release all, end the agent, unload the datapath",
					   flush_commands };
