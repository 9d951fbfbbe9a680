/* SPDX-License-Identifier: Apache-2.0 */
/* Events by chance, or by a fuzzer's bytes, for a world that is small and always full. */
#pragma once

#include "lib/core_model.h"

/* The world's four ports, all its limits within those of the model. */
extern const struct nve_core_config draw_config;

/* Gives a number below 'n'. */
typedef uint32_t draw_fn(void *arg, uint32_t n);
/* An event that the codec could have made; the time goes on.  It points into the two arrays. */
struct nve_event draw_event(draw_fn *draw, void *arg, struct world *w,
			    struct nve_addr addrs[MODEL_ADDRS], struct nve_addr only[MODEL_ADDRS]);

/* Addresses of a TSI are bounded so that the model can hold them: whether they are. */
bool draw_model_holds(const struct nve_core *core);
