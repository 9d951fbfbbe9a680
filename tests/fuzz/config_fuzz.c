/* SPDX-License-Identifier: Apache-2.0 */
/* nved.yaml: what is accepted holds its ranges; what is refused says a line for each complaint. */
#include "config.h"
#include "lib/fuzz.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void check_config(const struct nve_config *config)
{
	fuzz_check(*config->nve && strlen(config->nve) <= NVE_NAME_MAX);
	fuzz_check(config->local_vtep.family == 4 || config->local_vtep6.family == 6);
	fuzz_check(config->n_ports > 0 && config->n_ports <= NVE_PORTS_MAX);
	for (uint32_t i = 0; i < config->n_ports; i++) {
		const struct nve_engine_port *port = &config->ports[i];

		fuzz_check(port->dp.slot == i && *port->dp.name && *port->dp.ifname);
		fuzz_check(port->dp.role == NVE_DP_UNDERLAY || port->scope < config->n_scopes);
	}
	fuzz_check(config->keepalive.min_ms <= config->keepalive.max_ms);
	fuzz_check(config->keepactive.min_ms <= config->keepactive.max_ms);
	for (uint32_t i = 0; i < config->n_listeners; i++)
		fuzz_check(*config->listeners[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const datapaths[] = { "ebpf", "fake", NULL };
	static const char *const stores[] = { "sqlite", "memory", NULL };
	static const char *const nvas[] = { "local", NULL };
	static const struct nve_config_backends backends = { datapaths, stores, nvas };
	struct nve_config *config = NULL;
	char *err = NULL;
	int r = nve_config_load(fuzz_file(data, size), &backends, &config, &err);

	if (r == 0) {
		fuzz_check(config && !err);
		check_config(config);
	} else {
		fuzz_check(!config && (r == -EINVAL ? err && *err : r == -EFBIG));
	}
	nve_config_free(config);
	free(err);
	return 0;
}
