/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the maps of an earlier layout to ours, in place, while frames go on passing.
 *
 * Nothing of the old maps is read: all that matters is in the store.  New maps are made and filled
 * beside them, while the earlier agent's programs forward by the old ones.  When they are complete
 * they are pinned below NVE_PIN_NEXT, each link gets its new program by one bpf_link_update(), and
 * the new pins take the old ones' place.  The pin that tells the layout moves last: an agent that
 * dies before leaves what is an earlier layout still, with programs that forward, and the next one
 * begins again.  Counters start from zero.
 */
#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dp/ebpf_net.h"

int nve_ebpf_check_meta(struct nve_dp *dp, char **err)
{
	uint32_t meta[2] = { 0 }, zero = 0;
	char path[256];
	int fd, r;

	if (!nve_ebpf_pin_path(dp, path, NVE_PIN_META))
		return 0;
	fd = bpf_obj_get(path);
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return nve_ebpf_error(err, fd, "%s: %s", path, strerror(-fd));
	r = bpf_map_lookup_elem(fd, &zero, meta);
	if (r == 0 && meta[0] == NVE_ABI_VERSION) {
		dp->meta = fd;
		return 1;
	}
	close(fd);
	dp->migrating = r == 0 && meta[0] && meta[0] < NVE_ABI_VERSION;
	if (dp->migrating)
		return 0;
	return nve_ebpf_error(err, -EPROTO,
			      "the maps below %s are of version %u of their layout, newer than "
			      "this agent's %d: run the newer agent, or 'nved --flush' (traffic "
			      "stops until the agent has started again)",
			      dp->pin_dir, meta[0], NVE_ABI_VERSION);
}

/* Links are pinned under the names of ebpf_attach.c. */
static bool is_link(const char *name)
{
	return !strncmp(name, "tc_", 3) || !strncmp(name, "xdp_", 4);
}

/* Each replaces the one of its name at once; the one that tells the layout is the last. */
static int move_pins(const struct nve_dp *dp, const char *next)
{
	char from[512], to[512];
	DIR *dir = opendir(next);
	struct dirent *d;
	int r = dir ? 0 : -errno;

	while (!r && (d = readdir(dir))) {
		if (d->d_name[0] == '.' || !strcmp(d->d_name, NVE_PIN_META))
			continue;
		snprintf(from, sizeof(from), "%s/%s", next, d->d_name);
		snprintf(to, sizeof(to), "%s/%s", dp->pin_dir, d->d_name);
		if (rename(from, to) < 0)
			r = -errno;
	}
	if (dir)
		closedir(dir);
	return r;
}

static bool is_ours(const char *name)
{
	for (int i = 0; i < NVE_MAPS; i++)
		if (!strcmp(name, nve_ebpf_map_name(i)))
			return true;
	for (int i = 0; i < NVE_COPIER_MAPS; i++)
		if (!strcmp(name, nve_ebpf_copier_name(i)))
			return true;
	return is_link(name) || !strcmp(name, NVE_PIN_META) || !strcmp(name, NVE_PIN_NEXT);
}

/* Maps that our layout does not have. */
static void remove_old(const struct nve_dp *dp)
{
	DIR *dir = opendir(dp->pin_dir);
	struct dirent *d;
	char path[256];

	while (dir && (d = readdir(dir)))
		if (d->d_name[0] != '.' && !is_ours(d->d_name) &&
		    nve_ebpf_pin_path(dp, path, d->d_name))
			unlink(path);
	if (dir)
		closedir(dir);
}

static int migrate(struct nve_dp *dp)
{
	char next[256], from[512], to[256];
	int r = nve_ebpf_pins_remove_next(dp); /* of one that did not come to its end */

	if (r < 0 || !nve_ebpf_pin_path(dp, next, NVE_PIN_NEXT) ||
	    !nve_ebpf_pin_path(dp, to, NVE_PIN_META))
		return r;
	if (mkdir(next, 0700) < 0)
		return -errno;
	r = nve_ebpf_pin_maps(dp, next, NULL);
	if (!r)
		r = nve_ebpf_links_update(dp);
	if (!r)
		r = move_pins(dp, next);
	if (r < 0)
		return r;
	remove_old(dp);
	snprintf(from, sizeof(from), "%s/%s", next, NVE_PIN_META);
	if (rename(from, to) < 0)
		return -errno;
	return rmdir(next) < 0 ? -errno : 0;
}

int nve_ebpf_migrate(struct nve_dp *dp)
{
	int r = migrate(dp);

	dp->migrating = r < 0; /* then all of it is to be done again */
	return r;
}
