/* SPDX-License-Identifier: Apache-2.0 */
/* A core to try things on: short ways to make one, to name things and to give it events. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/core_internal.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define MS            UINT64_C(1000000)

struct world {
	struct nve_core *core;
	uint64_t now_ns;
	uint64_t epoch;
	struct nve_answer answer; /* to the last event */
	uint8_t *bytes;           /* of the state before it */
};

/*
 * Four access ports, 0 and 1 in scope 0, 2 in scope 1, 3 in scope 2 and 4 not an access port;
 * tags 100..103; 8 TSIs, 24 addresses, 6 VAPs, 3 VNs; timers 300 s and 30 s in [1 s, 1000 s].
 */
extern const struct nve_core_config world_config;

int world_open(void **state);
int world_open_with(struct world *w, const struct nve_core_config *config);
int world_close(void **state);

struct nve_tsi_key tsi_key(unsigned int id, uint16_t port, uint32_t vn_id);
struct nve_addr mac(unsigned int n);
struct nve_addr ip4(unsigned int n);
struct nve_addr ip6(unsigned int n);
struct nve_addr mac_ip4(unsigned int m, unsigned int n);

/*
 * One event; time goes on by 1 ns before it, unless it has its own; an Activate gets the next
 * epoch.  Asserts that a refused one changes no byte of the state and emits nothing, and checks
 * the invariants.
 */
enum nve_reason world_step(struct world *w, const struct nve_event *ev);
#define STEP(w, ...) world_step(w, &(struct nve_event){ __VA_ARGS__ })
#define UPDATE(w, k, ...)                                                                          \
	STEP(w, .kind = NVE_EV_UPDATE, .key = (k), .new_port = NVE_PORT_NONE, ##__VA_ARGS__)
#define SET_OF(array)         .flags = NVE_EV_HAS_ADDRS, .addrs = (array), .n_addrs = ARRAY_SIZE(array)
#define ADDING(array)         .addrs = (array), .n_addrs = ARRAY_SIZE(array)
#define ONLY(array)           .flags = NVE_EV_HAS_ONLY, .only = (array), .n_only = ARRAY_SIZE(array)
#define REMOVING(array)       .only = (array), .n_only = ARRAY_SIZE(array)
#define associate(w, k, ...)  STEP(w, .kind = NVE_EV_ASSOCIATE, .key = (k), ##__VA_ARGS__)
#define activate(w, k, ...)   STEP(w, .kind = NVE_EV_ACTIVATE, .key = (k), ##__VA_ARGS__)
#define deactivate(w, k, ...) STEP(w, .kind = NVE_EV_DEACTIVATE, .key = (k), ##__VA_ARGS__)
#define clear(w, k, ...)      STEP(w, .kind = NVE_EV_CLEAR, .key = (k), ##__VA_ARGS__)
#define vn_connect(w, p, vn, ...)                                                                  \
	STEP(w, .kind = NVE_EV_VN_CONNECT, .key = tsi_key(0, p, vn), ##__VA_ARGS__)
#define vn_disconnect(w, p, vn, ...)                                                               \
	STEP(w, .kind = NVE_EV_VN_DISCONNECT, .key = tsi_key(0, p, vn), ##__VA_ARGS__)

/* Lets all timers run out that do so until 'now_ns'; returns how many. */
unsigned int world_expire_until(struct world *w, uint64_t now_ns);
/* Makes the last steps final, so that the next actions are those of the next step. */
void world_forget(struct world *w);

enum nve_tsi_state world_state(const struct world *w, struct nve_tsi_key key);
const struct nve_tsi *world_tsi(const struct world *w, struct nve_tsi_key key);
/* Of the actions since the last forget, how many are of this kind (and this notice). */
unsigned int world_actions(const struct world *w, enum nve_action_kind kind);
unsigned int world_notices(const struct world *w, enum nve_notice_kind kind);
/* The last notice of that kind; fails the test if there is none. */
const struct nve_notice *world_notice(const struct world *w, enum nve_notice_kind kind);

#define assert_ok(reason) assert_string_equal(nve_reason_name(reason), "OK")
#define assert_refused(reason, which)                                                              \
	assert_string_equal(nve_reason_name(reason), nve_reason_name(NVE_REASON_##which))
