/* SPDX-License-Identifier: Apache-2.0 */
/* The log's lines, read back from where stderr was sent. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "log.h"

static char out[4096];

/* Sends stderr to a file for the length of one call. */
static const char *logged(void (*write_lines)(void), int journal)
{
	char path[] = "/tmp/nve-log-XXXXXX", stream[64];
	int saved = dup(STDERR_FILENO), fd = mkstemp(path);
	struct stat st;
	ssize_t n;

	assert_true(saved >= 0 && fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)st.st_dev,
		 (unsigned long)(journal ? st.st_ino : st.st_ino + 1));
	setenv("JOURNAL_STREAM", stream, 1);
	dup2(fd, STDERR_FILENO);
	write_lines();
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(fd, out, sizeof(out) - 1, 0);
	assert_true(n >= 0);
	out[n] = '\0';
	close(fd);
	unlink(path);
	return out;
}

static void one_of_each(void)
{
	static const uint8_t id[] = { 0xde, 0xad };

	nve_log(INFO, "tsi_state", LOG_S("port", "p1"), LOG_U("vn", 100), LOG_X("tsi", id, 2),
		LOG_S("left_out", NULL), LOG_S("empty", ""), LOG_E(-ENOSPC));
}

static void each_level(void)
{
	nve_log(ERROR, "e", LOG_U("n", 1));
	nve_log(WARNING, "w", LOG_U("n", 2));
	nve_log(INFO, "i", LOG_U("n", 3));
	nve_log(DEBUG, "d", LOG_U("n", 4));
}

static void nasty(void)
{
	nve_log(ERROR, "x", LOG_S("a", "two words"), LOG_S("b", "say \"hi\"\\"),
		LOG_S("c", "line\nerror fake=1"), LOG_S("d", "k=v"), LOG_S("e", "\x1b[31m"));
}

static void endless(void)
{
	char *value = malloc(10000);

	memset(value, 'x', 9999);
	value[9999] = '\0';
	nve_log(ERROR, "long", LOG_S("value", value), LOG_U("n", 1));
	free(value);
}

static void a_line_has_event_and_keys_in_the_order_given(void **state)
{
	const char *line = logged(one_of_each, 0);

	(void)state;
	assert_int_equal(line[10], 'T'); /* the time, in UTC */
	assert_non_null(strstr(line, "Z info tsi_state port=p1 vn=100 tsi=dead empty=\"\" "
				     "error=\"No space left on device\"\n"));
}

static void on_the_journal_a_line_bears_its_priority_and_no_time(void **state)
{
	(void)state;
	nve_log_set_level(NVE_LOG_DEBUG);
	assert_string_equal(logged(each_level, 1), "<3>e n=1\n<4>w n=2\n<6>i n=3\n<7>d n=4\n");
}

static void levels_above_the_chosen_one_are_dropped(void **state)
{
	(void)state;
	nve_log_set_level(NVE_LOG_WARNING);
	assert_string_equal(logged(each_level, 1), "<3>e n=1\n<4>w n=2\n");
	nve_log_set_level(NVE_LOG_INFO);
}

static void no_value_can_end_its_line_or_pass_for_another_key(void **state)
{
	(void)state;
	assert_string_equal(logged(nasty, 1),
			    "<3>x a=\"two words\" b=\"say \\\"hi\\\"\\\\\" "
			    "c=\"line\\nerror fake=1\" d=\"k=v\" e=\"\\x1b[31m\"\n");
}

static void a_line_too_long_is_cut_and_still_one_line(void **state)
{
	const char *line = logged(endless, 1);

	(void)state;
	assert_in_range(strlen(line), 1000, 1024);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void levels_are_known_by_name(void **state)
{
	(void)state;
	assert_int_equal(nve_log_parse_level("error"), NVE_LOG_ERROR);
	assert_int_equal(nve_log_parse_level("debug"), NVE_LOG_DEBUG);
	assert_int_equal(nve_log_parse_level("loud"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_event_and_keys_in_the_order_given),
		cmocka_unit_test(on_the_journal_a_line_bears_its_priority_and_no_time),
		cmocka_unit_test(levels_above_the_chosen_one_are_dropped),
		cmocka_unit_test(no_value_can_end_its_line_or_pass_for_another_key),
		cmocka_unit_test(a_line_too_long_is_cut_and_still_one_line),
		cmocka_unit_test(levels_are_known_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
