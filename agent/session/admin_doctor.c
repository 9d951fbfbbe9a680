/* SPDX-License-Identifier: Apache-2.0 */
/* The Admin service: Doctor, as a message. */
#include <errno.h>
#include <string.h>

#include "nve/v1/doctor.pb-c.h"
#include "session/admin.h"
#include "session/codec_internal.h"

enum { FINDINGS_MAX = 1024 };

struct findings {
	struct nve_arena *arena;
	size_t n;
	bool lost;
	Nve__V1__Finding *list[FINDINGS_MAX];
};

static char *copy(struct findings *f, const char *text)
{
	size_t size = strlen(text) + 1;
	char *p = nve_arena_alloc(f->arena, size);

	f->lost |= !p;
	return p ? memcpy(p, text, size) : NULL;
}

static void add(void *arg, const struct nve_finding *finding)
{
	static const Nve__V1__Health healths[] = {
		[NVE_DOCTOR_OK] = NVE__V1__HEALTH__HEALTH_OK,
		[NVE_DOCTOR_WARN] = NVE__V1__HEALTH__HEALTH_WARN,
		[NVE_DOCTOR_FAIL] = NVE__V1__HEALTH__HEALTH_FAIL,
	};
	struct findings *f = arg;
	Nve__V1__Finding *m = nve_arena_alloc(f->arena, sizeof(*m));

	if (!m || f->n == FINDINGS_MAX) {
		f->lost = true;
		return;
	}
	nve__v1__finding__init(m);
	m->check = copy(f, finding->check);
	m->subject = copy(f, finding->subject);
	m->health = healths[finding->health];
	m->text = copy(f, finding->text);
	m->remedy = copy(f, finding->remedy);
	f->list[f->n++] = m;
}

int nve_admin_doctor(const struct nve_admin_env *env, struct nve_arena *arena,
		     struct nve_bytes *ret)
{
	struct findings *f = nve_arena_zalloc(arena, 1, sizeof(*f));
	Nve__V1__DoctorReply m = NVE__V1__DOCTOR_REPLY__INIT;

	if (!f)
		return -ENOMEM;
	f->arena = arena;
	if (env->doctor)
		env->doctor(env->doctor_arg, add, f);
	if (f->lost)
		return -ENOMEM;
	m.n_findings = f->n;
	m.findings = f->list;
	return nve_codec_pack(&m.base, arena, ret);
}
