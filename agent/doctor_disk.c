/* SPDX-License-Identifier: Apache-2.0 */
/* The doctor: file systems that pins, store and the NVA's file are on. */
#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "doctor_say.h"

enum { BPFFS = 0xcafe4a11, TMPFS = 0x01021994, RAMFS = 0x858458f6, NFS = 0x6969 };
enum { PATH_SIZE = 512, FREE_MB = 64, FREE_PERCENT = 5 };

static uint32_t type_of(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 ? (uint32_t)fs.f_type : 0;
}

/* The longest part of the path that is there. */
static void parent_of(const char *path, char to[PATH_SIZE])
{
	snprintf(to, PATH_SIZE, "%s", path);
	do {
		char *slash = strrchr(to, '/');

		if (!slash)
			return;
		slash[slash == to] = '\0';
	} while (access(to, F_OK) != 0 && to[1]);
}

static void check_bpffs(const struct doctor *d)
{
	const char *pins = d->config ? d->config->pin_dir : "/sys/fs/bpf/nved";
	char at[PATH_SIZE];

	parent_of(pins, at);
	if (type_of(at) != (uint32_t)BPFFS)
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "bpffs", at,
			       "mount -t bpf bpf /sys/fs/bpf, or set pin_dir to where one is",
			       "pins go to %s, which is not on a BPF file system", pins);
	else if (access(pins, F_OK) == 0)
		nve_doctor_say(d, NVE_DOCTOR_OK, "bpffs", pins, "", "mounted, with pins");
	else
		nve_doctor_say(d, NVE_DOCTOR_WARN, "bpffs", pins,
			       "start nved: it loads the datapath",
			       "mounted, but nothing is pinned: no frame is forwarded");
}

static void check_kind(const struct doctor *d, const char *dir, const char *path)
{
	uint32_t type = type_of(dir);
	bool power = d->config->durability == NVE_DURABLE_POWER;

	if (type == (uint32_t)TMPFS || type == (uint32_t)RAMFS)
		nve_doctor_say(d, power ? NVE_DOCTOR_FAIL : NVE_DOCTOR_WARN, "store", path,
			       "put store/path on a disk",
			       "is in memory%s: what was acknowledged is lost with the machine",
			       power ? ", against 'durability: power'" : "");
	else if (type == NFS)
		nve_doctor_say(d, NVE_DOCTOR_WARN, "store", path, "put store/path on a local disk",
			       "is on NFS, whose locks and syncs may not hold");
	else
		nve_doctor_say(d, NVE_DOCTOR_OK, "store", path, "", "on a disk, durability: %s",
			       power ? "power" : "process");
}

static void check_room(const struct doctor *d, const char *dir)
{
	struct statvfs fs;
	uint64_t mb, percent;

	if (statvfs(dir, &fs) < 0 || !fs.f_blocks)
		return;
	mb = fs.f_bavail * fs.f_frsize >> 20;
	percent = fs.f_bavail * 100 / fs.f_blocks;
	if (fs.f_flag & ST_RDONLY)
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "disk", dir, "mount it for writing",
			       "is read-only: every request that changes something is refused");
	else if (mb < FREE_MB || percent < FREE_PERCENT)
		nve_doctor_say(d, mb ? NVE_DOCTOR_WARN : NVE_DOCTOR_FAIL, "disk", dir,
			       "make room: without it requests are refused", "%lu MB free (%lu %%)",
			       mb, percent);
	else
		nve_doctor_say(d, NVE_DOCTOR_OK, "disk", dir, "", "%lu MB free (%lu %%)", mb,
			       percent);
}

static void check_store(const struct doctor *d)
{
	char dir[PATH_SIZE], whole[PATH_SIZE];
	const char *path = d->config->store_path;

	if (!path) {
		nve_doctor_say(d, NVE_DOCTOR_WARN, "store", "", "set 'backend: sqlite'",
			       "the memory store keeps nothing over a restart");
		return;
	}
	snprintf(whole, sizeof(whole), "%s", path);
	parent_of(path, dir);
	if (strcmp(dir, dirname(whole)) != 0)
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "store", path,
			       "make its directory; the systemd unit makes /var/lib/nved",
			       "has no directory to be in");
	else
		check_kind(d, dir, path);
	check_room(d, dir);
}

static void check_nva(const struct doctor *d)
{
	const char *path = d->config->nva_source;

	if (access(path, R_OK) == 0)
		nve_doctor_say(d, NVE_DOCTOR_OK, "nva", path, "", "readable");
	else
		nve_doctor_say(d, NVE_DOCTOR_FAIL, "nva", path,
			       "put the VNs there, or set nva/source: nved needs it to start", "%s",
			       strerror(errno));
}

void nve_doctor_disk(const struct doctor *d)
{
	if (!d->config || !strcmp(d->config->datapath, "ebpf"))
		check_bpffs(d);
	if (!d->config)
		return;
	check_store(d);
	check_nva(d);
}
