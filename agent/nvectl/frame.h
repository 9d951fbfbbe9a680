/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames for 'nvectl why': built from a few words, read from hex digits or a pcap file, tagged,
 * tunneled.  Pure but for the file.  Each returns 0 or -errno, and then the frame is of no use.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/types.h"

enum { CTL_FRAME_MIN = 14, CTL_FRAME_MAX = 9216 };

struct ctl_frame {
	size_t len;
	uint8_t bytes[CTL_FRAME_MAX];
};

enum ctl_frame_kind {
	CTL_FRAME_ANY, /* an echo request where there are IPs, else just Ethernet */
	CTL_FRAME_ARP,
	CTL_FRAME_ND,
	CTL_FRAME_ICMP,
	CTL_FRAME_UDP,
	CTL_FRAME_TCP,
};

struct ctl_frame_spec {
	enum ctl_frame_kind kind;
	struct nve_addr src, dst;
	uint16_t sport, dport;
	uint32_t size; /* of the frame, without tag and tunnel; 0: as short as can be */
};

/*
 * Requests, with correct lengths and checksums.  -EDESTADDRREQ: an address is missing; '*why' says
 * which.  -EAFNOSUPPORT: the two IPs, or they and the kind, do not go together.  -EMSGSIZE: the
 * size is too small for it, or too large.
 */
int ctl_frame_build(const struct ctl_frame_spec *spec, struct ctl_frame *ret, const char **why);
/* Hex digits in pairs, with blanks, ':' or '-' between them.  -EINVAL; -EMSGSIZE. */
int ctl_frame_hex(const char *text, struct ctl_frame *ret);
/*
 * The record of that number, from 1, of a classic pcap file of Ethernet frames.  -EINVAL: no such
 * file format; -EPROTONOSUPPORT: not Ethernet; -ENOENT: fewer records, or no such file; -EBADMSG:
 * the file is cut or broken; -EMSGSIZE: that record was captured in part, or is too long or short.
 */
int ctl_frame_pcap(const char *path, uint32_t record, struct ctl_frame *ret);

/* Puts an 802.1Q tag on it.  -EMSGSIZE. */
int ctl_frame_tag(struct ctl_frame *frame, uint16_t tci);
/* Puts a VXLAN header over IPv4 around it; 'port' is the UDP port.  -EMSGSIZE. */
int ctl_frame_tunnel(struct ctl_frame *frame, const uint8_t src[4], const uint8_t dst[4],
		     uint16_t port, uint32_t vni);
