/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl plan: would so many TSIs fit?  Changes nothing. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nve/v1/plan.pb-c.h"
#include "nvectl/ctl.h"
#include "nvectl/text.h"

#define TSIS_DEFAULT 1

/* The request and what it points to. */
struct request {
	Nve__V1__PlanRequest msg;
	Nve__V1__PlanStep step, *steps[1];
	Nve__V1__PlanMany many;
};

static int get_vns(const struct ctl *ctl, Nve__V1__PlanMany *many)
{
	size_t n = ctl_option_count(&ctl->in, "vn"), at = 0;
	const char *text;
	int r = CTL_OK;

	many->vn_ids = calloc(n, sizeof(*many->vn_ids));
	many->vn_names = calloc(n, sizeof(*many->vn_names));
	if (!many->vn_ids || !many->vn_names)
		return ctl_broken(-ENOMEM, "cannot build the request");
	while (r == CTL_OK && (text = ctl_option_next(&ctl->in, "vn", &at))) {
		Nve__V1__VnRef vn = NVE__V1__VN_REF__INIT;

		r = ctl_get_vn(ctl, text, &vn);
		if (r == CTL_OK && vn.vn_case == NVE__V1__VN_REF__VN_ID)
			many->vn_ids[many->n_vn_ids++] = vn.id;
		else if (r == CTL_OK)
			many->vn_names[many->n_vn_names++] = vn.name;
	}
	return r;
}

static int get_rate(const struct ctl *ctl, Nve__V1__PlanMany *many)
{
	const char *text = ctl_option_value(&ctl->in, "rate");
	uint32_t burst;

	if (text && ctl_parse_rate(text, &many->bits_per_second, &burst) < 0)
		return ctl_usage(ctl, "--rate '%s': use bits a second, such as 100m", text);
	return CTL_OK;
}

/* What it points to is freed by free_request() in any case. */
static int make_request(const struct ctl *ctl, struct request *req)
{
	Nve__V1__PlanMany *many = &req->many;
	int r;

	nve__v1__plan_request__init(&req->msg);
	nve__v1__plan_step__init(&req->step);
	nve__v1__plan_many__init(many);
	req->msg.n_steps = 1;
	req->msg.steps = req->steps;
	req->steps[0] = &req->step;
	req->step.step_case = NVE__V1__PLAN_STEP__STEP_MANY;
	req->step.many = many;
	many->port = (char *)ctl_option_value(&ctl->in, "port");
	many->activate = !ctl_option_value(&ctl->in, "associate");
	many->tsis = TSIS_DEFAULT;
	many->addresses = 1;
	r = ctl_get_u32(ctl, "tsis", &many->tsis);
	if (r == CTL_OK)
		r = ctl_get_u32(ctl, "addresses", &many->addresses);
	if (r == CTL_OK)
		r = get_rate(ctl, many);
	return r == CTL_OK ? get_vns(ctl, many) : r;
}

static void free_request(struct request *req)
{
	free(req->many.vn_ids);
	free(req->many.vn_names);
}

static void print_verdict(const Nve__V1__PlanReply *m, uint32_t asked)
{
	const Nve__V1__PlanResult *result = m->results[0];

	if (m->fits) {
		printf("fits: %" PRIu32 " of %" PRIu32 " TSIs\n\n", result->done, asked);
		return;
	}
	printf("does not fit: %" PRIu32 " of %" PRIu32 " TSIs, the next one: %s\n", result->done,
	       asked, ctl_text_reason(result->reason));
	ctl_text_print(stdout, result->message);
	fputs("\n\n", stdout);
}

/* The pools that are asked for; a table that stays as it is says nothing. */
static int print_answer(struct ctl *ctl, const Nve__V1__PlanReply *m, uint32_t asked)
{
	static const struct ctl_column columns[] = {
		{ "POOL" }, { "NOW", true }, { "THEN", true }, { "MAX", true }, { 0 }
	};
	struct ctl_list list;
	int r = ctl_list_start(&list, ctl, columns);

	if (r != CTL_OK)
		return r;
	print_verdict(m, asked);
	for (size_t i = 0; i < m->n_pools; i++) {
		const Nve__V1__PlanPool *pool = m->pools[i];

		if (!strncmp(pool->name, "table.", 6) && pool->used == pool->then)
			continue;
		ctl_columns_add(list.table, "%s", pool->name);
		ctl_columns_add(list.table, "%" PRIu64, pool->used);
		ctl_columns_add(list.table, "%" PRIu64, pool->then);
		ctl_columns_add(list.table, "%" PRIu64, pool->max);
	}
	return ctl_list_end(&list, r);
}

static int ask(struct ctl *ctl, const struct request *req)
{
	const Nve__V1__PlanReply *m;
	ProtobufCMessage *reply = NULL;
	int r = ctl_call_unary(ctl, CTL_ADMIN("Plan"), &req->msg.base,
			       &nve__v1__plan_reply__descriptor, &reply);

	if (r != CTL_OK)
		return r;
	m = (const Nve__V1__PlanReply *)reply;
	if (m->n_results != 1)
		r = ctl_broken(-EBADMSG, "the agent's answer is not to this question");
	else if (ctl->json)
		ctl_print_json(reply);
	else
		r = print_answer(ctl, m, req->many.tsis);
	if (r == CTL_OK && !m->fits)
		r = CTL_REFUSED;
	protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

static int run(struct ctl *ctl)
{
	struct request req = { 0 };
	int r = make_request(ctl, &req);

	if (r == CTL_OK)
		r = ask(ctl, &req);
	free_request(&req);
	return r;
}

static const struct ctl_option options[] = {
	{ "port", 'p', "PORT", CTL_WORDS_PORT, true, false, "where they would come" },
	{ "vn", 'n', "VN", CTL_WORDS_VN, true, true, "they are spread over these" },
	{ "tsis", 0, "N", CTL_WORDS_ANY, false, false, "how many, 16384 at most (default 1)" },
	{ "addresses", 0, "N", CTL_WORDS_ANY, false, false,
	  "each has so many MACs with an IP (default 1)" },
	{ "rate", 0, "BITS", CTL_WORDS_ANY, false, false, "each is held to a rate, such as 100m" },
	{ "associate", 0, NULL, CTL_WORDS_ANY, false, false, "they are not activated" },
	{ 0 },
};

static const struct ctl_command plan_command = {
	.summary = "would so many TSIs fit?",
	.details = "Does all that it would take to have them, and takes it back; nothing changes.\n"
		   "Exit code 1: they do not fit.\n",
	.options = options,
	.run = run,
};

static const struct ctl_command *const commands[] = { &plan_command, NULL };

const struct ctl_group ctl_plan_group = { "plan", "would so many TSIs fit?", commands };
