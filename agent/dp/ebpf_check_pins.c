/* SPDX-License-Identifier: Apache-2.0 */
/* The check of pins: each map and link is below the pin directory, under its name. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dp/ebpf_check.h"
#include "dp/ebpf_net.h"

enum { ROWS_A_PIN = 4, NAME_SIZE = 32 };

static uint32_t id_of(int fd, bool link)
{
	struct bpf_link_info of_link = { 0 };
	struct bpf_map_info of_map = { 0 };
	uint32_t len = link ? sizeof(of_link) : sizeof(of_map);

	if (fd < 0 ||
	    bpf_obj_get_info_by_fd(fd, link ? (void *)&of_link : (void *)&of_map, &len) < 0)
		return 0;
	return link ? of_link.id : of_map.id;
}

/* The object at the path; 0: none; UINT32_MAX: something that is neither map nor link. */
static uint32_t pinned(const char *path, bool link)
{
	int fd = bpf_obj_get(path);
	uint32_t id;

	if (fd < 0)
		return access(path, F_OK) == 0 ? UINT32_MAX : 0;
	id = id_of(fd, link);
	close(fd);
	return id ? id : UINT32_MAX;
}

static void report(struct nve_ebpf_check *c, const char *name, bool link, uint32_t want,
		   uint32_t have, bool mended)
{
	const char *kind = link ? "link_id" : "map_id";
	char key[64], texts[2][48] = { "", "" };

	snprintf(key, sizeof(key), "{\"pin\":\"%s\"}", name);
	snprintf(texts[0], sizeof(texts[0]), "{\"%s\":%u}", kind, want);
	if (have == UINT32_MAX)
		snprintf(texts[1], sizeof(texts[1]), "{\"%s\":null}", kind);
	else if (have)
		snprintf(texts[1], sizeof(texts[1]), "{\"%s\":%u}", kind, have);
	nve_ebpf_check_text(c, &(struct nve_dp_diff){
				       .kind = have ? NVE_DP_DIFFERS : NVE_DP_MISSING,
				       .mended = mended,
				       .table = "pin",
				       .key = key,
				       .want = texts[0],
				       .have = texts[1],
			       });
}

static void check_pin(struct nve_ebpf_check *c, const char *name, int fd, bool link)
{
	uint32_t want = id_of(fd, link), have;
	bool mended = false;
	char path[256];

	if (!want || !nve_ebpf_pin_path(c->dp, path, name))
		return;
	nve_ebpf_check_count(c, ROWS_A_PIN);
	have = pinned(path, link);
	if (have == want)
		return;
	if (c->pass->repair) {
		if (have)
			unlink(path);
		mended = bpf_obj_pin(fd, path) == 0;
	}
	report(c, name, link, want, have, mended);
}

static void check_link(struct nve_ebpf_check *c, const char *kind, uint32_t ifindex, int fd)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "%s_%u", kind, ifindex);
	if (ifindex && fd >= 0)
		check_pin(c, name, fd, true);
}

/*
 * A directory that was removed takes the lock with it, and the pins to come would be nobody's: made
 * anew, it is locked anew.
 */
static void check_dir(struct nve_ebpf_check *c)
{
	struct stat ours, there;
	char *dir = c->dp->pin_dir;
	int fd = c->dp->pin_fd;
	bool mended = false;

	if (fstat(fd, &ours) == 0 && stat(dir, &there) == 0 && ours.st_ino == there.st_ino &&
	    ours.st_dev == there.st_dev)
		return;
	if (c->pass->repair && nve_ebpf_pins_open(c->dp, dir, NULL) == 0) {
		close(fd);
		free(dir);
		mended = true;
	} else {
		c->dp->pin_fd = fd;
		c->dp->pin_dir = dir;
	}
	nve_ebpf_check_text(c, &(struct nve_dp_diff){ .kind = NVE_DP_MISSING,
						      .mended = mended,
						      .table = "pin",
						      .key = "{\"pin\":\".\"}",
						      .want = "{\"directory\":true}",
						      .have = "" });
}

/* at: maps, those of the copier, the version's, then ports and the loop. */
int nve_ebpf_check_pins(struct nve_ebpf_check *c)
{
	struct nve_dp *dp = c->dp;

	if (!dp->pin_dir)
		return 1;
	if (!c->pass->at)
		check_dir(c);
	for (; c->pass->at < NVE_MAPS + NVE_COPIER_MAPS + 1 + NVE_PORTS_MAX; c->pass->at++) {
		uint32_t at = c->pass->at, slot = at - NVE_MAPS - NVE_COPIER_MAPS - 1;

		if (c->left <= 0)
			return 0;
		if (at < NVE_MAPS)
			check_pin(c, nve_ebpf_map_name(at), dp->map[at], false);
		else if (at < NVE_MAPS + NVE_COPIER_MAPS)
			check_pin(c, nve_ebpf_copier_name(at - NVE_MAPS),
				  dp->copier.map[at - NVE_MAPS], false);
		else if (at == NVE_MAPS + NVE_COPIER_MAPS)
			check_pin(c, NVE_PIN_META, dp->meta, false);
		else if (dp->shadow.port_is_set[slot]) {
			check_link(c, "xdp", dp->ports[slot].ifindex, dp->ports[slot].xdp_link);
			check_link(c, "tc", dp->ports[slot].ifindex, dp->ports[slot].tc_link);
		}
	}
	check_link(c, "xdp", dp->copier.b, dp->copier.link);
	return 1;
}
