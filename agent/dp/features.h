/* SPDX-License-Identifier: Apache-2.0 */
/* What the eBPF datapath needs of the kernel, asked without loading it. */
#pragma once

/* 'has': 1 or 0; -errno: could not be asked.  Names are static. */
typedef void nve_feature_fn(void *arg, const char *name, int has);
void nve_features_probe(nve_feature_fn *fn, void *arg);
