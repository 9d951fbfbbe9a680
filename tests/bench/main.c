/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The benchmark's hand in the kernel; bench.py makes the namespaces, says what to run, and judges.
 *
 *	rate KEY=VALUE..   frames a second through an engine, one line of JSON
 *	cost KEY=VALUE..   ns a frame by test runs, for several numbers of TSIs, a line for each
 *	hold KEY=VALUE..   an NVE that stays until standard input ends; says "ready"
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/traffic.h"

enum { SIZES_MAX = 8, TURNS = 100000 };

static char **words;
static int n_words;

static const char *text_of(const char *key, const char *otherwise)
{
	size_t len = strlen(key);

	for (int i = 0; i < n_words; i++)
		if (!strncmp(words[i], key, len) && words[i][len] == '=')
			return words[i] + len + 1;
	return otherwise;
}

static uint32_t number_of(const char *key, uint32_t otherwise)
{
	const char *text = text_of(key, NULL);

	return text ? strtoul(text, NULL, 0) : otherwise;
}

static bool is(const char *key, const char *value)
{
	return !strcmp(text_of(key, ""), value);
}

static void mac_of(const char *ifname, uint8_t mac[6])
{
	struct ifreq req = { 0 };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", ifname);
	if (fd < 0 || ioctl(fd, SIOCGIFHWADDR, &req) < 0)
		bench_die("%s: %s", ifname, strerror(errno));
	close(fd);
	memcpy(mac, req.ifr_hwaddr.sa_data, 6);
}

static struct bench_world world_of_words(void)
{
	return (struct bench_world){
		.access = text_of("access", "a0"),
		.underlay = text_of("underlay", "u0"),
		.mode = is("mode", "tc") ? NVE_DP_TC : NVE_DP_XDP,
		.net = number_of("net", 2),
		.self = number_of("self", 1),
		.peers = number_of("peers", 2),
		.n_tsis = number_of("tsis", 256),
		.n_vns = number_of("vns", 8),
		.n_vteps = number_of("vteps", 1),
		.local = number_of("local", 0),
		.remote = number_of("remote", 0),
	};
}

static struct bench_plan plan_of(const struct bench_world *w, const char *nve, const char *hop)
{
	enum bench_shape shape = is("way", "decap") ? BENCH_TUNNELED
				 : is("way", "bum") ? BENCH_FIXED
						    : BENCH_TAGGED;
	struct bench_plan plan;
	uint8_t nve_mac[6], hop_mac[6];

	mac_of(nve, nve_mac);
	mac_of(hop, hop_mac);
	plan = bench_world_plan(w, shape, number_of("size", 64), nve_mac, hop_mac);
	plan.vni_step = number_of("vni_step", 1);
	return plan;
}

/* How long that thread has been on a CPU. */
static uint64_t cpu_ns(uint32_t thread)
{
	char path[64];
	uint64_t ns = 0;
	FILE *f;

	if (!thread)
		return 0;
	snprintf(path, sizeof(path), "/proc/%u/schedstat", thread);
	f = fopen(path, "re");
	if (!f || fscanf(f, "%lu", &ns) != 1)
		bench_die("%s: %s", path, strerror(errno));
	fclose(f);
	return ns;
}

/* g0 = a0, whatever is measured, u0 = w0; 'thread': what forwards, if it does so by itself. */
static int rate(void)
{
	const struct bench_world w = world_of_words();
	struct bench_plan plan = plan_of(&w, "u0", "w0");
	bool in = plan.shape == BENCH_TUNNELED;
	struct bench *b = bench_open();
	struct nve_dp *dp = NULL;
	struct bench_rate r;
	uint32_t thread = number_of("thread", 0);
	uint64_t drops = 0, busy;

	bench_sink(b, "g0");
	bench_sink(b, "w0");
	if (is("engine", "nve")) {
		dp = bench_world_open(&w);
	} else if (is("engine", "null")) {
		bench_forward(b, in ? "u0" : "a0", in ? "a0" : "u0");
	}
	bench_send_at(b, in ? "w0" : "g0", &plan);
	bench_own_cpu(number_of("cpu", 0));
	bench_run(b, number_of("warm", 20), number_of("batch", 64));
	busy = cpu_ns(thread);
	r = bench_run(b, number_of("ms", 200), number_of("batch", 64));
	busy = cpu_ns(thread) - busy;
	if (dp) {
		drops = bench_world_drops(dp);
		nve_dp_ebpf.close(dp);
	}
	printf("{\"sent\": %lu, \"seen\": %lu, \"bytes\": %lu, \"ns\": %lu, "
	       "\"busy\": %lu, \"drops\": %lu}\n",
	       (unsigned long)r.sent, (unsigned long)r.seen, (unsigned long)r.bytes,
	       (unsigned long)r.ns, (unsigned long)busy, (unsigned long)drops);
	return 0;
}

struct size {
	uint32_t n;
	char access[16], underlay[16];
	struct nve_dp *dp;
	struct bench *b;
	struct bench_plan plan;
};

/* Each number of TSIs has an NVE of its own, with ports a0, u0, a1, u1 .. */
static void open_size(struct size *s, uint32_t i, uint32_t n)
{
	struct bench_world w = world_of_words();

	s->n = n;
	snprintf(s->access, sizeof(s->access), "a%u", i);
	snprintf(s->underlay, sizeof(s->underlay), "u%u", i);
	w.access = s->access;
	w.underlay = s->underlay;
	w.net += i;
	w.n_tsis = n;
	if (w.n_vns > n)
		w.n_vns = n;
	s->dp = bench_world_open(&w);
	s->b = bench_open();
	s->plan = plan_of(&w, s->underlay, s->underlay);
}

static void cost_round(const struct size *s, uint32_t round)
{
	bool in = s->plan.shape == BENCH_TUNNELED;
	int prog = s->dp->prog[in ? NVE_PROG_XDP_UNDERLAY : NVE_PROG_XDP_ACCESS];
	const char *port = in ? s->underlay : s->access;
	uint32_t turns = number_of("turns", TURNS);
	uint32_t with, without;

	bench_turns(s->b, prog, &s->plan, port, turns / 4);
	with = bench_turns(s->b, prog, &s->plan, port, turns);
	without = bench_turns(s->b, -1, &s->plan, port, turns);
	printf("{\"round\": %u, \"tsis\": %u, \"with\": %u, \"without\": %u, \"drops\": %lu}\n",
	       round, s->n, with, without, (unsigned long)bench_world_drops(s->dp));
	fflush(stdout);
}

static int cost(void)
{
	struct size sizes[SIZES_MAX];
	uint32_t n = 0, rounds = number_of("rounds", 5);
	char *list = strdup(text_of("list", "1024"));

	for (char *save, *word = strtok_r(list, ",", &save); word;
	     word = strtok_r(NULL, ",", &save)) {
		if (n == SIZES_MAX)
			bench_die("more than %d numbers of TSIs", SIZES_MAX);
		open_size(&sizes[n], n, strtoul(word, NULL, 0));
		n++;
	}
	free(list);
	bench_own_cpu(number_of("cpu", 0));
	for (uint32_t round = 0; round < rounds; round++)
		for (uint32_t i = 0; i < n; i++)
			cost_round(&sizes[i], round);
	return 0;
}

static int hold(void)
{
	const struct bench_world w = world_of_words();
	struct nve_dp *dp = bench_world_open(&w);
	char byte;

	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	bench_world_drops(dp);
	nve_dp_ebpf.close(dp);
	return 0;
}

int main(int argc, char **argv)
{
	words = argv + 1;
	n_words = argc - 1;
	if (argc > 1 && !strcmp(argv[1], "rate"))
		return rate();
	if (argc > 1 && !strcmp(argv[1], "cost"))
		return cost();
	if (argc > 1 && !strcmp(argv[1], "hold"))
		return hold();
	bench_die("usage: bench rate|cost|hold KEY=VALUE..");
}
