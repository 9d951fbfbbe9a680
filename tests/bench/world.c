/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the benchmark's world, see world.h. */
#include "bench/world.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ACCESS_SLOT, UNDERLAY_SLOT };

void bench_die(const char *format, ...)
{
	va_list args;

	fputs("bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void must(int r, const char *what)
{
	if (r < 0)
		bench_die("%s: %s", what, strerror(-r));
}

static struct nve_ip ip4(uint32_t addr)
{
	struct nve_ip ip = { .family = 4 };

	addr = htonl(addr);
	memcpy(ip.bytes, &addr, 4);
	return ip;
}

static uint32_t net_of(const struct bench_world *w)
{
	return 0xc0000000 | w->net << 8;
}

static void put_mac(uint8_t mac[NVE_MAC_LEN], uint8_t kind, uint32_t i)
{
	mac[0] = 2;
	mac[1] = kind;
	i = htonl(i);
	memcpy(mac + 2, &i, 4);
}

static void set_port(struct nve_dp *dp, const struct bench_world *w, uint16_t slot, uint8_t role)
{
	struct nve_dp_port port = { .slot = slot, .role = role, .mode = w->mode };
	struct nve_dp_port_status status;
	char *err = NULL;

	snprintf(port.ifname, sizeof(port.ifname), "%s",
		 role == NVE_DP_ACCESS ? w->access : w->underlay);
	snprintf(port.name, sizeof(port.name), "%s", port.ifname);
	if (nve_dp_ebpf.port_set(dp, &port, &err) < 0)
		bench_die("%s: %s", port.ifname, err);
	must(nve_dp_ebpf.port_status(dp, slot, &status), "port_status");
	if (status.mode != w->mode || !status.up)
		bench_die("%s: not up in the mode wanted: %s", port.ifname, status.why);
}

static void set_vns(struct nve_dp *dp, const struct bench_world *w)
{
	uint32_t vteps[NVE_FLOOD_MAX];
	uint32_t each = w->n_tsis / w->n_vns ?: 1;

	for (uint32_t i = 0; i < w->n_vteps; i++) {
		struct nve_ip ip = ip4(net_of(w) + w->peers + i);

		vteps[i] = i;
		must(nve_dp_ebpf.vtep_set(dp, i, &ip), "vtep_set");
	}
	for (uint32_t i = 0; i < w->n_vns; i++) {
		struct nve_dp_vn vn = {
			.vn_id = i + 1,
			.vni = BENCH_VNI + i,
			.n_vteps = w->n_vteps,
			.vteps = vteps,
		};
		struct nve_dp_vap vap = {
			.port = ACCESS_SLOT,
			.tag = BENCH_VID + i,
			.vn_id = i + 1,
			.n_activated = each,
		};

		must(nve_dp_ebpf.vn_set(dp, &vn), "vn_set");
		must(nve_dp_ebpf.vap_set(dp, &vap), "vap_set");
	}
}

static void set_tsi(struct nve_dp *dp, const struct bench_world *w, uint32_t i)
{
	struct nve_tsi_addr addr = { .addr = { .flags = NVE_ADDR_MAC }, .active = true };
	struct nve_dp_tsi tsi = {
		.slot = i,
		.key = { .vn_id = 1 + i % w->n_vns, .port = ACCESS_SLOT },
		.tag = BENCH_VID + i % w->n_vns,
		.activated = true,
		.epoch = 1,
		.n_addrs = 1,
		.addrs = &addr,
	};
	struct nve_dp_fdb fdb = {
		.vn_id = tsi.key.vn_id,
		.first = { .kind = NVE_DP_DEST_TSI, .slot = i },
	};
	struct nve_ip ip = ip4(0x0a000001 + w->local + i);

	memcpy(tsi.key.id.bytes, &i, sizeof(i));
	put_mac(addr.addr.mac, 0, w->local + i);
	if (!w->by_mac) {
		addr.addr.flags |= NVE_ADDR_IPV4;
		memcpy(addr.addr.ip, ip.bytes, 4);
	}
	must(nve_dp_ebpf.tsi_set(dp, &tsi), "tsi_set");
	put_mac(fdb.mac, 0, w->local + i);
	must(nve_dp_ebpf.fdb_set(dp, &fdb), "fdb_set");
	put_mac(fdb.mac, w->local == w->remote, w->remote + i);
	fdb.first = (struct nve_dp_dest){ .kind = NVE_DP_DEST_VTEP, .slot = i % w->n_vteps };
	must(nve_dp_ebpf.fdb_set(dp, &fdb), "fdb_set");
}

struct nve_dp *bench_world_open(const struct bench_world *w)
{
	const struct nve_dp_config config = {
		.local_vtep = ip4(net_of(w) + w->self),
		.limits = {
			.max_tsis = w->n_tsis,
			.max_vns = w->n_vns,
			.max_addrs = w->n_tsis,
			.max_fdb = 2 * w->n_tsis,
			.max_vteps = w->n_vteps,
			.max_flood = w->n_vteps + 1,
		},
	};
	struct nve_dp *dp;
	char *err = NULL;

	if (nve_dp_ebpf.open(&config, &dp, &err) < 0)
		bench_die("%s", err);
	set_port(dp, w, ACCESS_SLOT, NVE_DP_ACCESS);
	set_port(dp, w, UNDERLAY_SLOT, NVE_DP_UNDERLAY);
	set_vns(dp, w);
	for (uint32_t i = 0; i < w->n_tsis; i++)
		set_tsi(dp, w, i);
	must(nve_dp_ebpf.apply(dp), "apply");
	return dp;
}

static void add_drops(void *arg, const char *name, const char *text, uint64_t frames)
{
	uint64_t *sum = arg;

	(void)text;
	if (frames)
		fprintf(stderr, "bench: dropped %lu frames: %s\n", (unsigned long)frames, name);
	*sum += frames;
}

uint64_t bench_world_drops(struct nve_dp *dp)
{
	uint64_t sum = 0;

	nve_dp_ebpf.drops(dp, add_drops, &sum);
	return sum;
}

/* --- frames ------------------------------------------------------------------------------------
 */

static void put16(uint8_t *p, uint16_t x)
{
	p[0] = x >> 8;
	p[1] = x;
}

static void put32(uint8_t *p, uint32_t x)
{
	put16(p, x >> 16);
	put16(p + 2, x);
}

/* An IPv4 header and as much of UDP as there is room for; returns its sum without the source. */
static void put_ip4(uint8_t *p, uint32_t dst, uint16_t len, uint16_t dport, uint16_t udp_len)
{
	p[0] = 0x45;
	put16(p + 2, len);
	put16(p + 6, 0x4000);
	p[8] = 64;
	p[9] = 17;
	put32(p + 16, dst);
	put16(p + 20, 4096);
	put16(p + 22, dport);
	put16(p + 24, udp_len);
}

/* In the order of memory, as the generator adds to it. */
static uint32_t sum_of(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	uint16_t word;

	for (size_t i = 0; i < len; i += 2) {
		memcpy(&word, p + i, 2);
		sum += word;
	}
	return sum;
}

static void tagged(const struct bench_world *w, struct bench_plan *plan, uint32_t len)
{
	uint8_t *p = plan->head;

	(void)w;
	plan->len = len;
	put_mac(p, 1, 0);
	put_mac(p + 6, 0, 0);
	put16(p + 12, 0x8100);
	put16(p + 14, BENCH_VID);
	put16(p + 16, 0x0800);
	put_ip4(p + 18, 0x0a800001, len - 18, 7, len - 38);
	put32(p + AT_IP, 0x0a000001);
}

static void tunneled(const struct bench_world *w, struct bench_plan *plan, uint32_t len,
		     const uint8_t nve_mac[6], const uint8_t hop_mac[6])
{
	uint8_t *p = plan->head;

	plan->len = len - BENCH_TAG + BENCH_OUTER;
	memcpy(p, nve_mac, 6);
	memcpy(p + 6, hop_mac, 6);
	put16(p + 12, 0x0800);
	put_ip4(p + 14, net_of(w) + w->self, plan->len - 14, 4789, plan->len - 34);
	plan->ip_sum = sum_of(p + 14, 20);
	p[42] = 8;
	put32(p + AT_VNI, BENCH_VNI << 8);
	put_mac(p + BENCH_OUTER, 0, 0);
	put_mac(p + BENCH_OUTER + 6, 1, 0);
	put16(p + BENCH_OUTER + 12, 0x0800);
}

struct bench_plan bench_world_plan(const struct bench_world *w, enum bench_shape shape,
				   uint32_t len, const uint8_t nve_mac[6], const uint8_t hop_mac[6])
{
	struct bench_plan plan = {
		.shape = shape,
		.n_tsis = w->n_tsis,
		.n_vns = w->n_vns,
		.n_vteps = w->n_vteps,
		.vni_step = 1,
		.vtep_net = net_of(w) + w->peers,
	};

	if (shape == BENCH_TUNNELED)
		tunneled(w, &plan, len, nve_mac, hop_mac);
	else
		tagged(w, &plan, len);
	if (shape == BENCH_FIXED) /* the first TSI's broadcast */
		memset(plan.head, 0xff, 6);
	return plan;
}
