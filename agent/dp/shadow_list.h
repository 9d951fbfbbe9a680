/* SPDX-License-Identifier: Apache-2.0 */
/* What shadow*.c share among themselves. */
#pragma once

#include "dp/shadow.h"

/* Makes room for 'n' more; -ENOMEM. */
int nve_shadow_list_room(struct nve_shadow_list *list, uint32_t n);
/* Needs room. */
void nve_shadow_list_add(struct nve_shadow_list *list, uint32_t x);

bool nve_shadow_access_port(const struct nve_shadow *s, uint16_t slot);

/* The VAP, made if there is none yet; NULL: no memory. */
struct nve_shadow_vap *nve_shadow_vap_get(struct nve_shadow *s, uint16_t port, uint16_t tag);
/* Frees the VAP if nothing is left of it. */
void nve_shadow_vap_put(struct nve_shadow *s, struct nve_shadow_vap *vap);

void nve_shadow_vn_commit(struct nve_shadow *s, struct nve_shadow_vn *vn);
void nve_shadow_fdb_commit(struct nve_shadow *s);

/* Frees all VNs and VAPs; all TSIs; all forwarding entries. */
void nve_shadow_vn_clear(struct nve_shadow *s);
void nve_shadow_tsi_clear(struct nve_shadow *s);
void nve_shadow_fdb_clear(struct nve_shadow *s);

int nve_shadow_fdb_open(struct nve_shadow *s);
void nve_shadow_fdb_close(struct nve_shadow *s);
