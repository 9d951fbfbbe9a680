/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nved.yaml as it is written: every key may be missing, no value has been looked at.  Between
 * config_raw.c, which reads it with libcyaml, and config*.c, which check it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Numbers are NULL, strings are NULL and enums are 0 where the key is missing. */
enum raw_bool { RAW_FALSE = 1, RAW_TRUE };
enum raw_role { RAW_ACCESS = 1, RAW_UNDERLAY };
enum raw_mode { RAW_AUTO = 1, RAW_XDP, RAW_TC };
enum raw_untagged { RAW_DROP = 1, RAW_HOST };
enum raw_switch { RAW_OFF = 1, RAW_ON };
enum raw_durability { RAW_POWER = 1, RAW_PROCESS };
enum raw_log_level { RAW_ERROR = 1, RAW_WARNING, RAW_INFO, RAW_DEBUG };

struct raw_scope {
	char *name;
	uint32_t *tag_min;
	uint32_t *tag_max;
};

struct raw_port {
	char *name;
	char *ifname;
	char *scope;
	uint32_t role, mode, untagged;
};

struct raw_timer {
	uint32_t *default_ms;
	uint32_t *min_ms;
	uint32_t *max_ms;
	uint32_t may_be_off;
};

struct raw_per_client {
	uint32_t *tsis, *addresses, *vns, *connections, *streams, *calls, *bytes;
};

struct raw_limits {
	uint32_t *tsis, *addresses, *vns, *vaps, *fdb, *vteps, *flood, *meters, *rate_mbit;
	uint32_t *sessions, *outstanding, *message_bytes;
	struct raw_per_client per_client;
};

struct raw_store {
	char *backend, *path;
	uint32_t durability;
};

struct raw_tls {
	char *certificate, *key, *client_ca, *crl;
	uint32_t *handshakes, *handshake_timeout_ms;
};

struct raw_nva {
	char *backend, *source;
};

struct raw_timers {
	struct raw_timer keepalive, keepactive;
	uint32_t *quarantine_ms, *duplicate_alarm_ms;
};

struct raw_reconcile {
	uint32_t *interval_s, *rows_per_s;
	uint32_t repair;
};

struct raw_log {
	uint32_t level;
};

struct raw_audit {
	char *path;
	uint32_t *max_mib, *keep;
	uint32_t sync;
};

struct raw_config {
	char *nve, *local_vtep, *local_vtep6, *pin_dir, *datapath, *policy;
	uint32_t *vxlan_port, *geneve_port;
	struct raw_store store;
	struct raw_nva nva;
	char **listeners;
	struct raw_scope *scopes;
	struct raw_port *ports;
	uint32_t n_listeners, n_scopes, n_ports;
	uint32_t sandbox;
	struct raw_limits limits;
	struct raw_timers timers;
	struct raw_log log;
	struct raw_reconcile check;
	struct raw_audit audit;
	struct raw_tls tls;
};

/*
 * -EINVAL: an unknown key, or a value of the wrong kind; then '*line' and '*what' say where and
 * what, as in yaml_marks.h.  '*ret' is NULL for a text that holds nothing.
 */
int nve_config_raw_load(const char *text, size_t len, struct raw_config **ret, unsigned *line,
			char **what);
void nve_config_raw_free(struct raw_config *raw);

/* Whether there is a key of that path ("ports/0/ifname"). */
bool nve_config_raw_known(const char *path);
/* Calls 'fn' with the path of every key there is: the documents are tested. */
void nve_config_raw_each_key(void (*fn)(void *arg, const char *path), void *arg);
