/* SPDX-License-Identifier: Apache-2.0 */
/* What restart and durability cannot do without: reading the store, and the disk's own sync. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/control/control.h"
#include "store/store.h"

struct seen {
	uint64_t tags, vaps, tsis, addrs;
};

static int tag(void *arg, const struct nve_stored_tag *t)
{
	(void)t;
	((struct seen *)arg)->tags++;
	return 0;
}

static int vap(void *arg, const struct nve_stored_vap *v)
{
	(void)v;
	((struct seen *)arg)->vaps++;
	return 0;
}

static int tsi(void *arg, const struct nve_stored_tsi *t)
{
	((struct seen *)arg)->tsis++;
	((struct seen *)arg)->addrs += t->tsi.n_addrs;
	return 0;
}

int control_read_store(const struct control *c)
{
	const struct nve_store_config config = { c->store, NVE_DURABLE_PROCESS };
	struct nve_store_reader reader = { .tag = tag, .vap = vap, .tsi = tsi };
	struct seen seen = { 0 };
	struct nve_store *store;
	char *err = NULL;
	uint64_t start = control_ns();

	reader.arg = &seen;
	if (nve_store_sqlite.open(&config, &store, &err))
		control_die("%s: %s", c->store, err ? err : "cannot be opened");
	if (nve_store_sqlite.load(store, &reader))
		control_die("%s: cannot be read", c->store);
	printf("{\"ms\": %.1f, \"tags\": %llu, \"vaps\": %llu, \"tsis\": %llu, \"addresses\": "
	       "%llu}\n",
	       (control_ns() - start) / 1e6, (unsigned long long)seen.tags,
	       (unsigned long long)seen.vaps, (unsigned long long)seen.tsis,
	       (unsigned long long)seen.addrs);
	nve_store_sqlite.close(store);
	return 0;
}

int control_disk(const struct control *c)
{
	static uint8_t block[1 << 20];
	int fd = open(c->store, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	uint64_t start = control_ns(), now = start, n = 0;

	if (fd < 0 || c->bytes > sizeof(block))
		control_die("%s: %s", c->store, strerror(errno));
	memset(block, 0x5a, c->bytes);
	while (now - start < c->seconds * UINT64_C(1000000000)) {
		if (write(fd, block, c->bytes) != (ssize_t)c->bytes || fdatasync(fd))
			control_die("%s: %s", c->store, strerror(errno));
		n++;
		now = control_ns();
	}
	close(fd);
	unlink(c->store);
	printf("{\"syncs\": %llu, \"rate\": %.1f}\n", (unsigned long long)n,
	       n / ((now - start) / 1e9));
	return 0;
}
