/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a policy, checks all of it, and compiles it. */
#include "authz/policy_internal.h"

#include "yaml_marks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_MAX_BYTES = 4 << 20 };

static void free_patterns(struct nve_patterns *patterns)
{
	for (size_t i = 0; i < patterns->n; i++)
		free(patterns->list[i]);
	free(patterns->list);
}

void nve_policy_free(struct nve_policy *policy)
{
	if (!policy)
		return;
	for (size_t i = 0; i < policy->n; i++) {
		struct nve_role_sets *sets = policy->roles[i].sets;

		if (!sets)
			continue;
		free_patterns(&sets->identities);
		free_patterns(&sets->ports);
		free_patterns(&sets->vn_names);
		free_patterns(&sets->tsi_texts);
		nve_ranges_free(&sets->vn_ids);
		nve_ranges_free(&sets->tsis);
		nve_ranges_free(&sets->macs);
		nve_ranges_free(&sets->ip4);
		nve_ranges_free(&sets->ip6);
		free(sets);
	}
	free(policy->roles);
	free(policy);
}

static void freep(struct nve_policy **policy)
{
	nve_policy_free(*policy);
}

struct check {
	const struct nve_marks *marks;
	unsigned role;
	unsigned *line;
	char **what;
};

static int complain(const struct check *check, const char *key, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "roles/%u/%s", check->role, key);
	*check->line = nve_marks_line(check->marks, path);
	*check->what = strdup(text);
	return *check->what ? -EINVAL : -ENOMEM;
}

static int take_list(const struct check *check, const char *key, const struct raw_list *list,
		     nve_policy_take_fn *take, struct nve_role *role)
{
	for (unsigned i = 0; i < list->n; i++) {
		char why[NVE_POLICY_WHY], path[48], text[NVE_POLICY_WHY + 48];
		int r = take(role, list->list[i], why);

		if (!r)
			continue;
		if (r != -EINVAL)
			return r;
		snprintf(path, sizeof(path), "%s/%u", key, i);
		snprintf(text, sizeof(text), "%s: %s", key, why);
		return complain(check, path, text);
	}
	return 0;
}

static int take_lists(const struct check *check, const struct raw_role *raw, struct nve_role *role)
{
	const struct {
		const char *key;
		const struct raw_list *list;
		nve_policy_take_fn *take;
	} lists[] = {
		{ "identities", &raw->identities, nve_policy_take_identity },
		{ "ports", &raw->ports, nve_policy_take_port },
		{ "vns", &raw->vns, nve_policy_take_vn },
		{ "tsis", &raw->tsis, nve_policy_take_tsi },
		{ "macs", &raw->macs, nve_policy_take_mac },
		{ "ips", &raw->ips, nve_policy_take_ip },
		{ "parameters", &raw->parameters, nve_policy_take_parameter },
		{ "admin", &raw->admin, nve_policy_take_verb },
	};
	int r = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists) && !r; i++)
		r = take_list(check, lists[i].key, lists[i].list, lists[i].take, role);
	return r;
}

static int check_name(const struct check *check, const struct nve_policy *policy, const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c <= ' ' || *c > '~')
			return complain(check, "name",
					"name: it may have visible ASCII characters only; "
					"rename the role");
	for (size_t i = 0; i < check->role; i++)
		if (!strcmp(policy->roles[i].name, name))
			return complain(check, "name",
					"name: another role has it; rename one of the two");
	return 0;
}

static uint32_t maximum(const uint32_t *value)
{
	return value ? *value : UINT32_MAX;
}

static int take_role(const struct check *check, const struct raw_role *raw,
		     struct nve_policy *policy)
{
	struct nve_role *role = &policy->roles[check->role];
	char path[32];
	int r = check_name(check, policy, raw->name);

	if (r)
		return r;
	if (!raw->identities.n)
		return complain(
			check, "identities",
			"a role without identities is nobody's; add 'identities: [...]', or "
			"remove the role");
	role->sets = calloc(1, sizeof(*role->sets));
	if (!role->sets)
		return -ENOMEM;
	snprintf(role->name, sizeof(role->name), "%s", raw->name);
	snprintf(path, sizeof(path), "roles/%u", check->role);
	role->line = nve_marks_line(check->marks, path);
	role->owns = raw->owns ? (enum nve_policy_owns)(raw->owns - 1) : NVE_OWNS_OWN;
	role->ip_required = raw->ip_required == RAW_SWITCH_YES;
	role->max_tsis = maximum(raw->max.tsis);
	role->max_addrs = maximum(raw->max.addresses);
	role->max_vns = maximum(raw->max.vns);
	r = take_lists(check, raw, role);
	nve_ranges_seal(&role->sets->vn_ids);
	nve_ranges_seal(&role->sets->tsis);
	nve_ranges_seal(&role->sets->macs);
	nve_ranges_seal(&role->sets->ip4);
	nve_ranges_seal(&role->sets->ip6);
	return r;
}

static int compile(const struct nve_marks *marks, const struct raw_policy *raw,
		   struct nve_policy **ret, unsigned *line, char **what)
{
	__attribute__((cleanup(freep))) struct nve_policy *policy = calloc(1, sizeof(*policy));
	struct check check = { .marks = marks, .line = line, .what = what };
	int r = 0;

	if (!policy)
		return -ENOMEM;
	policy->roles = calloc(raw->n_roles + 1, sizeof(*policy->roles));
	if (!policy->roles)
		return -ENOMEM;
	policy->n = raw->n_roles;
	for (check.role = 0; check.role < raw->n_roles && !r; check.role++)
		r = take_role(&check, &raw->roles[check.role], policy);
	if (r)
		return r;
	*ret = policy;
	policy = NULL;
	return 0;
}

static int check_keys(const struct nve_marks *marks, unsigned *line, char **what)
{
	const char *key = nve_marks_unknown_key(marks, nve_policy_raw_known, line);

	if (!key)
		return 0;
	return asprintf(what, "unknown key '%s'; remove it, nved-policy.yaml(5) lists the keys",
			key) < 0
		       ? -ENOMEM
		       : -EINVAL;
}

int nve_policy_parse(const char *name, const char *text, size_t len, struct nve_policy **ret,
		     char **err)
{
	struct raw_policy *raw = NULL;
	struct nve_marks *marks = NULL;
	unsigned line = 1;
	char *what = NULL;
	int r = nve_marks_parse(text, len, &marks, &line, &what);

	if (!r)
		r = check_keys(marks, &line, &what);
	if (!r)
		r = nve_policy_raw_load(text, len, &raw, &line, &what);
	if (!r)
		r = compile(marks, raw, ret, &line, &what);
	if (r == -EINVAL && err && asprintf(err, "%s:%u: %s", name, line, what ? what : "") < 0)
		*err = NULL;
	free(what);
	nve_policy_raw_free(raw);
	nve_marks_free(marks);
	return r;
}

static int read_file(const char *path, char **ret, size_t *len)
{
	FILE *file = fopen(path, "re");
	char *text = NULL;
	struct stat st;
	int r = 0;

	if (!file || fstat(fileno(file), &st))
		r = -errno;
	else if (S_ISDIR(st.st_mode))
		r = -EISDIR;
	if (!r) {
		text = malloc(FILE_MAX_BYTES);
		r = text ? 0 : -ENOMEM;
	}
	if (!r) {
		*len = fread(text, 1, FILE_MAX_BYTES, file);
		r = ferror(file) ? -EIO : *len == FILE_MAX_BYTES ? -EFBIG : 0;
	}
	if (file)
		fclose(file);
	if (r)
		free(text);
	else
		*ret = text;
	return r;
}

int nve_policy_load(const char *path, struct nve_policy **ret, char **err)
{
	char *text = NULL;
	size_t len = 0;
	int r;

	if (err)
		*err = NULL;
	r = read_file(path, &text, &len);
	if (r && err &&
	    asprintf(err, "%s: %s; name a readable file, 'roles: []' is the smallest", path,
		     strerror(-r)) < 0)
		*err = NULL;
	if (!r)
		r = nve_policy_parse(path, text, len, ret, err);
	free(text);
	return r;
}

int nve_policy_default(uint32_t uid, struct nve_policy **ret)
{
	char text[512];
	int n = snprintf(text, sizeof(text),
			 "roles: [{name: default, identities: [loopback, 'unix:0', 'unix:%u'],"
			 " ports: ['*'], vns: ['*'], tsis: ['*'], macs: ['*'], ips: ['*'],"
			 " parameters: ['*'], admin: ['*'], owns: any}]\n",
			 uid);

	return nve_policy_parse("default", text, (size_t)n, ret, NULL);
}
