/* SPDX-License-Identifier: Apache-2.0 */
/* The datapath that is compared with the model, and its wires.  See ref_rig.h. */
#include "lib/ref_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

const char *const ref_wires[REF_WIRES] = { "a0x", "a1x", "u0x" };
static const char *const near[REF_WIRES] = { "a0", "a1", "u0" };
static int fds[REF_WIRES]; /* the wires outlive the datapaths on them */

/* --- telling the datapath --------------------------------------------------------------------- */

static struct nve_ip as_ip(const struct ref_ip *ip)
{
	struct nve_ip out = { .family = ip->family };

	memcpy(out.bytes, ip->bytes, ip->family == 4 ? 4 : 16);
	return out;
}

static void ok(int r)
{
	assert_int_equal(r, 0);
}

static void tell_vn(struct ref_rig *rig, uint8_t i, const struct ref_vn *vn)
{
	uint32_t vteps[REF_VTEPS];
	struct nve_dp_vn x = { .vn_id = i + 1,
			       .vni = vn->vni,
			       .encap = vn->geneve ? NVE_DP_GENEVE : NVE_DP_VXLAN,
			       .tos = vn->uniform ? NVE_DP_TOS_UNIFORM : NVE_DP_TOS_PIPE,
			       .vteps = vteps };

	for (uint32_t k = 0; k < REF_VTEPS; k++)
		if (vn->vteps[k])
			vteps[x.n_vteps++] = k;
	ok(rig->ops->vn_set(rig->dp, &x));
}

static void tell_vap(struct ref_rig *rig, const struct ref_vap *v)
{
	struct nve_dp_vap x = { .port = v->port,
				.tag = v->vid,
				.quarantined = v->quarantined,
				.vn_id = v->vn + 1,
				.n_activated = v->has_activated };

	if (v->live || v->quarantined)
		ok(rig->ops->vap_set(rig->dp, &x));
	else
		ok(rig->ops->vap_del(rig->dp, v->port, v->vid));
}

static void tell_tsi(struct ref_rig *rig, uint32_t slot, const struct ref_tsi *t)
{
	struct nve_tsi_addr addrs[REF_ADDRS] = { 0 };
	struct nve_dp_tsi x = {
		.slot = slot,
		.key = { .id = { { slot + 1 } }, .vn_id = t->vn + 1, .port = t->port },
		.tag = t->vid,
		.activated = t->activated,
		.n_addrs = t->n,
		.addrs = addrs
	};

	if (!t->set) {
		ok(rig->ops->tsi_del(rig->dp, slot));
		return;
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct ref_addr *a = &t->addrs[i];

		addrs[i].active = a->active;
		if (a->has_mac) {
			addrs[i].addr.flags = NVE_ADDR_MAC;
			memcpy(addrs[i].addr.mac, a->mac, 6);
		}
		if (a->ip.family)
			addrs[i].addr.flags |= a->ip.family == 4 ? NVE_ADDR_IPV4 : NVE_ADDR_IPV6;
		memcpy(addrs[i].addr.ip, a->ip.bytes, 16);
	}
	ok(rig->ops->tsi_set(rig->dp, &x));
}

static struct nve_dp_dest as_dest(const struct ref_dest *d)
{
	return d->kind == REF_TSI ? TSI(d->n) : d->kind == REF_VTEP ? VTEP(d->n) : NONE;
}

static void tell_fdb(struct ref_rig *rig, const struct ref_fdb *row)
{
	struct nve_dp_fdb x = { .vn_id = row->vn + 1,
				.first = as_dest(&row->first),
				.second = as_dest(&row->second) };

	memcpy(x.mac, row->mac, 6);
	if (row->set)
		ok(rig->ops->fdb_set(rig->dp, &x));
	else
		ok(rig->ops->fdb_del(rig->dp, x.vn_id, x.mac));
}

#define CHANGED(field) memcmp(&m->field, &rig->told.field, sizeof(m->field))

/* Says what differs from what was said before, and makes it so. */
void ref_tell(struct ref_rig *rig, const struct ref *m)
{
	for (uint8_t i = 0; i < REF_VNS; i++)
		if (CHANGED(vns[i]))
			tell_vn(rig, i, &m->vns[i]);
	for (size_t i = 0; i < REF_FDB; i++)
		if (CHANGED(fdb[i]) && !m->fdb[i].set)
			tell_fdb(rig, &m->fdb[i]);
	for (uint32_t i = 0; i < REF_TSIS; i++)
		if (CHANGED(tsis[i]) && !m->tsis[i].set)
			tell_tsi(rig, i, &m->tsis[i]);
	for (size_t i = 0; i < REF_VAPS; i++)
		if (CHANGED(vaps[i]))
			tell_vap(rig, &m->vaps[i]);
	for (uint32_t i = 0; i < REF_TSIS; i++)
		if (CHANGED(tsis[i]) && m->tsis[i].set)
			tell_tsi(rig, i, &m->tsis[i]);
	for (size_t i = 0; i < REF_FDB; i++)
		if (CHANGED(fdb[i]) && m->fdb[i].set)
			tell_fdb(rig, &m->fdb[i]);
	ok(rig->ops->apply(rig->dp));
	rig->told = *m;
}

/* --- the wires -------------------------------------------------------------------------------- */

static void add_drop(void *arg, const char *name, const char *text, uint64_t frames)
{
	static const char *const names[NVE_DROP_COUNT] = {
#define NAME(n, number, t) [number] = #n,
		NVE_DROP_REASONS(NAME)
#undef NAME
	};
	uint64_t *drops = arg;

	(void)text;
	for (int i = 1; i < NVE_DROP_COUNT; i++)
		if (names[i] && !strcmp(names[i], name))
			drops[i] = frames;
}

/* Adds what was lost since the last call; returns how many frames that are. */
static uint64_t take_drops(struct ref_rig *rig, struct ref_fate *got)
{
	uint64_t now[NVE_DROP_COUNT] = { 0 }, sum = 0;

	rig->ops->drops(rig->dp, add_drop, now);
	for (int i = 1; i < NVE_DROP_COUNT; i++) {
		if (now[i] != rig->drops[i])
			got->why = i;
		sum += now[i] - rig->drops[i];
	}
	memcpy(rig->drops, now, sizeof(now));
	return sum;
}

/* The kernel hands out a tag beside its frame: puts it back in. */
static void put_tag_back(struct frame *f, struct msghdr *msg)
{
	struct tpacket_auxdata aux;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		memcpy(&aux, CMSG_DATA(c), sizeof(aux));
		if (!(aux.tp_status & TP_STATUS_VLAN_VALID))
			continue;
		*f = frame_tag(f, 0, aux.tp_vlan_tci & 0xfff);
		f->bytes[14] |= aux.tp_vlan_tci >> 8 & 0xf0;
	}
}

/* On the underlay the host speaks, too: ICMP errors, reports of multicast listeners. */
static bool is_the_hosts(const struct frame *f)
{
	bool ip4 = ref_16(f->bytes + 12) == 0x0800;
	uint8_t proto = f->bytes[ip4 ? 23 : 20];
	uint16_t dport = ref_16(f->bytes + (ip4 ? 36 : 56));

	return proto != 17 || (dport != 4789 && dport != 6081);
}

static bool receive(uint8_t wire, struct ref_fate *got)
{
	char control[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	struct ref_copy c = { .wire = wire };
	struct iovec iov = { c.frame.bytes, sizeof(c.frame.bytes) - 4 };
	struct msghdr msg = { .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof(control) };
	ssize_t n = recvmsg(fds[wire], &msg, MSG_DONTWAIT);

	if (n < 0) {
		assert_int_equal(errno, EAGAIN);
		return false;
	}
	c.frame.len = n;
	put_tag_back(&c.frame, &msg);
	if (wire == REF_U0 && is_the_hosts(&c.frame))
		return true;
	assert_in_range(got->n, 0, REF_COPIES - 1);
	got->copies[got->n++] = c;
	return true;
}

static void open_wire(uint8_t wire)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(3 /* all */) };
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	at.sll_ifindex = if_nametoindex(ref_wires[wire]);
	assert_return_code(fd, errno);
	ok(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)));
	ok(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)));
	assert_return_code(bind(fd, (struct sockaddr *)&at, sizeof(at)), errno);
	fds[wire] = fd;
}

void ref_send(struct ref_rig *rig, uint8_t wire, const struct frame *f, const struct ref_fate *want,
	      struct ref_fate *got)
{
	struct pollfd p[REF_WIRES];
	uint64_t lost = 0;
	bool more;

	memset(got, 0, sizeof(*got));
	assert_int_equal(send(fds[wire], f->bytes, f->len, 0), f->len);
	for (int ms = 0; ms < rig->patience_ms; ms++) {
		for (uint8_t i = 0; i < REF_WIRES; i++)
			do
				more = receive(i, got);
			while (more);
		lost += take_drops(rig, got);
		if (got->n >= want->n && lost >= !!want->why)
			break;
		for (int i = 0; i < REF_WIRES; i++)
			p[i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
		poll(p, REF_WIRES, 1);
	}
	assert_in_range(lost, 0, 1);
}

/* --- the world -------------------------------------------------------------------------------- */

static void sh(const char *command)
{
	if (system(command))
		fail_msg("failed: %s", command);
}

static void set_port(struct ref_rig *rig, uint16_t slot, uint8_t mode)
{
	struct nve_dp_port port = { .slot = slot,
				    .role = slot == REF_U0 ? NVE_DP_UNDERLAY : NVE_DP_ACCESS,
				    .mode = mode };
	char *err = NULL;

	snprintf(port.name, sizeof(port.name), "%s", near[slot]);
	snprintf(port.ifname, sizeof(port.ifname), "%s", near[slot]);
	if (rig->ops->port_set(rig->dp, &port, &err) < 0)
		fail_msg("%s", err);
}

/* Wires fit for XDP, an underlay of both families, and neighbors that need no asking. */
static void make_wires(void)
{
	static bool made;

	if (made)
		return;
	made = true;
	dpw_enter();
	sh("for i in a0x a1x u0x; do ethtool -K $i gro on tx off txvlan off >/dev/null || exit; "
	   "done");
	sh("for i in a0 a0x a1 a1x u0 u0x; do ip link set $i mtu 2000 || exit; done");
	sh("echo 0 >/proc/sys/net/ipv6/conf/u0/disable_ipv6");
	sh("ip link set u0 address 02:aa:00:00:00:01");
	sh("ip addr add 2001:db8::1/64 dev u0 nodad");
	sh("ip neigh replace 192.0.2.2 dev u0 lladdr 02:aa:00:00:00:02");
	sh("ip neigh replace 192.0.2.3 dev u0 lladdr 02:aa:00:00:00:03");
	sh("ip neigh add 2001:db8::2 dev u0 lladdr 02:aa:00:00:00:04");
	sh("ip neigh add 2001:db8::3 dev u0 lladdr 02:aa:00:00:00:05");
	for (uint8_t i = 0; i < REF_WIRES; i++)
		open_wire(i);
}

void ref_open(struct ref_rig *rig, struct ref *m, const struct dpw *backend)
{
	const struct nve_dp_config config = {
		.local_vtep = dpw_addr("192.0.2.1"),
		.local_vtep6 = dpw_addr("2001:db8::1"),
		.limits = { .max_tsis = REF_TSIS,
			    .max_vns = REF_VNS,
			    .max_addrs = REF_TSIS * REF_ADDRS,
			    .max_fdb = REF_FDB,
			    .max_vteps = REF_VTEPS,
			    .max_flood = REF_COPIES },
	};
	char *err = NULL;

	make_wires();
	rig->ops = backend->ops;
	if (rig->ops->open(&config, &rig->dp, &err) < 0)
		fail_msg("%s", err);
	memset(rig->drops, 0, sizeof(rig->drops));
	for (uint16_t i = 0; i < REF_WIRES; i++)
		set_port(rig, i, backend->mode);
	ref_world(m);
	for (uint32_t i = 0; i < REF_VTEPS; i++)
		ok(rig->ops->vtep_set(rig->dp, i, (struct nve_ip[]){ as_ip(&m->vteps[i].ip) }));
	for (uint8_t i = 0; i < REF_VNS; i++)
		tell_vn(rig, i, &m->vns[i]);
	rig->told = *m;
	ref_tell(rig, m);
}

void ref_close(struct ref_rig *rig)
{
	rig->ops->close(rig->dp);
	rig->dp = NULL;
}
