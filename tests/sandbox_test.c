/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sandbox, entered in a child process: what /proc says of it, and what becomes of who tries
 * more than the agent needs.  Capabilities can be dropped by root alone: so these tests run as
 * root.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { CAP_NET_RAW_NUMBER = 13 };

/* What a child does once it is inside; its result is its exit code, 0 = as it should be. */
typedef int inside_fn(void);

static int run_inside(inside_fn *fn)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		char *err = NULL;

		if (nve_sandbox_enter(nve_sandbox_datapath_caps(), &err) < 0) {
			fprintf(stderr, "%s\n", err);
			_exit(100);
		}
		_exit(fn());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#define assert_fine(status)         assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0)
#define assert_killed_by(status, n) assert_true(WIFSIGNALED(status) && WTERMSIG(status) == (n))

/* The number behind 'name' in /proc/self/status. */
static uint64_t status_of(const char *name, int base)
{
	FILE *file = fopen("/proc/self/status", "re");
	uint64_t value = UINT64_MAX;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			value = strtoull(line + strlen(name), NULL, base);
	if (file)
		fclose(file);
	return value;
}

static int read_proc(void)
{
	uint64_t keep = nve_sandbox_datapath_caps();

	if (status_of("CapEff:", 16) != keep || status_of("CapPrm:", 16) != keep)
		return 1;
	if (status_of("CapBnd:", 16) & ~keep)
		return 2;
	if (status_of("CapInh:", 16) || status_of("CapAmb:", 16))
		return 3;
	if (status_of("NoNewPrivs:", 10) != 1)
		return 4;
	return status_of("Seccomp:", 10) == 2 ? 0 : 5;
}

static void it_leaves_three_capabilities_no_new_privs_and_a_filter(void **state)
{
	(void)state;
	assert_fine(run_inside(read_proc));
}

static void *nothing(void *arg)
{
	return arg;
}

static int work(void)
{
	union bpf_attr attr = {
		.map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1
	};
	pthread_t thread;
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED || pthread_create(&thread, NULL, nothing, NULL))
		return 1;
	pthread_join(thread, NULL);
	if (socket(AF_NETLINK, SOCK_RAW, 0) < 0 || socket(AF_INET6, SOCK_STREAM, 0) < 0)
		return 2;
	return syscall(SYS_bpf, BPF_MAP_CREATE, &attr, sizeof(attr)) < 0 ? 3 : 0;
}

static void threads_sockets_and_maps_can_be_made_inside(void **state)
{
	(void)state;
	assert_fine(run_inside(work));
}

static bool refused(long r)
{
	return r == -1 && errno == EPERM;
}

static int try_more(void)
{
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	union bpf_attr attr = { 0 };

	if (!refused(socket(AF_PACKET, SOCK_RAW, 0)))
		return 1;
	if (!refused(mprotect(memory, 4096, PROT_READ | PROT_EXEC)))
		return 2;
	if (!refused(syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr))))
		return 3;
	if (!refused(syscall(SYS_capset, NULL, NULL)))
		return 4;
	if (!refused(syscall(SYS_setuid, 0)) || !refused(syscall(SYS_kill, getppid(), 0)))
		return 5;
	return refused(syscall(SYS_memfd_create, "x", 0)) ? 0 : 6;
}

static void what_is_not_needed_is_refused_with_eperm(void **state)
{
	(void)state;
	assert_fine(run_inside(try_more));
}

static int run_program(void)
{
	char *const words[] = { (char *)"/bin/true", NULL };

	execve(words[0], words, words + 1);
	return 0;
}

static int fork_again(void)
{
	return fork() < 0 && errno == EPERM ? 0 : 1;
}

static int leave_namespace(void)
{
	syscall(SYS_unshare, 0);
	return 0;
}

static int read_others(void)
{
	syscall(SYS_process_vm_readv, getppid(), NULL, 0, NULL, 0, 0);
	return 0;
}

static void an_attempt_that_can_only_be_an_attack_ends_the_process(void **state)
{
	(void)state;
	assert_killed_by(run_inside(run_program), SIGSYS);
	assert_killed_by(run_inside(leave_namespace), SIGSYS);
	assert_killed_by(run_inside(read_others), SIGSYS);
#if !defined(__SANITIZE_ADDRESS__) /* LeakSanitizer forks */
	assert_fine(run_inside(fork_again));
#else
	(void)fork_again;
#endif
}

static void *wait_for_end(void *arg)
{
	char c;

	(void)!read(*(int *)arg, &c, 1);
	return NULL;
}

static void it_is_not_entered_when_a_thread_would_stay_outside(void **state)
{
	pthread_t thread;
	char *err = NULL;
	int pipes[2];

	(void)state;
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &pipes[0]), 0);
	assert_int_equal(nve_sandbox_enter(0, &err), -EBUSY);
	assert_non_null(strstr(err, "threads run already"));
	free(err);
	close(pipes[1]);
	pthread_join(thread, NULL);
	close(pipes[0]);
	assert_int_equal(status_of("Seccomp:", 10), 0);
	assert_true(status_of("CapEff:", 16) >> CAP_NET_RAW_NUMBER & 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_leaves_three_capabilities_no_new_privs_and_a_filter),
		cmocka_unit_test(threads_sockets_and_maps_can_be_made_inside),
		cmocka_unit_test(what_is_not_needed_is_refused_with_eperm),
		cmocka_unit_test(an_attempt_that_can_only_be_an_attack_ends_the_process),
		cmocka_unit_test(it_is_not_entered_when_a_thread_would_stay_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
