/* SPDX-License-Identifier: Apache-2.0 */
/* What only a store in a file can get wrong: permissions, locks, kill -9, schema, damage. */
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

#include "lib/store_fixture.h"

static void the_file_is_readable_by_its_owner_alone(void **state)
{
	struct store_fixture *f = *state;
	char wal[80];
	struct stat st;

	store_put_first(f);
	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	snprintf(wal, sizeof(wal), "%s-wal", f->path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void another_process_is_refused_while_it_is_open(void **state)
{
	struct store_fixture *f = *state;
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
static void run_until_killed(struct store_fixture *f, int fd)
{
	struct nve_stored_tsi tsi = store_a_tsi(4, 1);

	store_open(f);
	store_put_first(f);
	f->ops->begin(f->store);
	f->ops->put_tsi(f->store, &tsi);
	f->ops->del_tsi(f->store, 3);
	if (write(fd, "c", 1) == 1)
		pause();
	_exit(1);
}

static void kill_9_within_a_transaction_loses_that_one_and_no_other(void **state)
{
	struct store_fixture *f = *state;

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
		store_open(f); /* the lock died with it */
		store_has_first(f);
		f->ops->close(f->store);
		f->store = NULL;
	}
	store_open(f);
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
static int spoiled(struct store_fixture *f, const char *text, char **err)
{
	f->ops->close(f->store);
	f->store = NULL;
	sql(f->path, text);
	return f->ops->open(&f->config, &f->store, err);
}

static void a_newer_schema_is_refused_and_left_untouched(void **state)
{
	struct store_fixture *f = *state;
	static char before[1 << 20], after[1 << 20];
	char *err = NULL;
	size_t n;

	store_put_first(f);
	assert_int_equal(spoiled(f, "PRAGMA user_version = 5", &err), -EPROTO);
	assert_non_null(strstr(err, "newer"));
	free(err);
	n = slurp(f->path, before, sizeof(before));
	assert_int_equal(f->ops->open(&f->config, &f->store, NULL), -EPROTO);
	assert_int_equal(slurp(f->path, after, sizeof(after)), n);
	assert_memory_equal(before, after, n);
	sql(f->path, "PRAGMA user_version = 4");
	store_open(f);
	store_has_first(f);
	store_reopen(f);
	store_has_first(f);
}

/* Version 1 had neither gleaning nor QoS, version 2 no owners, version 3 no contexts and no moved
 * deadlines. */
#define TO_VERSION_3 "DROP TABLE deadline; DROP TABLE vn; DROP TABLE acl; PRAGMA user_version = 3;"
#define TO_VERSION_2                                                                               \
	TO_VERSION_3 "ALTER TABLE tsi DROP COLUMN owner; ALTER TABLE vap DROP COLUMN owner;"       \
		     "PRAGMA user_version = 2;"
#define TO_VERSION_1                                                                               \
	TO_VERSION_2 "ALTER TABLE tsi DROP COLUMN qos; ALTER TABLE tsi DROP COLUMN glean_max;"     \
		     "ALTER TABLE tsi DROP COLUMN glean_age_ms; PRAGMA user_version = 1"

static void a_store_of_an_earlier_version_is_brought_up_to_date(void **state)
{
	static const char *const earlier[] = { TO_VERSION_1, TO_VERSION_2, TO_VERSION_3 };
	struct store_fixture *f = *state;

	for (size_t i = 0; i < 3; i++) {
		const struct nve_stored_vn vn = { .vn_id = 100, .digest = 5 };
		char *err = NULL;

		store_put_first(f);
		assert_int_equal(spoiled(f, earlier[i], &err), 0);
		store_has_first(f);
		store_put_first(f);
		assert_int_equal(f->ops->begin(f->store), 0);
		assert_int_equal(f->ops->put_vn(f->store, &vn), 0);
		assert_int_equal(f->ops->commit(f->store), 0);
		store_reopen(f);
		store_has_first(f);
	}
}

/* A step that cannot be taken leaves the version, and all the rest, as it was. */
static void an_update_that_fails_leaves_the_earlier_version(void **state)
{
	struct store_fixture *f = *state;
	char *err = NULL;

	store_put_first(f);
	assert_int_equal(spoiled(f, TO_VERSION_1 "; CREATE TABLE acl(x)", &err), -EIO);
	free(err);
	f->store = NULL;
	sql(f->path,
	    "DROP TABLE acl; INSERT INTO tsi(slot, port, vn_id, id, state, cause, n_active,"
	    " epoch, since_ns, deadline_ns, keepalive_ms, keepactive_ms, addrs)"
	    " SELECT 77, port, vn_id, id, state, cause, n_active, epoch, since_ns,"
	    " deadline_ns, keepalive_ms, keepactive_ms, addrs FROM tsi LIMIT 1;"
	    "DELETE FROM tsi WHERE slot = 77"); /* those are version 1's columns */
	store_open(f);
	store_has_first(f);
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
		{ "UPDATE tsi SET qos = x'00'", "table tsi, record 3 p1" },
		{ "UPDATE tsi SET owner = hex(zeroblob(128))", "table tsi, record 3 p1" },
		{ "UPDATE vap SET owner = 'a' || char(0) WHERE port = 'p2'",
		  "table vap, record p2 100" },
		{ "UPDATE tsi SET qos = zeroblob(33)", "table tsi, record 3 p1" },
		{ "INSERT INTO deadline VALUES(0, x'00')", "table deadline, record 0" },
		{ "UPDATE vap SET tag = 4095 WHERE port = 'p2'", "table vap, record p2 100" },
		{ "UPDATE tag SET vn_id = 99999999 WHERE tag = 6", "table tag, record br 6" },
		{ "UPDATE tag SET scope = hex(zeroblob(40)) WHERE tag = 6", "table tag" },
	};
	struct store_fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char *err = NULL;

		store_put_first(f);
		assert_int_equal(spoiled(f, cases[i].spoil, &err), -EBADMSG);
		if (!strstr(err, cases[i].said))
			fail_msg("%s: %s", cases[i].spoil, err);
		free(err);
		sql(f->path, "DELETE FROM tsi; DELETE FROM vap; DELETE FROM tag;"
			     "DELETE FROM deadline");
		store_open(f);
	}
}

static void a_database_of_somebody_else_or_no_database_is_refused(void **state)
{
	struct store_fixture *f = *state;
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
	struct store_fixture *f = *state;
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

#define SQLITE(name) cmocka_unit_test_setup_teardown(name, store_setup_sqlite, store_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SQLITE(the_file_is_readable_by_its_owner_alone),
		SQLITE(another_process_is_refused_while_it_is_open),
		SQLITE(kill_9_within_a_transaction_loses_that_one_and_no_other),
		SQLITE(a_newer_schema_is_refused_and_left_untouched),
		SQLITE(a_store_of_an_earlier_version_is_brought_up_to_date),
		SQLITE(an_update_that_fails_leaves_the_earlier_version),
		SQLITE(a_record_that_cannot_be_decoded_is_named),
		SQLITE(a_database_of_somebody_else_or_no_database_is_refused),
		SQLITE(a_directory_that_is_missing_or_not_writable_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
