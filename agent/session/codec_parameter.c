/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters of requests (S96).  To define one is to add a line to the table here: its name, and
 * the function that decodes its value.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/qos.h"
#include "session/codec_internal.h"

/* --- qos -------------------------------------------------------------------------------------- */

static int decode_rate(struct nve_decode *d, size_t i, const char *name, const Nve__V1__Rate *m,
		       uint64_t *rate, uint32_t *burst)
{
	if (!m)
		return 0;
	if (!nve_qos_rate_fits(m->bits_per_second))
		return nve_refuse(d, NVE_REASON_INVALID_PARAMETER,
				  "parameters[%zu].%s.bits_per_second", i, name);
	*rate = m->bits_per_second;
	*burst = m->burst_bytes;
	return 0;
}

static int take_qos(struct nve_decode *d, size_t i, const Nve__V1__Qos *m, struct nve_qos *qos)
{
	int r = decode_rate(d, i, "from_tsi", m->from_tsi, &qos->from_tsi, &qos->from_tsi_burst);

	if (r == 0)
		r = decode_rate(d, i, "to_tsi", m->to_tsi, &qos->to_tsi, &qos->to_tsi_burst);
	if (r < 0)
		return r;
	if (m->pcp_case == NVE__V1__QOS__PCP_PRIORITY) {
		if (m->priority > NVE_QOS_PCP_MAX)
			return nve_refuse(d, NVE_REASON_INVALID_PARAMETER,
					  "parameters[%zu].priority", i);
		qos->flags |= NVE_QOS_PCP;
		qos->pcp = (uint8_t)m->priority;
	}
	if (m->dscp_case == NVE__V1__QOS__DSCP_CODEPOINT) {
		if (m->codepoint > NVE_QOS_DSCP_MAX)
			return nve_refuse(d, NVE_REASON_INVALID_PARAMETER,
					  "parameters[%zu].codepoint", i);
		qos->flags |= NVE_QOS_DSCP;
		qos->dscp = (uint8_t)m->codepoint;
	}
	return 0;
}

static bool all_known(const Nve__V1__Qos *m)
{
	return !m->base.n_unknown_fields && (!m->from_tsi || !m->from_tsi->base.n_unknown_fields) &&
	       (!m->to_tsi || !m->to_tsi->base.n_unknown_fields);
}

static int decode_qos(struct nve_decode *d, size_t i, const Nve__V1__Parameter *p,
		      struct nve_request *req)
{
	struct nve_refusal why;
	Nve__V1__Qos *m = NULL;

	if (nve_wire_check(&nve__v1__qos__descriptor, p->value.data, p->value.len, &why) == 0)
		m = nve__v1__qos__unpack(&d->arena->pb, p->value.len, p->value.data);
	if (!m)
		return nve_refuse(d, NVE_REASON_INVALID_PARAMETER, "parameters[%zu].value", i);
	if (p->critical && !all_known(m))
		return nve_refuse(d, NVE_REASON_UNKNOWN_PARAMETER, "parameters[%zu].value", i);
	return take_qos(d, i, m, &req->ev.qos);
}

static Nve__V1__Rate *encode_rate(uint64_t rate, uint32_t burst, Nve__V1__Rate *m)
{
	nve__v1__rate__init(m);
	m->bits_per_second = rate;
	m->burst_bytes = burst;
	return rate ? m : NULL;
}

Nve__V1__Qos *nve_encode_qos(const struct nve_qos *qos, struct nve_codec_qos *m)
{
	if (!qos->from_tsi && !qos->to_tsi && !qos->flags)
		return NULL;
	nve__v1__qos__init(&m->qos);
	m->qos.from_tsi = encode_rate(qos->from_tsi, qos->from_tsi_burst, &m->from_tsi);
	m->qos.to_tsi = encode_rate(qos->to_tsi, qos->to_tsi_burst, &m->to_tsi);
	if (qos->flags & NVE_QOS_PCP) {
		m->qos.pcp_case = NVE__V1__QOS__PCP_PRIORITY;
		m->qos.priority = qos->pcp;
	}
	if (qos->flags & NVE_QOS_DSCP) {
		m->qos.dscp_case = NVE__V1__QOS__DSCP_CODEPOINT;
		m->qos.codepoint = qos->dscp;
	}
	return &m->qos;
}

/* --- glean ------------------------------------------------------------------------------------ */

/* Fields of later versions are passed over. */
static int decode_glean(struct nve_decode *d, size_t i, const Nve__V1__Parameter *p,
			struct nve_request *req)
{
	struct nve_wire w = { p->value.data, p->value.data + p->value.len };
	uint64_t max = 0, age_ms = 0;
	struct nve_wire_field f;

	while (w.at < w.end) {
		if (!nve_wire_next(&w, &f))
			return nve_refuse(d, NVE_REASON_INVALID_PARAMETER, "parameters[%zu]", i);
		if (f.number == 1 && f.type == NVE_WIRE_VARINT)
			max = f.varint;
		else if (f.number == 2 && f.type == NVE_WIRE_VARINT)
			age_ms = f.varint;
	}
	if (!age_ms)
		age_ms = NVE_GLEAN_AGE_MS;
	if (max > NVE_GLEAN_MAX || age_ms < NVE_GLEAN_AGE_MIN_MS || age_ms > NVE_GLEAN_AGE_MAX_MS)
		return nve_refuse(d, NVE_REASON_INVALID_PARAMETER, "parameters[%zu]", i);
	req->ev.glean_max = (uint16_t)max;
	req->ev.glean_age_ms = (uint32_t)age_ms;
	return 0;
}

/* --- all of them ------------------------------------------------------------------------------ */

typedef int value_fn(struct nve_decode *d, size_t i, const Nve__V1__Parameter *p,
		     struct nve_request *req);

/* Parameters of Associate, Activate and Update. */
static const struct {
	const char *name;
	uint16_t given; /* enum nve_event_flags: it stood there */
	value_fn *decode;
} known[] = {
	{ "qos", NVE_EV_HAS_QOS, decode_qos },
	{ "glean", NVE_EV_HAS_GLEAN, decode_glean },
};
enum { KNOWN = sizeof(known) / sizeof(known[0]) };

static int refuse(struct nve_decode *d, enum nve_reason reason, size_t i, const char *name)
{
	nve_refuse(d, reason, "parameters[%zu]", i);
	if (strlen(name) <= NVE_NAME_MAX)
		strcpy(d->why->parameter, name);
	return -EBADMSG;
}

/* 1: taken; 0: not one that is known here. */
static int take(struct nve_decode *d, size_t i, const Nve__V1__Parameter *p,
		struct nve_request *req)
{
	for (size_t k = 0; req && k < KNOWN; k++) {
		int r;

		if (strcmp(known[k].name, p->name))
			continue;
		if (req->ev.flags & known[k].given)
			return refuse(d, NVE_REASON_INVALID_PARAMETER, i, p->name);
		r = known[k].decode(d, i, p, req);
		if (r < 0) {
			strcpy(d->why->parameter, p->name);
			return r;
		}
		req->ev.flags |= known[k].given;
		return 1;
	}
	return 0;
}

int nve_decode_parameters(struct nve_decode *d, size_t n, Nve__V1__Parameter **list,
			  struct nve_request *req)
{
	if (n > NVE_CODEC_PARAMETERS_MAX)
		return nve_refuse(d, NVE_REASON_TOO_LARGE, "parameters");
	if (n == 0)
		return 0;
	d->out->ignored = nve_arena_alloc(d->arena, n * sizeof(char *));
	if (!d->out->ignored)
		return nve_refuse(d, NVE_REASON_TOO_LARGE, "parameters");
	for (size_t i = 0; i < n; i++) {
		const Nve__V1__Parameter *p = list[i];
		size_t len = strlen(p->name);
		int r;

		if (len < 1 || len > NVE_NAME_MAX || p->value.len > NVE_CODEC_VALUE_MAX)
			return refuse(d, NVE_REASON_INVALID_PARAMETER, i, p->name);
		r = take(d, i, p, req);
		if (r < 0)
			return r;
		if (r > 0)
			continue;
		if (p->critical)
			return refuse(d, NVE_REASON_UNKNOWN_PARAMETER, i, p->name);
		d->out->ignored[d->out->n_ignored++] = p->name;
	}
	return 0;
}
