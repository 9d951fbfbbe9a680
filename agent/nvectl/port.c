/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl port: the ports of the NVE. */
#include "nvectl/ctl.h"

static const struct ctl_column columns[] = {
	{ "PORT" }, { "IFNAME" },    { "ROLE" },       { "SCOPE" },         { "LINK" },
	{ "MODE" }, { "VNS", true }, { "TSIS", true }, { "WHY THAT MODE" }, { 0 }
};

static int take(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__ListPortsReply *reply = (const void *)*message;
	struct ctl_list *list = arg;

	for (size_t i = 0; i < reply->n_ports; i++) {
		const Nve__V1__Port *p = reply->ports[i];

		if (ctl_list_json(list, &p->base))
			continue;
		ctl_columns_add(list->table, "%s", p->name);
		ctl_columns_add(list->table, "%s", p->ifname);
		ctl_columns_add(list->table, "%s", p->role);
		ctl_columns_add(list->table, "%s", p->scope);
		ctl_columns_add(list->table, "%s", p->up ? "up" : "down");
		ctl_columns_add(list->table, "%s", p->mode);
		ctl_columns_add(list->table, "%u", p->vaps);
		ctl_columns_add(list->table, "%u", p->tsis);
		ctl_columns_add(list->table, "%s", p->why);
	}
	return 0;
}

static int run(struct ctl *ctl)
{
	const char *name = ctl->in.n_operands ? ctl->in.operands[0] : "";
	Nve__V1__ListPortsRequest req = NVE__V1__LIST_PORTS_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("ListPorts"), &req.base,
				 &nve__v1__list_ports_reply__descriptor, ctl->timeout_ms, false };
	struct ctl_list list;
	int r;

	req.port = (char *)name;
	r = ctl_list_start(&list, ctl, columns);
	if (r != CTL_OK)
		return r;
	r = ctl_call_stream(ctl, &call, take, &list);
	if (r == CTL_OK && *name && !list.n)
		r = ctl_refused("UNKNOWN_PORT",
				"this NVE has no port '%s'. What to do: list the "
				"ports with 'nvectl port'.",
				name);
	return ctl_list_end(&list, r);
}

static const struct ctl_command port_command = {
	.summary = "the ports of the NVE: role, link, datapath mode",
	.operands = { "[NAME]", 0, 1, { CTL_WORDS_PORT, CTL_WORDS_PORT } },
	.run = run,
};

static const struct ctl_command *const commands[] = { &port_command, NULL };

const struct ctl_group ctl_port_group = { "port", "the ports of the NVE: role, link, datapath mode",
					  commands };
