/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of profiles in the datapath in memory: read one after the other. */
#include <string.h>

#include "dp/fake.h"
#include "dp/fake_dp.h"

bool nve_fake_denied(const struct nve_dp *dp, const struct nve_shadow_vn *vn, enum nve_acl_way way,
		     const struct nve_acl_frame *f)
{
	const struct nve_acl *acl = vn->now->acl ? dp->shadow.acls[vn->now->acl].now : NULL;

	return acl && nve_acl_denies(acl, way, f);
}

struct nve_acl_frame nve_fake_acl_frame(const struct nve_fake_frame *frame)
{
	struct nve_acl_frame f = { .type = NVE_FAKE_TYPE, .src = frame->ip };

	memcpy(f.src_mac, frame->src, NVE_MAC_LEN);
	memcpy(f.dst_mac, frame->dst, NVE_MAC_LEN);
	if (!frame->ip.family)
		return f;
	f.type = frame->ip.family == 4 ? 0x0800 : 0x86dd;
	f.is_ip = f.has_ports = true;
	f.protocol = 17;
	f.src_port = NVE_FAKE_SRC_PORT;
	f.dst_port = NVE_FAKE_DST_PORT;
	f.dst = (struct nve_ip){ .family = 4, .bytes = { 10, 9, 9, 9 } };
	if (frame->ip.family == 6)
		f.dst = (struct nve_ip){ .family = 6, .bytes = { 0xfd, 9, [15] = 9 } };
	return f;
}

struct nve_acl_frame nve_fake_acl_inner(const uint8_t dst[NVE_MAC_LEN])
{
	const struct nve_fake_frame frame = { .src = { 2, [5] = 0x99 },
					      .ip = { .family = 4, .bytes = { 10, 9, 9, 9 } } };
	struct nve_acl_frame f = nve_fake_acl_frame(&frame);

	memcpy(f.dst_mac, dst, NVE_MAC_LEN);
	f.dst = (struct nve_ip){ .family = 4, .bytes = { 10, 0, 0, 1 } };
	return f;
}
