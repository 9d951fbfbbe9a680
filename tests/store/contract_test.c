/* SPDX-License-Identifier: Apache-2.0 */
/* The contract of store.h on every backend; then what only a file can get wrong. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/memory.h"

struct fixture {
	const struct nve_store_ops *ops;
	struct nve_store_config config;
	struct nve_store *store;
	char dir[40], path[64];
	char text[4096]; /* what load() gave */
};

static void open_store(struct fixture *f)
{
	char *err = NULL;
	int r = f->ops->open(&f->config, &f->store, &err);

	if (r < 0)
		fail_msg("%s", err ? err : strerror(-r));
}

static int make(void **state, const struct nve_store_ops *ops)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->dir, "/tmp/nve-store-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/intent.db", f->dir);
	f->ops = ops;
	f->config.path = f->path;
	open_store(f);
	*state = f;
	return 0;
}

static int setup_sqlite(void **state)
{
	return make(state, &nve_store_sqlite);
}

static int setup_memory(void **state)
{
	return make(state, &nve_store_memory);
}

static int teardown(void **state)
{
	static const char *const ends[] = { "", "-wal", "-shm", "-journal" };
	struct fixture *f = *state;
	char path[80];

	f->ops->close(f->store);
	nve_store_memory_drop(NULL);
	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s%s", f->path, ends[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	f->ops->close(f->store);
	f->store = NULL;
	open_store(f);
}

__attribute__((format(printf, 2, 3))) static int add(struct fixture *f, const char *fmt, ...)
{
	size_t len = strlen(f->text);
	va_list args;

	va_start(args, fmt);
	vsnprintf(f->text + len, sizeof(f->text) - len, fmt, args);
	va_end(args);
	return 0;
}

static int on_tag(void *arg, const struct nve_stored_tag *t)
{
	return add(arg, "T %s %u %d %u %lu; ", t->scope, t->tag, t->quarantined, t->vn_id,
		   t->until_ns);
}

static int on_vap(void *arg, const struct nve_stored_vap *v)
{
	return add(arg, "V %s %u %u %d; ", v->port, v->vn_id, v->tag, v->connected_explicitly);
}

static int on_tsi(void *arg, const struct nve_stored_tsi *s)
{
	const struct nve_tsi *t = &s->tsi;

	add(arg, "S %u %s %u %u id %u %u %u %u %u %u %lu %lu %lu %u %u", s->slot, s->port,
	    t->key.vn_id, t->key.port, t->key.id.bytes[0], t->key.id.bytes[15], t->state, t->cause,
	    t->n_addrs, t->n_active, t->epoch, t->since_ns, t->deadline_ns, t->keepalive_ms,
	    t->keepactive_ms);
	for (unsigned i = 0; i < t->n_addrs; i++)
		add(arg, " %u/%u/%u/%d", s->addrs[i].addr.flags, s->addrs[i].addr.mac[5],
		    s->addrs[i].addr.ip[15], s->addrs[i].active);
	return add(arg, "; ");
}

static const char *contents(struct fixture *f)
{
	const struct nve_store_reader reader = { on_tag, on_vap, on_tsi, f };

	f->text[0] = '\0';
	assert_int_equal(f->ops->load(f->store, &reader), 0);
	return f->text;
}

static struct nve_stored_tag a_tag(uint16_t tag, bool quarantined)
{
	return (struct nve_stored_tag){ .scope = "br",
					.tag = tag,
					.quarantined = quarantined,
					.vn_id = 100,
					.until_ns = quarantined ? 77 : 0 };
}

static struct nve_stored_vap a_vap(const char *port, uint32_t vn)
{
	struct nve_stored_vap vap = { .vn_id = vn, .tag = 7, .connected_explicitly = true };

	strcpy(vap.port, port);
	return vap;
}

static struct nve_tsi_addr addrs[NVE_TSI_ADDRS_MAX];

static struct nve_stored_tsi a_tsi(uint32_t slot, uint16_t n)
{
	for (unsigned i = 0; i < n; i++)
		addrs[i] = (struct nve_tsi_addr){ { .flags = NVE_ADDR_MAC | NVE_ADDR_IPV6,
						    .mac = { 2, [5] = (uint8_t)i },
						    .ip = { 0xfd, [15] = (uint8_t)(i + 1) } },
						  i % 2 };
	return (struct nve_stored_tsi){
		.slot = slot,
		.port = "p1",
		.addrs = addrs,
		.tsi = { .key = { .id = { { 1, [15] = 2 } }, .vn_id = 100, .port = 5 },
			 .state = NVE_TSI_ACTIVATED,
			 .cause = NVE_CAUSE_RESUME,
			 .n_addrs = n,
			 .n_active = n / 2,
			 .epoch = UINT64_MAX - 1,
			 .since_ns = 1ull << 60,
			 .deadline_ns = NVE_NEVER_NS,
			 .keepalive_ms = UINT32_MAX,
			 .keepactive_ms = 30000 }
	};
}

/* Ports of TSIs go by name: whatever key.port was, it reads as 0. */
#define FIRST                                                                                      \
	"T br 5 0 100 0; T br 6 1 100 77; V p1 100 7 1; V p2 100 7 1; "                            \
	"S 3 p1 100 0 id 1 2 2 3 2 1 18446744073709551614 1152921504606846976 "                    \
	"18446744073709551615 4294967295 30000 5/0/1/0 5/1/2/1; "                                  \
	"S 9 p1 100 0 id 1 2 2 3 0 0 18446744073709551614 1152921504606846976 "                    \
	"18446744073709551615 4294967295 30000; "

static void put_first(struct fixture *f)
{
	struct nve_stored_tag bound = a_tag(5, false), quarantined = a_tag(6, true);
	struct nve_stored_vap p1 = a_vap("p1", 100), p2 = a_vap("p2", 100);
	struct nve_stored_tsi nine = a_tsi(9, 0), three = a_tsi(3, 2);

	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tsi(f->store, &nine), 0);
	assert_int_equal(f->ops->put_tsi(f->store, &three), 0);
	assert_int_equal(f->ops->put_vap(f->store, &p1), 0);
	assert_int_equal(f->ops->put_vap(f->store, &p2), 0);
	assert_int_equal(f->ops->put_tag(f->store, &bound), 0);
	assert_int_equal(f->ops->put_tag(f->store, &quarantined), 0);
	assert_int_equal(f->ops->put_epoch(f->store, 1ull << 63), 0);
	assert_int_equal(f->ops->commit(f->store), 0);
}

static void has_first(struct fixture *f)
{
	assert_string_equal(contents(f), FIRST);
}

static void a_new_store_is_empty(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch = 1;

	assert_string_equal(contents(f), "");
	assert_int_equal(f->ops->epoch(f->store, &epoch), 0);
	assert_int_equal(epoch, 0);
}

static void what_was_committed_is_there_after_reopening_in_order(void **state)
{
	struct fixture *f = *state;
	uint64_t epoch;

	put_first(f);
	has_first(f);
	reopen(f);
	has_first(f);
	assert_int_equal(f->ops->epoch(f->store, &epoch), 0);
	assert_true(epoch == 1ull << 63);
}

static void a_record_put_again_is_replaced_and_one_deleted_is_gone(void **state)
{
	struct fixture *f = *state;
	struct nve_stored_tag tag = a_tag(5, true);
	struct nve_stored_tsi tsi = a_tsi(3, NVE_TSI_ADDRS_MAX);

	put_first(f);
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tag(f->store, &tag), 0);
	assert_int_equal(f->ops->del_tag(f->store, "br", 6), 0);
	assert_int_equal(f->ops->del_vap(f->store, "p1", 100), 0);
	assert_int_equal(f->ops->del_vap(f->store, "p2", 100), 0);
	assert_int_equal(f->ops->del_vap(f->store, "p2", 100), 0); /* not there: fine */
	assert_int_equal(f->ops->del_tsi(f->store, 9), 0);
	assert_int_equal(f->ops->del_tsi(f->store, 3), 0);
	assert_int_equal(f->ops->commit(f->store), 0);
	assert_string_equal(contents(f), "T br 5 1 100 77; ");
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tsi(f->store, &tsi), 0);
	assert_int_equal(f->ops->commit(f->store), 0);
	assert_non_null(strstr(contents(f), "S 3 p1 100 0 id 1 2 2 3 256 128 "));
}

static void a_transaction_rolled_back_or_never_committed_leaves_no_trace(void **state)
{
	struct fixture *f = *state;
	struct nve_stored_tsi tsi = a_tsi(4, 1);
	uint64_t epoch;

	put_first(f);
	for (int how = 0; how < 2; how++) {
		assert_int_equal(f->ops->begin(f->store), 0);
		assert_int_equal(f->ops->put_tsi(f->store, &tsi), 0);
		tsi.tsi.state = NVE_TSI_ASSOCIATED;
		assert_int_equal(f->ops->put_tsi(f->store, &tsi), 0);
		assert_int_equal(f->ops->del_tsi(f->store, 3), 0);
		assert_int_equal(f->ops->del_tag(f->store, "br", 5), 0);
		assert_int_equal(f->ops->put_epoch(f->store, 5), 0);
		if (how)
			f->ops->rollback(f->store);
		else
			reopen(f);
		has_first(f);
	}
	assert_int_equal(f->ops->epoch(f->store, &epoch), 0);
	assert_true(epoch == 1ull << 63);
}

static int stop_at_vap(void *arg, const struct nve_stored_vap *vap)
{
	(void)vap;
	add(arg, "stop");
	return -ECANCELED;
}

static void loading_stops_at_a_readers_error_and_returns_it(void **state)
{
	struct fixture *f = *state;
	const struct nve_store_reader reader = { on_tag, stop_at_vap, on_tsi, f };

	put_first(f);
	f->text[0] = '\0';
	assert_int_equal(f->ops->load(f->store, &reader), -ECANCELED);
	assert_string_equal(f->text, "T br 5 0 100 0; T br 6 1 100 77; stop");
	has_first(f); /* and it can be loaded again */
}

static void changes_outside_a_transaction_are_refused(void **state)
{
	struct fixture *f = *state;
	struct nve_stored_tag tag = a_tag(5, false);

	assert_int_equal(f->ops->put_tag(f->store, &tag), -EINVAL);
	assert_int_equal(f->ops->commit(f->store), -EINVAL);
	assert_string_equal(contents(f), "");
}

static void a_second_opener_is_refused(void **state)
{
	struct fixture *f = *state;
	struct nve_store *second = NULL;
	char *err = NULL;

	assert_int_equal(f->ops->open(&f->config, &second, &err), -EBUSY);
	assert_null(second);
	assert_non_null(strstr(err, f->path));
	free(err);
	put_first(f); /* the first is not disturbed */
}

/* --- memory ---------------------------------------------------------------------------------- */

static void an_injected_failure_ends_the_transaction_and_the_store_is_as_before(void **state)
{
	struct fixture *f = *state;
	struct nve_store_memory_control *control = nve_store_memory_control(f->path);
	struct nve_stored_tag tag = a_tag(9, false);

	put_first(f);
	control->put = (struct nve_store_fault){ 1, 1, -EIO };
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tag(f->store, &tag), 0);
	assert_int_equal(f->ops->del_tsi(f->store, 3), -EIO);
	assert_int_equal(f->ops->commit(f->store), -EINVAL);
	has_first(f);
	control->commit = (struct nve_store_fault){ 0, 1, -ENOSPC };
	assert_int_equal(f->ops->begin(f->store), 0);
	assert_int_equal(f->ops->put_tag(f->store, &tag), 0);
	assert_int_equal(f->ops->commit(f->store), -ENOSPC);
	has_first(f);
	put_first(f);
}

/* --- SQLite ---------------------------------------------------------------------------------- */

static void the_file_is_readable_by_its_owner_alone(void **state)
{
	struct fixture *f = *state;
	char wal[80];
	struct stat st;

	put_first(f);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof(wal), "%s-wal", f->path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void another_process_is_refused_while_it_is_open(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid = fork();

	if (!pid) {
		struct nve_store *second;

		_exit(f->ops->open(&f->config, &second, NULL) == -EBUSY ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* The child says "committed" through the pipe, begins another transaction, and is killed in it. */
static void run_until_killed(struct fixture *f, int fd)
{
	struct nve_stored_tsi tsi = a_tsi(4, 1);

	open_store(f);
	put_first(f);
	f->ops->begin(f->store);
	f->ops->put_tsi(f->store, &tsi);
	f->ops->del_tsi(f->store, 3);
	if (write(fd, "c", 1) == 1)
		pause();
	_exit(1);
}

static void kill_9_within_a_transaction_loses_that_one_and_no_other(void **state)
{
	struct fixture *f = *state;

	f->ops->close(f->store);
	f->store = NULL;
	for (uint8_t durability = 0; durability < 2; durability++) {
		int fds[2], status;
		char c;
		pid_t pid;

		f->config.durability = durability;
		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (!pid)
			run_until_killed(f, fds[1]);
		close(fds[1]);
		assert_int_equal(read(fds[0], &c, 1), 1);
		close(fds[0]);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		open_store(f); /* the lock died with it */
		has_first(f);
		f->ops->close(f->store);
		f->store = NULL;
	}
	open_store(f);
}

static void sql(const char *path, const char *text)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static size_t slurp(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY);
	ssize_t n = read(fd, buf, size);

	close(fd);
	assert_true(n > 0 && (size_t)n < size);
	return (size_t)n;
}

/* Closes the store, changes the file, and returns what opening it says. */
static int spoiled(struct fixture *f, const char *text, char **err)
{
	f->ops->close(f->store);
	f->store = NULL;
	sql(f->path, text);
	return f->ops->open(&f->config, &f->store, err);
}

static void a_newer_schema_is_refused_and_left_untouched(void **state)
{
	struct fixture *f = *state;
	static char before[1 << 20], after[1 << 20];
	char *err = NULL;
	size_t n;

	put_first(f);
	assert_int_equal(spoiled(f, "PRAGMA user_version = 2", &err), -EPROTO);
	assert_non_null(strstr(err, "newer"));
	free(err);
	n = slurp(f->path, before, sizeof(before));
	assert_int_equal(f->ops->open(&f->config, &f->store, NULL), -EPROTO);
	assert_int_equal(slurp(f->path, after, sizeof(after)), n);
	assert_memory_equal(before, after, n);
	sql(f->path, "PRAGMA user_version = 1");
	open_store(f);
	has_first(f);
}

static void a_record_that_cannot_be_decoded_is_named(void **state)
{
	static const struct {
		const char *spoil, *said;
	} cases[] = {
		{ "UPDATE tsi SET addrs = x'00' WHERE slot = 3", "table tsi, record 3 p1" },
		{ "UPDATE tsi SET state = 9", "table tsi, record 3 p1" },
		{ "UPDATE tsi SET id = x'01'", "table tsi, record 3 p1" },
		{ "UPDATE tsi SET keepalive_ms = -1", "table tsi, record 3 p1" },
		{ "UPDATE vap SET tag = 4095 WHERE port = 'p2'", "table vap, record p2 100" },
		{ "UPDATE tag SET vn_id = 99999999 WHERE tag = 6", "table tag, record br 6" },
		{ "UPDATE tag SET scope = hex(zeroblob(40)) WHERE tag = 6", "table tag" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *err = NULL;

		put_first(f);
		assert_int_equal(spoiled(f, cases[i].spoil, &err), -EBADMSG);
		if (!strstr(err, cases[i].said))
			fail_msg("%s: %s", cases[i].spoil, err);
		free(err);
		sql(f->path, "DELETE FROM tsi; DELETE FROM vap; DELETE FROM tag");
		open_store(f);
	}
}

static void a_database_of_somebody_else_or_no_database_is_refused(void **state)
{
	struct fixture *f = *state;
	char *err = NULL;
	int fd;

	f->ops->close(f->store);
	f->store = NULL;
	assert_int_equal(unlink(f->path), 0);
	sql(f->path, "CREATE TABLE theirs(x)");
	assert_int_equal(f->ops->open(&f->config, &f->store, &err), -EBADMSG);
	assert_non_null(strstr(err, "not one of nved"));
	free(err);
	fd = open(f->path, O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "this is no database, but it is long enough to be one", 52), 52);
	close(fd);
	assert_int_equal(f->ops->open(&f->config, &f->store, NULL), -EBADMSG);
	f->store = NULL;
}

static void a_directory_that_is_missing_or_not_writable_is_named(void **state)
{
	struct fixture *f = *state;
	struct nve_store_config config = { .path = "/nonexistent/intent.db" };
	struct nve_store *store;
	char *err = NULL;
	int status;
	pid_t pid;

	assert_int_equal(f->ops->open(&config, &store, &err), -ENOENT);
	assert_non_null(strstr(err, "make its directory first"));
	free(err);
	pid = fork();
	if (!pid) {
		/* Root may write anywhere, so not as root. */
		config.path = "/etc/nve-intent.db";
		if (!geteuid() && setuid(65534) < 0)
			_exit(2);
		_exit(f->ops->open(&config, &store, NULL) == -EACCES ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#define BOTH(name)                                                                                 \
	{ #name " (memory)", name, setup_memory, teardown, NULL },                                 \
	{                                                                                          \
#name " (sqlite)", name, setup_sqlite, teardown, NULL                              \
	}
#define SQLITE(name) cmocka_unit_test_setup_teardown(name, setup_sqlite, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(a_new_store_is_empty),
		BOTH(what_was_committed_is_there_after_reopening_in_order),
		BOTH(a_record_put_again_is_replaced_and_one_deleted_is_gone),
		BOTH(a_transaction_rolled_back_or_never_committed_leaves_no_trace),
		BOTH(loading_stops_at_a_readers_error_and_returns_it),
		BOTH(changes_outside_a_transaction_are_refused),
		BOTH(a_second_opener_is_refused),
		cmocka_unit_test_setup_teardown(
			an_injected_failure_ends_the_transaction_and_the_store_is_as_before,
			setup_memory, teardown),
		SQLITE(the_file_is_readable_by_its_owner_alone),
		SQLITE(another_process_is_refused_while_it_is_open),
		SQLITE(kill_9_within_a_transaction_loses_that_one_and_no_other),
		SQLITE(a_newer_schema_is_refused_and_left_untouched),
		SQLITE(a_record_that_cannot_be_decoded_is_named),
		SQLITE(a_database_of_somebody_else_or_no_database_is_refused),
		SQLITE(a_directory_that_is_missing_or_not_writable_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
