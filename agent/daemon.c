/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Joins configuration, engine, front end and loop.  The parts say what went wrong and what to do;
 * here it becomes a line of the log and an exit code.
 */
#include "daemon.h"

#include "audit.h"
#include "engine_drain.h"
#include "loop.h"
#include "sandbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * nve_engine_open() opens three backends and returns one error.  Whose it was decides the exit
 * code, so the engine gets tables in which these functions, which note it, stand for the
 * backends' own.
 */
static struct {
	struct nve_backends real;
	struct nve_dp_ops dp;
	struct nve_nva_ops nva;
	struct nve_store_ops store;
	enum nve_exit code;
} opening;

static int note(int r, enum nve_exit code)
{
	if (r)
		opening.code = r == -EBUSY ? NVE_EXIT_RUNNING : code;
	return r;
}

static int open_dp(const struct nve_dp_config *config, struct nve_dp **ret, char **err)
{
	return note(opening.real.dp->open(config, ret, err), NVE_EXIT_DATAPATH);
}

/* -EBUSY is another program on that interface here, not another agent. */
static int set_port(struct nve_dp *dp, const struct nve_dp_port *port, char **err)
{
	int r = opening.real.dp->port_set(dp, port, err);

	if (r)
		opening.code = NVE_EXIT_DATAPATH;
	return r;
}

static int open_nva(const struct nve_nva_config *config, struct nve_nva **ret, char **err)
{
	return note(opening.real.nva->open(config, ret, err), NVE_EXIT_CONFIG);
}

static int open_store(const struct nve_store_config *config, struct nve_store **ret, char **err)
{
	return note(opening.real.store->open(config, ret, err), NVE_EXIT_STORE);
}

static void note_openings(const struct nve_backends *backends)
{
	opening.real = *backends;
	opening.dp = *backends->dp;
	opening.dp.open = open_dp;
	opening.dp.port_set = set_port;
	opening.nva = *backends->nva;
	opening.nva.open = open_nva;
	opening.store = *backends->store;
	opening.store.open = open_store;
	opening.code = NVE_EXIT_FAILURE;
}

static enum nve_exit fail(enum nve_exit code, const char *part, int r, char *err)
{
	nve_log(ERROR, "start_failed", LOG_S("part", part), LOG_S("why", err), LOG_E(r),
		LOG_U("exit", code));
	free(err);
	return code;
}

static struct nve_dp_config dp_config(const struct nve_config *config)
{
	return (struct nve_dp_config){
		.pin_dir = config->pin_dir,
		.local_vtep = config->local_vtep,
		.local_vtep6 = config->local_vtep6,
		.vxlan_port = config->vxlan_port,
		.geneve_port = config->geneve_port,
		.limits = { .max_tsis = config->limits.tsis,
			    .max_vns = config->limits.vns,
			    .max_addrs = config->limits.addresses,
			    .max_fdb = config->limits.fdb,
			    .max_vteps = config->limits.vteps,
			    .max_flood = config->limits.flood,
			    .max_meters = config->limits.meters },
	};
}

static struct nve_core_config core_config(const struct nve_config *config)
{
	return (struct nve_core_config){
		.max_vaps = config->limits.vaps,
		.max_vns = config->limits.vns,
		.max_tsis = config->limits.tsis,
		.max_addrs = config->limits.addresses,
		.max_rate = config->limits.rate_mbit * UINT64_C(1000000),
		.keepalive = config->keepalive,
		.keepactive = config->keepactive,
		.quarantine_ns = config->quarantine_ms * UINT64_C(1000000),
		.duplicate_alarm_ns = config->duplicate_alarm_ms * UINT64_C(1000000),
	};
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static enum nve_exit open_engine(const struct nve_config *config, struct nve_engine **ret)
{
	struct nve_engine_config engine = {
		.n_ports = config->n_ports,
		.ports = config->ports,
		.n_scopes = config->n_scopes,
		.scopes = config->scopes,
		.per_owner = { config->limits.per_client.tsis, config->limits.per_client.addresses,
			       config->limits.per_client.vns },
		.core = core_config(config),
		.dp_ops = &opening.dp,
		.dp = dp_config(config),
		.nva_ops = &opening.nva,
		.nva = { .source = config->nva_source,
			 .local_vtep = config->local_vtep,
			 .local_vtep6 = config->local_vtep6 },
		.check = config->check,
		.store_ops = &opening.store,
		.store = { .path = config->store_path, .durability = config->durability },
	};
	char *err = NULL;
	int r = nve_engine_open(&engine, clock_ns(CLOCK_MONOTONIC), ret, &err);

	if (!r)
		return NVE_EXIT_OK;
	return fail(opening.code, "engine", r, err);
}

static enum nve_exit session_code(int r)
{
	if (r == -EADDRINUSE || r == -EBUSY)
		return NVE_EXIT_RUNNING;
	return r == -EINVAL || r == -ENAMETOOLONG ? NVE_EXIT_CONFIG : NVE_EXIT_FAILURE;
}

static const char *durability(const struct nve_config *config)
{
	if (!config->store_path)
		return "none";
	return config->durability == NVE_DURABLE_POWER ? "power" : "process";
}

/* What Admin.Doctor is about. */
struct patient {
	const struct nve_config *config;
	struct nve_engine *engine;
};

static void examine(void *arg, nve_finding_fn *fn, void *fn_arg)
{
	const struct patient *patient = arg;

	nve_doctor_agent(patient->config, patient->engine, fn, fn_arg);
	nve_doctor_host(patient->config, fn, fn_arg);
}

static bool is_tcp(const char *listener)
{
	return strncmp(listener, "unix:", 5) != 0 && strncmp(listener, "tls:", 4) != 0;
}

/* Loopback TCP proves nobody's identity: without a policy it is worth a warning. */
static enum nve_exit open_policy(const struct nve_config *config, struct nve_engine *engine,
				 struct nve_authz **ret)
{
	char *err = NULL;
	int r = nve_authz_open(engine, config->policy, (uint32_t)geteuid(), ret, &err);

	if (r)
		return fail(NVE_EXIT_CONFIG, "policy", r, err);
	if (config->policy)
		nve_log(INFO, "policy_loaded", LOG_S("path", config->policy),
			LOG_U("roles", nve_authz_info(*ret).n_roles));
	for (uint32_t i = 0; i < config->n_listeners && !config->policy; i++)
		if (is_tcp(config->listeners[i]))
			nve_log(WARNING, "no_policy", LOG_S("listener", config->listeners[i]),
				LOG_S("so", "every local user may do everything there; configure "
					    "'policy', or listen on unix sockets only"));
	return NVE_EXIT_OK;
}

static enum nve_exit open_session(const struct nve_config *config, const char *version,
				  struct nve_loop *loop, const struct patient *patient,
				  struct nve_authz *authz, struct nve_session_server **ret)
{
	const char *notes[3];
	uint32_t n_notes = 0;
	struct nve_session_config session = {
		.engine = patient->engine,
		.doctor = examine,
		.doctor_arg = (void *)patient,
		.nve = config->nve,
		.version = version,
		.n_listeners = config->n_listeners,
		.listeners = (const char *const *)config->listeners,
		.limits = { .sessions = config->limits.sessions,
			    .outstanding = config->limits.outstanding,
			    .message_bytes = config->limits.message_bytes,
			    .per_client = { config->limits.per_client.connections,
					    config->limits.per_client.streams,
					    config->limits.per_client.calls,
					    config->limits.per_client.bytes } },
		.wake = nve_loop_wake,
		/* A turn that waits for the disk is not for a thread that others wait for. */
		.turn = config->durability == NVE_DURABLE_PROCESS ? nve_loop_turn : NULL,
		.wake_arg = loop,
		.store = config->store,
		.durability = durability(config),
		.local_vtep = config->local_vtep.family ? config->local_vtep : config->local_vtep6,
		.started_unix_ns = clock_ns(CLOCK_REALTIME),
		.authz = authz,
		.tls = { config->tls.certificate, config->tls.key, config->tls.client_ca,
			 config->tls.crl },
		.handshakes = config->tls.handshakes,
		.handshake_ms = config->tls.handshake_timeout_ms,
		.notes = notes,
	};
	char *err = NULL;
	int r;

	if (!config->tls.certificate)
		notes[n_notes++] = "listens on loopback and unix sockets only: no listener is tls:";
	if (!config->policy)
		notes[n_notes++] = "no policy: root, the agent's own user and all of loopback TCP "
				   "may do everything, TLS clients nothing";
	if (!strcmp(config->datapath, "fake"))
		notes[n_notes++] = "the datapath is fake: no frame is forwarded";
	session.n_notes = n_notes;
	r = nve_session_open(&session, ret, &err);
	return r ? fail(session_code(r), "listeners", r, err) : NVE_EXIT_OK;
}

static void log_start(const struct nve_config *config, const char *version)
{
	nve_log(INFO, "starting", LOG_S("nve", config->nve), LOG_S("version", version),
		LOG_S("datapath", config->datapath), LOG_S("store", config->store),
		LOG_S("nva", config->nva));
	if (!config->tls.certificate)
		nve_log(WARNING, "no_tls",
			LOG_S("so", "listening on loopback and unix sockets only"));
}

/* The modes that 'auto' chose, and why. */
static void log_ports(const struct nve_engine *engine)
{
	struct nve_dp *dp;
	const struct nve_dp_ops *ops = nve_engine_dp(engine, &dp);

	for (uint32_t slot = 0; slot < nve_engine_n_ports(engine); slot++) {
		const struct nve_dp_port *port = &nve_engine_port(engine, (uint16_t)slot)->dp;
		struct nve_dp_port_status status;

		if (!ops->port_status(dp, port->slot, &status))
			nve_log(INFO, "port", LOG_S("port", port->name),
				LOG_S("ifname", port->ifname),
				LOG_S("role",
				      port->role == NVE_DP_UNDERLAY ? "underlay" : "access"),
				LOG_S("mode", status.mode == NVE_DP_XDP ? "xdp" : "tc"),
				LOG_S("why", status.why));
	}
}

/* After all is loaded and before there are threads, or anybody who asks for anything. */
static enum nve_exit enter_sandbox(const struct nve_config *config)
{
	uint64_t keep = strcmp(config->datapath, "fake") ? nve_sandbox_datapath_caps() : 0;
	char *err = NULL;
	int r;

	if (!config->sandbox) {
		nve_log(WARNING, "no_sandbox", LOG_S("why", "'sandbox: off' is configured"));
		return NVE_EXIT_OK;
	}
	r = nve_sandbox_enter(keep, &err);
	return r ? fail(NVE_EXIT_FAILURE, "sandbox", r, err) : NVE_EXIT_OK;
}

static enum nve_exit serve(const struct nve_config *config, const char *version,
			   struct nve_loop *loop, struct nve_engine *engine, bool *flush)
{
	const struct patient patient = { config, engine };
	struct nve_session_server *server = NULL;
	struct nve_authz *authz = NULL;
	enum nve_exit code = open_policy(config, engine, &authz);
	int r;

	if (!code)
		code = open_session(config, version, loop, &patient, authz, &server);
	if (code) {
		nve_authz_close(authz);
		return code;
	}
	for (uint32_t i = 0; i < config->n_listeners; i++)
		nve_log(INFO, "listening", LOG_S("address", config->listeners[i]));
	r = nve_loop_run(loop, engine, server);
	if (r)
		code = fail(NVE_EXIT_FAILURE, "loop", r, NULL);
	*flush = nve_session_flush_asked(server);
	nve_session_close(server);
	nve_authz_close(authz);
	return code;
}

/* Admin.Flush: all TSIs are gone, now the datapath goes. */
static enum nve_exit flush_datapath(struct nve_engine *engine)
{
	int r = nve_engine_flush(engine);

	nve_audit("flush", LOG_S("result", r ? "failed" : "done"));
	if (r)
		return fail(NVE_EXIT_DATAPATH, "datapath", r, NULL);
	nve_log(INFO, "flushed", LOG_S("so", "no datapath is left; the next start makes one"));
	return NVE_EXIT_OK;
}

static enum nve_exit open_audit(const struct nve_config *config, const char *version)
{
	char *err = NULL;
	int r = nve_audit_open(&config->audit, &err);

	if (r)
		return fail(NVE_EXIT_CONFIG, "audit", r, err);
	nve_audit("start", LOG_S("nve", config->nve), LOG_S("version", version),
		  LOG_U("pid", (uint64_t)getpid()));
	return NVE_EXIT_OK;
}

static enum nve_exit run_engine(const struct nve_config *config, const char *version,
				struct nve_loop *loop)
{
	struct nve_engine *engine = NULL;
	enum nve_exit code = open_engine(config, &engine);
	bool flush = false;

	if (code)
		return code;
	log_ports(engine);
	code = enter_sandbox(config);
	if (!code)
		code = open_audit(config, version); /* which starts a thread: inside */
	if (!code)
		code = serve(config, version, loop, engine, &flush);
	if (flush && !code)
		code = flush_datapath(engine);
	nve_engine_close(engine);
	return code;
}

enum nve_exit nve_daemon_run(const struct nve_config *config, const struct nve_backends *backends,
			     const char *version)
{
	struct nve_loop *loop = NULL;
	enum nve_exit code;
	int r;

	log_start(config, version);
	note_openings(backends);
	r = nve_loop_new(&loop);
	if (r)
		return fail(NVE_EXIT_FAILURE, "loop", r, NULL);
	code = run_engine(config, version, loop);
	nve_audit("stop", LOG_U("exit", code));
	nve_audit_close();
	nve_loop_free(loop);
	if (!code)
		nve_log(INFO, "stopped", LOG_U("exit", code));
	return code;
}

enum nve_exit nve_daemon_flush(const struct nve_config *config, const struct nve_backends *backends)
{
	struct nve_dp_config dp_conf = dp_config(config);
	struct nve_dp *dp = NULL;
	char *err = NULL;
	int r;

	dp_conf.unload = true;
	r = backends->dp->open(&dp_conf, &dp, &err);

	if (r)
		return fail(r == -EBUSY ? NVE_EXIT_RUNNING : NVE_EXIT_DATAPATH, "datapath", r, err);
	r = backends->dp->flush(dp);
	backends->dp->close(dp);
	if (r)
		return fail(NVE_EXIT_DATAPATH, "datapath", r, NULL);
	nve_log(INFO, "flushed", LOG_S("pin_dir", config->pin_dir));
	return NVE_EXIT_OK;
}
