/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of dp.h, one suite for every backend: what was set shows to frames after apply(),
 * and nothing else does.  Its sentences are in tests/dp/contract*_test.c; here is how they speak.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "lib/dp_world.h"

#define MAC_1   "02:00:00:00:00:01"
#define MAC_2   "02:00:00:00:00:02"
#define MAC_3   "02:00:00:00:00:03"
#define MAC_R   "02:00:00:00:00:99" /* behind VTEP 0 */
#define MAC_X   "02:00:00:00:00:ee" /* nobody's */
#define MAC_ALL "ff:ff:ff:ff:ff:ff"

/* The world of the test that runs. */
extern struct dpw dpc;

struct nve_fake_verdict dpc_send(uint16_t port, uint16_t tag, const char *src, const char *ip,
				 const char *dst);
/* Sent to the remote MAC, so that only the source filter can keep it from passing. */
bool dpc_passes(uint16_t port, uint16_t tag, const char *src, const char *ip);
/* Slot of the TSI that a frame from VTEP 0 reaches, or NVE_SLOT_NONE. */
uint32_t dpc_reaches(const char *dst);
/* TSI 1 at port a0, tag 10, with MAC_1; TSI 2 at a1, tag 20, with MAC_2; MAC_R. */
void dpc_two_tsis(bool activated);

#define CONTRACT(f) cmocka_unit_test_setup_teardown(f, dpc_set_up, dpc_tear_down)
int dpc_set_up(void **state);
int dpc_tear_down(void **state);
/* Runs the tests on each backend; how many failed. */
#define dpc_run(tests) dpc_run_on_all((tests), sizeof(tests) / sizeof((tests)[0]))
int dpc_run_on_all(const struct CMUnitTest *tests, size_t n);
/* ... but for the fake, which has no frames of bytes. */
#define dpc_run_ebpf(tests) dpc_run_on_ebpf((tests), sizeof(tests) / sizeof((tests)[0]))
int dpc_run_on_ebpf(const struct CMUnitTest *tests, size_t n);
