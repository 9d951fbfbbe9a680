/* SPDX-License-Identifier: Apache-2.0 */
/* The door without gRPC: whom it lets in, and as whom (S99).  TLS: tests/e2e/test_tls.py. */
#include "session/door.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_MS = 10000 };

struct world {
	char dir[64], path[96], address[104];
	struct nve_door *door;
	int entered; /* eventfd: counts calls of enter() */
	_Atomic int room;
	/* Of the last one; the eventfd orders this. */
	int fd;
	struct nve_visitor visitor;
};

static uint64_t enter(void *arg, int fd, const struct nve_visitor *visitor)
{
	struct world *w = arg;
	bool room = w->room > 0;

	if (room) {
		w->room--;
		w->fd = fd;
		w->visitor = *visitor;
	}
	assert_int_equal(write(w->entered, &(uint64_t){ 1 }, 8), 8);
	return room;
}

static const struct nve_door_guest_ops ops = { .enter = enter };

static int open_door(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	strcpy(w->dir, "/tmp/nve-door-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->path, sizeof(w->path), "%s/s", w->dir);
	snprintf(w->address, sizeof(w->address), "unix:%s", w->path);
	w->entered = eventfd(0, EFD_SEMAPHORE);
	w->room = 1000;
	assert_int_equal(nve_door_new(&(struct nve_door_config){ .ops = &ops, .arg = w }, &w->door),
			 0);
	*state = w;
	return 0;
}

static void start(struct world *w)
{
	uint16_t port = 1;

	assert_int_equal(nve_door_listen(w->door, w->address, &port), 0);
	assert_int_equal(port, 0);
	assert_int_equal(nve_door_start(w->door), 0);
}

static int close_door(void **state)
{
	struct world *w = *state;

	nve_door_free(w->door);
	close(w->entered);
	unlink(w->path);
	rmdir(w->dir);
	free(w);
	return 0;
}

/* A socket, or -errno. */
static int knock(const struct world *w)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(sun.sun_path, w->path);
	if (connect(fd, (const struct sockaddr *)&sun, sizeof(sun)) == 0)
		return fd;
	close(fd);
	return -errno;
}

static void await(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
}

static void await_entry(struct world *w)
{
	uint64_t n;

	await(w->entered);
	assert_int_equal(read(w->entered, &n, sizeof(n)), sizeof(n));
}

static void a_unix_client_is_known_by_what_the_kernel_says_of_it(void **state)
{
	struct world *w = *state;
	char identity[32], byte = 0;
	int fd;

	start(w);
	fd = knock(w);
	assert_true(fd >= 0);
	await_entry(w);
	assert_int_equal(w->visitor.peer.kind, NVE_PEER_UNIX);
	assert_int_equal(w->visitor.peer.uid, geteuid());
	assert_int_equal(w->visitor.peer.gid, getegid());
	assert_int_equal(w->visitor.peer.pid, getpid());
	snprintf(identity, sizeof(identity), "unix:%u", geteuid());
	assert_string_equal(w->visitor.peer.identity, identity);
	assert_false(w->visitor.barred);
	/* What is handed on is this very connection, and reading it does not block. */
	assert_true(fcntl(w->fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(w->fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(w->fd, &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(w->fd);
	close(fd);
}

static void nobody_is_let_in_before_the_start(void **state)
{
	struct world *w = *state;
	struct pollfd p = { .fd = w->entered, .events = POLLIN };
	uint16_t port;
	int fd;

	assert_int_equal(nve_door_listen(w->door, w->address, &port), 0);
	fd = knock(w);
	assert_true(fd >= 0);
	assert_int_equal(poll(&p, 1, 50), 0);
	assert_int_equal(nve_door_start(w->door), 0);
	await_entry(w);
	close(w->fd);
	close(fd);
}

static void who_finds_no_room_is_closed_and_later_ones_are_let_in(void **state)
{
	struct world *w = *state;
	char byte;
	int fd;

	w->room = 0;
	start(w);
	fd = knock(w);
	await_entry(w);
	await(fd);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	w->room = 1;
	fd = knock(w);
	await_entry(w);
	assert_int_equal(w->visitor.peer.pid, getpid());
	close(w->fd);
	close(fd);
}

static void a_shut_door_accepts_nobody_and_who_is_inside_stays(void **state)
{
	struct world *w = *state;
	int fd, next, left = 1000;
	char byte;

	w->room = 1;
	start(w);
	fd = knock(w);
	await_entry(w);
	nve_door_shut(w->door);
	nve_door_shut(w->door);
	/* The thread closes the socket soon; one that was accepted just before it is hung up. */
	while ((next = knock(w)) >= 0 && left-- > 0) {
		struct pollfd p = { .fd = next, .events = POLLIN };

		poll(&p, 1, 10);
		close(next);
	}
	assert_int_equal(next, -ECONNREFUSED);
	assert_int_equal(write(w->fd, "x", 1), 1);
	assert_int_equal(read(fd, &byte, 1), 1);
	close(w->fd);
	close(fd);
}

static void what_cannot_be_bound_is_told(void **state)
{
	struct world *w = *state;
	uint16_t port;

	assert_int_equal(nve_door_listen(w->door, "unix:/nowhere/at/all", &port), -ENOENT);
	assert_int_equal(nve_door_listen(w->door, "tls:nve1.example:4801", &port), -EINVAL);
	assert_int_equal(nve_door_listen(w->door, "tls:192.0.2.77:4801", &port), -EADDRNOTAVAIL);
	assert_int_equal(nve_door_listen(w->door, w->address, &port), 0);
	assert_int_equal(nve_door_listen(w->door, w->address, &port), -EADDRINUSE);
}

int main(void)
{
#define WITH_A_DOOR(f) cmocka_unit_test_setup_teardown(f, open_door, close_door)
	static const struct CMUnitTest tests[] = {
		WITH_A_DOOR(a_unix_client_is_known_by_what_the_kernel_says_of_it),
		WITH_A_DOOR(nobody_is_let_in_before_the_start),
		WITH_A_DOOR(who_finds_no_room_is_closed_and_later_ones_are_let_in),
		WITH_A_DOOR(a_shut_door_accepts_nobody_and_who_is_inside_stays),
		WITH_A_DOOR(what_cannot_be_bound_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
