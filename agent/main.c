/* SPDX-License-Identifier: Apache-2.0 */
/* nved: options, the tables of backends, and what is done before anything is opened. */
#include "authz/policy.h"
#include "config.h"
#include "daemon.h"
#include "log.h"
#include "session/tls.h"

#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_CONFIG "/etc/nved/nved.yaml"

/* --- the backends this agent is built with; the first of each is the default -------------------
 */

static const struct nve_dp_ops *const datapaths[] = { &nve_dp_ebpf, &nve_dp_fake };
static const struct nve_store_ops *const stores[] = { &nve_store_sqlite, &nve_store_memory };
static const struct nve_nva_ops *const nvas[] = { &nve_nva_local };

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

static struct {
	const char *datapath[COUNT(datapaths) + 1];
	const char *store[COUNT(stores) + 1];
	const char *nva[COUNT(nvas) + 1];
} names;

static void name_backends(void)
{
	for (size_t i = 0; i < COUNT(datapaths); i++)
		names.datapath[i] = datapaths[i]->name;
	for (size_t i = 0; i < COUNT(stores); i++)
		names.store[i] = stores[i]->name;
	for (size_t i = 0; i < COUNT(nvas); i++)
		names.nva[i] = nvas[i]->name;
}

/* The configuration was checked against the same tables: each name is found. */
static struct nve_backends find_backends(const struct nve_config *config)
{
	struct nve_backends backends = { *datapaths, *nvas, *stores };

	for (size_t i = 0; i < COUNT(datapaths); i++)
		if (!strcmp(datapaths[i]->name, config->datapath))
			backends.dp = datapaths[i];
	for (size_t i = 0; i < COUNT(stores); i++)
		if (!strcmp(stores[i]->name, config->store))
			backends.store = stores[i];
	for (size_t i = 0; i < COUNT(nvas); i++)
		if (!strcmp(nvas[i]->name, config->nva))
			backends.nva = nvas[i];
	return backends;
}

/* --- options -----------------------------------------------------------------------------------
 */

enum mode { MODE_RUN, MODE_CHECK, MODE_FLUSH, MODE_DONE, MODE_USAGE };

static const struct option options[] = {
	{ "config", required_argument, NULL, 'c' }, { "check-config", no_argument, NULL, 'C' },
	{ "flush", no_argument, NULL, 'F' },        { "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' },         { 0 },
};

static const char help[] =
	"Usage: nved [-c FILE] [--check-config | --flush]\n"
	"Agent of an external NVE: takes a hypervisor's requests, programs the datapath.\n"
	"\n"
	"  -c, --config FILE  configuration (default: " DEFAULT_CONFIG ")\n"
	"      --check-config say what is wrong with the configuration, and end\n"
	"      --flush        unload the datapath that the configuration names, and end;\n"
	"                     traffic stops. Refused while an agent runs\n"
	"      --version      print the version, and end\n"
	"  -h, --help         this text\n"
	"\n"
	"Signals: SIGHUP reads the NVA's source, the TLS files and the policy again; SIGTERM\n"
	"and SIGINT end the agent, the datapath goes on forwarding.\n"
	"Exit codes: 0 ok; 1 failure at run time; 2 usage; 3 bad configuration;\n"
	"4 another agent runs; 5 datapath; 6 store.  See nved(8), nved.yaml(5).\n";

static enum mode usage(const char *why)
{
	fprintf(stderr, "nved: %s; 'nved --help' lists the options\n", why);
	return MODE_USAGE;
}

static enum mode parse_options(int argc, char **argv, const char **config)
{
	enum mode mode = MODE_RUN;
	int c;

	while ((c = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if ((c == 'C' || c == 'F') && mode != MODE_RUN)
			return usage("--check-config and --flush exclude each other");
		if (c == 'c')
			*config = optarg;
		else if (c == 'C')
			mode = MODE_CHECK;
		else if (c == 'F')
			mode = MODE_FLUSH;
		else if (c == 'V' || c == 'h') {
			fputs(c == 'h' ? help : "nved " NVED_VERSION "\n", stdout);
			return MODE_DONE;
		} else
			return usage("option not understood");
	}
	return optind < argc ? usage("arguments are not taken") : mode;
}

/* --- doing it ----------------------------------------------------------------------------------
 */

static enum nve_exit load_config(const char *path, struct nve_config **ret)
{
	const struct nve_config_backends lists = { names.datapath, names.store, names.nva };
	char *err = NULL;
	int r = nve_config_load(path, &lists, ret, &err);

	if (!r)
		return NVE_EXIT_OK;
	if (err)
		fprintf(stderr, "%s\n", err);
	else
		fprintf(stderr, "%s: %s; name the configuration with -c FILE\n", path,
			strerror(-r));
	free(err);
	return NVE_EXIT_CONFIG;
}

static enum nve_exit check_policy(const char *path)
{
	struct nve_policy *policy = NULL;
	char *err = NULL;
	int r;

	if (!path)
		return NVE_EXIT_OK;
	if (access(path, F_OK)) {
		printf("%s: not there yet; nved needs it to start\n", path);
		return NVE_EXIT_OK;
	}
	r = nve_policy_load(path, &policy, &err);
	if (r)
		fprintf(stderr, "%s\n", err ?: strerror(-r));
	else
		printf("%s: ok\n", path);
	nve_policy_free(policy);
	free(err);
	return r ? NVE_EXIT_CONFIG : NVE_EXIT_OK;
}

/* Files are looked at as the agent would, and what has expired is told before it hurts. */
static enum nve_exit check_tls(const struct nve_config *config)
{
	const struct nve_tls_files files = { config->tls.certificate, config->tls.key,
					     config->tls.client_ca, config->tls.crl };
	struct nve_tls *tls = NULL;
	char *err = NULL;
	int r;

	if (!files.certificate)
		return NVE_EXIT_OK;
	r = nve_tls_load(&files, &tls, &err);
	if (!r)
		r = nve_tls_check_dates(tls, &err);
	if (r)
		fprintf(stderr, "%s\n", err ?: strerror(-r));
	nve_tls_free(tls);
	free(err);
	return r ? NVE_EXIT_CONFIG : NVE_EXIT_OK;
}

/*
 * The configuration is good; what the NVA's source holds is looked at too, if it is there (a
 * configuration may be checked on another machine).
 */
static enum nve_exit check_config(const char *path, const struct nve_config *config)
{
	struct nve_backends backends = find_backends(config);
	struct nve_nva_config nva_config = { .source = config->nva_source,
					     .local_vtep = config->local_vtep,
					     .local_vtep6 = config->local_vtep6 };
	struct nve_nva *nva = NULL;
	char *err = NULL;
	int r;

	if (check_tls(config) || check_policy(config->policy))
		return NVE_EXIT_CONFIG;
	if (access(config->nva_source, F_OK)) {
		printf("%s: ok\n%s: not there yet; nved needs it to start\n", path,
		       config->nva_source);
		return NVE_EXIT_OK;
	}
	r = backends.nva->open(&nva_config, &nva, &err);
	backends.nva->close(nva);
	if (r)
		fprintf(stderr, "%s\n", err ?: strerror(-r));
	else
		printf("%s: ok\n%s: ok\n", path, config->nva_source);
	free(err);
	return r ? NVE_EXIT_CONFIG : NVE_EXIT_OK;
}

/* A stream is a descriptor, and so is a map: take as many as we may. */
static void raise_limits(void)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files)) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	/* Kernels before 5.11 count maps against this; where it may not be raised, nobody asks. */
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){ RLIM_INFINITY, RLIM_INFINITY });
}

static enum nve_exit act(enum mode mode, const char *path)
{
	struct nve_config *config = NULL;
	struct nve_backends backends;
	enum nve_exit code = load_config(path, &config);

	if (code)
		return code;
	nve_log_set_level(config->log_level);
	backends = find_backends(config);
	if (mode == MODE_CHECK) {
		code = check_config(path, config);
	} else {
		raise_limits();
		signal(SIGPIPE, SIG_IGN);
		code = mode == MODE_FLUSH ? nve_daemon_flush(config, &backends)
					  : nve_daemon_run(config, &backends, NVED_VERSION);
	}
	nve_config_free(config);
	return code;
}

int main(int argc, char **argv)
{
	const char *path = DEFAULT_CONFIG;
	enum mode mode = parse_options(argc, argv, &path);

	if (mode == MODE_USAGE)
		return NVE_EXIT_USAGE;
	if (mode == MODE_DONE)
		return NVE_EXIT_OK;
	/* What one thread frees another may use: memory stays the same however often TSIs come and
	 * go, while an arena for each of gRPC's threads grows by what it happened to see. */
	mallopt(M_ARENA_MAX, 1);
	name_backends();
	return (int)act(mode, path);
}
