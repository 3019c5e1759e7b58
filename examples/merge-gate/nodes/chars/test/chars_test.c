/*
 * Tests of the check, natively: chars_test CASES. A case is
 *
 *     # name
 *     config JSON      (or no such line)
 *     input JSON
 *     output JSON      byte for byte
 */
#include "../finding.h"
#include "../unicode.h"
#include "dashtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *read_file(const char *name) {
	FILE *f = fopen(name, "rb");
	if (f == NULL) {
		perror(name);
		exit(1);
	}
	size_t len = 0, cap = 1 << 20;
	char *text = malloc(cap + 1);
	for (size_t n; (n = fread(text + len, 1, cap - len, f)) > 0;) {
		len += n;
		if (len == cap) text = realloc(text, (cap *= 2) + 1);
	}
	fclose(f);
	text[len] = '\0';
	return text;
}

static void cases(const char *file) {
	char *text = read_file(file), *name = "", *config = NULL, *input = "";
	int n = 0;
	for (char *line = text, *next; line != NULL; line = next) {
		if ((next = strchr(line, '\n')) != NULL) *next++ = '\0';
		if (strncmp(line, "# ", 2) == 0) {
			name = line + 2;
			config = NULL;
		} else if (strncmp(line, "config ", 7) == 0) {
			config = line + 7;
		} else if (strncmp(line, "input ", 6) == 0) {
			input = line + 6;
		} else if (strncmp(line, "output ", 7) == 0) {
			dashtest_result *got = dashtest_run(&(dashtest_task){.input = input, .config = config});
			DASHTEST_EQUAL(got->output, line + 7);
			DASHTEST_EQUAL(got->failure, "");
			if (strcmp(got->output, line + 7) != 0) printf("in the case: %s\n", name);
			dashtest_free(got);
			n++;
		} else if (*line != '\0') {
			printf("%s: not a line of a case: %.40s\n", file, line);
			exit(1);
		}
	}
	free(text);
	DASHTEST_CHECK(n > 0);
}

static void configuration_and_input_are_checked(void) {
	const struct {
		const char *config, *input, *failure;
	} bad[] = {
		{"{\"max_line\":-1}", "{}", "{\"code\":\"bad_config\",\"message\":\"config: sizes and counts must not be negative\"}"},
		{"{\"max_lines\":1}", "{}", "{\"code\":\"bad_config\",\"message\":\"config: unknown field \\\"max_lines\\\"\"}"},
		{"{\"max_per\":\"1\"}", "{}", "{\"code\":\"bad_config\",\"message\":\"config: offset 11: want a whole number, found a string\"}"},
		{NULL, "{\"item\":{}}", "{\"code\":\"bad_input\",\"message\":\"input: offset 8: want an array, found an object\"}"},
		{NULL, "{\"item\":[{\"path\":1}]}", "{\"code\":\"bad_input\",\"message\":\"input: offset 17: want a string, found a number\"}"},
	};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		dashtest_result *got = dashtest_run(&(dashtest_task){.input = bad[i].input, .config = bad[i].config});
		DASHTEST_CHECK(got->status == 1 && got->retry_us == -1);
		DASHTEST_EQUAL(got->failure, bad[i].failure);
		dashtest_free(got);
	}
	dashtest_result *got = dashtest_run(&(dashtest_task){.input = "{\"item\":[]}"});
	DASHTEST_EQUAL(got->output, "{}");
	dashtest_free(got);
}

/* 200,000 lines with a finding each are counted, and three are kept. */
static void a_flood_does_not_fill_the_memory(void) {
	static const char head[] = "{\"item\":[{\"path\":\"a.go\",\"added\":[{\"line\":1,\"text\":\"", tail[] = "\"}]}]}";
	const size_t lines = 200000, each = 6;
	char *input = malloc(sizeof head + lines * each + sizeof tail), *to = input;
	to += sprintf(to, "%s", head);
	for (size_t i = 0; i < lines; i++) to += sprintf(to, "x\xe2\x80\x8b\\n");
	sprintf(to, "%s", tail);
	dashtest_result *got = dashtest_run(&(dashtest_task){.input = input, .config = "{\"max_per\":3}"});
	DASHTEST_CHECK(strstr(got->output, "(and 199997 more in this file)") != NULL);
	dashtest_free(got);
	free(input);
}

/* The same table is tested in the other languages: ids must not depend on them. */
static void ids_are_the_same_in_every_language(void) {
	const struct {
		const char *rule, *path, *content, *want;
	} ids[] = {
		{"aws-access-key", "a/b.go", "x", "e458f55458f1070c"},
		{"bidi-control", "p\xc3\xa4th", "\xc3\xa9\xe2\x80\xae", "f31cf500d1ac3593"},
		{"", "", "", "709e80c88487a241"},
	};
	for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
		char id[17];
		finding_id(id, ids[i].rule, dash_text_of(ids[i].path), dash_text_of(ids[i].content));
		DASHTEST_EQUAL(id, ids[i].want);
	}
}

static void digests_are_those_of_the_standard(void) {
	const struct {
		size_t length;
		const char *want;
	} vectors[] = {
		{0, "e3b0c44298fc1c14"}, {1, "2d711642b726b044"}, {55, "d5e285683cd4efc0"}, {56, "04c26261370ee754"}, {63, "75220b47218278e6"},
		{64, "7ce100971f64e700"}, {65, "9537c5fdf120482f"}, {119, "000b48d4edf0fa7b"}, {120, "13f05a0b594787f5"}, {128, "24da1b81d0b16df6"},
	};
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		unsigned char digest[32];
		char hex[17];
		sha256 s;
		sha256_begin(&s);
		for (size_t n = 0; n < vectors[i].length; n++) sha256_add(&s, "x", 1);
		sha256_end(&s, digest);
		for (int b = 0; b < 8; b++) sprintf(hex + 2 * b, "%02x", digest[b]);
		DASHTEST_EQUAL(hex, vectors[i].want);
	}
}

static void the_table_is_in_order(void) {
	for (size_t i = 1; i < char_run_count; i++) DASHTEST_CHECK(char_runs[i].first > char_runs[i - 1].last && char_runs[i].first <= char_runs[i].last);
	DASHTEST_CHECK(char_is('a', LETTER) && !char_is('a', DIGIT) && !char_is(0, 63) && !char_is(0x110000, 63));
	DASHTEST_CHECK(char_is(0x5d0, RIGHT_TO_LEFT) && char_is(0x4e2d, HAS_VARIANTS) && char_is(0x301, MARK) && char_is(0x660, DIGIT));
}

int main(int argc, char **argv) {
	if (argc != 2) return 2;
	cases(argv[1]);
	configuration_and_input_are_checked();
	a_flood_does_not_fill_the_memory();
	ids_are_the_same_in_every_language();
	digests_are_those_of_the_standard();
	the_table_is_in_order();
	return dashtest_done();
}
