/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames that 'nvectl why' reads: the first byte chooses a pcap file (and which record), or hex
 * digits; what was read is then tagged and tunneled.
 */
#include "lib/fuzz.h"
#include "nvectl/frame.c"
#include "nvectl/frame_read.c" /* nvectl is in no library */

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t far[4] = { 192, 0, 2, 2 };
	struct ctl_frame *frame;
	uint8_t choice;
	char *text;
	int r;

	if (size < 1)
		return 0;
	frame = malloc(sizeof(*frame)); /* ASan sees what goes beyond */
	fuzz_check(frame);
	choice = *data++;
	size--;
	if (choice & 1) {
		text = fuzz_text(data, size);
		r = ctl_frame_hex(text, frame);
		free(text);
	} else {
		r = ctl_frame_pcap(fuzz_file(data, size), 1 + (choice >> 1), frame);
	}
	fuzz_check(r <= 0);
	if (r == 0) {
		fuzz_check(frame->len >= CTL_FRAME_MIN && frame->len <= CTL_FRAME_MAX);
		r = ctl_frame_tag(frame, choice);
		fuzz_check(r == 0 || r == -EMSGSIZE);
		r = ctl_frame_tunnel(frame, far, far, 4789, choice);
		fuzz_check(r == 0 || r == -EMSGSIZE);
		fuzz_check(frame->len <= CTL_FRAME_MAX);
	}
	free(frame);
	return 0;
}
