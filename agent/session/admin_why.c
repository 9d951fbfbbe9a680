/* SPDX-License-Identifier: Apache-2.0 */
/* The Admin service: what would become of a frame. */
#include <errno.h>
#include <string.h>

#include "session/admin.h"
#include "session/codec_internal.h"

enum { STEPS_MAX = 512 };

struct steps {
	struct nve_arena *arena;
	size_t n;
	Nve__V1__WhyStep *list[STEPS_MAX];
	bool failed;
};

static char *copy(struct nve_arena *arena, const char *text)
{
	size_t size = strlen(text) + 1;
	char *p = nve_arena_alloc(arena, size);

	return p ? memcpy(p, text, size) : NULL;
}

static void add_step(void *arg, const struct nve_dp_step *step)
{
	struct steps *s = arg;
	Nve__V1__WhyStep *m = NULL;

	if (s->n < STEPS_MAX)
		m = nve_arena_alloc(s->arena, sizeof(*m));
	if (!m) {
		s->failed = true;
		return;
	}
	nve__v1__why_step__init(m);
	m->table = copy(s->arena, step->table);
	m->key = copy(s->arena, step->key);
	m->value = copy(s->arena, step->value);
	if (step->copy == NVE_DP_COPY_SENT)
		m->copy = (char *)"sent";
	else if (step->copy == NVE_DP_COPY_LOST)
		m->copy = copy(s->arena, step->reason);
	s->failed |= !m->table || !m->key || !m->value || !m->copy;
	s->list[s->n++] = m;
}

static void take_out(const struct nve_admin_env *env, struct nve_dp_why *why, Nve__V1__WhyReply *m)
{
	const struct nve_engine_port *port;

	m->out_ifname = why->out_ifname;
	if (why->out_port < nve_engine_n_ports(env->engine)) {
		port = nve_engine_port(env->engine, why->out_port);
		m->out_port = (char *)port->dp.name;
	}
	m->out_vtep.data = why->vtep.bytes;
	m->out_vtep.len = why->vtep.family == 4 ? 4 : why->vtep.family == 6 ? 16 : 0;
	m->out_len = why->out_len;
	m->out_frame.data = why->out;
	m->out_frame.len = why->n_out;
}

static int pack(const struct nve_admin_env *env, struct nve_dp_why *why, struct steps *steps,
		struct nve_bytes *ret)
{
	static const Nve__V1__Verdict verdicts[] = {
		[NVE_DP_DROPPED] = NVE__V1__VERDICT__VERDICT_DROPPED,
		[NVE_DP_FORWARDED] = NVE__V1__VERDICT__VERDICT_FORWARDED,
		[NVE_DP_FLOODED] = NVE__V1__VERDICT__VERDICT_FLOODED,
		[NVE_DP_TO_HOST] = NVE__V1__VERDICT__VERDICT_TO_HOST,
		[NVE_DP_ANSWERED] = NVE__V1__VERDICT__VERDICT_ANSWERED,
	};
	Nve__V1__WhyReply m = NVE__V1__WHY_REPLY__INIT;

	m.verdict = verdicts[why->verdict];
	m.reason = (char *)why->reason;
	m.text = (char *)why->text;
	m.n_programs = why->n_programs;
	m.programs = (char **)why->programs;
	if (why->verdict == NVE_DP_FORWARDED || why->verdict == NVE_DP_ANSWERED)
		take_out(env, why, &m);
	m.n_steps = steps->n;
	m.steps = steps->list;
	return nve_codec_pack(&m.base, steps->arena, ret);
}

int nve_admin_why(const struct nve_admin_env *env, const struct nve_admin_query *query,
		  struct nve_arena *arena, struct nve_bytes *ret, struct nve_refusal *why)
{
	struct nve_dp_why *answer = nve_arena_alloc(arena, sizeof(*answer));
	struct steps *steps = nve_arena_zalloc(arena, 1, sizeof(*steps));
	const struct nve_dp_ops *ops;
	struct nve_dp *dp;
	int r;

	if (!answer || !steps)
		return -ENOMEM;
	steps->arena = arena;
	ops = nve_engine_dp(env->engine, &dp);
	r = ops->why(dp, query->port, query->frame.data, query->frame.len, answer, add_step, steps);
	if (r < 0 && r != -ENOMEM) {
		nve_refusal_init(why, r == -EOPNOTSUPP ? NVE_REASON_UNKNOWN_METHOD
						       : NVE_REASON_DATAPATH_FAILED);
		return -EBADMSG;
	}
	if (r < 0 || steps->failed)
		return -ENOMEM;
	return pack(env, answer, steps, ret);
}
