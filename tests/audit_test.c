/* SPDX-License-Identifier: Apache-2.0 */
/* The audit log's lines, read back from its files; a tmpfs of this test's own stands for the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "audit_internal.h"
#include "session/peer.h"

enum { DISK_BYTES = 64 << 10 };

static char dir[] = "/tmp/nve-audit-XXXXXX";
static char path[64], text[8 << 20];

static int mount_disk(void **state)
{
	(void)state;
	if (!*path && (!mkdtemp(dir) || unshare(CLONE_NEWNS) ||
		       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)))
		return -1;
	snprintf(path, sizeof(path), "%s/audit.jsonl", dir);
	return mount("tmpfs", dir, "tmpfs", 0, "size=64k");
}

static int unmount_disk(void **state)
{
	(void)state;
	nve_audit_close();
	return umount2(dir, MNT_DETACH);
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void open_log(uint64_t max_bytes, uint32_t keep, uint32_t queue_bytes)
{
	const struct nve_audit_config config = {
		.path = path, .max_bytes = max_bytes, .keep = keep, .queue_bytes = queue_bytes
	};
	char *err = NULL;

	assert_int_equal(nve_audit_open(&config, &err), 0);
}

/* The file's contents; "" if there is none. */
static const char *contents(const char *name)
{
	FILE *file = fopen(name, "re");
	size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

	text[n] = '\0';
	if (file)
		fclose(file);
	return text;
}

/* Waits until 'ready' says so, five seconds at most. */
static void await(bool (*ready)(const struct nve_audit_status *status))
{
	struct nve_audit_status status;

	for (int i = 0; i < 2500; i++) {
		nve_audit_status(&status);
		if (ready(&status))
			return;
		poll(NULL, 0, 2);
	}
	fail();
}

static uint64_t awaited_lines;

static bool has_lines(const struct nve_audit_status *status)
{
	return status->lines >= awaited_lines;
}

static bool fails(const struct nve_audit_status *status)
{
	return status->error != 0;
}

static bool is_well(const struct nve_audit_status *status)
{
	return status->error == 0 && status->lines >= awaited_lines;
}

static uint64_t seq_of(const char *line)
{
	uint64_t seq;

	assert_int_equal(sscanf(line, "{\"seq\":%lu,\"time\":\"", &seq), 1);
	return seq;
}

static void a_line_has_seq_time_to_the_nanosecond_event_and_fields(void **state)
{
	static const uint8_t id[] = { 0xde, 0xad };
	char day[32], rest[128];
	struct stat st;
	uint64_t seq;

	(void)state;
	open_log(0, 0, 0);
	nve_audit("tsi_state", LOG_X("tsi_id", id, 2), LOG_U("vn_id", 100), LOG_S("left_out", NULL),
		  LOG_S("port", "p1"), LOG_E(-ENOSPC));
	nve_audit_close();
	assert_int_equal(sscanf(contents(path), "{\"seq\":%lu,\"time\":\"%31[^\"]\",%127[^\n]",
				&seq, day, rest),
			 3);
	assert_int_equal(seq, 1);
	assert_int_equal(strlen(day), strlen("2026-11-23T01:02:03.123456789Z"));
	assert_string_equal(rest, "\"event\":\"tsi_state\",\"tsi_id\":\"dead\",\"vn_id\":100,"
				  "\"port\":\"p1\",\"error\":\"No space left on device\"}");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void the_time_is_that_of_rfc_3339(void **state)
{
	char head[NVE_AUDIT_HEAD_BYTES] = { 0 };

	(void)state;
	nve_audit_head(head, 7, 1709208000000000042ull);
	assert_string_equal(head, "{\"seq\":7,\"time\":\"2024-02-29T12:00:00.000000042Z\",");
}

static const char *escaped(const char *value)
{
	static char body[NVE_AUDIT_BODY_BYTES + 1];
	const struct nve_log_field fields[] = { LOG_S("c", value), { 0 } };

	body[nve_audit_body(body, "e", fields)] = '\0';
	return body;
}

static void hostile_strings_stay_one_line_of_json(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
		{ "a\"b\\c", "a\\\"b\\\\c" },
		{ "x\n{\"seq\":1}", "x\\u000a{\\\"seq\\\":1}" },
		{ "\x01\x1f\x7f\t", "\\u0001\\u001f\\u007f\\u0009" },
		{ "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
		  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\xff"
		  "a",
		  "\\ufffda" },
		{ "\xc3", "\\ufffd" },            /* cut off */
		{ "\xc0\xaf", "\\ufffd\\ufffd" }, /* overlong */
		{ "\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd" },
		{ "\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd" }, /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd" },
		{ "\xe2\x82", "\\ufffd\\ufffd" },
		{ "", "" },
	};
	char want[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(want, sizeof(want), "\"event\":\"e\",\"c\":\"%s\"}\n", cases[i].out);
		assert_string_equal(escaped(cases[i].in), want);
	}
}

static void fields_that_do_not_fit_are_left_out_whole_and_the_line_says_so(void **state)
{
	static char large[NVE_AUDIT_BODY_BYTES], body[NVE_AUDIT_BODY_BYTES + 1];
	struct nve_log_field fields[] = {
		LOG_S("a", "1"), LOG_S("large", large), LOG_S("b", "2"), { 0 }
	};

	(void)state;
	memset(large, '\x01', sizeof(large) - 1);
	body[nve_audit_body(body, "e", fields)] = '\0';
	assert_string_equal(body, "\"event\":\"e\",\"a\":\"1\",\"b\":\"2\",\"cut\":true}\n");
	large[0] = '\0';
	body[nve_audit_body(body, "e", fields)] = '\0';
	assert_null(strstr(body, "cut"));
}

/* Read from the newest file's last line back: no 'seq' is missing. */
static void the_file_turns_over_by_size_and_the_last_one_falls_off(void **state)
{
	char name[80];
	uint64_t expected = 200;
	struct stat st;

	(void)state;
	open_log(4096, 2, 0);
	for (int i = 0; i < 200; i++) {
		nve_audit("e", LOG_U("i", (uint64_t)i));
		awaited_lines = (uint64_t)i + 1;
		await(has_lines);
	}
	nve_audit_close();
	for (int file = 0; file <= 2; file++) {
		uint64_t lines[200];
		size_t n = 0;

		snprintf(name, sizeof(name), file ? "%s.%d" : "%s", path, file);
		assert_int_equal(stat(name, &st), 0);
		assert_true(st.st_size <= 4096);
		contents(name);
		for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
			lines[n++] = seq_of(line);
		for (; n > 0; n--)
			assert_int_equal(lines[n - 1], expected--);
	}
	snprintf(name, sizeof(name), "%s.3", path);
	assert_int_equal(stat(name, &st), -1);
	assert_true(expected > 0);
}

static void a_line_larger_than_a_file_may_be_is_written_nevertheless(void **state)
{
	(void)state;
	open_log(100, 1, 0);
	nve_audit("e", LOG_S("s", "0123456789012345678901234567890123456789012345678901234567"));
	nve_audit("f", LOG_U("n", 1));
	nve_audit_close();
	assert_non_null(strstr(contents(path), "\"event\":\"f\""));
}

static void a_renamed_file_is_left_alone_after_reopening(void **state)
{
	char old[80];

	(void)state;
	snprintf(old, sizeof(old), "%s.old", path);
	open_log(0, 0, 0);
	nve_audit("before", LOG_U("n", 1));
	awaited_lines = 1;
	await(has_lines);
	assert_int_equal(rename(path, old), 0);
	nve_audit("still", LOG_U("n", 2));
	awaited_lines = 2;
	await(has_lines);
	nve_audit_reopen();
	nve_audit("after", LOG_U("n", 3));
	nve_audit_close();
	assert_non_null(strstr(contents(old), "still"));
	assert_null(strstr(text, "after"));
	assert_non_null(strstr(contents(path), "after"));
	assert_int_equal(seq_of(text), 3);
}

/* Fills what is left of the disk. */
static void fill_disk(const char *name)
{
	static char block[4096];
	int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	close(fd);
}

/* Each line whole, and 'seq' without a gap but where a line tells of it.  Returns those told of. */
static uint64_t check_lines(uint64_t last)
{
	uint64_t seq = 0, told = 0, n;

	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		const char *lost = strstr(line, "\"event\":\"audit_lost\",\"lost\":");

		assert_int_equal(line[strlen(line) - 1], '}');
		if (lost) {
			assert_int_equal(sscanf(strrchr(lost, ':'), ":%lu}", &n), 1);
			seq += n;
			told += n;
			assert_int_equal(seq_of(line), seq);
		} else {
			assert_int_equal(seq_of(line), ++seq);
		}
	}
	assert_int_equal(seq, last);
	return told;
}

static void a_full_disk_delays_lines_tears_none_and_is_recovered_from(void **state)
{
	struct nve_audit_status status;
	char ballast[80];

	(void)state;
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
	open_log(0, 0, 0);
	nve_audit("first", LOG_U("n", 0));
	awaited_lines = 1;
	await(has_lines);
	fill_disk(ballast);
	for (uint64_t i = 2; i <= 200; i++)
		nve_audit("e", LOG_U("n", i));
	await(fails);
	nve_audit_status(&status);
	assert_int_equal(status.error, -ENOSPC);
	assert_int_equal(status.lost, 0);
	assert_true(status.failures > 0);
	contents(path);
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_int_equal(unlink(ballast), 0);
	awaited_lines = 200;
	await(is_well);
	nve_audit_close();
	contents(path);
	assert_int_equal(check_lines(200), 0);
}

static void what_the_queue_cannot_hold_is_counted_and_told_of_in_its_place(void **state)
{
	struct nve_audit_status status;
	char ballast[80];
	uint64_t lost;

	(void)state;
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
	open_log(0, 0, 2048);
	fill_disk(ballast);
	nve_audit("e", LOG_U("n", 1));
	await(fails);
	for (uint64_t i = 2; i <= 500; i++)
		nve_audit("e", LOG_U("n", i));
	nve_audit_status(&status);
	lost = status.lost;
	assert_true(lost > 400 && lost < 499);
	assert_int_equal(unlink(ballast), 0);
	awaited_lines = 500 - lost + 1;
	await(is_well);
	nve_audit("e", LOG_U("n", 501));
	nve_audit_close();
	contents(path);
	assert_int_equal(check_lines(501), lost);
}

static void half_a_line_of_a_killed_agent_gets_its_end(void **state)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	(void)state;
	assert_int_equal(write(fd, "{\"seq\":1,\"ti", 12), 12);
	close(fd);
	open_log(0, 0, 0);
	nve_audit("e", LOG_U("n", 1));
	nve_audit_close();
	assert_true(!strncmp(contents(path), "{\"seq\":1,\"ti\n{\"seq\":1,\"time\":", 29));
}

static void a_directory_that_is_not_there_is_refused_with_a_remedy(void **state)
{
	const struct nve_audit_config config = { .path = "/nonexistent/audit.jsonl" };
	char *err = NULL;

	(void)state;
	assert_int_equal(nve_audit_open(&config, &err), -ENOENT);
	assert_non_null(strstr(err, "make its directory"));
	assert_false(nve_audit_on());
	free(err);
	nve_audit("nobody listens", LOG_U("n", 1));
}

static void a_disk_read_only_at_start_is_waited_for(void **state)
{
	(void)state;
	assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
	open_log(0, 0, 0);
	nve_audit("start", LOG_U("n", 1));
	await(fails);
	assert_int_equal(mount(NULL, dir, NULL, MS_REMOUNT, "size=64k"), 0);
	awaited_lines = 1;
	await(is_well);
	nve_audit_close();
	assert_int_equal(seq_of(contents(path)), 1);
}

static void proofs_and_refusals_name_the_peer(void **state)
{
	struct nve_peer peer = { .kind = NVE_PEER_TLS, .identity = "tls:uri:spiffe://a/\"h\"" };

	(void)state;
	open_log(0, 0, 0);
	nve_audit_auth(&peer, "ipv4:192.0.2.1:999", true, NULL);
	nve_audit_auth(NULL, "ipv4:192.0.2.2:999", false, "no certificate");
	nve_audit_close();
	contents(path);
	assert_non_null(strstr(text, "\"event\":\"auth\",\"result\":\"accepted\",\"identity\":"
				     "\"tls:uri:spiffe://a/\\\"h\\\"\",\"address\":"
				     "\"ipv4:192.0.2.1:999\"}\n"));
	assert_non_null(strstr(text, "\"result\":\"refused\",\"address\":\"ipv4:192.0.2.2:999\","
				     "\"why\":\"no certificate\"}\n"));
}

#define ON_A_DISK(test) cmocka_unit_test_setup_teardown(test, mount_disk, unmount_disk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_A_DISK(a_line_has_seq_time_to_the_nanosecond_event_and_fields),
		cmocka_unit_test(the_time_is_that_of_rfc_3339),
		cmocka_unit_test(hostile_strings_stay_one_line_of_json),
		cmocka_unit_test(fields_that_do_not_fit_are_left_out_whole_and_the_line_says_so),
		ON_A_DISK(the_file_turns_over_by_size_and_the_last_one_falls_off),
		ON_A_DISK(a_line_larger_than_a_file_may_be_is_written_nevertheless),
		ON_A_DISK(a_renamed_file_is_left_alone_after_reopening),
		ON_A_DISK(a_full_disk_delays_lines_tears_none_and_is_recovered_from),
		ON_A_DISK(what_the_queue_cannot_hold_is_counted_and_told_of_in_its_place),
		ON_A_DISK(half_a_line_of_a_killed_agent_gets_its_end),
		ON_A_DISK(a_directory_that_is_not_there_is_refused_with_a_remedy),
		ON_A_DISK(a_disk_read_only_at_start_is_waited_for),
		ON_A_DISK(proofs_and_refusals_name_the_peer),
	};

	return cmocka_run_group_tests_name("audit", tests, NULL, remove_dir);
}
