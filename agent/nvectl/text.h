/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values to text, as people read them.  Each writes at most 'len' bytes with the final NUL and
 * returns 'buf', so that a call can be an argument.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "nve/v1/nve.pb-c.h"

enum {
	CTL_ADDR_TEXT = 80, /* MAC/IPv6 */
	CTL_TSI_TEXT = 40,
	CTL_SPAN_TEXT = 40,
	CTL_TIME_TEXT = 48,
	CTL_VN_TEXT = 320,
};

/* UUID, MAC, IPv4 or IPv6 by length; hex digits if the length fits none; "" for none. */
char *ctl_text_tsi_id(ProtobufCBinaryData id, char *buf, size_t len);
char *ctl_text_mac(ProtobufCBinaryData mac, char *buf, size_t len);
char *ctl_text_ip(ProtobufCBinaryData ip, char *buf, size_t len);
char *ctl_text_hex(ProtobufCBinaryData bytes, char *buf, size_t len);
char *ctl_text_addr(const Nve__V1__Address *addr, char *buf, size_t len);
/* "100" or a name; with both known "100 (blue)". */
char *ctl_text_vn(const Nve__V1__VnRef *vn, char *buf, size_t len);
char *ctl_text_vn_named(uint32_t id, const char *name, char *buf, size_t len);
/* A span of time: "0.250 s", "12.3 s", "300 s", "50 min 3 s", "2 h 10 min", "3 d 4 h". */
char *ctl_text_span(uint64_t ms, char *buf, size_t len);
/* A timer: as a span, or "off" for 0. */
char *ctl_text_timer(uint64_t ms, char *buf, size_t len);
/* Local time to the millisecond. */
char *ctl_text_time(uint64_t unix_ns, char *buf, size_t len);

/* "Activated", "TAG_IN_USE"; a number of a later protocol as "7". */
const char *ctl_text_state(Nve__V1__TsiState state);
const char *ctl_text_cause(Nve__V1__Cause cause);
const char *ctl_text_reason(Nve__V1__Reason reason);

/* A string of the peer's on a terminal: what could steer it (C0, DEL, C1) becomes '?'. */
void ctl_text_print(FILE *out, const char *text);
