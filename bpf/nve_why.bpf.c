/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The datapath once more, as a dry run: see trace.h. */
#define NVE_DRY 1
#include "nve.bpf.c"
