/* SPDX-License-Identifier: Apache-2.0 */
/* What the table of requirements 3.1 says of one event, written down once more. */
#pragma once

#include "lib/core_world.h"

/* Of the TSI that the event is about, to be asked before the step. */
enum nve_tsi_state oracle_state(const struct nve_core *core, const struct nve_tsi_key *key);
bool oracle_due(const struct nve_core *core, const struct nve_event *ev);

/* Whether the table has a cell for the event: it is about one TSI. */
bool oracle_knows(const struct nve_event *ev);
/* After the step: NULL, or how the answer or the state it led to contradicts the table. */
const char *oracle_fault(const struct nve_core *core, const struct nve_event *ev,
			 enum nve_tsi_state from, bool was_due, const struct nve_answer *answer);
