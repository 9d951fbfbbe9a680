/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvectl why: what would become of a frame.  The frame is made here (frame.h); tags, VNIs and the
 * tunnel's own address are asked of the agent, so that they are those in use.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "nvectl/ctl.h"
#include "nvectl/frame.h"
#include "nvectl/text.h"

enum { VXLAN_PORT = 4789, SPORT = 40000, VNI_MAX = 0xffffff, VID_MAX = 4094 };

/* The value of an option that is a number up to 'max'. */
static int get_number(const struct ctl *ctl, const char *option, uint32_t max, uint32_t *ret)
{
	int r = ctl_get_u32(ctl, option, ret);

	if (r == CTL_OK && *ret > max)
		return ctl_usage(ctl, "--%s: at most %u", option, max);
	return r;
}

static bool given(const struct ctl *ctl, const char *option)
{
	return ctl_option_value(&ctl->in, option);
}

/* --- the frame ------------------------------------------------------------------------------- */

static int get_kind(const struct ctl *ctl, enum ctl_frame_kind *ret)
{
	static const struct {
		const char *option;
		enum ctl_frame_kind kind;
	} kinds[] = { { "arp", CTL_FRAME_ARP },
		      { "nd", CTL_FRAME_ND },
		      { "icmp", CTL_FRAME_ICMP },
		      { "udp", CTL_FRAME_UDP },
		      { "tcp", CTL_FRAME_TCP } };
	int n = 0;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (!given(ctl, kinds[i].option))
			continue;
		*ret = kinds[i].kind;
		n++;
	}
	return n > 1 ? ctl_usage(ctl, "one of --arp, --nd, --icmp, --udp and --tcp at most")
		     : CTL_OK;
}

static int get_addr(const struct ctl *ctl, const char *option, struct nve_addr *ret)
{
	const char *text = ctl_option_value(&ctl->in, option);

	if (text && ctl_parse_addr(text, ret) < 0)
		return ctl_usage(ctl, "--%s '%s' is no MAC, IP or MAC/IP", option, text);
	return CTL_OK;
}

static int build(const struct ctl *ctl, struct ctl_frame *frame)
{
	struct ctl_frame_spec spec = { 0 };
	uint32_t sport = SPORT, dport = 80;
	const char *missing = "";
	int r;

	r = get_kind(ctl, &spec.kind);
	if (r == CTL_OK)
		r = get_addr(ctl, "src", &spec.src);
	if (r == CTL_OK)
		r = get_addr(ctl, "dst", &spec.dst);
	if (r == CTL_OK)
		r = get_number(ctl, "sport", UINT16_MAX, &sport);
	if (r == CTL_OK)
		r = get_number(ctl, "dport", UINT16_MAX, &dport);
	if (r == CTL_OK)
		r = get_number(ctl, "size", CTL_FRAME_MAX, &spec.size);
	if (r != CTL_OK)
		return r;
	spec.sport = (uint16_t)sport;
	spec.dport = (uint16_t)dport;
	r = ctl_frame_build(&spec, frame, &missing);
	if (r == -EDESTADDRREQ)
		return ctl_usage(ctl, "%s is missing (--src and --dst: MAC or MAC/IP)", missing);
	if (r == -EAFNOSUPPORT)
		return ctl_usage(ctl, "these IPs do not go together: both IPv4 or both IPv6, "
				      "--arp with IPv4, --nd with IPv6");
	return r < 0 ? ctl_usage(ctl, "--size %u is too small for such a frame", spec.size)
		     : CTL_OK;
}

static int read_hex(const struct ctl *ctl, const char *text, struct ctl_frame *frame)
{
	int r = ctl_frame_hex(text, frame);

	if (r == -EINVAL)
		return ctl_usage(ctl, "--hex: pairs of hex digits");
	return r < 0 ? ctl_usage(ctl, "--hex: a frame has %d to %d bytes", CTL_FRAME_MIN,
				 CTL_FRAME_MAX)
		     : CTL_OK;
}

static int read_pcap(const struct ctl *ctl, const char *path, struct ctl_frame *frame)
{
	uint32_t record = 1;
	int r = ctl_get_u32(ctl, "record", &record);

	if (r != CTL_OK)
		return r;
	if (!record)
		return ctl_usage(ctl, "--record: counted from 1");
	r = ctl_frame_pcap(path, record, frame);
	switch (r) {
	case 0:
		return CTL_OK;
	case -EINVAL:
		return ctl_usage(ctl, "%s is no pcap file (pcapng: convert it, 'editcap -F pcap')",
				 path);
	case -EPROTONOSUPPORT:
		return ctl_usage(ctl, "%s was not captured on Ethernet", path);
	case -ENOENT:
		return ctl_usage(ctl, "%s: no such file, or no record %u in it", path, record);
	case -EBADMSG:
		return ctl_usage(ctl, "%s is cut or broken before the end of record %u", path,
				 record);
	case -EMSGSIZE:
		return ctl_usage(ctl,
				 "%s: record %u was captured in part, or is no frame of %d to %d "
				 "bytes",
				 path, record, CTL_FRAME_MIN, CTL_FRAME_MAX);
	default:
		return ctl_usage(ctl, "%s: %s", path, strerror(-r));
	}
}

static int get_frame(const struct ctl *ctl, struct ctl_frame *frame)
{
	static const char *const built[] = { "src", "dst", "arp",   "nd",    "icmp",
					     "udp", "tcp", "sport", "dport", "size" };
	const char *hex = ctl_option_value(&ctl->in, "hex");
	const char *pcap = ctl_option_value(&ctl->in, "pcap");

	if (hex && pcap)
		return ctl_usage(ctl, "--hex or --pcap, not both");
	if (!pcap && given(ctl, "record"))
		return ctl_usage(ctl, "--record goes with --pcap");
	for (size_t i = 0; (hex || pcap) && i < sizeof(built) / sizeof(built[0]); i++)
		if (given(ctl, built[i]))
			return ctl_usage(ctl, "--%s is for frames that are built here", built[i]);
	return hex    ? read_hex(ctl, hex, frame)
	       : pcap ? read_pcap(ctl, pcap, frame)
		      : build(ctl, frame);
}

/* --- what the agent knows -------------------------------------------------------------------- */

struct found {
	bool any;
	uint32_t tag, vni;
};

static int take_vap(void *arg, ProtobufCMessage **message)
{
	const Nve__V1__ListVnsReply *reply = (const void *)*message;
	struct found *f = arg;

	for (size_t i = 0; i < reply->n_vaps; i++)
		*f = (struct found){ true, reply->vaps[i]->tag, reply->vaps[i]->vni };
	return 0;
}

/* The VN's tag on that port, or with 'port' NULL its VNI. */
static int find_vn(struct ctl *ctl, const char *port, struct found *ret)
{
	Nve__V1__ListVnsRequest req = NVE__V1__LIST_VNS_REQUEST__INIT;
	struct ctl_call call = { CTL_ADMIN("ListVns"), &req.base,
				 &nve__v1__list_vns_reply__descriptor, ctl->timeout_ms, false };
	const char *text = ctl_option_value(&ctl->in, "vn");
	Nve__V1__VnRef vn;
	int r = ctl_get_vn(ctl, text, &vn);

	if (r != CTL_OK)
		return r;
	req.vn = &vn;
	if (port)
		req.port = (char *)port;
	r = ctl_call_stream(ctl, &call, take_vap, ret);
	if (r == CTL_OK && !ret->any)
		return ctl_refused("VN_NOT_CONNECTED", "VN %s is not connected on %s", text,
				   port ? port : "any port");
	return r;
}

static int find_local(struct ctl *ctl, uint8_t ip[4])
{
	Nve__V1__GetStatusRequest req = NVE__V1__GET_STATUS_REQUEST__INIT;
	const Nve__V1__Status *status;
	ProtobufCMessage *reply = NULL;
	int r = ctl_call_unary(ctl, CTL_ADMIN("GetStatus"), &req.base, &nve__v1__status__descriptor,
			       &reply);

	if (r != CTL_OK)
		return r;
	status = (const Nve__V1__Status *)reply;
	if (status->local_vtep.len == 4)
		memcpy(ip, status->local_vtep.data, 4);
	else
		r = ctl_usage(ctl, "--vtep: the NVE's own VTEP has no IPv4 address; use --hex");
	protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

static int tunnel(struct ctl *ctl, const char *vtep, struct ctl_frame *frame)
{
	struct found f = { 0 };
	uint32_t port = VXLAN_PORT;
	uint8_t src[4], dst[4];
	int r;

	if (inet_pton(AF_INET, vtep, src) != 1)
		return ctl_usage(ctl, "--vtep '%s' is no IPv4 address", vtep);
	if (given(ctl, "tag"))
		return ctl_usage(ctl, "a frame in a tunnel has no tag: --vtep or --tag");
	if (given(ctl, "vn") == given(ctl, "vni"))
		return ctl_usage(ctl, "--vtep needs --vn or --vni");
	r = get_number(ctl, "vni", VNI_MAX, &f.vni);
	if (r == CTL_OK)
		r = get_number(ctl, "vxlan-port", UINT16_MAX, &port);
	if (r == CTL_OK && given(ctl, "vn"))
		r = find_vn(ctl, NULL, &f);
	if (r == CTL_OK)
		r = find_local(ctl, dst);
	if (r != CTL_OK)
		return r;
	if (ctl_frame_tunnel(frame, src, dst, (uint16_t)port, f.vni) < 0)
		return ctl_usage(ctl, "the frame is too long for a tunnel");
	return CTL_OK;
}

static int tag(struct ctl *ctl, struct ctl_frame *frame)
{
	struct found f = { 0 };
	int r;

	if (given(ctl, "vni") || given(ctl, "vxlan-port"))
		return ctl_usage(ctl, "--vni and --vxlan-port go with --vtep");
	if (given(ctl, "vn") && given(ctl, "tag"))
		return ctl_usage(ctl, "--vn or --tag, not both");
	r = get_number(ctl, "tag", VID_MAX, &f.tag);
	if (r == CTL_OK && given(ctl, "vn"))
		r = find_vn(ctl, ctl_option_value(&ctl->in, "port"), &f);
	if (r != CTL_OK || (!given(ctl, "vn") && !given(ctl, "tag")))
		return r;
	if (ctl_frame_tag(frame, (uint16_t)f.tag) < 0)
		return ctl_usage(ctl, "the frame is too long for a tag");
	return CTL_OK;
}

/* --- the answer ------------------------------------------------------------------------------ */

static void print_verdict(const Nve__V1__WhyReply *m)
{
	char vtep[CTL_ADDR_TEXT];
	size_t sent = 0, copies = 0;

	for (size_t i = 0; i < m->n_steps; i++) {
		copies += m->steps[i]->copy[0] != '\0';
		sent += !strcmp(m->steps[i]->copy, "sent");
	}
	switch (m->verdict) {
	case NVE__V1__VERDICT__VERDICT_DROPPED:
		fputs("dropped for ", stdout);
		ctl_text_print(stdout, m->reason);
		fputs(": ", stdout);
		ctl_text_print(stdout, m->text);
		break;
	case NVE__V1__VERDICT__VERDICT_FORWARDED:
		fputs("forwarded through ", stdout);
		ctl_text_print(stdout, m->out_port[0] ? m->out_port : m->out_ifname);
		if (m->out_vtep.len)
			printf(" to VTEP %s", ctl_text_ip(m->out_vtep, vtep, sizeof(vtep)));
		printf(", as %" PRIu32 " bytes", m->out_len);
		break;
	case NVE__V1__VERDICT__VERDICT_ANSWERED:
		fputs("answered by the NVE, through ", stdout);
		ctl_text_print(stdout, m->out_port[0] ? m->out_port : m->out_ifname);
		printf(", with %" PRIu32 " bytes", m->out_len);
		break;
	case NVE__V1__VERDICT__VERDICT_FLOODED:
		printf("flooded: %zu of %zu copies", sent, copies);
		break;
	case NVE__V1__VERDICT__VERDICT_TO_HOST:
		fputs("left to the NVE's own IP stack", stdout);
		break;
	default:
		printf("verdict %d", m->verdict);
	}
	fputs("\nby ", stdout);
	for (size_t i = 0; i < m->n_programs; i++) {
		fputs(i ? ", then " : "", stdout);
		ctl_text_print(stdout, m->programs[i]);
	}
	putchar('\n');
}

static int print_answer(struct ctl *ctl, const Nve__V1__WhyReply *m)
{
	static const struct ctl_column plain[] = { { "TABLE" }, { "KEY" }, { "ROW" }, { 0 } };
	static const struct ctl_column flood[] = {
		{ "TABLE" }, { "KEY" }, { "COPY" }, { "ROW" }, { 0 }
	};
	bool flooded = m->verdict == NVE__V1__VERDICT__VERDICT_FLOODED;
	struct ctl_list list;
	int r = ctl_list_start(&list, ctl, flooded ? flood : plain);

	if (r != CTL_OK)
		return r;
	print_verdict(m);
	for (size_t i = 0; i < m->n_steps; i++) {
		const Nve__V1__WhyStep *s = m->steps[i];

		ctl_columns_add(list.table, "%s", s->table);
		ctl_columns_add_fields(list.table, s->key);
		if (flooded)
			ctl_columns_add(list.table, "%s", s->copy);
		ctl_columns_add_fields(list.table, s->value[0] ? s->value : "none");
	}
	return ctl_list_end(&list, r);
}

static int run(struct ctl *ctl)
{
	static struct ctl_frame frame;
	Nve__V1__WhyRequest req = NVE__V1__WHY_REQUEST__INIT;
	const char *vtep = ctl_option_value(&ctl->in, "vtep");
	ProtobufCMessage *reply = NULL;
	int r = get_frame(ctl, &frame);

	if (r == CTL_OK)
		r = vtep ? tunnel(ctl, vtep, &frame) : tag(ctl, &frame);
	if (r != CTL_OK)
		return r;
	req.port = (char *)ctl_option_value(&ctl->in, "port");
	req.frame.data = frame.bytes;
	req.frame.len = frame.len;
	r = ctl_call_unary(ctl, CTL_ADMIN("Why"), &req.base, &nve__v1__why_reply__descriptor,
			   &reply);
	if (r != CTL_OK)
		return r;
	if (ctl->json)
		ctl_print_json(reply);
	else
		r = print_answer(ctl, (const Nve__V1__WhyReply *)reply);
	protobuf_c_message_free_unpacked(reply, NULL);
	return r;
}

#define OPTION(name, arg, help)                                                                    \
	{                                                                                          \
		name, 0, arg, CTL_WORDS_ANY, false, false, help                                    \
	}
static const struct ctl_option options[] = {
	{ "port", 'p', "PORT", CTL_WORDS_PORT, true, false, "where the frame comes in" },
	{ "vn", 'n', "VN", CTL_WORDS_VN, false, false, "tag it for this VN; with --vtep, its VNI" },
	OPTION("tag", "VID", "tag it with this VID"),
	OPTION("src", "ADDR", "source: MAC or MAC/IP"),
	OPTION("dst", "ADDR", "destination: MAC, MAC/IP, or for --arp and --nd an IP"),
	OPTION("arp", NULL, "an ARP request for the destination's IP"),
	OPTION("nd", NULL, "a neighbor solicitation for the destination's IP"),
	OPTION("icmp", NULL, "an echo request (the default where there are IPs)"),
	OPTION("udp", NULL, "a UDP datagram"),
	OPTION("tcp", NULL, "a TCP SYN"),
	OPTION("sport", "N", "source port (default 40000)"),
	OPTION("dport", "N", "destination port (default 80)"),
	OPTION("size", "BYTES", "length of the frame without tag and tunnel"),
	OPTION("hex", "DIGITS", "the frame itself"),
	OPTION("pcap", "FILE", "a frame out of a capture"),
	OPTION("record", "N", "which one, from 1 (default 1)"),
	OPTION("vtep", "IP", "put it in a tunnel from this VTEP, for an underlay port"),
	OPTION("vni", "VNI", "the tunnel's VNI"),
	OPTION("vxlan-port", "N", "the tunnel's UDP port (default 4789)"),
	{ 0 },
};

static const struct ctl_command why_command = {
	.summary = "what would become of a frame, and which rows decide",
	.details = "Runs the live datapath's code on live tables; sends and counts nothing.\n"
		   "Rows are listed in the order in which they were looked for.\n",
	.options = options,
	.run = run,
};

static const struct ctl_command *const commands[] = { &why_command, NULL };

const struct ctl_group ctl_why_group = { "why",
					 "what would become of a frame, and which rows decide",
					 commands };
