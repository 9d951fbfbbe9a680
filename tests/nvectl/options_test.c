/* SPDX-License-Identifier: Apache-2.0 */
/* The command line against its tables. */
#include "nvectl/options.c" /* nvectl is in no library */

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct ctl_option show_options[] = {
	{ "port", 'p', "PORT", CTL_WORDS_PORT, true, false, "" },
	{ "addr", 'a', "ADDR", CTL_WORDS_ANY, false, true, "" },
	{ "cause", 'c', "CAUSE", CTL_WORDS_CAUSE, false, false, "" },
	{ "stats", 'S', NULL, CTL_WORDS_ANY, false, false, "" },
	{ 0 },
};
static const struct ctl_option list_options[] = {
	{ "stats", 'S', NULL, CTL_WORDS_ANY, false, false, "" }, { 0 }
};
static const struct ctl_command list = { .name = "list", .options = list_options };
static const struct ctl_command show = { .name = "show",
					 .operands = { "ID", 1, 2, { CTL_WORDS_ANY } },
					 .options = show_options };
static const struct ctl_command status = { .summary = "" };
static const struct ctl_command shell = {
	.operands = { "bash|zsh", 1, 1, { CTL_WORDS_SHELL, CTL_WORDS_SHELL } }
};
static const struct ctl_command *const tsi_commands[] = { &list, &show, NULL };
static const struct ctl_command *const status_commands[] = { &status, NULL };
static const struct ctl_command *const shell_commands[] = { &shell, NULL };
static const struct ctl_group tsi = { "tsi", "", tsi_commands };
static const struct ctl_group status_group = { "status", "", status_commands };
static const struct ctl_group shell_group = { "completion", "", shell_commands };
static const struct ctl_group *const groups[] = { &tsi, &status_group, &shell_group, NULL };

static struct ctl_input in;
static char why[256];

#define PARSE(...)                                                                                 \
	parse((const char *[]){ "nvectl", __VA_ARGS__ },                                           \
	      sizeof((const char *[]){ "nvectl", __VA_ARGS__ }) / sizeof(char *))

static int parse(const char **argv, size_t argc)
{
	ctl_input_free(&in);
	why[0] = '\0';
	return ctl_options_parse(groups, (int)argc, (char **)argv, &in, why, sizeof(why));
}

static int forget(void **state)
{
	(void)state;
	ctl_input_free(&in);
	return 0;
}

static void assert_refused(int r, const char *text)
{
	assert_int_equal(r, -EINVAL);
	assert_string_equal(why, text);
}

static void a_group_alone_is_its_first_command(void **state)
{
	(void)state;
	assert_int_equal(PARSE("tsi"), 0);
	assert_ptr_equal(in.command, &list);
	assert_int_equal(PARSE("tsi", "--stats"), 0);
	assert_ptr_equal(in.command, &list);
	assert_non_null(ctl_option_value(&in, "stats"));
	assert_int_equal(PARSE("tsi", "-o", "json", "show", "x", "-pA"), 0);
	assert_ptr_equal(in.command, &show);
}

static void options_stand_anywhere_in_all_spellings(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-o", "json", "tsi", "show", "--port=p1", "x", "-t", "3"), 0);
	assert_string_equal(ctl_option_value(&in, "output"), "json");
	assert_string_equal(ctl_option_value(&in, "port"), "p1");
	assert_string_equal(ctl_option_value(&in, "timeout"), "3");
	assert_int_equal(in.n_operands, 1);
	assert_string_equal(in.operands[0], "x");
	assert_int_equal(PARSE("tsi", "show", "x", "-pp2", "--port-of"), -EINVAL);
	assert_int_equal(PARSE("tsi", "show", "-pp2", "x"), 0);
	assert_string_equal(ctl_option_value(&in, "port"), "p2");
	assert_int_equal(PARSE("tsi", "show", "x", "--port", ""), 0);
	assert_string_equal(ctl_option_value(&in, "port"), "");
}

static void after_two_dashes_all_are_words(void **state)
{
	(void)state;
	assert_int_equal(PARSE("tsi", "show", "-p", "p1", "--", "--stats"), 0);
	assert_string_equal(in.operands[0], "--stats");
	assert_null(ctl_option_value(&in, "stats"));
}

static void a_repeatable_option_keeps_every_value_in_order(void **state)
{
	size_t at = 0;

	(void)state;
	assert_int_equal(PARSE("tsi", "show", "x", "-p", "p", "-a", "1", "--addr=2"), 0);
	assert_int_equal(ctl_option_count(&in, "addr"), 2);
	assert_string_equal(ctl_option_next(&in, "addr", &at), "1");
	assert_string_equal(ctl_option_next(&in, "addr", &at), "2");
	assert_null(ctl_option_next(&in, "addr", &at));
	assert_refused(PARSE("tsi", "show", "x", "-p", "p", "-p", "q"),
		       "option '--port' is given twice");
}

static void what_is_missing_or_too_much_is_named(void **state)
{
	(void)state;
	assert_refused(PARSE("tsi", "show", "-p", "p"), "ID is missing");
	assert_refused(PARSE("tsi", "show", "x"), "option '--port PORT' is missing");
	assert_refused(PARSE("tsi", "show", "x", "-p"), "option '-p' needs a value: PORT");
	assert_refused(PARSE("status", "now"), "unexpected argument 'now'");
	assert_refused(PARSE("tsi", "show", "a", "b", "c", "-pp"), "unexpected argument 'c'");
	assert_refused(PARSE("tsi", "--stats=yes"), "option '--stats' takes no value");
}

static void unknown_words_suggest_the_nearest(void **state)
{
	(void)state;
	assert_refused(PARSE("tis"), "unknown command 'tis'; did you mean 'tsi'?");
	assert_refused(PARSE("stat"), "unknown command 'stat'; did you mean 'status'?");
	assert_refused(PARSE("tsi", "shwo"), "unknown command 'shwo'; did you mean 'tsi show'?");
	assert_refused(PARSE("tsi", "show", "--prot", "x"),
		       "unknown option '--prot'; did you mean '--port'?");
	assert_refused(PARSE("--outptu=json", "tsi"),
		       "unknown option '--outptu'; did you mean '--output'?");
	assert_refused(PARSE("frobnicate"), "unknown command 'frobnicate'");
	assert_refused(PARSE("tsi", "show", "-x"), "unknown option '-x'");
	assert_refused(PARSE("status", "--port", "p"), "unknown option '--port'");
}

static void words_of_a_fixed_set_are_held_to_it(void **state)
{
	(void)state;
	assert_refused(PARSE("tsi", "-o", "yaml"),
		       "--output must be one of table, json, not 'yaml'");
	assert_refused(PARSE("tsi", "show", "x", "-pp", "-c", "boot"),
		       "--cause must be one of create, migrate-in, resume, not 'boot'");
	assert_refused(PARSE("completion", "fish"),
		       "bash|zsh must be one of bash, zsh, not 'fish'");
	assert_int_equal(PARSE("completion", "zsh"), 0);
}

static void help_asks_for_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(PARSE("tsi", "show", "--help"), 0);
	assert_ptr_equal(in.command, &show);
	assert_int_equal(PARSE("tsi", "-h"), 0);
	assert_null(in.command);
	assert_int_equal(parse((const char *[]){ "nvectl" }, 1), 0);
	assert_null(in.group);
}

static void distance_counts_letters_and_swaps(void **state)
{
	(void)state;
	assert_int_equal(ctl_distance("port", "port"), 0);
	assert_int_equal(ctl_distance("prot", "port"), 1);
	assert_int_equal(ctl_distance("", "abc"), 3);
	assert_int_equal(ctl_distance("ports", "port"), 1);
	assert_int_equal(ctl_distance("kitten", "sitting"), 3);
	assert_true(ctl_distance("0123456789012345678901234567890123456789", "x") > 1000);
}

static void a_word_of_any_length_is_refused_without_overrun(void **state)
{
	char word[2048], option[2048];

	(void)state;
	memset(word, 'w', sizeof(word) - 1);
	word[sizeof(word) - 1] = '\0';
	memcpy(option, word, sizeof(word));
	memcpy(option, "--", 2);
	assert_int_equal(PARSE(word), -EINVAL);
	assert_int_equal(strlen(why), sizeof(why) - 1);
	assert_int_equal(PARSE(option), -EINVAL);
	assert_int_equal(PARSE("tsi", word), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_group_alone_is_its_first_command),
		cmocka_unit_test(options_stand_anywhere_in_all_spellings),
		cmocka_unit_test(after_two_dashes_all_are_words),
		cmocka_unit_test(a_repeatable_option_keeps_every_value_in_order),
		cmocka_unit_test(what_is_missing_or_too_much_is_named),
		cmocka_unit_test(unknown_words_suggest_the_nearest),
		cmocka_unit_test(words_of_a_fixed_set_are_held_to_it),
		cmocka_unit_test(help_asks_for_nothing_else),
		cmocka_unit_test(distance_counts_letters_and_swaps),
		cmocka_unit_test(a_word_of_any_length_is_refused_without_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, forget);
}
