/* SPDX-License-Identifier: Apache-2.0 */
/* Values to text for people.  Pure but for the time zone. */
#include "nvectl/text.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "core/types.h"

enum { IPV4_LEN = 4, IPV6_LEN = 16 };

char *ctl_text_hex(ProtobufCBinaryData bytes, char *buf, size_t len)
{
	size_t at = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < bytes.len && at + 3 <= len; i++, at += 2)
		snprintf(buf + at, len - at, "%02x", bytes.data[i]);
	return buf;
}

char *ctl_text_tsi_id(ProtobufCBinaryData id, char *buf, size_t len)
{
	size_t at = 0;

	if (id.len != NVE_TSI_ID_LEN)
		return ctl_text_hex(id, buf, len);
	for (size_t i = 0; i < id.len && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%s%02x",
				       i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
				       id.data[i]);
	return buf;
}

char *ctl_text_mac(ProtobufCBinaryData mac, char *buf, size_t len)
{
	const uint8_t *b = mac.data;

	if (mac.len != NVE_MAC_LEN)
		return ctl_text_hex(mac, buf, len);
	snprintf(buf, len, "%02x:%02x:%02x:%02x:%02x:%02x", b[0], b[1], b[2], b[3], b[4], b[5]);
	return buf;
}

char *ctl_text_ip(ProtobufCBinaryData ip, char *buf, size_t len)
{
	int family = ip.len == IPV4_LEN ? AF_INET : AF_INET6;

	if (ip.len != IPV4_LEN && ip.len != IPV6_LEN)
		return ctl_text_hex(ip, buf, len);
	if (!inet_ntop(family, ip.data, buf, (socklen_t)len))
		buf[0] = '\0';
	return buf;
}

char *ctl_text_addr(const Nve__V1__Address *addr, char *buf, size_t len)
{
	char mac[CTL_ADDR_TEXT] = "", ip[CTL_ADDR_TEXT] = "";

	if (addr) {
		ctl_text_mac(addr->mac, mac, sizeof(mac));
		ctl_text_ip(addr->ip, ip, sizeof(ip));
	}
	snprintf(buf, len, "%s%s%s", mac, *mac && *ip ? "/" : "", ip);
	return buf;
}

char *ctl_text_vn_named(uint32_t id, const char *name, char *buf, size_t len)
{
	if (name && *name)
		snprintf(buf, len, "%u (%s)", id, name);
	else
		snprintf(buf, len, "%u", id);
	return buf;
}

char *ctl_text_vn(const Nve__V1__VnRef *vn, char *buf, size_t len)
{
	buf[0] = '\0';
	if (vn && vn->vn_case == NVE__V1__VN_REF__VN_ID)
		snprintf(buf, len, "%u", vn->id);
	else if (vn && vn->vn_case == NVE__V1__VN_REF__VN_NAME)
		snprintf(buf, len, "%s", vn->name);
	return buf;
}

char *ctl_text_span(uint64_t ms, char *buf, size_t len)
{
	uint64_t s = ms / 1000;

	if (s < 10 && ms % 1000)
		snprintf(buf, len, "%" PRIu64 ".%03u s", s, (unsigned int)(ms % 1000));
	else if (s < 60 && ms % 1000)
		snprintf(buf, len, "%" PRIu64 ".%u s", s, (unsigned int)(ms % 1000 / 100));
	else if (s < 600)
		snprintf(buf, len, "%" PRIu64 " s", s);
	else if (s < 3600)
		snprintf(buf, len, "%" PRIu64 " min %" PRIu64 " s", s / 60, s % 60);
	else if (s < 86400)
		snprintf(buf, len, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s / 60 % 60);
	else
		snprintf(buf, len, "%" PRIu64 " d %" PRIu64 " h", s / 86400, s / 3600 % 24);
	return buf;
}

char *ctl_text_timer(uint64_t ms, char *buf, size_t len)
{
	if (ms)
		return ctl_text_span(ms, buf, len);
	snprintf(buf, len, "off");
	return buf;
}

char *ctl_text_time(uint64_t unix_ns, char *buf, size_t len)
{
	time_t seconds = (time_t)(unix_ns / 1000000000);
	struct tm tm;
	size_t n;

	buf[0] = '\0';
	if (!localtime_r(&seconds, &tm))
		return buf;
	n = strftime(buf, len, "%Y-%m-%d %H:%M:%S", &tm);
	if (n)
		snprintf(buf + n, len - n, ".%03u", (unsigned int)(unix_ns / 1000000 % 1000));
	return buf;
}

/* The name of an enum's value without the prefix that the proto's style wants. */
static const char *enum_text(const ProtobufCEnumDescriptor *type, int value, const char *prefix)
{
	static char number[16];
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(type, value);
	size_t n = strlen(prefix);

	if (v)
		return strncmp(v->name, prefix, n) ? v->name : v->name + n;
	snprintf(number, sizeof(number), "%d", value);
	return number;
}

const char *ctl_text_state(Nve__V1__TsiState state)
{
	static const char *const names[] = {
		[NVE__V1__TSI_STATE__TSI_STATE_INIT] = "Init",
		[NVE__V1__TSI_STATE__TSI_STATE_ASSOCIATED] = "Associated",
		[NVE__V1__TSI_STATE__TSI_STATE_ACTIVATED] = "Activated",
	};

	if ((unsigned int)state < sizeof(names) / sizeof(names[0]))
		return names[state];
	return enum_text(&nve__v1__tsi_state__descriptor, (int)state, "TSI_STATE_");
}

const char *ctl_text_cause(Nve__V1__Cause cause)
{
	static const char *const names[] = {
		[NVE__V1__CAUSE__CAUSE_UNSPECIFIED] = "unspecified",
		[NVE__V1__CAUSE__CAUSE_CREATE] = "create",
		[NVE__V1__CAUSE__CAUSE_MIGRATE_IN] = "migrate-in",
		[NVE__V1__CAUSE__CAUSE_RESUME] = "resume",
	};

	if ((unsigned int)cause < sizeof(names) / sizeof(names[0]))
		return names[cause];
	return enum_text(&nve__v1__cause__descriptor, (int)cause, "CAUSE_");
}

const char *ctl_text_reason(Nve__V1__Reason reason)
{
	return enum_text(&nve__v1__reason__descriptor, (int)reason, "REASON_");
}

void ctl_text_print(FILE *out, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	for (; *at; at++) {
		/* U+0080..U+009F are C2 80..9F in UTF-8. */
		if (*at == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
			at++;
		else if (*at >= ' ' && *at != 0x7f) {
			putc(*at, out);
			continue;
		}
		putc('?', out);
	}
}
