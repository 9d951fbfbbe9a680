/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities, securebits, no_new_privs.  Why these are kept: CAP_BPF and CAP_PERFMON, as the dry
 * run of 'nvectl why' is loaded with the first question (loading it at start would double the time
 * until the agent serves); CAP_NET_ADMIN, for programs of network devices, links, rtnetlink.
 * CAP_SYS_ADMIN is not: what the kernel tells that alone (objects by ID) is read before.
 */
#include "sandbox.h"

#include <dirent.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t nve_sandbox_datapath_caps(void)
{
	return UINT64_C(1) << CAP_BPF | UINT64_C(1) << CAP_PERFMON | UINT64_C(1) << CAP_NET_ADMIN;
}

static int fail(char **err, int r, const char *what)
{
	if (err && asprintf(err,
			    "the sandbox cannot be entered: %s: %s; 'sandbox: off' in nved.yaml "
			    "does without",
			    what, strerror(-r)) < 0)
		*err = NULL;
	return r;
}

static int count_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	int n = 0;

	if (!dir)
		return -errno;
	for (struct dirent *e; (e = readdir(dir));)
		n += e->d_name[0] != '.';
	closedir(dir);
	return n;
}

/* Who has not even CAP_SETPCAP cannot; no_new_privs makes the set useless anyway. */
static int drop_bounding(uint64_t keep)
{
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++) {
		if (keep >> cap & 1 || prctl(PR_CAPBSET_READ, cap, 0, 0, 0) != 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0 && errno != EPERM)
			return -errno;
	}
	return 0;
}

/* Root is a user like any other from now on. */
static int lock_securebits(void)
{
	unsigned long bits = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
			     SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
			     SECBIT_NO_CAP_AMBIENT_RAISE | SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	return prctl(PR_SET_SECUREBITS, bits, 0, 0, 0) < 0 && errno != EPERM ? -errno : 0;
}

static int drop_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &head, caps) < 0)
		return -errno;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
		caps[i].permitted &= (uint32_t)(keep >> 32 * i);
		caps[i].effective = caps[i].permitted;
		caps[i].inheritable = 0;
	}
	return syscall(SYS_capset, &head, caps) < 0 ? -errno : 0;
}

int nve_sandbox_enter(uint64_t keep, char **err)
{
	int r = count_threads();

	if (r != 1)
		return fail(err, r < 0 ? r : -EBUSY, "threads run already");
	r = drop_bounding(keep);
	if (r == 0)
		r = lock_securebits();
	if (r == 0 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		r = -errno;
	if (r == 0)
		r = drop_capabilities(keep);
	if (r < 0)
		return fail(err, r, "capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return fail(err, -errno, "no_new_privs");
		/* LeakSanitizer reads the process as a debugger does. */
#if !defined(__SANITIZE_ADDRESS__)
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return fail(err, -errno, "dumpable");
#endif
	r = nve_sandbox_filter();
	return r < 0 ? fail(err, r, "the filter of system calls") : 0;
}
