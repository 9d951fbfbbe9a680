/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-1-3 over whole words.  TSI IDs and addresses are chosen by hypervisors, so the hash
 * must not be predictable to them: the seed is a secret of the process (nve_core_config).
 */
#include "core/core_internal.h"

#include <string.h>

struct sip {
	uint64_t a, b, c, d;
};

static uint64_t rotate(uint64_t x, unsigned int bits)
{
	return x << bits | x >> (64 - bits);
}

static void sip_round(struct sip *s)
{
	s->a += s->b;
	s->b = rotate(s->b, 13) ^ s->a;
	s->a = rotate(s->a, 32);
	s->c += s->d;
	s->d = rotate(s->d, 16) ^ s->c;
	s->a += s->d;
	s->d = rotate(s->d, 21) ^ s->a;
	s->c += s->b;
	s->b = rotate(s->b, 17) ^ s->c;
	s->c = rotate(s->c, 32);
}

uint32_t nve_hash(const struct nve_core *core, const uint64_t *words, size_t n)
{
	uint64_t k0 = core->config.hash_seed, k1 = rotate(k0, 29) ^ 0x9e3779b97f4a7c15;
	struct sip s = { .a = k0 ^ 0x736f6d6570736575,
			 .b = k1 ^ 0x646f72616e646f6d,
			 .c = k0 ^ 0x6c7967656e657261,
			 .d = k1 ^ 0x7465646279746573 };
	uint64_t sum;

	for (size_t i = 0; i < n; i++) {
		s.d ^= words[i];
		sip_round(&s);
		s.a ^= words[i];
	}
	s.d ^= (uint64_t)n << 59;
	sip_round(&s);
	s.a ^= (uint64_t)n << 59;
	s.c ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	sum = s.a ^ s.b ^ s.c ^ s.d;
	return (uint32_t)(sum ^ sum >> 32);
}

uint32_t nve_hash_key(const struct nve_core *core, const struct nve_tsi_key *key)
{
	uint64_t words[3];

	memcpy(words, key, sizeof(words));
	return nve_hash(core, words, 3) & core->tsi_mask;
}

uint32_t nve_hash_port(const struct nve_core *core, const struct nve_tsi_key *key)
{
	uint64_t words[3] = { 0 };

	memcpy(words, &key->id, sizeof(key->id));
	words[2] = key->port;
	return nve_hash(core, words, 3) & core->tsi_mask;
}

uint32_t nve_hash_binding(const struct nve_core *core, uint32_t vn_id,
			  const struct nve_addr *binding)
{
	uint64_t words[4] = { 0 };

	memcpy(words, binding, sizeof(*binding));
	words[3] = vn_id;
	return nve_hash(core, words, 4) & core->addr_mask;
}

uint32_t nve_hash_address(const struct nve_core *core, const struct nve_addr *addr)
{
	uint64_t words[3];

	memcpy(words, addr, sizeof(words));
	return nve_hash(core, words, 3);
}

uint32_t nve_hash_pair(const struct nve_core *core, uint32_t a, uint32_t b)
{
	uint64_t word = (uint64_t)a << 32 | b;

	return nve_hash(core, &word, 1);
}
