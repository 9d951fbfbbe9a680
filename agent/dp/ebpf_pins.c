/* SPDX-License-Identifier: Apache-2.0 */
/* The pin directory: made, locked, and removed with all that is in it. */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "dp/ebpf_net.h"

#define BPFFS "/sys/fs/bpf"
enum { BPFFS_MAGIC = 0xcafe4a11 };

int nve_ebpf_error(char **err, int r, const char *format, ...)
{
	va_list args;

	if (!err)
		return r;
	va_start(args, format);
	if (vasprintf(err, format, args) < 0)
		*err = NULL;
	va_end(args);
	return r;
}

static bool on_bpffs(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && (uint32_t)fs.f_type == (uint32_t)BPFFS_MAGIC;
}

/* Debian mounts it at boot; containers and fresh namespaces often lack it. */
static void mount_bpffs(const char *dir)
{
	if (!strncmp(dir, BPFFS "/", strlen(BPFFS) + 1) && !on_bpffs(BPFFS))
		mount("bpf", BPFFS, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700");
}

static int make_dirs(const char *dir)
{
	char path[256];

	snprintf(path, sizeof(path), "%s", dir);
	for (char *p = path + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST)
			return -errno;
		*p = '/';
	}
	return mkdir(path, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

/* A lock on the directory itself lives as long as the agent, however it ends. */
int nve_ebpf_pins_open(struct nve_dp *dp, const char *dir, char **err)
{
	int r;

	if (strlen(dir) > 200)
		return nve_ebpf_error(err, -ENAMETOOLONG, "pin directory %s: name too long", dir);
	mount_bpffs(dir);
	r = make_dirs(dir);
	if (r < 0)
		return nve_ebpf_error(err, r, "pin directory %s: %s", dir, strerror(-r));
	if (!on_bpffs(dir)) {
		rmdir(dir);
		return nve_ebpf_error(err, -EINVAL,
				      "pin directory %s is not on a bpffs; "
				      "mount one (mount -t bpf bpf " BPFFS ")",
				      dir);
	}
	dp->pin_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dp->pin_fd < 0)
		return nve_ebpf_error(err, -errno, "pin directory %s: %s", dir, strerror(errno));
	if (flock(dp->pin_fd, LOCK_EX | LOCK_NB) < 0) {
		close(dp->pin_fd);
		dp->pin_fd = -1;
		return nve_ebpf_error(err, -EBUSY,
				      "another agent has the datapath pinned below %s; "
				      "stop it, or give this one another pin directory",
				      dir);
	}
	dp->pin_dir = strdup(dir);
	return dp->pin_dir ? 0 : -ENOMEM;
}

bool nve_ebpf_pin_path(const struct nve_dp *dp, char path[256], const char *name)
{
	if (!dp->pin_dir)
		return false;
	return snprintf(path, 256, "%s/%s", dp->pin_dir, name) < 256;
}

/* Those that are not there are gone already. */
static int remove_all(const char *path)
{
	DIR *dir = opendir(path);
	char name[512];
	struct dirent *d;
	int r = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((d = readdir(dir))) {
		snprintf(name, sizeof(name), "%s/%s", path, d->d_name);
		if (d->d_name[0] != '.' && unlink(name) < 0)
			r = -errno;
	}
	closedir(dir);
	return r || rmdir(path) == 0 ? r : -errno;
}

int nve_ebpf_pins_remove_next(struct nve_dp *dp)
{
	char path[256];

	return nve_ebpf_pin_path(dp, path, NVE_PIN_NEXT) ? remove_all(path) : 0;
}

int nve_ebpf_pins_remove(struct nve_dp *dp)
{
	int r = nve_ebpf_pins_remove_next(dp), all;

	if (!dp->pin_dir)
		return 0;
	all = remove_all(dp->pin_dir);
	return r ? r : all;
}
