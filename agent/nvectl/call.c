/* SPDX-License-Identifier: Apache-2.0 */
/* Calls of the subcommands, and the values that requests are made of. */
#include "nvectl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int keep_one(void *arg, ProtobufCMessage **message)
{
	ProtobufCMessage **ret = arg;

	if (*ret)
		return -EBADMSG; /* a unary call has one reply */
	*ret = *message;
	*message = NULL;
	return 0;
}

int ctl_call_stream(struct ctl *ctl, const struct ctl_call *call, ctl_take take, void *arg)
{
	struct ctl_outcome outcome = { 0 };
	int r = 0;

	if (!ctl->client)
		r = ctl_client_new(ctl->target, ctl->tls, &ctl->client);
	if (r < 0)
		return ctl_broken(r, "cannot start");
	r = ctl_client_call(ctl->client, call, take, arg, &outcome);
	if (r == -EREMOTE && call->lasts && outcome.code == CTL_CODE_DEADLINE_EXCEEDED)
		r = CTL_OK;
	if (r < 0)
		r = ctl_failed(ctl, r, &outcome);
	ctl_outcome_free(&outcome);
	return r;
}

int ctl_call_unary(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
		   const ProtobufCMessageDescriptor *type, ProtobufCMessage **ret)
{
	struct ctl_call call = { method, request, type, ctl->timeout_ms, false };
	ProtobufCMessage *reply = NULL;
	int r = ctl_call_stream(ctl, &call, keep_one, &reply);

	if (r == CTL_OK && !reply)
		r = ctl_broken(-EBADMSG, "the agent's answer is empty");
	if (r == CTL_OK)
		*ret = reply;
	else
		protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

int ctl_call_print(struct ctl *ctl, const char *method, const ProtobufCMessage *request,
		   const ProtobufCMessageDescriptor *type, ctl_print print)
{
	ProtobufCMessage *reply = NULL;
	int r = ctl_call_unary(ctl, method, request, type, &reply);

	if (r != CTL_OK)
		return r;
	if (ctl->json)
		ctl_print_json(reply);
	else
		print(ctl, reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return CTL_OK;
}

int ctl_get_vn(const struct ctl *ctl, const char *text, Nve__V1__VnRef *ret)
{
	struct ctl_vn vn;

	if (ctl_parse_vn(text, &vn) < 0)
		return ctl_usage(ctl, "'%s' is no VN: use an ID, a name, or name:DIGITS", text);
	nve__v1__vn_ref__init(ret);
	if (vn.name) {
		ret->vn_case = NVE__V1__VN_REF__VN_NAME;
		ret->name = (char *)vn.name;
	} else {
		ret->vn_case = NVE__V1__VN_REF__VN_ID;
		ret->id = vn.id;
	}
	return CTL_OK;
}

int ctl_get_tsi_id(const struct ctl *ctl, const char *text, struct nve_tsi_id *ret)
{
	if (!ctl_parse_tsi_id(text, ret))
		return CTL_OK;
	return ctl_usage(ctl, "'%s' is no TSI ID: use a UUID or 32 hex digits", text);
}

int ctl_get_u32(const struct ctl *ctl, const char *option, uint32_t *ret)
{
	const char *text = ctl_option_value(&ctl->in, option);

	if (!text || !ctl_parse_u32(text, ret))
		return CTL_OK;
	return ctl_usage(ctl, "--%s '%s' is no number", option, text);
}

void ctl_params_free(struct ctl_params *params)
{
	free(params->params);
	free(params->list);
	free(params->value);
	*params = (struct ctl_params){ 0 };
}

Nve__V1__Parameter *ctl_params_add(struct ctl_params *params, const char *name, size_t size)
{
	Nve__V1__Parameter *p = &params->params[params->n];

	params->value = malloc(size + 1);
	if (!params->value)
		return NULL;
	nve__v1__parameter__init(p);
	p->name = (char *)name;
	p->value = (ProtobufCBinaryData){ size, params->value };
	params->list[params->n++] = p;
	return p;
}

int ctl_get_params(const struct ctl *ctl, struct ctl_params *ret)
{
	size_t n = ctl_option_count(&ctl->in, "param"), at = 0;
	const char *text;

	/* Room for one to be added. */
	*ret = (struct ctl_params){ NULL, calloc(n + 1, sizeof(*ret->params)),
				    calloc(n + 1, sizeof(*ret->list)), 0 };
	if (!ret->params || !ret->list)
		return ctl_broken(-ENOMEM, "cannot build the request");
	while ((text = ctl_option_next(&ctl->in, "param", &at))) {
		Nve__V1__Parameter *p = &ret->params[ret->n];
		struct ctl_param param;

		/* The words of argv are the process's own to cut. */
		if (ctl_parse_param((char *)text, &param) < 0)
			return ctl_usage(ctl, "--param '%s' is not NAME=VALUE", text);
		nve__v1__parameter__init(p);
		p->name = param.name;
		p->value.data = (uint8_t *)param.value;
		p->value.len = param.value_len;
		p->critical = param.critical;
		ret->list[ret->n++] = p;
	}
	return CTL_OK;
}
