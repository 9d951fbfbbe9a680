/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends numbered frames in bursts and accounts for each: see stream.py, which starts it.
 *
 * From standard input: "LEAST SENDS TAPS", then a line "FD HEX" for each frame to be sent, then a
 * line "FD" for each tap.  Says "going" when the first burst has arrived.  Goes on until its input
 * ends and LEAST frames were sent, then prints what became of them as JSON.
 */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BURST = 64, FRAMES = 64, TAPS = 16, SIZE = 2048, LISTED = 20, PATIENCE_MS = 1000 };
static const char magic[8] = "nvedstrm";

static struct frame {
	int fd;
	size_t len;
	uint8_t bytes[SIZE];
} frames[FRAMES];
static struct pollfd taps[TAPS];
static unsigned n_frames, n_taps;
static uint64_t at[TAPS], sent, least, n_lost, n_twice, lost[LISTED], twice[LISTED];
static uint8_t in[BURST][SIZE], out[BURST][SIZE];

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static size_t from_hex(const char *text, uint8_t *to)
{
	size_t n = 0;
	unsigned byte;

	for (; n < SIZE - 16 && sscanf(text, "%2x", &byte) == 1; text += 2)
		to[n++] = (uint8_t)byte;
	return n;
}

static void read_order(void)
{
	static char text[2 * SIZE + 1];

	if (scanf("%lu %u %u", &least, &n_frames, &n_taps) != 3 || n_frames > FRAMES ||
	    n_taps > TAPS)
		fail("order");
	for (unsigned i = 0; i < n_frames; i++) {
		if (scanf("%d %4096s", &frames[i].fd, text) != 2)
			fail("frame");
		frames[i].len = from_hex(text, frames[i].bytes);
		memcpy(frames[i].bytes + frames[i].len, magic, 8);
		frames[i].len += 16;
	}
	for (unsigned i = 0; i < n_taps; i++) {
		if (scanf("%d", &taps[i].fd) != 1)
			fail("tap");
		taps[i].events = POLLIN;
	}
}

/* Those of one interface in one call; a queue that is full is waited for. */
static void send_all(int fd, struct mmsghdr *msgs, unsigned n)
{
	struct pollfd writable = { .fd = fd, .events = POLLOUT };

	for (unsigned done = 0; done < n;) {
		int r = sendmmsg(fd, msgs + done, n - done, 0);

		if (r > 0)
			done += (unsigned)r;
		else if (errno == EAGAIN || errno == ENOBUFS)
			poll(&writable, 1, 100);
		else
			fail("send");
	}
}

static void send_burst(void)
{
	struct mmsghdr msgs[BURST];
	struct iovec iov[BURST];

	for (unsigned i = 0; i < BURST; i++) {
		const struct frame *f = &frames[(sent + i) % n_frames];
		uint64_t number = htobe64(sent + i);

		memcpy(out[i], f->bytes, f->len - 8);
		memcpy(out[i] + f->len - 8, &number, 8);
	}
	for (unsigned k = 0; k < n_frames; k++) { /* by first frame of each interface */
		unsigned n = 0;
		bool before = false;

		for (unsigned i = 0; i < k; i++)
			before |= frames[i].fd == frames[k].fd;
		for (unsigned i = 0; i < BURST && !before; i++) {
			const struct frame *f = &frames[(sent + i) % n_frames];

			if (f->fd != frames[k].fd)
				continue;
			iov[n] = (struct iovec){ out[i], f->len };
			msgs[n] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[n],
								 .msg_iovlen = 1 } };
			n++;
		}
		if (n)
			send_all(frames[k].fd, msgs, n);
	}
	sent += BURST;
}

/* All that has arrived at a tap; returns how many were waited for. */
static unsigned take(unsigned tap, bool *seen)
{
	struct mmsghdr msgs[BURST];
	struct iovec iov[BURST];
	unsigned got = 0;
	int n;

	for (unsigned i = 0; i < BURST; i++) {
		iov[i] = (struct iovec){ in[i], SIZE };
		msgs[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iov[i], .msg_iovlen = 1 } };
	}
	n = recvmmsg(taps[tap].fd, msgs, BURST, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		unsigned len = msgs[i].msg_len;
		uint64_t number;

		if (len < 16 || memcmp(in[i] + len - 16, magic, 8) != 0)
			continue;
		memcpy(&number, in[i] + len - 8, 8);
		number = be64toh(number);
		at[tap]++;
		if (number + BURST >= sent && number < sent && !seen[number % BURST]) {
			seen[number % BURST] = true;
			got++;
		} else if (n_twice++ < LISTED) {
			twice[n_twice - 1] = number;
		}
	}
	return got;
}

static void burst(void)
{
	bool seen[BURST] = { false };
	unsigned missing = BURST;
	uint64_t end;

	send_burst();
	end = now_ns() + PATIENCE_MS * 1000000ull;
	while (missing && now_ns() < end) {
		for (unsigned i = 0; i < n_taps; i++)
			missing -= take(i, seen);
		if (missing)
			poll(taps, n_taps, 20);
	}
	for (unsigned i = 0; i < BURST; i++)
		if (!seen[i] && n_lost++ < LISTED)
			lost[n_lost - 1] = sent - BURST + i;
}

static bool input_ended(void)
{
	struct pollfd input = { .fd = 0, .events = POLLIN };
	char c[64];

	return poll(&input, 1, 0) > 0 && read(0, c, sizeof(c)) <= 0;
}

static void print_list(const char *name, uint64_t n, const uint64_t *list)
{
	printf("\"n_%s\": %lu, \"%s\": [", name, n, name);
	for (unsigned i = 0; i < n && i < LISTED; i++)
		printf("%s%lu", i ? ", " : "", list[i]);
	printf("], ");
}

int main(void)
{
	uint64_t begin;

	setvbuf(stdin, NULL, _IONBF, 0); /* its end is looked for in the descriptor */
	read_order();
	begin = now_ns();
	burst();
	puts("going");
	fflush(stdout);
	while (!input_ended() || sent < least)
		burst();
	printf("{\"sent\": %lu, \"kpps\": %.1f, ", sent,
	       (double)sent * 1e6 / (double)(now_ns() - begin));
	print_list("lost", n_lost, lost);
	print_list("twice", n_twice, twice);
	printf("\"at\": [");
	for (unsigned i = 0; i < n_taps; i++)
		printf("%s%lu", i ? ", " : "", at[i]);
	puts("]}");
	return 0;
}
