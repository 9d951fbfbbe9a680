/* SPDX-License-Identifier: Apache-2.0 */
/* What the programs need of the kernel: see features.h.  Each probe loads a program of a few
 * instructions, or makes a map of one row, and takes it away again. */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "dp/features.h"

static const struct {
	const char *name;
	enum bpf_prog_type type;
	enum bpf_func_id helper;
} helpers[] = {
	{ "xdp redirect", BPF_PROG_TYPE_XDP, BPF_FUNC_redirect },
	{ "xdp redirect_map", BPF_PROG_TYPE_XDP, BPF_FUNC_redirect_map },
	{ "xdp adjust_head", BPF_PROG_TYPE_XDP, BPF_FUNC_xdp_adjust_head },
	{ "tc clone_redirect", BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_clone_redirect },
	{ "tc skb_adjust_room", BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_adjust_room },
	{ "loop", BPF_PROG_TYPE_XDP, BPF_FUNC_loop },
	{ "ktime_get_coarse_ns", BPF_PROG_TYPE_XDP, BPF_FUNC_ktime_get_coarse_ns },
};
static const struct {
	const char *name;
	enum bpf_map_type type;
} maps[] = {
	{ "ring buffer", BPF_MAP_TYPE_RINGBUF },
	{ "array of maps", BPF_MAP_TYPE_ARRAY_OF_MAPS },
	{ "device map", BPF_MAP_TYPE_DEVMAP },
};

static int quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* Without rights every probe says no, which would be a lie. */
static int may_ask(void)
{
	int r = libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SOCKET_FILTER, NULL);

	return r == 1 ? 0 : geteuid() == 0 ? r : -EPERM;
}

void nve_features_probe(nve_feature_fn *fn, void *arg)
{
	libbpf_print_fn_t before = libbpf_set_print(quiet);
	int r = may_ask();

	if (r < 0)
		fn(arg, "programs and maps", r);
	for (size_t i = 0; r == 0 && i < sizeof(helpers) / sizeof(helpers[0]); i++)
		fn(arg, helpers[i].name,
		   libbpf_probe_bpf_helper(helpers[i].type, helpers[i].helper, NULL));
	for (size_t i = 0; r == 0 && i < sizeof(maps) / sizeof(maps[0]); i++)
		fn(arg, maps[i].name, libbpf_probe_bpf_map_type(maps[i].type, NULL));
	libbpf_set_print(before);
}
