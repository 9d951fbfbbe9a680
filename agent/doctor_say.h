/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the doctor share. */
#pragma once

#include <stdbool.h>

#include "config.h"
#include "doctor.h"

struct doctor {
	const struct nve_config *config; /* may be NULL */
	nve_finding_fn *fn;
	void *arg;
};

/* The text is made of 'format'. */
__attribute__((format(printf, 6, 7))) void
nve_doctor_say(const struct doctor *d, enum nve_doctor_health health, const char *check,
	       const char *subject, const char *remedy, const char *format, ...);
/* The first line of a small file of the kernel's; "" if there is none. */
void nve_doctor_read(const char *path, char *to, int size);

/* doctor_ports.c */
void nve_doctor_ports(const struct doctor *d);
/* doctor_disk.c */
void nve_doctor_disk(const struct doctor *d);
