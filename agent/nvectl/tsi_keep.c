/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl tsi keepalive, nvectl tsi keepactive: restart the timers of TSIs (S72, S73). */
#include "nvectl/tsi.h"

#include <errno.h>
#include <stdlib.h>

#include "nvectl/text.h"

#define TSIS_MAX 512 /* of one request */

/* Says of each TSI that failed why, and what to do. */
static int print_failures(const struct ctl *ctl, const Nve__V1__KeepaliveReply *reply)
{
	for (size_t i = 0; i < reply->n_failures; i++) {
		const Nve__V1__KeepaliveFailure *f = reply->failures[i];
		const char *remedy = ctl_reason_remedy(f->reason);

		if (f->index >= ctl->in.n_operands)
			return ctl_broken(-EBADMSG, "the agent's answer names a TSI not asked for");
		ctl_refused(ctl_text_reason(f->reason), "%s (TSI %s)%s%s.",
			    ctl_reason_text(f->reason), ctl->in.operands[f->index],
			    *remedy ? ". What to do: " : "", remedy);
	}
	return reply->n_failures ? CTL_REFUSED : CTL_OK;
}

static int send_keep(struct ctl *ctl, const char *method, const ProtobufCMessage *req)
{
	const Nve__V1__KeepaliveReply *keep;
	ProtobufCMessage *reply = NULL;
	int r = ctl_call_unary(ctl, method, req, &nve__v1__keepalive_reply__descriptor, &reply);

	if (r != CTL_OK)
		return r;
	keep = (const Nve__V1__KeepaliveReply *)reply;
	if (ctl->json)
		ctl_print_json(reply);
	else
		printf("%zu of %zu restarted\n",
		       keep->n_failures < ctl->in.n_operands ? ctl->in.n_operands - keep->n_failures
							     : 0,
		       ctl->in.n_operands);
	r = print_failures(ctl, keep);
	protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

/* The keys of all operands; the caller frees '*keys' and '*list' in any case. */
static int get_keys(const struct ctl *ctl, struct ctl_tsi_key **keys, Nve__V1__TsiKey ***list)
{
	size_t n = ctl->in.n_operands;
	int r = CTL_OK;

	*keys = calloc(n, sizeof(**keys));
	*list = calloc(n, sizeof(**list));
	if (!*keys || !*list)
		return ctl_broken(-ENOMEM, "cannot build the request");
	for (size_t i = 0; i < n && r == CTL_OK; i++) {
		r = ctl_tsi_get_key(ctl, ctl->in.operands[i], &(*keys)[i]);
		(*list)[i] = &(*keys)[i].key;
	}
	return r;
}

static int run_keepalive(struct ctl *ctl)
{
	Nve__V1__KeepaliveRequest req = NVE__V1__KEEPALIVE_REQUEST__INIT;
	struct ctl_tsi_key *keys;
	int r = get_keys(ctl, &keys, &req.tsis);

	req.n_tsis = ctl->in.n_operands;
	if (r == CTL_OK)
		r = send_keep(ctl, CTL_SIGNALING("Keepalive"), &req.base);
	free(req.tsis);
	free(keys);
	return r;
}

static int run_keepactive(struct ctl *ctl)
{
	Nve__V1__KeepactiveRequest req = NVE__V1__KEEPACTIVE_REQUEST__INIT;
	struct ctl_tsi_key *keys;
	int r = get_keys(ctl, &keys, &req.tsis);

	req.n_tsis = ctl->in.n_operands;
	if (r == CTL_OK)
		r = send_keep(ctl, CTL_SIGNALING("Keepactive"), &req.base);
	free(req.tsis);
	free(keys);
	return r;
}

static const struct ctl_option options[] = { CTL_OPTION_PORT, CTL_OPTION_VN, { 0 } };

const struct ctl_command ctl_tsi_keepalive_command = {
	.name = "keepalive",
	.summary = "restart the timer of TSIs: the hypervisor still has them",
	.operands = { "TSI-ID...", 1, TSIS_MAX, { CTL_WORDS_TSI, CTL_WORDS_TSI } },
	.options = options,
	.run = run_keepalive,
};

const struct ctl_command ctl_tsi_keepactive_command = {
	.name = "keepactive",
	.summary = "restart the timer of Activated TSIs: they are in use",
	.operands = { "TSI-ID...", 1, TSIS_MAX, { CTL_WORDS_TSI, CTL_WORDS_TSI } },
	.options = options,
	.run = run_keepactive,
};
