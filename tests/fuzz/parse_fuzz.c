/* SPDX-License-Identifier: Apache-2.0 */
/* The values that nvectl reads from its command line and from batches: the first byte says which.
 */
#include "lib/fuzz.h"
#include "nvectl/parse.c" /* nvectl is in no library */

enum { PARSERS = 9 };

static int parse_value(unsigned which, char *text)
{
	struct nve_tsi_id id;
	struct nve_addr addr;
	struct ctl_vn vn;
	uint32_t u32;
	uint64_t u64;

	switch (which) {
	case 0:
		return ctl_parse_tsi_id(text, &id);
	case 1:
		return ctl_parse_addr(text, &addr);
	case 2:
		return ctl_parse_vn(text, &vn);
	case 3:
		return ctl_parse_u32(text, &u32);
	case 4:
		return ctl_parse_timer(text, &u32);
	case 5:
		return ctl_parse_rate(text, &u64, &u32);
	default:
		return ctl_parse_seconds(text, &u64);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ctl_param param;
	char target[128];
	unsigned which;
	char *text;
	bool tls;
	int r;

	if (size < 1)
		return 0;
	which = *data % PARSERS;
	text = fuzz_text(data + 1, size - 1);
	if (which == 7) {
		r = ctl_parse_param(text, &param);
		if (r == 0)
			fuzz_check(param.value + param.value_len <= text + size);
	} else if (which == 8) {
		r = ctl_parse_server(text, target, sizeof(target), &tls);
		if (r == 0)
			fuzz_check(*target && memchr(target, '\0', sizeof(target)));
	} else {
		r = parse_value(which, text);
	}
	fuzz_check(r == 0 || r == -EINVAL || (which == 8 && r == -EPERM));
	free(text);
	return 0;
}
