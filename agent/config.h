/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nved.yaml, read and checked.  What is here can be handed to engine and session as it is: no
 * value is out of range, no name is missing or given twice.  Keys and defaults: nved.yaml(5).
 */
#pragma once

#include "audit.h"
#include "engine.h"
#include "log.h"

struct nve_config_limits {
	uint32_t tsis, addresses, vns, vaps;           /* core, store and datapath */
	uint32_t fdb, vteps, flood, meters;            /* datapath */
	uint32_t rate_mbit;                            /* core: of a TSI, in one direction */
	uint32_t sessions, outstanding, message_bytes; /* front end */
	struct {
		uint32_t tsis, addresses, vns;               /* engine */
		uint32_t connections, streams, calls, bytes; /* front end */
	} per_client;
};

/* Paths are NULL where no listener is TLS; 'crl' may be NULL anyway. */
struct nve_config_tls {
	char *certificate, *key, *client_ca, *crl;
	uint32_t handshakes, handshake_timeout_ms;
};

struct nve_config {
	char nve[NVE_NAME_MAX + 1];
	struct nve_ip local_vtep, local_vtep6; /* IPv4 and IPv6; family 0 = none, but of one */
	uint16_t vxlan_port, geneve_port;
	char *pin_dir;
	char *datapath; /* names of backends, from nve_config_backends */
	char *store;
	char *store_path;   /* NULL for the memory store */
	uint8_t durability; /* enum nve_durability */
	char *nva;
	char *nva_source;
	char *policy; /* NULL = none is configured */
	uint32_t n_listeners;
	char **listeners; /* "unix:/path", "127.0.0.1:port", "[::1]:port", "tls:ADDRESS:port" */
	struct nve_config_tls tls;
	uint32_t n_scopes;
	struct nve_engine_scope *scopes; /* those named, then one a port that names none */
	uint32_t n_ports;
	struct nve_engine_port *ports; /* slot = place */
	struct nve_config_limits limits;
	struct nve_timer_config keepalive, keepactive;
	uint32_t quarantine_ms, duplicate_alarm_ms;
	struct nve_engine_check_config check;
	enum nve_log_level log_level;
	bool sandbox;                  /* see sandbox.h */
	struct nve_audit_config audit; /* path NULL: none */
};

/* Names of the backends this agent was built with, NULL at the end of each list. */
struct nve_config_backends {
	const char *const *datapath;
	const char *const *store;
	const char *const *nva;
};

/*
 * Reads and checks 'path'.  -errno of open(2) and read(2), or -EINVAL if the contents are wrong;
 * then '*err' is one line for each thing that is wrong, "FILE:LINE: what is wrong; what to do",
 * without a newline at the end (the caller frees it), and '*ret' is untouched.
 */
int nve_config_load(const char *path, const struct nve_config_backends *backends,
		    struct nve_config **ret, char **err);
void nve_config_free(struct nve_config *config); /* NULL is a no-op */
