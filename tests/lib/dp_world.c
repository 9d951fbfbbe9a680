/* SPDX-License-Identifier: Apache-2.0 */
/* A small world for tests of datapaths, see dp_world.h. */
#include "lib/dp_world.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/dp_probe.h"

const struct dpw dpw_backends[] = {
	{ .name = "fake", .ops = &nve_dp_fake },
	{ .name = "ebpf", .ops = &nve_dp_ebpf, .mode = NVE_DP_TC },
	{ .name = "ebpf in XDP mode", .ops = &nve_dp_ebpf, .mode = NVE_DP_XDP },
};
const size_t dpw_n_backends = sizeof(dpw_backends) / sizeof(dpw_backends[0]);

const struct nve_dp_limits dpw_limits = {
	.max_tsis = 16,
	.max_vns = 4,
	.max_addrs = 600,
	.max_fdb = 20,
	.max_vteps = 4,
	.max_flood = 6,
	.max_meters = 3,
};

/* --- the interfaces --------------------------------------------------------------------------- */

void dpw_ip(const char *args)
{
	char command[256];

	snprintf(command, sizeof(command), "ip %s", args);
	if (system(command) != 0)
		fail_msg("%s", command);
}

static void no_ipv6(void)
{
	int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY);

	if (fd < 0)
		return;
	assert_int_equal(write(fd, "1", 1), 1);
	close(fd);
}

/* Frames that the kernel sends by itself would be counted as copies. */
void dpw_enter(void)
{
	static bool entered;

	if (entered)
		return;
	entered = true;
	assert_int_equal(unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
	assert_int_equal(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
	assert_int_equal(mount("bpf", "/sys/fs/bpf", "bpf", 0, NULL), 0);
	no_ipv6();
	dpw_ip("link add a0 type veth peer name a0x");
	dpw_ip("link add a1 type veth peer name a1x");
	dpw_ip("link add u0 type veth peer name u0x");
	for (const char *const *i = ADDRS("a0", "a1", "u0", "a0x", "a1x", "u0x"); *i; i++) {
		char args[64];

		snprintf(args, sizeof(args), "link set %s up arp off", *i);
		dpw_ip(args);
	}
	dpw_ip("link set u0 arp on");
	dpw_ip("addr add 192.0.2.1/24 dev u0");
	dpw_ip("neigh add 192.0.2.2 dev u0 lladdr 02:aa:00:00:00:02");
	dpw_ip("neigh add 192.0.2.3 dev u0 lladdr 02:aa:00:00:00:03");
}

/* --- texts ------------------------------------------------------------------------------------ */

struct nve_ip dpw_addr(const char *text)
{
	struct nve_ip ip = { 0 };

	if (!*text)
		return ip;
	ip.family = strchr(text, ':') ? 6 : 4;
	assert_int_equal(inet_pton(ip.family == 6 ? AF_INET6 : AF_INET, text, ip.bytes), 1);
	return ip;
}

void dpw_mac(uint8_t m[NVE_MAC_LEN], const char *text)
{
	assert_int_equal(sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3],
				&m[4], &m[5]),
			 6);
}

static bool is_mac(const char *text)
{
	return strlen(text) >= 17 && text[2] == ':' && text[14] == ':';
}

struct nve_tsi_addr dpw_tsi_addr(const char *text)
{
	struct nve_tsi_addr a = { .active = *text != '-' };
	struct nve_ip ip;

	text += *text == '-';
	if (is_mac(text)) {
		a.addr.flags = NVE_ADDR_MAC;
		dpw_mac(a.addr.mac, text);
		text += 17;
		text += *text == ' ';
	}
	ip = dpw_addr(text);
	if (ip.family)
		a.addr.flags |= ip.family == 4 ? NVE_ADDR_IPV4 : NVE_ADDR_IPV6;
	memcpy(a.addr.ip, ip.bytes, sizeof(a.addr.ip));
	return a;
}

nve_dp_gleaned_fn *dpw_gleaned;
void *dpw_gleaned_arg;

/* --- life ------------------------------------------------------------------------------------- */

static void set_port(struct dpw *w, uint16_t slot, const char *ifname, uint8_t role)
{
	struct nve_dp_port port = { .slot = slot, .role = role, .mode = w->mode };
	char *err = NULL;

	snprintf(port.name, sizeof(port.name), "%s", ifname);
	snprintf(port.ifname, sizeof(port.ifname), "%s", ifname);
	if (w->ops->port_set(w->dp, &port, &err) < 0)
		fail_msg("%s", err);
}

void dpw_open_pinned(struct dpw *w, const struct dpw *backend, const char *pin_dir,
		     const struct nve_dp_limits *limits)
{
	struct nve_dp_config config = {
		.pin_dir = pin_dir,
		.local_vtep = dpw_addr("192.0.2.1"),
		.limits = *limits,
		.gleaned = dpw_gleaned,
		.gleaned_arg = dpw_gleaned_arg,
	};
	char *err = NULL;

	*w = *backend;
	if (w->ops == &nve_dp_ebpf)
		dpw_enter();
	if (w->ops->open(&config, &w->dp, &err) < 0)
		fail_msg("%s", err);
	set_port(w, A0, "a0", NVE_DP_ACCESS);
	set_port(w, A1, "a1", NVE_DP_ACCESS);
	set_port(w, U0, "u0", NVE_DP_UNDERLAY);
}

void dpw_set_vns(struct dpw *w)
{
	const struct nve_ip ip[] = { dpw_addr("192.0.2.2"), dpw_addr("192.0.2.3") };
	const uint32_t vteps[] = { 0, 1 };
	const struct nve_dp_vn vns[] = {
		{ .vn_id = VN_7, .vni = VNI_7, .n_vteps = 2, .vteps = vteps },
		{ .vn_id = VN_8, .vni = VNI_8, .n_vteps = 1, .vteps = vteps + 1 },
	};

	for (int i = 0; i < 2; i++)
		assert_int_equal(w->ops->vtep_set(w->dp, i, &ip[i]), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(w->ops->vn_set(w->dp, &vns[i]), 0);
}

void dpw_open(struct dpw *w, const struct dpw *backend)
{
	dpw_open_pinned(w, backend, NULL, &dpw_limits);
	dpw_set_vns(w);
	dpw_apply(w);
}

void dpw_close(struct dpw *w)
{
	w->ops->close(w->dp);
	w->dp = NULL;
}

/* --- objects ---------------------------------------------------------------------------------- */

void dpw_tsi(struct dpw *w, uint32_t slot, uint16_t port, uint16_t tag, bool activated,
	     const char *const *addrs)
{
	struct nve_tsi_addr list[NVE_TSI_ADDRS_MAX];
	struct nve_dp_tsi tsi = {
		.slot = slot,
		.key = { .id = { { slot + 1 } }, .vn_id = VN_7, .port = port },
		.tag = tag,
		.activated = activated,
		.addrs = list,
	};

	for (; *addrs; addrs++)
		list[tsi.n_addrs++] = dpw_tsi_addr(*addrs);
	assert_int_equal(w->ops->tsi_set(w->dp, &tsi), 0);
}

void dpw_vap(struct dpw *w, uint16_t port, uint16_t tag, uint32_t n_activated)
{
	const struct nve_dp_vap vap = {
		.port = port,
		.tag = tag,
		.vn_id = VN_7,
		.n_activated = n_activated,
	};

	assert_int_equal(w->ops->vap_set(w->dp, &vap), 0);
}

void dpw_fdb(struct dpw *w, const char *mac, struct nve_dp_dest first, struct nve_dp_dest second)
{
	struct nve_dp_fdb fdb = { .vn_id = VN_7, .first = first, .second = second };

	dpw_mac(fdb.mac, mac);
	assert_int_equal(w->ops->fdb_set(w->dp, &fdb), 0);
}

struct nve_dp_claim dpw_claim(uint8_t kind, const char *mac)
{
	struct nve_dp_claim claim = { .kind = kind };

	dpw_mac(claim.mac, mac);
	return claim;
}

void dpw_neigh(struct dpw *w, const char *ip, struct nve_dp_claim first, struct nve_dp_claim second)
{
	const struct nve_dp_neigh neigh = {
		.vn_id = VN_7,
		.ip = dpw_addr(ip),
		.first = first,
		.second = second,
	};

	assert_int_equal(w->ops->neigh_set(w->dp, &neigh), 0);
}

void dpw_bum(struct dpw *w, const struct nve_dp_bum *bum)
{
	const uint32_t vteps[] = { 0, 1 };
	const struct nve_dp_vn vn = {
		.vn_id = VN_7,
		.vni = VNI_7,
		.bum = *bum,
		.n_vteps = 2,
		.vteps = vteps,
	};

	assert_int_equal(w->ops->vn_set(w->dp, &vn), 0);
}

void dpw_apply(struct dpw *w)
{
	assert_int_equal(w->ops->apply(w->dp), 0);
}

uint64_t dpw_used(struct dpw *w)
{
	static const char *const told[] = { "vap",  "tsi",   "src",       "src_ip", "fdb", "vtep",
					    "peer", "flood", "tsi_drops", "neigh",  "bum" };
	uint64_t sum = 0, used, max;
	const char *name;

	for (size_t i = 0; (name = w->ops->table(w->dp, i, &used, &max)); i++)
		for (size_t j = 0; j < sizeof(told) / sizeof(told[0]); j++)
			sum += strcmp(name, told[j]) ? 0 : used;
	return sum;
}

/* --- frames ----------------------------------------------------------------------------------- */

struct nve_fake_verdict dpw_from_port(struct dpw *w, const struct nve_fake_frame *frame)
{
	return w->ops == &nve_dp_fake ? nve_fake_take(w->dp, frame) : dp_probe_port(w, frame);
}

struct nve_fake_verdict dpw_from_vtep(struct dpw *w, const char *vtep, uint32_t vni,
				      const char *dst)
{
	struct nve_ip ip = dpw_addr(vtep);
	uint8_t mac[NVE_MAC_LEN];

	dpw_mac(mac, dst);
	return w->ops == &nve_dp_fake ? nve_fake_from_vtep(w->dp, &ip, vni, mac)
				      : dp_probe_vtep(w, vtep, vni, dst);
}

const char *dpw_answer(struct dpw *w, uint16_t port, uint16_t tag, const char *src,
		       const char *src_ip, const char *ip)
{
	struct nve_fake_frame f = { .port = port, .tag = tag, .ip = dpw_addr(src_ip) };
	const struct nve_ip wanted = dpw_addr(ip);
	static char text[18];
	uint8_t mac[NVE_MAC_LEN];
	bool answered;

	dpw_mac(f.src, src);
	memset(f.dst, 0xff, sizeof(f.dst));
	answered = w->ops == &nve_dp_fake ? nve_fake_answer(w->dp, &f, &wanted, mac)
					  : dp_probe_answer(w, &f, &wanted, mac);
	if (!answered)
		return "";
	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	return text;
}
