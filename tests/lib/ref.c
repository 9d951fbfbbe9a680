/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The model: from the tag to the VN, from the destination to the wires.  See model.h.
 */
#include "lib/ref.h"

#include <stdio.h>
#include <string.h>

static void add(struct ref_fate *fate, const struct ref_copy *copy)
{
	if (fate->n < REF_COPIES)
		fate->copies[fate->n++] = *copy;
}

static struct ref_copy tagged(const struct ref_vap *vap, uint16_t priority,
			      const struct frame *inner)
{
	struct ref_copy c = { .wire = vap->port };

	c.frame = frame_tag(inner, 0, vap->vid);
	c.frame.bytes[14] |= priority >> 8;
	return c;
}

static const struct ref_vap *find_vap(const struct ref *m, uint8_t port, uint16_t vid)
{
	for (size_t i = 0; i < REF_VAPS; i++) {
		const struct ref_vap *v = &m->vaps[i];

		if (v->port == port && v->vid == vid && (v->live || v->quarantined))
			return v;
	}
	return NULL;
}

/* --- destinations ----------------------------------------------------------------------------- */

/* A TSI takes frames to a MAC that it has in use while it is Activated (S53, S59, S76). */
static bool takes(const struct ref *m, size_t n, uint8_t vn, const uint8_t *mac)
{
	const struct ref_tsi *tsi = &m->tsis[n];

	if (!tsi->set || !tsi->activated || tsi->vn != vn)
		return false;
	for (size_t i = 0; i < tsi->n; i++)
		if (tsi->addrs[i].has_mac && tsi->addrs[i].active &&
		    !memcmp(tsi->addrs[i].mac, mac, 6))
			return true;
	return false;
}

/* False: nobody knows the MAC, and the frame is flooded. */
static bool find_dest(const struct ref *m, uint8_t vn, const uint8_t *mac, struct ref_dest *ret,
		      enum nve_drop *why)
{
	for (size_t i = 0; i < REF_FDB; i++) {
		const struct ref_fdb *row = &m->fdb[i];
		const struct ref_dest *d = &row->first;

		if (!row->set || row->vn != vn || memcmp(row->mac, mac, 6))
			continue;
		if (row->second.kind == REF_TSI && takes(m, row->second.n, vn, mac))
			d = &row->second;
		*ret = *d;
		*why = d->kind == REF_VTEP || (d->kind == REF_TSI && takes(m, d->n, vn, mac))
			       ? NVE_FORWARD
			       : NVE_DROP_DST_INACTIVE;
		return true;
	}
	return false;
}

static bool is_bridge_local(const uint8_t *mac)
{
	static const uint8_t group[] = { 0x01, 0x80, 0xc2, 0, 0 };

	return !memcmp(mac, group, 5) && mac[5] < 16;
}

/* Copies to the VN's VAPs where somebody is Activated, but not to where the frame came from. */
static void flood_local(const struct ref *m, uint8_t vn, const struct ref_vap *from,
			uint16_t priority, const struct frame *inner, struct ref_fate *fate)
{
	for (size_t i = 0; i < REF_VAPS; i++) {
		const struct ref_vap *v = &m->vaps[i];
		struct ref_copy c;

		if (!v->live || v->vn != vn || !v->has_activated || v == from)
			continue;
		c = tagged(v, priority, inner);
		add(fate, &c);
	}
}

/* --- from a hypervisor ------------------------------------------------------------------------ */

/* The tag, and what is behind it. */
static enum nve_drop untag(const struct frame *in, uint16_t *tci, struct frame *ret)
{
	uint16_t type;

	if (in->len < 14)
		return NVE_DROP_SHORT;
	if (ref_16(in->bytes + 12) != 0x8100)
		return NVE_DROP_NO_TAG;
	if (in->len < 18)
		return NVE_DROP_SHORT;
	*tci = ref_16(in->bytes + 14);
	if (!(*tci & 0xfff)) /* a priority tag */
		return NVE_DROP_NO_TAG;
	type = ref_16(in->bytes + 16);
	if (type == 0x8100 || type == 0x88a8 || type == 0x9100)
		return NVE_DROP_DOUBLE_TAG;
	memset(ret, 0, sizeof(*ret));
	ret->len = in->len - 4;
	memcpy(ret->bytes, in->bytes, 12);
	memcpy(ret->bytes + 12, in->bytes + 16, in->len - 16);
	return NVE_FORWARD;
}

static uint8_t outer_tos(const struct ref *m, uint8_t vn, const struct frame *inner)
{
	int tos = ref_tos(inner);

	if (tos < 0)
		return 0;
	return m->vns[vn].uniform ? tos : tos & 3;
}

static void from_vap(const struct ref *m, const struct ref_vap *vap, uint16_t priority,
		     const struct frame *inner, struct ref_fate *fate)
{
	uint8_t tos = outer_tos(m, vap->vn, inner);
	const uint8_t *dst = inner->bytes;
	struct ref_dest d = { 0 };
	struct ref_copy c;

	if (dst[0] & 1 && is_bridge_local(dst)) {
		fate->why = NVE_DROP_LINK_LOCAL;
		return;
	}
	if (dst[0] & 1 || !find_dest(m, vap->vn, dst, &d, &fate->why)) {
		flood_local(m, vap->vn, vap, priority, inner, fate);
		for (size_t i = 0; i < REF_VTEPS; i++) {
			if (!m->vns[vap->vn].vteps[i])
				continue;
			c = ref_wrap(m, vap->vn, i, tos, 64, 0, inner);
			add(fate, &c);
		}
		fate->why = fate->n ? NVE_FORWARD : NVE_DROP_NO_MEMBER;
		return;
	}
	if (fate->why)
		return;
	if (d.kind == REF_VTEP) {
		c = ref_wrap(m, vap->vn, d.n, tos, 64, 0, inner);
		add(fate, &c);
		return;
	}
	if (m->tsis[d.n].port == vap->port && m->tsis[d.n].vid == vap->vid) {
		fate->why = NVE_DROP_SAME_PORT;
		return;
	}
	c = tagged(&(struct ref_vap){ .port = m->tsis[d.n].port, .vid = m->tsis[d.n].vid },
		   priority, inner);
	add(fate, &c);
}

static void from_hypervisor(const struct ref *m, uint8_t port, const struct frame *in,
			    struct ref_fate *fate)
{
	const struct ref_vap *vap;
	struct frame inner;
	uint16_t tci;

	fate->why = untag(in, &tci, &inner);
	if (fate->why)
		return;
	vap = find_vap(m, port, tci & 0xfff);
	fate->why = !vap ? NVE_DROP_NO_VAP
		    : vap->quarantined
			    ? NVE_DROP_TAG_QUARANTINED
			    : ref_source(m, vap, inner.bytes + 6, ref_16(inner.bytes + 12),
					 (struct ref_view){ inner.bytes + 14, inner.len - 14 });
	if (!fate->why)
		from_vap(m, vap, tci & 0xf000, &inner, fate);
}

/* --- from the underlay ------------------------------------------------------------------------ */

/* The TSI is at another NVE (D7): on to it, one hop less, but not back. */
static void forward_on(const struct ref *m, const struct ref_tunnel *t, size_t vtep,
		       const struct frame *inner, struct ref_fate *fate)
{
	struct ref_copy c;

	if (ref_same_ip(&m->vteps[vtep].ip, &t->from)) {
		fate->why = NVE_DROP_DST_INACTIVE;
	} else if (t->ttl <= 1) {
		fate->why = NVE_DROP_TTL;
	} else {
		c = ref_wrap(m, t->vn, vtep, t->tos, t->ttl - 1, t->flow, inner);
		c.any_flow = false;
		add(fate, &c);
	}
}

static void to_tenant(const struct ref *m, const struct ref_tunnel *t, struct frame *inner,
		      struct ref_fate *fate)
{
	const struct frame as_sent = *inner;
	const uint8_t *dst = inner->bytes;
	struct ref_dest d = { 0 };
	uint16_t type = ref_16(dst + 12);
	struct ref_copy c;

	fate->why = ref_tos_in(inner, t->tos, m->vns[t->vn].uniform);
	if (fate->why)
		return;
	if (type == 0x8100 || type == 0x88a8 || type == 0x9100)
		fate->why = NVE_DROP_INNER_TAG;
	else if (dst[6] & 1)
		fate->why = NVE_DROP_SRC_MAC;
	else if (dst[0] & 1 && is_bridge_local(dst))
		fate->why = NVE_DROP_LINK_LOCAL;
	if (fate->why)
		return;
	if (dst[0] & 1 || !find_dest(m, t->vn, dst, &d, &fate->why)) {
		flood_local(m, t->vn, NULL, 0, inner, fate);
		fate->why = fate->n ? NVE_FORWARD : NVE_DROP_NO_MEMBER;
	} else if (!fate->why && d.kind == REF_VTEP) {
		forward_on(m, t, d.n, &as_sent, fate);
	} else if (!fate->why) {
		c = tagged(&(struct ref_vap){ .port = m->tsis[d.n].port, .vid = m->tsis[d.n].vid },
			   0, inner);
		add(fate, &c);
	}
}

void ref_run(const struct ref *m, uint8_t wire, const struct frame *in, struct ref_fate *ret)
{
	struct ref_tunnel t;

	memset(ret, 0, sizeof(*ret));
	if (wire != REF_U0) {
		from_hypervisor(m, wire, in, ret);
		return;
	}
	ret->why = ref_unwrap(m, in, &t);
	if (!ret->why && t.mine)
		to_tenant(m, &t, &t.inner, ret);
}

/* --- comparing -------------------------------------------------------------------------------- */

/* Takes over the flow that was chosen, if it is one that may be. */
static bool take_flow(struct frame *want, const struct frame *got)
{
	size_t at = ref_16(want->bytes + 12) == 0x0800 ? 34 : 54;
	uint16_t flow;

	if (got->len < at + 2)
		return false;
	flow = ref_16(got->bytes + at);
	if (flow < 49152)
		return false;
	memcpy(want->bytes + at, got->bytes + at, 2);
	if (at == 54)
		memcpy(want->bytes + 16, got->bytes + at, 2);
	return true;
}

static bool same_copy(const struct ref_copy *got, const struct ref_copy *want)
{
	struct frame exact = want->frame;

	if (got->wire != want->wire || (want->any_flow && !take_flow(&exact, &got->frame)))
		return false;
	return got->frame.len == exact.len && !memcmp(got->frame.bytes, exact.bytes, exact.len);
}

static void print_fate(const char *name, const struct ref_fate *f)
{
	fprintf(stderr, "  %s: reason %d, %zu frames\n", name, f->why, f->n);
	for (size_t i = 0; i < f->n; i++) {
		fprintf(stderr, "    wire %d%s:", f->copies[i].wire,
			f->copies[i].any_flow ? " any flow" : "");
		for (size_t k = 0; k < f->copies[i].frame.len; k++)
			fprintf(stderr, " %02x", f->copies[i].frame.bytes[k]);
		fputc('\n', stderr);
	}
}

bool ref_equal(const struct ref_fate *got, const struct ref_fate *want)
{
	bool used[REF_COPIES] = { false };
	size_t same = 0;

	for (size_t i = 0; i < want->n; i++)
		for (size_t k = 0; k < got->n; k++)
			if (!used[k] && same_copy(&got->copies[k], &want->copies[i])) {
				used[k] = true;
				same++;
				break;
			}
	if (got->why == want->why && got->n == want->n && same == want->n)
		return true;
	if (!frame_quiet) {
		print_fate("got ", got);
		print_fate("want", want);
	}
	return false;
}
