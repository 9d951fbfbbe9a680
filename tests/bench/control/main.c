/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hands of the control plane's benchmark; control.py says what to run, and judges.
 *
 *	echo KEY=VALUE..   a bare server, until SIGTERM; says "ready"
 *	load KEY=VALUE..   a client; one line of JSON
 *	store KEY=VALUE..  times the reading of a store; one line of JSON
 *	disk KEY=VALUE..   times append and fdatasync; one line of JSON
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/control/control.h"

static const char *const texts[] = { "address", "ca", "certificate", "key", "what", "store" };
static const char *const numbers[] = { "tsis",        "vns",     "first_vn", "first_tsi",
				       "outstanding", "seconds", "bytes" };

static bool set(struct control *c, const char *name, size_t len, const char *value)
{
	const char **text[] = {
		&c->address, &c->ca, &c->certificate, &c->key, &c->what, &c->store
	};
	uint32_t *number[] = { &c->tsis,        &c->vns,     &c->first_vn, &c->first_tsi,
			       &c->outstanding, &c->seconds, &c->bytes };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strlen(texts[i]) == len && !memcmp(texts[i], name, len)) {
			*text[i] = value;
			return true;
		}
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strlen(numbers[i]) == len && !memcmp(numbers[i], name, len)) {
			*number[i] = (uint32_t)strtoul(value, NULL, 0);
			return true;
		}
	if (len == 9 && !memcmp(name, "associate", len))
		c->associate = *value == '1';
	else if (len == 6 && !memcmp(name, "events", len))
		c->events = *value == '1';
	else
		return false;
	return true;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(const struct control *c);
	} verbs[] = { { "echo", control_echo },
		      { "load", control_load },
		      { "store", control_read_store },
		      { "disk", control_disk } };
	struct control c = { .what = "",
			     .vns = 1,
			     .first_vn = 1,
			     .outstanding = 1,
			     .seconds = 1,
			     .bytes = 4096,
			     .tsis = 1 };

	for (int i = 2; i < argc; i++) {
		const char *equals = strchr(argv[i], '=');

		if (!equals || !set(&c, argv[i], (size_t)(equals - argv[i]), equals + 1))
			control_die("'%s' is not among the keys", argv[i]);
	}
	grpc_init();
	for (size_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (!strcmp(argv[1], verbs[i].name))
			return verbs[i].run(&c);
	control_die("echo, load, store or disk, then KEY=VALUE words");
}
