/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of numbers of up to 128 bits: VN IDs, TSI IDs, MACs and IP addresses as ranges. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct nve_number {
	uint64_t high, low;
};

struct nve_range {
	struct nve_number first, last;
};

struct nve_ranges {
	bool all;
	size_t n;
	struct nve_range *list; /* sealed: rising, none touches the next */
};

/* -ENOMEM. */
int nve_ranges_add(struct nve_ranges *ranges, struct nve_number first, struct nve_number last);
/* All numbers of 'bits' bits that begin like 'number' in its first 'prefix' bits. */
int nve_ranges_add_prefix(struct nve_ranges *ranges, struct nve_number number, unsigned bits,
			  unsigned prefix);
/* Whether 'number' has bits set behind its prefix. */
bool nve_number_exceeds(struct nve_number number, unsigned bits, unsigned prefix);
/* Before the first question. */
void nve_ranges_seal(struct nve_ranges *ranges);
bool nve_ranges_has(const struct nve_ranges *ranges, struct nve_number number);
void nve_ranges_free(struct nve_ranges *ranges);

/* Of bytes in network order, 16 at most. */
struct nve_number nve_number_of(const uint8_t *bytes, size_t len);
