/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor: what the kernel and the machine as a whole tell.  See doctor.h. */
#include "doctor.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "doctor_say.h"
#include "dp/features.h"

enum { TEXT = 512 };
enum { KERNEL_NEEDED = 5 * 1000 + 17, KERNEL_TESTED = 6 * 1000 + 1 };

void nve_doctor_say(const struct doctor *d, enum nve_doctor_health health, const char *check,
		    const char *subject, const char *remedy, const char *format, ...)
{
	struct nve_finding finding = { .health = health, .check = check, .subject = subject };
	char text[TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	finding.text = text;
	finding.remedy = health == NVE_DOCTOR_OK ? "" : remedy;
	d->fn(d->arg, &finding);
}

void nve_doctor_read(const char *path, char *to, int size)
{
	FILE *file = fopen(path, "re");

	to[0] = '\0';
	if (!file)
		return;
	if (!fgets(to, size, file))
		to[0] = '\0';
	to[strcspn(to, "\n")] = '\0';
	fclose(file);
}

static void check_kernel(const struct doctor *d)
{
	const char *remedy = "install a kernel of 6.1 or later";
	unsigned int major = 0, minor = 0, version;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &major, &minor) != 2)
		return;
	version = major * 1000 + minor;
	if (version < KERNEL_NEEDED)
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "kernel", "", remedy,
			       "Linux %s is too old: the programs need bpf_loop (5.17)",
			       name.release);
	else if (version < KERNEL_TESTED)
		nve_doctor_say(d, NVE_DOCTOR_WARN, "kernel", "", remedy,
			       "Linux %s is older than what is tested (6.1)", name.release);
	else
		nve_doctor_say(d, NVE_DOCTOR_OK, "kernel", "", "", "Linux %s", name.release);
}

static void check_btf(const struct doctor *d)
{
	if (access("/sys/kernel/btf/vmlinux", R_OK) == 0)
		nve_doctor_say(d, NVE_DOCTOR_OK, "btf", "", "", "the kernel tells its types");
	else
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "btf", "/sys/kernel/btf/vmlinux",
			       "use a kernel with CONFIG_DEBUG_INFO_BTF=y, and mount sysfs",
			       "%s: tables cannot be dumped, programs may not load",
			       strerror(errno));
}

static void tell_feature(void *arg, const char *name, int has)
{
	const struct doctor *d = arg;

	if (has == 0)
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "bpf", name,
			       "use a kernel of 6.1 or later with CONFIG_BPF_SYSCALL=y, "
			       "CONFIG_XDP_SOCKETS=y and CONFIG_NET_CLS_ACT=y",
			       "the kernel does not have it");
	else if (has < 0)
		nve_doctor_say(d, NVE_DOCTOR_WARN, "bpf", name,
			       "run this as root, or give CAP_BPF and CAP_NET_ADMIN",
			       "cannot be asked for: %s", strerror(-has));
	else
		nve_doctor_say(d, NVE_DOCTOR_OK, "bpf", name, "", "there");
}

static void check_jit(const struct doctor *d)
{
	char value[16];

	nve_doctor_read("/proc/sys/net/core/bpf_jit_enable", value, sizeof(value));
	if (!value[0])
		return; /* it cannot be switched off, or not be seen from this namespace */
	nve_doctor_say(d, value[0] == '0' ? NVE_DOCTOR_WARN : NVE_DOCTOR_OK, "jit", "",
		       "sysctl -w net.core.bpf_jit_enable=1",
		       value[0] == '0' ? "BPF programs are interpreted: many times slower"
				       : "BPF programs are compiled");
}

/* Leases, events and the audit log bear the time of day; timers do not depend on it. */
static void check_clock(const struct doctor *d)
{
	struct timex tx = { 0 };
	int r = adjtimex(&tx);

	if (r < 0)
		return;
	if (r == TIME_ERROR || (tx.status & STA_UNSYNC))
		nve_doctor_say(d, NVE_DOCTOR_WARN, "clock", "",
			       "run an NTP client (systemd-timesyncd, chrony)",
			       "not synchronised: times in events, logs and certificates may be "
			       "wrong");
	else
		nve_doctor_say(d, NVE_DOCTOR_OK, "clock", "", "", "synchronised");
}

void nve_doctor_host(const struct nve_config *config, nve_finding_fn *fn, void *arg)
{
	struct doctor d = { config, fn, arg };

	check_kernel(&d);
	check_btf(&d);
	if (!config || strcmp(config->datapath, "ebpf") == 0) {
		nve_features_probe(tell_feature, &d);
		check_jit(&d);
	}
	check_clock(&d);
	nve_doctor_disk(&d);
	if (config)
		nve_doctor_ports(&d);
}

void nve_doctor_offline(const char *path, nve_finding_fn *fn, void *arg)
{
	static const char *const datapaths[] = { "ebpf", "fake", NULL };
	static const char *const stores[] = { "sqlite", "memory", NULL };
	static const char *const nvas[] = { "local", NULL };
	const struct nve_config_backends backends = { datapaths, stores, nvas };
	struct doctor d = { NULL, fn, arg };
	struct nve_config *config = NULL;
	char *err = NULL;
	int r = nve_config_load(path, &backends, &config, &err);

	if (r == -EACCES)
		nve_doctor_say(&d, NVE_DOCTOR_WARN, "configuration", path, "run this as root",
			       "%s: what depends on it is not looked at", strerror(-r));
	else if (r < 0)
		nve_doctor_say(&d, NVE_DOCTOR_FAIL, "configuration", path,
			       "correct it: 'nved --check-config' lists what is wrong", "%s",
			       err ? err : strerror(-r));
	else
		nve_doctor_say(&d, NVE_DOCTOR_OK, "configuration", path, "", "good");
	nve_doctor_host(config, fn, arg);
	nve_config_free(config);
	free(err);
}
