/* SPDX-License-Identifier: Apache-2.0 */
/* nvectl vn: VNs on ports (S5, S29-S43). */
#include "nvectl/ctl.h"

#include <stdlib.h>
#include <string.h>

#include "nvectl/text.h"

static const struct ctl_column columns[] = { { "VN", true },     { "NAME" },      { "PORT" },
					     { "TAG", true },    { "VNI", true }, { "TSIS", true },
					     { "ACTIVE", true }, { "CONNECT" },   { "ENCAP" },
					     { "MTU", true },    { "VTEPS" },     { 0 } };

/* "192.0.2.2,192.0.2.3"; the caller frees it.  NULL without memory. */
static char *vtep_list(const Nve__V1__Vap *v)
{
	char *list = calloc(v->n_vteps + 1, CTL_ADDR_TEXT), *at = list;

	for (size_t i = 0; list && i < v->n_vteps; i++) {
		if (i)
			*at++ = ',';
		at += strlen(ctl_text_ip(v->vteps[i], at, CTL_ADDR_TEXT - 1));
	}
	return list;
}

static void add_row(struct ctl_list *list, const Nve__V1__Vap *v)
{
	char *vteps = vtep_list(v);

	ctl_columns_add(list->table, "%u", v->vn_id);
	ctl_columns_add(list->table, "%s", v->vn_name);
	ctl_columns_add(list->table, "%s", v->port);
	ctl_columns_add(list->table, "%u", v->tag);
	ctl_columns_add(list->table, "%u", v->vni);
	ctl_columns_add(list->table, "%u", v->tsis);
	ctl_columns_add(list->table, "%u", v->activated);
	ctl_columns_add(list->table, "%s", v->connected_explicitly ? "explicit" : "implicit");
	ctl_columns_add(list->table, "%s", v->encap);
	if (v->mtu)
		ctl_columns_add(list->table, "%u", v->mtu);
	else
		ctl_columns_add(list->table, "%s", "");
	ctl_columns_add(list->table, "%s", vteps ? vteps : "?");
	free(vteps);
}

static int take(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__ListVnsReply *reply = (const void *)*message;
	struct ctl_list *list = arg;

	for (size_t i = 0; i < reply->n_vaps; i++)
		if (!ctl_list_json(list, &reply->vaps[i]->base))
			add_row(list, reply->vaps[i]);
	return 0;
}

static int run_list(struct ctl *ctl)
{
	const char *port = ctl_option_value(&ctl->in, "port");
	const char *vn = ctl_option_value(&ctl->in, "vn");
	Nve__V1__ListVnsRequest req = NVE__V1__LIST_VNS_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("ListVns"), &req.base,
				 &nve__v1__list_vns_reply__descriptor, ctl->timeout_ms, false };
	struct ctl_list list;
	Nve__V1__VnRef ref;
	int r;

	req.port = (char *)(port ? port : "");
	r = vn ? ctl_get_vn(ctl, vn, &ref) : CTL_OK;
	if (r != CTL_OK)
		return r;
	req.vn = vn ? &ref : NULL;
	r = ctl_list_start(&list, ctl, columns);
	if (r != CTL_OK)
		return r;
	return ctl_list_end(&list, ctl_call_stream(ctl, &call, take, &list));
}

static void print_connected(const struct ctl *ctl, const ProtobufCMessage *msg)
{
	const Nve__V1__VnConnectReply *reply = (const void *)msg;
	char vn[CTL_VN_TEXT];

	fputs("VN ", stdout);
	ctl_text_print(stdout, ctl_text_vn_named(reply->vn_id, reply->vn_name, vn, sizeof(vn)));
	printf(" is connected on %s: tag %u", ctl->in.operands[0], reply->tag);
	if (reply->mtu)
		printf(", MTU %u", reply->mtu);
	putchar('\n');
	ctl_print_ignored(reply->n_ignored_parameters, reply->ignored_parameters);
}

static int run_connect(struct ctl *ctl)
{
	Nve__V1__VnConnectRequest req = NVE__V1__VN_CONNECT_REQUEST__INIT;
	struct ctl_params params = { 0 };
	Nve__V1__VnRef vn;
	int r;

	req.port = (char *)ctl->in.operands[0];
	req.vn = &vn;
	r = ctl_get_vn(ctl, ctl->in.operands[1], &vn);
	if (r == CTL_OK)
		r = ctl_get_u32(ctl, "tag", &req.tag);
	if (r == CTL_OK)
		r = ctl_get_params(ctl, &params);
	req.parameters = params.list;
	req.n_parameters = params.n;
	if (r == CTL_OK)
		r = ctl_call_print(ctl, CTL_SIGNALING("VnConnect"), &req.base,
				   &nve__v1__vn_connect_reply__descriptor, print_connected);
	ctl_params_free(&params);
	return r;
}

static void print_disconnected(const struct ctl *ctl, const ProtobufCMessage *msg)
{
	const Nve__V1__VnDisconnectReply *reply = (const void *)msg;
	printf("VN %s is disconnected on %s: %u TSI%s cleared\n", ctl->in.operands[1],
	       ctl->in.operands[0], reply->cleared, reply->cleared == 1 ? "" : "s");
	ctl_print_ignored(reply->n_ignored_parameters, reply->ignored_parameters);
}

static int run_disconnect(struct ctl *ctl)
{
	Nve__V1__VnDisconnectRequest req = NVE__V1__VN_DISCONNECT_REQUEST__INIT;
	struct ctl_params params = { 0 };
	Nve__V1__VnRef vn;
	int r;

	req.port = (char *)ctl->in.operands[0];
	req.vn = &vn;
	req.only_if_unused = ctl_option_value(&ctl->in, "only-if-unused") != NULL;
	r = ctl_get_vn(ctl, ctl->in.operands[1], &vn);
	if (r == CTL_OK)
		r = ctl_get_params(ctl, &params);
	req.parameters = params.list;
	req.n_parameters = params.n;
	if (r == CTL_OK)
		r = ctl_call_print(ctl, CTL_SIGNALING("VnDisconnect"), &req.base,
				   &nve__v1__vn_disconnect_reply__descriptor, print_disconnected);
	ctl_params_free(&params);
	return r;
}

static const struct ctl_option list_options[] = {
	{ "port", 'p', "PORT", CTL_WORDS_PORT, false, false, "only on this port" },
	{ "vn", 'n', "VN", CTL_WORDS_VN, false, false, "only this VN, by ID or name" },
	{ 0 },
};

static const struct ctl_option connect_options[] = {
	{ "tag", 'T', "TAG", CTL_WORDS_ANY, false, false,
	  "propose this 802.1Q tag; without it the NVE chooses" },
	CTL_OPTION_PARAM,
	{ 0 },
};

static const struct ctl_option disconnect_options[] = {
	{ "only-if-unused", 'u', NULL, CTL_WORDS_ANY, false, false,
	  "refuse while TSIs are attached, rather than clear them" },
	CTL_OPTION_PARAM,
	{ 0 },
};

static const struct ctl_command list_command = {
	.name = "list",
	.summary = "VNs by port, with their tags",
	.options = list_options,
	.run = run_list,
};

static const struct ctl_command connect_command = {
	.name = "connect",
	.summary = "make a VN available on a port, and tell its tag",
	.operands = { "PORT VN", 2, 2, { CTL_WORDS_PORT, CTL_WORDS_VN } },
	.options = connect_options,
	.run = run_connect,
};

static const struct ctl_command disconnect_command = {
	.name = "disconnect",
	.summary = "release all that a VN has on a port, its TSIs included",
	.operands = { "PORT VN", 2, 2, { CTL_WORDS_PORT, CTL_WORDS_VN } },
	.options = disconnect_options,
	.run = run_disconnect,
};

static const struct ctl_command *const commands[] = { &list_command, &connect_command,
						      &disconnect_command, NULL };

const struct ctl_group ctl_vn_group = { "vn", "VNs on ports: list, connect, disconnect", commands };
