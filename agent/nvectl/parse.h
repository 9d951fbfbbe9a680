/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person types for the values of requests.  Only the writing is judged here; what a value
 * means (a range, a multicast address, an unknown port) is the NVE's to refuse, with its reason.
 * Each returns 0, or -EINVAL and then '*ret' is untouched.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/types.h"

struct ctl_vn {
	uint32_t id;
	const char *name; /* NULL: by ID; else it points into the text */
};

struct ctl_param {
	char *name; /* points into the text, which is cut there */
	char *value;
	size_t value_len;
	bool critical;
};

/* A UUID as 8-4-4-4-12 hex digits, or 32 hex digits. */
int ctl_parse_tsi_id(const char *text, struct nve_tsi_id *ret);
/* "02:00:00:00:00:01" ('-' does as well), "10.0.0.1", "2001:db8::1", or MAC/IP. */
int ctl_parse_addr(const char *text, struct nve_addr *ret);
/* Digits are an ID, all else is a name; "name:7" is the VN whose name is 7. */
int ctl_parse_vn(const char *text, struct ctl_vn *ret);
int ctl_parse_u32(const char *text, uint32_t *ret);
/* Milliseconds, or "off" for 0. */
int ctl_parse_timer(const char *text, uint32_t *ret);
/* Bits a second, and behind a slash the burst in bytes (0 without); k, M and G are powers of 1000.
 */
int ctl_parse_rate(const char *text, uint64_t *ret_rate, uint32_t *ret_burst);
/* Seconds with a fraction, above 0, up to a day. */
int ctl_parse_seconds(const char *text, uint64_t *ret_ms);
/* name=value; a '!' at the end makes it critical and is no part of the value.  Cuts 'text'. */
int ctl_parse_param(char *text, struct ctl_param *ret);
/*
 * unix:PATH, /PATH, unix-abstract:NAME, HOST:PORT or tls:HOST:PORT; what gRPC calls a target is
 * written to 'ret', and to 'tls' whether the way there must be protected: with tls:, and to every
 * host but loopback.
 */
int ctl_parse_server(const char *text, char *ret, size_t len, bool *tls);
