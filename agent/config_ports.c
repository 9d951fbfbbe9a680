/* SPDX-License-Identifier: Apache-2.0 */
/* Scopes and ports of nved.yaml: each by itself, then what must hold between them (S34, S35). */
#include "config_check.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

/* VID 1 is the untagged VLAN of most switches, so it is not given away unasked. */
enum { DEFAULT_TAG_MIN = 2, PATH_LEN = 48 };

static const char *path_to(char out[PATH_LEN], const char *list, uint32_t i, const char *key)
{
	snprintf(out, PATH_LEN, "%s/%u%s%s", list, i, *key ? "/" : "", key);
	return out;
}

static void check_scope(struct config_check *check, uint32_t i)
{
	const struct raw_scope *raw = &check->raw->scopes[i];
	struct nve_engine_scope *scope = &check->config->scopes[i];
	uint32_t min = raw->tag_min ? *raw->tag_min : DEFAULT_TAG_MIN;
	uint32_t max = raw->tag_max ? *raw->tag_max : NVE_TAG_MAX;
	char at[PATH_LEN];

	if (nve_config_check_name(check, path_to(at, "scopes", i, "name"), raw->name))
		strcpy(scope->name, raw->name);
	if (min < NVE_TAG_MIN || min > max || max > NVE_TAG_MAX)
		nve_config_complain(check, path_to(at, "scopes", i, ""),
				    "tags %u to %u are no range; write %d <= tag_min <= tag_max <= "
				    "%d",
				    min, max, NVE_TAG_MIN, NVE_TAG_MAX);
	scope->tags.tag_min = (uint16_t)min;
	scope->tags.tag_max = (uint16_t)max;
	for (uint32_t j = 0; raw->name && j < i; j++)
		if (check->raw->scopes[j].name && !strcmp(raw->name, check->raw->scopes[j].name))
			nve_config_complain(check, path_to(at, "scopes", i, "name"),
					    "scope '%s' is there already; rename or remove one",
					    raw->name);
}

static bool is_ifname(const char *name)
{
	return *name && strlen(name) < IF_NAMESIZE && !name[strcspn(name, "/: \t")] &&
	       strcmp(name, ".") && strcmp(name, "..");
}

static void check_ifname(struct config_check *check, uint32_t i)
{
	const struct raw_port *raw = &check->raw->ports[i];
	char at[PATH_LEN];

	path_to(at, "ports", i, "ifname");
	if (!raw->ifname)
		nve_config_complain(check, at, "port without ifname; add the interface's name");
	else if (!is_ifname(raw->ifname))
		nve_config_complain(check, at,
				    "'%s' is no interface name; 'ip link' lists those there are",
				    raw->ifname);
	else
		strcpy(check->config->ports[i].dp.ifname, raw->ifname);
}

/* A name or interface that an earlier port has already. */
static void check_twice(struct config_check *check, uint32_t i)
{
	const struct raw_port *raw = &check->raw->ports[i];
	char at[PATH_LEN];

	for (uint32_t j = 0; j < i; j++) {
		const struct raw_port *other = &check->raw->ports[j];

		if (raw->name && other->name && !strcmp(raw->name, other->name))
			nve_config_complain(check, path_to(at, "ports", i, "name"),
					    "port '%s' is there already; rename one", raw->name);
		if (raw->ifname && other->ifname && !strcmp(raw->ifname, other->ifname))
			nve_config_complain(check, path_to(at, "ports", i, "ifname"),
					    "interface '%s' is port '%s' already; remove one",
					    raw->ifname, other->name ?: "");
	}
}

/* Scopes and untagged frames are matters of access ports. */
static void check_role(struct config_check *check, uint32_t i)
{
	const struct raw_port *raw = &check->raw->ports[i];
	char at[PATH_LEN];

	if (!raw->role)
		nve_config_complain(check, path_to(at, "ports", i, "role"),
				    "port without role; add role: access (towards hypervisors) or "
				    "role: underlay (towards other NVEs)");
	if (raw->role == RAW_UNDERLAY && raw->scope)
		nve_config_complain(check, path_to(at, "ports", i, "scope"),
				    "an underlay port has no tags; remove scope");
	if (raw->role == RAW_UNDERLAY && raw->untagged)
		nve_config_complain(check, path_to(at, "ports", i, "untagged"),
				    "an underlay port takes untagged frames; remove untagged");
}

static uint16_t find_scope(const struct nve_config *config, const char *name)
{
	for (uint32_t s = 0; s < config->n_scopes; s++)
		if (!strcmp(config->scopes[s].name, name))
			return (uint16_t)s;
	return NVE_PORT_NONE;
}

/* A port that names no scope gets one of its own, by its own name. */
static uint16_t own_scope(struct config_check *check, uint32_t i)
{
	struct nve_config *config = check->config;
	const char *name = config->ports[i].dp.name;
	char at[PATH_LEN];

	if (*name && find_scope(config, name) != NVE_PORT_NONE) {
		nve_config_complain(check, path_to(at, "ports", i, "name"),
				    "port '%s' would have a scope of its own, but there is one "
				    "named so; add 'scope: %s', or rename one",
				    name, name);
		return NVE_PORT_NONE;
	}
	config->scopes[config->n_scopes].tags =
		(struct nve_scope_config){ DEFAULT_TAG_MIN, NVE_TAG_MAX };
	strcpy(config->scopes[config->n_scopes].name, name);
	return (uint16_t)config->n_scopes++;
}

static void set_scope(struct config_check *check, uint32_t i)
{
	const char *scope = check->raw->ports[i].scope;
	struct nve_engine_port *port = &check->config->ports[i];
	char at[PATH_LEN];

	port->scope = NVE_PORT_NONE;
	if (check->raw->ports[i].role != RAW_ACCESS)
		return;
	if (!scope) {
		port->scope = own_scope(check, i);
		return;
	}
	/* Only those under 'scopes': a port's own scope is not for others. */
	for (uint32_t s = 0; s < check->raw->n_scopes; s++)
		if (!strcmp(check->config->scopes[s].name, scope))
			port->scope = (uint16_t)s;
	if (port->scope == NVE_PORT_NONE)
		nve_config_complain(check, path_to(at, "ports", i, "scope"),
				    "no scope '%s'; add it under scopes, or remove the key for a "
				    "scope of the port's own",
				    scope);
}

static void check_port(struct config_check *check, uint32_t i)
{
	static const uint8_t modes[] = { [0] = NVE_DP_AUTO,
					 [RAW_AUTO] = NVE_DP_AUTO,
					 [RAW_XDP] = NVE_DP_XDP,
					 [RAW_TC] = NVE_DP_TC };
	const struct raw_port *raw = &check->raw->ports[i];
	struct nve_dp_port *dp = &check->config->ports[i].dp;
	char at[PATH_LEN];

	if (nve_config_check_name(check, path_to(at, "ports", i, "name"), raw->name))
		strcpy(dp->name, raw->name);
	check_ifname(check, i);
	check_twice(check, i);
	check_role(check, i);
	dp->slot = (uint16_t)i;
	dp->role = raw->role == RAW_UNDERLAY ? NVE_DP_UNDERLAY : NVE_DP_ACCESS;
	dp->mode = modes[raw->mode];
	dp->untagged = raw->untagged == RAW_HOST ? NVE_DP_UNTAGGED_HOST : NVE_DP_UNTAGGED_DROP;
	set_scope(check, i);
}

static uint32_t count_role(const struct raw_config *raw, enum raw_role role)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < raw->n_ports; i++)
		n += raw->ports[i].role == role;
	return n;
}

static void check_roles(struct config_check *check)
{
	const char *datapath = check->config->datapath;

	if (!count_role(check->raw, RAW_ACCESS))
		nve_config_complain(check, "ports",
				    "no access port; add the one that hypervisors are behind");
	/* The fake one forwards nothing, so it needs nowhere to forward to. */
	if (datapath && strcmp(datapath, "fake") && !count_role(check->raw, RAW_UNDERLAY))
		nve_config_complain(check, "ports",
				    "no underlay port; add the one towards the other NVEs, with "
				    "role: underlay");
}

void nve_config_check_ports(struct config_check *check)
{
	const struct raw_config *raw = check->raw;
	struct nve_config *config = check->config;

	if (raw->n_ports > NVE_PORTS_MAX || raw->n_scopes > NVE_PORTS_MAX) {
		nve_config_complain(check, raw->n_ports > NVE_PORTS_MAX ? "ports" : "scopes",
				    "more than %d entries; remove some", NVE_PORTS_MAX);
		return;
	}
	config->ports = calloc(raw->n_ports + 1, sizeof(*config->ports));
	config->scopes = calloc(raw->n_scopes + raw->n_ports + 1, sizeof(*config->scopes));
	if (!config->ports || !config->scopes) {
		check->error = -ENOMEM;
		return;
	}
	config->n_ports = raw->n_ports;
	config->n_scopes = raw->n_scopes;
	for (uint32_t i = 0; i < raw->n_scopes; i++)
		check_scope(check, i);
	for (uint32_t i = 0; i < raw->n_ports; i++)
		check_port(check, i);
	check_roles(check);
}
