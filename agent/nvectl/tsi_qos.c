/* SPDX-License-Identifier: Apache-2.0 */
/* QoS of a TSI: what the options of the signaling verbs say, as the parameter "qos", and as text.
 */
#include "nvectl/tsi.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "nvectl/text.h"

struct qos {
	Nve__V1__Qos msg;
	Nve__V1__Rate from, to;
};

static int get_rate(const struct ctl *ctl, const char *option, Nve__V1__Rate *rate,
		    Nve__V1__Rate **ret)
{
	const char *text = ctl_option_value(&ctl->in, option);

	*ret = NULL;
	if (!text || !strcmp(text, "off"))
		return CTL_OK;
	nve__v1__rate__init(rate);
	if (ctl_parse_rate(text, &rate->bits_per_second, &rate->burst_bytes) < 0)
		return ctl_usage(ctl,
				 "--%s '%s': use bits a second, and the burst in bytes behind a "
				 "slash: 10M, 10M/64k, or off",
				 option, text);
	*ret = rate;
	return CTL_OK;
}

static int get_mark(const struct ctl *ctl, const char *option, uint32_t *ret, bool *set)
{
	const char *text = ctl_option_value(&ctl->in, option);

	*set = text && strcmp(text, "off");
	return *set ? ctl_get_u32(ctl, option, ret) : CTL_OK;
}

static int read_options(const struct ctl *ctl, struct qos *qos)
{
	bool pcp = false, dscp = false;
	int r;

	nve__v1__qos__init(&qos->msg);
	r = get_rate(ctl, "rate-from", &qos->from, &qos->msg.from_tsi);
	if (r == CTL_OK)
		r = get_rate(ctl, "rate-to", &qos->to, &qos->msg.to_tsi);
	if (r == CTL_OK)
		r = get_mark(ctl, "pcp", &qos->msg.priority, &pcp);
	if (r == CTL_OK)
		r = get_mark(ctl, "dscp", &qos->msg.codepoint, &dscp);
	if (pcp)
		qos->msg.pcp_case = NVE__V1__QOS__PCP_PRIORITY;
	if (dscp)
		qos->msg.dscp_case = NVE__V1__QOS__DSCP_CODEPOINT;
	return r;
}

int ctl_tsi_get_qos(const struct ctl *ctl, struct ctl_params *params)
{
	static const char *const options[] = { "rate-from", "rate-to", "pcp", "dscp", "no-qos" };
	Nve__V1__Parameter *p;
	struct qos qos;
	bool given = false;
	int r;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		given |= ctl_option_value(&ctl->in, options[i]) != NULL;
	if (!given)
		return CTL_OK;
	r = read_options(ctl, &qos);
	if (r != CTL_OK)
		return r;
	if (ctl_option_value(&ctl->in, "no-qos"))
		nve__v1__qos__init(&qos.msg);
	/* An NVE that does not know it must not say yes. */
	p = ctl_params_add(params, "qos", nve__v1__qos__get_packed_size(&qos.msg));
	if (!p)
		return ctl_broken(-ENOMEM, "cannot build the request");
	nve__v1__qos__pack(&qos.msg, p->value.data);
	p->critical = true;
	return CTL_OK;
}

static void put_rate(FILE *out, const char *name, const Nve__V1__Rate *rate, const char **sep)
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = { { 1000000000, "Gbit/s" }, { 1000000, "Mbit/s" }, { 1000, "kbit/s" } };
	uint64_t bits = rate ? rate->bits_per_second : 0;
	size_t i = 0;

	if (!rate)
		return;
	while (i < 3 && (bits < units[i].unit || bits % units[i].unit))
		i++;
	if (i < 3)
		fprintf(out, "%s%s %" PRIu64 " %s", *sep, name, bits / units[i].unit,
			units[i].name);
	else
		fprintf(out, "%s%s %" PRIu64 " bit/s", *sep, name, bits);
	fprintf(out, " burst %u", rate->burst_bytes);
	*sep = ", ";
}

void ctl_tsi_print_qos(FILE *out, const Nve__V1__Qos *qos)
{
	const char *sep = "";

	put_rate(out, "from TSI", qos->from_tsi, &sep);
	put_rate(out, "to TSI", qos->to_tsi, &sep);
	if (qos->pcp_case == NVE__V1__QOS__PCP_PRIORITY) {
		fprintf(out, "%sPCP %u", sep, qos->priority);
		sep = ", ";
	}
	if (qos->dscp_case == NVE__V1__QOS__DSCP_CODEPOINT) {
		fprintf(out, "%sDSCP %u", sep, qos->codepoint);
		sep = ", ";
	}
	if (!*sep)
		fputs("none", out);
}
