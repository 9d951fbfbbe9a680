/* SPDX-License-Identifier: Apache-2.0 */
/* Frames that were seen elsewhere: hex digits, and records of classic pcap files. */
#include "nvectl/frame.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
	PCAP_HEAD = 24,
	PCAP_RECORD = 16,
	PCAP_ETHERNET = 1,
	PCAP_TYPE_BITS = 0x0fffffff, /* above: FCS length and reserved bits */
	PCAP_RECORD_MAX = 1 << 18,   /* no capture has longer ones */
};

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return at ? (int)(at - digits) & 15 : -1;
}

int ctl_frame_hex(const char *text, struct ctl_frame *ret)
{
	ret->len = 0;
	for (; *text; text++) {
		int high, low;

		if (strchr(" \t\r\n:-", *text))
			continue;
		high = digit(text[0]);
		low = digit(text[1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		if (ret->len == CTL_FRAME_MAX)
			return -EMSGSIZE;
		ret->bytes[ret->len++] = (uint8_t)(high << 4 | low);
		text++;
	}
	return ret->len < CTL_FRAME_MIN ? -EMSGSIZE : 0;
}

static uint32_t get32(const uint8_t *at, bool big)
{
	return big ? (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]
		   : (uint32_t)at[3] << 24 | (uint32_t)at[2] << 16 | (uint32_t)at[1] << 8 | at[0];
}

/* Written by a machine of either byte order; times in microseconds or nanoseconds. */
static int read_head(FILE *in, bool *big)
{
	uint8_t head[PCAP_HEAD];
	uint32_t magic;

	if (fread(head, sizeof(head), 1, in) != 1)
		return -EINVAL;
	magic = get32(head, true);
	*big = magic == 0xa1b2c3d4 || magic == 0xa1b23c4d;
	if (!*big && magic != 0xd4c3b2a1 && magic != 0x4d3cb2a1)
		return -EINVAL;
	return (get32(head + 20, *big) & PCAP_TYPE_BITS) == PCAP_ETHERNET ? 0 : -EPROTONOSUPPORT;
}

static int skip(FILE *in, uint32_t len)
{
	uint8_t rest[4096];

	while (len > 0) {
		size_t n = len < sizeof(rest) ? len : sizeof(rest);

		if (fread(rest, n, 1, in) != 1)
			return -EBADMSG;
		len -= (uint32_t)n;
	}
	return 0;
}

static int read_record(FILE *in, bool big, uint32_t record, struct ctl_frame *ret)
{
	uint8_t head[PCAP_RECORD];
	size_t n;

	for (uint32_t i = 1;; i++) {
		uint32_t len;

		n = fread(head, 1, sizeof(head), in);
		if (n != sizeof(head))
			return n ? -EBADMSG : -ENOENT;
		len = get32(head + 8, big);
		if (len > PCAP_RECORD_MAX)
			return -EBADMSG;
		if (i < record) {
			if (skip(in, len) < 0)
				return -EBADMSG;
			continue;
		}
		if (len != get32(head + 12, big) || len < CTL_FRAME_MIN || len > CTL_FRAME_MAX)
			return -EMSGSIZE;
		ret->len = len;
		return fread(ret->bytes, len, 1, in) == 1 ? 0 : -EBADMSG;
	}
}

int ctl_frame_pcap(const char *path, uint32_t record, struct ctl_frame *ret)
{
	FILE *in = fopen(path, "rbe");
	bool big;
	int r;

	if (!in)
		return -errno;
	r = read_head(in, &big);
	if (r == 0)
		r = read_record(in, big, record, ret);
	fclose(in);
	return r;
}
