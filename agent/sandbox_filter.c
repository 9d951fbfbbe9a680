/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter of system calls (seccomp), in force from before the agent listens.  What is not in the
 * list of what it needs gives EPERM, and a line in the kernel's audit log: a library that tries
 * something new on a rare path gets an error that it can handle, instead of ending an agent that
 * other people's VMs hang on.  What nobody here ever does by mistake, a new program or another
 * process's memory for example, is an attack: it ends the process.  The datapath forwards on.
 */
#include "sandbox.h"

#include <errno.h>
#include <linux/bpf.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* Without a look at arguments: the kernel remembers that, and they cost nothing. */
static const int needed[] = {
	/* memory */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(membarrier),
	/* threads, signals, the end */
	SCMP_SYS(futex),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(gettid),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(getcpu),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(tgkill),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* time and limits */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(times),
	SCMP_SYS(getrusage),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(getrandom),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(capget),
	/* files: store, NVA's source, audit, sockets' locks, pins */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(preadv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(pwritev),
	SCMP_SYS(open),
	SCMP_SYS(openat),
	SCMP_SYS(close),
	SCMP_SYS(stat),
	SCMP_SYS(lstat),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	SCMP_SYS(statx),
	SCMP_SYS(statfs),
	SCMP_SYS(fstatfs),
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(lseek),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(sync_file_range),
	SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate),
	SCMP_SYS(fadvise64),
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
	SCMP_SYS(rename),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat),
	SCMP_SYS(rmdir),
	SCMP_SYS(chmod),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	SCMP_SYS(fchown),
	SCMP_SYS(utimensat),
	SCMP_SYS(umask),
	SCMP_SYS(getdents64),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(getcwd),
	SCMP_SYS(fcntl),
	SCMP_SYS(flock),
	SCMP_SYS(dup),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	SCMP_SYS(pipe2),
	/* waiting */
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(select),
	SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(eventfd2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(inotify_init1),
	SCMP_SYS(inotify_add_watch),
	SCMP_SYS(inotify_rm_watch),
	/* sockets, once there are any: which, see below */
	SCMP_SYS(socketpair),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(connect),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(sendto),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(recvmmsg),
};

/* A call that is needed with this argument alone ('arg' counts from 0). */
static const struct narrow {
	int call;
	unsigned arg;
	uint64_t mask, value;
} narrow[] = {
#define EXACT(call, arg, value)                                                                    \
	{                                                                                          \
		SCMP_SYS(call), arg, 0xffffffff, (uint32_t)(value)                                 \
	}
#define MASKED(call, arg, mask, value)                                                             \
	{                                                                                          \
		SCMP_SYS(call), arg, mask, value                                                   \
	}
	/* No memory that is written becomes code. */
	MASKED(mmap, 2, PROT_EXEC, 0),
	MASKED(mprotect, 2, PROT_EXEC, 0),
	/* Threads, no processes; clone3() cannot be looked into: glibc then uses clone(). */
	MASKED(clone, 0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM),
	EXACT(prctl, 0, PR_SET_NAME),
	EXACT(prlimit64, 2, 0), /* no new limit: it only reads */
	EXACT(socket, 0, AF_UNIX),
	EXACT(socket, 0, AF_INET),
	EXACT(socket, 0, AF_INET6),
	EXACT(socket, 0, AF_NETLINK),
	EXACT(ioctl, 1, SIOCETHTOOL),
	EXACT(ioctl, 1, SIOCGIFINDEX),
	EXACT(ioctl, 1, SIOCGIFNAME),
	EXACT(ioctl, 1, SIOCGIFFLAGS),
	EXACT(ioctl, 1, SIOCGIFMTU),
	EXACT(ioctl, 1, FIONBIO),
	EXACT(ioctl, 1, FIONREAD),
	EXACT(ioctl, 1, FIOCLEX),
	EXACT(ioctl, 1, TCGETS),
	/* Maps, links, test runs and, for 'nvectl why', programs; nothing that traces the kernel.
	 */
	EXACT(bpf, 0, BPF_MAP_CREATE),
	EXACT(bpf, 0, BPF_MAP_LOOKUP_ELEM),
	EXACT(bpf, 0, BPF_MAP_UPDATE_ELEM),
	EXACT(bpf, 0, BPF_MAP_DELETE_ELEM),
	EXACT(bpf, 0, BPF_MAP_GET_NEXT_KEY),
	EXACT(bpf, 0, BPF_MAP_LOOKUP_BATCH),
	EXACT(bpf, 0, BPF_MAP_UPDATE_BATCH),
	EXACT(bpf, 0, BPF_MAP_DELETE_BATCH),
	EXACT(bpf, 0, BPF_MAP_FREEZE),
	EXACT(bpf, 0, BPF_PROG_LOAD),
	EXACT(bpf, 0, BPF_PROG_BIND_MAP),
	EXACT(bpf, 0, BPF_PROG_TEST_RUN),
	EXACT(bpf, 0, BPF_PROG_QUERY),
	EXACT(bpf, 0, BPF_BTF_LOAD),
	EXACT(bpf, 0, BPF_OBJ_PIN),
	EXACT(bpf, 0, BPF_OBJ_GET),
	EXACT(bpf, 0, BPF_OBJ_GET_INFO_BY_FD),
	EXACT(bpf, 0, BPF_LINK_CREATE),
	EXACT(bpf, 0, BPF_LINK_UPDATE),
	EXACT(bpf, 0, BPF_LINK_DETACH),
#if defined(__SANITIZE_ADDRESS__)
	/* LeakSanitizer stops the threads at the end, from a process that shares their memory. */
	MASKED(clone, 0, CLONE_THREAD | CLONE_VM, CLONE_VM),
	EXACT(prctl, 0, PR_SET_PTRACER),
	EXACT(prctl, 0, PR_GET_DUMPABLE),
	EXACT(prctl, 0, PR_SET_DUMPABLE),
	MASKED(ptrace, 0, 0, 0),
	MASKED(wait4, 0, 0, 0),
#endif
};

static const int never[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
#if !defined(__SANITIZE_ADDRESS__)
	SCMP_SYS(ptrace),
#endif
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(setns),
	SCMP_SYS(unshare),
	SCMP_SYS(chroot),
	SCMP_SYS(pivot_root),
	SCMP_SYS(mount),
	SCMP_SYS(umount2),
	SCMP_SYS(move_mount),
	SCMP_SYS(open_tree),
	SCMP_SYS(fsopen),
	SCMP_SYS(fsmount),
	SCMP_SYS(init_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(reboot),
	SCMP_SYS(swapon),
	SCMP_SYS(swapoff),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(keyctl),
	SCMP_SYS(add_key),
	SCMP_SYS(request_key),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(iopl),
	SCMP_SYS(ioperm),
};

static int add_rules(scmp_filter_ctx filter)
{
	int r = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);

	for (size_t i = 0; i < COUNT(needed) && !r; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, needed[i], 0);
	for (size_t i = 0; i < COUNT(narrow) && !r; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, narrow[i].call, 1,
				     SCMP_CMP(narrow[i].arg, SCMP_CMP_MASKED_EQ, narrow[i].mask,
					      narrow[i].value));
	for (size_t i = 0; i < COUNT(never) && !r; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, never[i], 0);
	return r;
}

int nve_sandbox_filter(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int r;

	if (!filter)
		return -ENOMEM;
	/* A call by another architecture's table, 32 bits on 64 for example, is not a mistake. */
	r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (!r)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
	if (!r)
		r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!r)
		r = add_rules(filter);
	if (!r)
		r = seccomp_load(filter);
	seccomp_release(filter);
	return r;
}
