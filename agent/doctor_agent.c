/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor: what an agent that runs knows of itself and its datapath. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "doctor_say.h"

enum {
	CAP_ADMIN_NET = 12,
	CAP_ADMIN_SYS = 21,
	CAP_PERF = 38,
	CAP_BPF_ = 39,
	FULL_PERCENT = 90,
	FILES_MIN = 4096,
	KEY = 160,
};

/* --- the process ------------------------------------------------------------------------------ */

static void check_capabilities(const struct doctor *d)
{
	FILE *file = fopen("/proc/self/status", "re");
	unsigned long long caps = 0;
	char line[128];
	bool bpf;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %llx", &caps) == 1)
			break;
	if (!file)
		return;
	fclose(file);
	bpf = (caps >> CAP_ADMIN_SYS & 1) || ((caps >> CAP_BPF_ & 1) && (caps >> CAP_PERF & 1));
	if (bpf && (caps >> CAP_ADMIN_NET & 1))
		nve_doctor_say(d, NVE_DOCTOR_OK, "capabilities", "", "", "enough (%llx)", caps);
	else
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "capabilities", "",
			       "AmbientCapabilities=CAP_NET_ADMIN CAP_BPF CAP_PERFMON in the unit",
			       "the agent has %llx: it cannot attach or repair programs", caps);
}

static void check_files(const struct doctor *d)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		return;
	if (files.rlim_cur < FILES_MIN)
		nve_doctor_say(d, NVE_DOCTOR_WARN, "nofile", "", "LimitNOFILE=65536 in the unit",
			       "%lu descriptors: each session and each rule set takes one",
			       (unsigned long)files.rlim_cur);
	else
		nve_doctor_say(d, NVE_DOCTOR_OK, "nofile", "", "", "%lu descriptors",
			       (unsigned long)files.rlim_cur);
}

/* --- the datapath ----------------------------------------------------------------------------- */

static void check_modes(const struct doctor *d, struct nve_engine *e)
{
	struct nve_dp *dp;
	const struct nve_dp_ops *ops = nve_engine_dp(e, &dp);

	for (uint32_t i = 0; i < nve_engine_n_ports(e); i++) {
		const struct nve_dp_port *port = &nve_engine_port(e, (uint16_t)i)->dp;
		struct nve_dp_port_status st;

		if (ops->port_status(dp, port->slot, &st) < 0)
			continue;
		if (!st.ifindex)
			nve_doctor_say(d, NVE_DOCTOR_FAIL, "mode", port->name,
				       "bring the interface back: the agent follows", "%s", st.why);
		else
			nve_doctor_say(d, NVE_DOCTOR_OK, "mode", port->name, "", "%s: %s",
				       st.mode == NVE_DP_XDP ? "native XDP" : "TC", st.why);
	}
}

struct attached {
	const struct doctor *d;
	uint32_t n;
};

static void tell_attached(void *arg, const struct nve_dp_diff *diff)
{
	static const char *const kinds[] = { "is missing", "is another", "is in the way" };
	struct attached *a = arg;
	bool foreign = diff->kind == NVE_DP_FOREIGN;
	const char *remedy = foreign ? "take it away: 'ip link set DEV xdp off', or 'bpftool link "
				       "detach' and 'bpftool net' to find it"
				     : "nvectl diff --repair";
	char subject[KEY];

	a->n++;
	snprintf(subject, sizeof(subject), "%s %s", diff->table, diff->key);
	nve_doctor_say(a->d, foreign ? NVE_DOCTOR_WARN : NVE_DOCTOR_FAIL, "attached", subject,
		       remedy, "%s: %s", kinds[diff->kind], *diff->have ? diff->have : diff->want);
}

/* Programs, links, pins: some hundred rows, all of them now. */
static void check_attached(const struct doctor *d, struct nve_engine *e)
{
	struct nve_dp_check pass = { .attached_only = true };
	struct attached a = { .d = d };
	struct nve_dp *dp;
	const struct nve_dp_ops *ops = nve_engine_dp(e, &dp);
	int r = ops->check(dp, &pass, UINT32_MAX, tell_attached, &a);

	if (r < 0)
		nve_doctor_say(d, NVE_DOCTOR_WARN, "attached", "", "look at the agent's log",
			       "cannot be looked at: %s", strerror(-r));
	else if (r == 0 && !a.n)
		nve_doctor_say(d, NVE_DOCTOR_OK, "attached", "", "",
			       "programs and pins are in place, nobody else's in the way");
}

static void check_fill(const struct doctor *d, struct nve_engine *e)
{
	uint64_t used, max, fullest = 0;
	struct nve_dp *dp;
	const struct nve_dp_ops *ops = nve_engine_dp(e, &dp);
	const char *name;
	bool full = false;

	for (size_t i = 0; (name = ops->table(dp, i, &used, &max)); i++) {
		/* Arrays of counters are always full, and near has its own rules. */
		if (!max || !strcmp(name, "drops") || !strcmp(name, "answers") ||
		    !strcmp(name, "icmp_meter") || !strncmp(name, "near", 4))
			continue;
		if (used * 100 / max > fullest)
			fullest = used * 100 / max;
		if (used * 100 < max * FULL_PERCENT)
			continue;
		full = true;
		nve_doctor_say(d, NVE_DOCTOR_WARN, "room", name,
			       "raise its limit in nved.yaml, then 'nved --flush' and start",
			       "%lu of %lu rows are in use", used, max);
	}
	if (!full)
		nve_doctor_say(d, NVE_DOCTOR_OK, "room", "", "", "the fullest table is at %lu %%",
			       fullest);
}

static void check_differences(const struct doctor *d, struct nve_engine *e)
{
	const struct nve_engine_checks *c = nve_engine_checks(e);
	uint64_t found = 0, mended = 0;

	for (int i = 0; c->tables[i].table; i++) {
		found += c->tables[i].found;
		mended += c->tables[i].mended;
	}
	if (found)
		nve_doctor_say(d, NVE_DOCTOR_WARN, "tables", "",
			       "find out who writes to the maps: the log has the rows "
			       "(datapath_differs)",
			       "%lu differences were found since the start, %lu mended", found,
			       mended);
	else
		nve_doctor_say(d, NVE_DOCTOR_OK, "tables", "", "",
			       "no difference was found since the start (%lu rows looked at)",
			       c->rows);
}

/* What a VN says that its tenants may send, and what its underlay carries. */
static void check_vns(const struct doctor *d, struct nve_engine *e)
{
	const struct nve_core *core = nve_engine_core(e);
	const struct nve_vap *vap;
	uint32_t cursor = 0, told = 0;
	struct nve_dp *dp;
	const struct nve_dp_ops *ops = nve_engine_dp(e, &dp);

	while ((vap = nve_core_next_vap(core, &cursor)) && told < 16) {
		const struct nve_vn_context *vn = nve_engine_vn(e, vap->vn_id);
		uint32_t fits = ops->tenant_mtu(dp, vap->vn_id);
		char subject[32];

		if (!vn || !vn->mtu || !fits || vn->mtu <= fits)
			continue;
		told++;
		snprintf(subject, sizeof(subject), "vn %u", vap->vn_id);
		nve_doctor_say(d, NVE_DOCTOR_WARN, "mtu", subject,
			       "raise the underlay's MTU, or lower the VN's mtu",
			       "the VN says %u, its underlay carries %u", vn->mtu, fits);
	}
}

void nve_doctor_agent(const struct nve_config *config, struct nve_engine *engine,
		      nve_finding_fn *fn, void *arg)
{
	struct doctor d = { config, fn, arg };

	check_capabilities(&d);
	check_files(&d);
	check_modes(&d, engine);
	check_attached(&d, engine);
	check_fill(&d, engine);
	check_differences(&d, engine);
	check_vns(&d, engine);
}
