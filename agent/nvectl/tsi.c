/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl tsi: the table of its subcommands, and the values that they have in common. */
#include "nvectl/tsi.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int ctl_tsi_get_key(const struct ctl *ctl, const char *tsi_id, struct ctl_tsi_key *ret)
{
	const char *port = ctl_option_value(&ctl->in, "port");
	const char *vn = ctl_option_value(&ctl->in, "vn");
	int r = ctl_get_tsi_id(ctl, tsi_id, &ret->id);

	if (r == CTL_OK)
		r = ctl_get_vn(ctl, vn ? vn : "", &ret->vn);
	if (r != CTL_OK)
		return r;
	nve__v1__tsi_key__init(&ret->key);
	ret->key.tsi_id.data = ret->id.bytes;
	ret->key.tsi_id.len = sizeof(ret->id.bytes);
	ret->key.port = (char *)(port ? port : "");
	ret->key.vn = &ret->vn;
	return CTL_OK;
}

void ctl_tsi_addrs_free(struct ctl_tsi_addrs *addrs)
{
	free(addrs->raw);
	free(addrs->addrs);
	free(addrs->list);
	*addrs = (struct ctl_tsi_addrs){ 0 };
}

static void point_to(Nve__V1__Address *msg, struct nve_addr *raw)
{
	nve__v1__address__init(msg);
	msg->mac.data = raw->mac;
	msg->mac.len = raw->flags & NVE_ADDR_MAC ? sizeof(raw->mac) : 0;
	msg->ip.data = raw->ip;
	msg->ip.len = raw->flags & NVE_ADDR_IPV4 ? 4 : raw->flags & NVE_ADDR_IPV6 ? 16 : 0;
}

int ctl_tsi_get_addrs(const struct ctl *ctl, const char *option, struct ctl_tsi_addrs *ret)
{
	size_t n = ctl_option_count(&ctl->in, option), at = 0;
	const char *text;

	*ret = (struct ctl_tsi_addrs){ calloc(n + 1, sizeof(*ret->raw)),
				       calloc(n + 1, sizeof(*ret->addrs)),
				       calloc(n + 1, sizeof(*ret->list)), 0 };
	if (!ret->raw || !ret->addrs || !ret->list)
		return ctl_broken(-ENOMEM, "cannot build the request");
	while ((text = ctl_option_next(&ctl->in, option, &at))) {
		size_t i = ret->n;

		if (ctl_parse_addr(text, &ret->raw[i]) < 0)
			return ctl_usage(ctl, "--%s '%s' is no address: use MAC, IP or MAC/IP",
					 option, text);
		point_to(&ret->addrs[i], &ret->raw[i]);
		ret->list[ret->n++] = &ret->addrs[i];
	}
	return CTL_OK;
}

int ctl_tsi_get_timers(const struct ctl *ctl, Nve__V1__Timers *ret, bool *set)
{
	const char *alive = ctl_option_value(&ctl->in, "keepalive");
	const char *active = ctl_option_value(&ctl->in, "keepactive");

	nve__v1__timers__init(ret);
	*set = alive || active;
	if (alive && ctl_parse_timer(alive, &ret->keepalive_ms) < 0)
		return ctl_usage(ctl, "--keepalive '%s': use milliseconds or off", alive);
	if (active && ctl_parse_timer(active, &ret->keepactive_ms) < 0)
		return ctl_usage(ctl, "--keepactive '%s': use milliseconds or off", active);
	if (alive)
		ret->keepalive_case = NVE__V1__TIMERS__KEEPALIVE_KEEPALIVE_MS;
	if (active)
		ret->keepactive_case = NVE__V1__TIMERS__KEEPACTIVE_KEEPACTIVE_MS;
	return CTL_OK;
}

static int parse_glean(char *text, Nve__V1__Glean *ret)
{
	char *age = strchr(text, ':');
	uint64_t age_ms = 0;

	if (age)
		*age++ = '\0';
	if (ctl_parse_timer(text, &ret->max) < 0)
		return -1;
	if (age && (ctl_parse_seconds(age, &age_ms) < 0 || age_ms > UINT32_MAX))
		return -1;
	ret->age_ms = (uint32_t)age_ms;
	return 0;
}

int ctl_tsi_add_glean(const struct ctl *ctl, struct ctl_params *params, struct ctl_tsi_glean *glean)
{
	const char *text = ctl_option_value(&ctl->in, "glean");
	Nve__V1__Glean msg = NVE__V1__GLEAN__INIT;
	Nve__V1__Parameter *p = &params->params[params->n];
	char copy[32];

	if (!text)
		return CTL_OK;
	if (strlen(text) >= sizeof(copy))
		return ctl_usage(ctl, "--glean '%s': use MAX, MAX:SECONDS or off", text);
	strcpy(copy, text);
	if (parse_glean(copy, &msg) < 0)
		return ctl_usage(ctl, "--glean '%s': use MAX, MAX:SECONDS or off", text);
	nve__v1__parameter__init(p);
	p->name = (char *)"glean";
	p->value.data = glean->value;
	p->value.len = nve__v1__glean__pack(&msg, glean->value);
	p->critical = true;
	params->list[params->n++] = p;
	return CTL_OK;
}

Nve__V1__Cause ctl_tsi_get_cause(const struct ctl *ctl)
{
	const char *text = ctl_option_value(&ctl->in, "cause");

	if (!text)
		return NVE__V1__CAUSE__CAUSE_UNSPECIFIED;
	if (!strcmp(text, "create"))
		return NVE__V1__CAUSE__CAUSE_CREATE;
	if (!strcmp(text, "resume"))
		return NVE__V1__CAUSE__CAUSE_RESUME;
	return NVE__V1__CAUSE__CAUSE_MIGRATE_IN; /* the parser lets nothing else through */
}

static const struct ctl_command *const commands[] = {
	&ctl_tsi_list_command,
	&ctl_tsi_show_command,
	&ctl_tsi_associate_command,
	&ctl_tsi_activate_command,
	&ctl_tsi_deactivate_command,
	&ctl_tsi_disassociate_command,
	&ctl_tsi_clear_command,
	&ctl_tsi_update_command,
	&ctl_tsi_keepalive_command,
	&ctl_tsi_keepactive_command,
	NULL,
};

const struct ctl_group ctl_tsi_group = {
	"tsi", "tenant system interfaces: list, show, and the signaling verbs", commands
};
