/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of nved.yaml: one table says range and default of each. */
#include "config_check.h"

#include <stddef.h>

static const struct number {
	const char *path;
	size_t raw;     /* of a uint32_t * in struct raw_config */
	size_t out;     /* of a uint32_t in struct nve_config */
	uint32_t value; /* when it is not given */
	uint32_t min, max;
} numbers[] = {
#define N(path, raw, out, value, min, max)                                                         \
	{                                                                                          \
		path, offsetof(struct raw_config, raw), offsetof(struct nve_config, out), value,   \
			min, max                                                                   \
	}
#define LIMIT(name, value, max) N("limits/" #name, limits.name, limits.name, value, 1, max)
	LIMIT(tsis, 10000, 1000000),
	LIMIT(addresses, 40000, 4000000),
	LIMIT(vns, 1000, 100000),
	LIMIT(vaps, 4000, NVE_PORTS_MAX *NVE_TAG_MAX),
	LIMIT(fdb, 100000, 4000000),
	LIMIT(vteps, 1000, 65536),
	LIMIT(flood, 128, 128), /* what one row of the datapath's flood table holds */
	N("limits/meters", limits.meters, limits.meters, 10000, 0, 1000000),
	LIMIT(rate_mbit, 100000, 100000), /* NVE_QOS_RATE_MAX */
	LIMIT(sessions, 2048, 4096),
	LIMIT(outstanding, 1024, 65536),
	/* 1 MiB of empty messages unpacks to 30 MiB: no more than that for one request. */
	N("limits/message_bytes", limits.message_bytes, limits.message_bytes, 65536, 1024, 1 << 20),
#define CLIENT(name, value, max)                                                                   \
	N("limits/per_client/" #name, limits.per_client.name, limits.per_client.name, value, 1, max)
	CLIENT(tsis, 1000000, 1000000),
	CLIENT(addresses, 4000000, 4000000),
	CLIENT(vns, NVE_PORTS_MAX *NVE_TAG_MAX, NVE_PORTS_MAX *NVE_TAG_MAX),
	CLIENT(connections, 64, 4096),
	CLIENT(streams, 256, 4096),
	CLIENT(calls, 512, 4096),
	CLIENT(bytes, 8 << 20, 1 << 30),
	N("tls/handshakes", tls.handshakes, tls.handshakes, 64, 1, 4096),
	N("tls/handshake_timeout_ms", tls.handshake_timeout_ms, tls.handshake_timeout_ms, 5000, 100,
	  60000),
#define TIMER(name, dflt, max)                                                                     \
	N("timers/" #name "/min_ms", timers.name.min_ms, name.min_ms, 1000, 1, UINT32_MAX),        \
		N("timers/" #name "/max_ms", timers.name.max_ms, name.max_ms, max, 1, UINT32_MAX), \
		N("timers/" #name "/default_ms", timers.name.default_ms, name.default_ms, dflt, 0, \
		  UINT32_MAX)
	TIMER(keepalive, 300000, 86400000),
	TIMER(keepactive, 30000, 3600000),
	N("timers/quarantine_ms", timers.quarantine_ms, quarantine_ms, 30000, 0, 86400000),
	N("timers/duplicate_alarm_ms", timers.duplicate_alarm_ms, duplicate_alarm_ms, 60000, 1,
	  86400000),
};

static void check_number(struct config_check *check, const struct number *number)
{
	const uint32_t *given = *(uint32_t *const *)((const char *)check->raw + number->raw);
	uint32_t value = given ? *given : number->value;

	if (value < number->min || value > number->max)
		nve_config_complain(check, number->path, "%s: %u is out of range; write %u to %u",
				    number->path, value, number->min, number->max);
	*(uint32_t *)((char *)check->config + number->out) = value;
}

static void check_timer(struct config_check *check, const char *path, const struct raw_timer *raw,
			struct nve_timer_config *timer)
{
	timer->may_be_off = raw->may_be_off != RAW_FALSE;
	if (timer->min_ms > timer->max_ms)
		nve_config_complain(check, path, "%s: min_ms %u is above max_ms %u; swap them",
				    path, timer->min_ms, timer->max_ms);
	else if (!timer->default_ms && !timer->may_be_off)
		nve_config_complain(check, path,
				    "%s: default_ms 0 means off, but may_be_off is false; change "
				    "one of them",
				    path);
	else if (timer->default_ms &&
		 (timer->default_ms < timer->min_ms || timer->default_ms > timer->max_ms))
		nve_config_complain(check, path,
				    "%s: default_ms %u is out of range; write min_ms %u to max_ms "
				    "%u, or move those",
				    path, timer->default_ms, timer->min_ms, timer->max_ms);
}

static uint16_t check_udp_port(struct config_check *check, const char *path, const uint32_t *given,
			       uint16_t value)
{
	uint32_t port = given ? *given : value;

	if (!port || port > UINT16_MAX)
		nve_config_complain(check, path, "%s: %u is out of range; write 1 to 65535", path,
				    port);
	return (uint16_t)port;
}

void nve_config_check_numbers(struct config_check *check)
{
	const struct raw_config *raw = check->raw;
	struct nve_config *config = check->config;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
		check_number(check, &numbers[i]);
	check_timer(check, "timers/keepalive", &raw->timers.keepalive, &check->config->keepalive);
	check_timer(check, "timers/keepactive", &raw->timers.keepactive,
		    &check->config->keepactive);
	config->vxlan_port = check_udp_port(check, "vxlan_port", raw->vxlan_port, 4789);
	config->geneve_port = check_udp_port(check, "geneve_port", raw->geneve_port, 6081);
	if (config->vxlan_port == config->geneve_port)
		nve_config_complain(check, "geneve_port",
				    "geneve_port: %u is VXLAN's; write another one",
				    config->geneve_port);
}
