#include "dashtest.h"

#include <stdlib.h>
#include <string.h>

static dashtest_result *ask(const char *what, const char *value) {
	static char input[4096];
	size_t n = 0;
	const char *const parts[] = {"{\"ask\":\"", what, "\",\"value\":", value, "}"};
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		size_t len = strlen(parts[i]);
		if (n + len >= sizeof input) abort();
		memcpy(input + n, parts[i], len + 1);
		n += len;
	}
	return dashtest_run(&(dashtest_task){.input = input});
}

/* What the node wrote, or how it failed. */
static void expect(const char *what, const char *value, const char *output, const char *failure) {
	dashtest_result *got = ask(what, value);
	DASHTEST_EQUAL(got->output, output);
	DASHTEST_EQUAL(got->failure, failure);
	DASHTEST_CHECK(got->status == (*failure != '\0'));
	dashtest_free(got);
}

static void failures_reach_the_host(void) {
	expect("plain", "1", "", "{\"code\":\"failed\",\"message\":\"it broke\"}");
	expect("keep", "1", "{\"answer\":\"kept\"}", "{\"code\":\"findings\",\"message\":\"3 high\",\"keep_output\":true}");
	expect("bad status", "1", "", "{\"code\":\"bad_status\",\"message\":\"run: returned DASH_INTERRUPTED, and no question waits\"}");
	expect("bad json", "1", "", "{\"code\":\"invalid\",\"message\":\"output_write: invalid: output_write: want a JSON object\"}");
	expect("else", "\"x\"", "", "{\"code\":\"failed\",\"message\":\"ask: unknown\"}");
	expect("nothing", "1", "", "");
	expect("memory", "1", "", "{\"code\":\"x\",\"message\":\"text 100\"}");
	dashtest_result *got = ask("fatal", "1");
	DASHTEST_EQUAL(got->failure, "{\"code\":\"bad\",\"message\":\"m\"}");
	DASHTEST_CHECK(got->retry_us == -1);
	dashtest_free(got);
	got = ask("details", "[9007199254740993]");
	DASHTEST_EQUAL(got->failure, "{\"code\":\"busy\",\"message\":\"m\",\"details\":[9007199254740993]}");
	DASHTEST_CHECK(got->retry_us == 1500000);
	dashtest_free(got);
	got = ask("silent", "1");
	DASHTEST_CHECK(got->status == 1);
	DASHTEST_EQUAL(got->failure, "");
	dashtest_free(got);
}

static void refusals_keep_their_name_and_text(void) {
	const struct { const char *ask, *refuse; dash_errno why; const char *output, *failure; } cases[] = {
		{"random", "random", DASH_DENIED, "", "{\"code\":\"denied\",\"message\":\"random: denied: random: refused by the test\"}"},
		{"meta", "meta_read", DASH_UNAVAILABLE, "", "{\"code\":\"unavailable\",\"message\":\"meta_read: unavailable: meta_read: refused by the test\"}"},
		{"echo", "output_write", DASH_TOO_LARGE, "", "{\"code\":\"too_large\",\"message\":\"output_write: too_large: output_write: refused by the test\"}"},
		{"echo", "input_read", (dash_errno)99, "", "{\"code\":\"internal\",\"message\":\"input_read: internal: input_read: refused by the test\"}"},
		{"go on", "route_to", DASH_NOT_FOUND, "{\"answer\":\"not_found\"}", ""},
		{"people", "interrupt", DASH_DENIED, "", "{\"code\":\"denied\",\"message\":\"interrupt: denied: interrupt: refused by the test\"}"},
		{"keep", "output_write", DASH_TOO_LARGE, "", "{\"code\":\"too_large\",\"message\":\"output_write: too_large: output_write: refused by the test\"}"},
		{"plain", "last_error", DASH_DENIED, "", "{\"code\":\"failed\",\"message\":\"it broke\"}"},
		{"plain", "fail", DASH_INVALID, "", ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char input[64] = "{\"ask\":\"";
		strcat(strcat(input, cases[i].ask), "\"}");
		dashtest_result *got = dashtest_run(&(dashtest_task){.input = input, .refuse = cases[i].refuse, .refusal = cases[i].why});
		DASHTEST_EQUAL(got->output, cases[i].output);
		DASHTEST_EQUAL(got->failure, cases[i].failure);
		if (strcmp(cases[i].ask, "keep") == 0) DASHTEST_EQUAL(got->log, "4 findings: 3 high");
		dashtest_free(got);
	}
}

static void a_call_asks_the_host(void) {
	dashtest_result *got = ask("routes", "{\"n\":1}");
	DASHTEST_EQUAL(got->routes, "b");
	DASHTEST_EQUAL(got->sends, "c {\"n\":1}");
	DASHTEST_EQUAL(got->log, "2 routed 1");
	DASHTEST_EQUAL(got->output, "");
	dashtest_free(got);
	got = ask("clock", "1");
	DASHTEST_EQUAL(got->output, "{\"answer\":\"1767225600000001 1\"}");
	dashtest_free(got);
	char meta[3000];
	memset(meta, 'x', sizeof meta);
	memcpy(meta, "{\"node\":\"", 9);
	memcpy(meta + sizeof meta - 3, "\"}", 3);
	got = dashtest_run(&(dashtest_task){.input = "{\"ask\":\"meta\"}", .meta = meta});
	DASHTEST_CHECK(strlen(got->output) == sizeof meta - 1 + 2); /* "answer" is two letters longer than "node" */
	dashtest_free(got);
	got = dashtest_run(&(dashtest_task){.input = "{\"ask\":\"random\"}", .seed = 7});
	DASHTEST_CHECK(got->status == 0 && strlen(got->output) == strlen("{\"answer\":\"00000000\"}"));
	dashtest_free(got);
}

static void questions_end_the_call_until_they_are_answered(void) {
	const char *const none[] = {NULL}, *const one[] = {"true", NULL}, *const both[] = {"true", "{\"to\":\"all\"}", NULL};
	const char *input = "{\"ask\":\"people\"}";
	dashtest_result *got = dashtest_run(&(dashtest_task){.input = input, .answers = none});
	DASHTEST_CHECK(got->status == 2);
	DASHTEST_EQUAL(got->questions, "{\"approve\":\"deploy\"}");
	DASHTEST_EQUAL(got->failure, "");
	dashtest_free(got);
	got = dashtest_run(&(dashtest_task){.input = input, .answers = one});
	DASHTEST_CHECK(got->status == 2);
	DASHTEST_EQUAL(got->questions, "{\"approve\":\"deploy\"}\n{\"approve\":\"announce\"}");
	DASHTEST_EQUAL(got->output, "");
	dashtest_free(got);
	got = dashtest_run(&(dashtest_task){.input = input, .answers = both});
	DASHTEST_CHECK(got->status == 0);
	DASHTEST_EQUAL(got->output, "{\"answer\":\"true+{\\\"to\\\":\\\"all\\\"}\"}");
	dashtest_free(got);
	/* a node that ignores the status is interrupted all the same */
	got = dashtest_run(&(dashtest_task){.input = "{\"ask\":\"swallow\"}"});
	DASHTEST_CHECK(got->status == 2);
	dashtest_free(got);
}

static void configuration_is_checked_at_the_start(void) {
	dashtest_result *got = dashtest_run(&(dashtest_task){.input = "{\"ask\":\"echo\",\"value\":\"a\"}", .config = " {\"prefix\":\"hi \"} "});
	DASHTEST_EQUAL(got->output, "{\"answer\":\"hi a\"}");
	dashtest_free(got);
	const struct { const char *config, *failure; } cases[] = {
		{"{\"prefx\":\"hi\"}", "{\"code\":\"bad_config\",\"message\":\"config: unknown field \\\"prefx\\\"\"}"},
		{"{\"prefix\":1}", "{\"code\":\"bad_config\",\"message\":\"config: offset 10: want a string, found a number\"}"},
		{"{\"prefix\":", "{\"code\":\"bad_config\",\"message\":\"config: offset 10: not JSON\"}"},
		{"[]", "{\"code\":\"bad_config\",\"message\":\"config: offset 0: want an object, found an array\"}"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		got = dashtest_run(&(dashtest_task){.input = "{}", .config = cases[i].config});
		DASHTEST_CHECK(!got->started && got->status == 1 && got->retry_us == -1);
		DASHTEST_EQUAL(got->failure, cases[i].failure);
		dashtest_free(got);
	}
}

static void values_keep_what_they_are(void) {
	expect("types",
	       "{\"int\":-9223372036854775808,\"double\":0.1,\"bool\":true,\"raw\":9007199254740993.0e0,\"list\":[1, [2,{}] ,\"a,]\\\"\"],\"map\":{\"a\":{\"b\":[]}, \"\\u00e9\\n\":1}}",
	       "{\"int\":-9223372036854775808,\"double\":0.1,\"bool\":true,\"raw\":9007199254740993.0e0,\"list\":[1,[2,{}],\"a,]\\\"\"],\"keys\":[\"a\",\"\xc3\xa9\\n\"]}", "");
	expect("types", "null", "{\"int\":0,\"double\":0,\"bool\":false,\"raw\":null,\"list\":[],\"keys\":[]}", "");
	expect("types", "{ \"int\" : 9223372036854775807 , \"double\":1e300, \"bool\":false }",
	       "{\"int\":9223372036854775807,\"double\":1e+300,\"bool\":false,\"raw\":null,\"list\":[],\"keys\":[]}", "");
	const struct { const char *value, *text; } wrong[] = {
		{"{\"int\":9223372036854775808}", "offset 30: want a whole number of 64 bits, found a number"},
		{"{\"int\":1.5}", "offset 30: want a whole number of 64 bits, found a number"},
		{"{\"int\":\"1\"}", "offset 30: want a whole number, found a string"},
		{"{\"double\":\"1\"}", "offset 33: want a number, found a string"},
		{"{\"bool\":0}", "offset 31: want a boolean, found a number"},
		{"{\"list\":{}}", "offset 31: want an array, found an object"},
		{"{\"map\":[]}", "offset 30: want an object, found an array"},
		{"7", "offset 23: want an object, found a number"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		dashtest_result *got = ask("types", wrong[i].value);
		DASHTEST_CHECK(strstr(got->failure, wrong[i].text) != NULL && strstr(got->failure, "\"bad_input\"") != NULL && got->retry_us == -1);
		DASHTEST_EQUAL(got->output, "");
		dashtest_free(got);
	}
}

static void strings_keep_every_character(void) {
	const struct { const char *in, *out; } cases[] = {
		{"\"\"", "\"\""},
		{"\"plain\"", "\"plain\""},
		{"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\""},
		{"\"\\u001F\\u007f\\u0041\"", "\"\\u001f\x7f" "A\""},
		{"\"\\u00e9\\u20ac\\ud83d\\ude00\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
		{"\"\\ud83d\"", "\"\xef\xbf\xbd\""},
		{"\"\\ud83dx\\ude00\\ud83d\\u0041\"", "\"\xef\xbf\xbdx\xef\xbf\xbd\xef\xbf\xbd" "A\""},
		{"\"\xf0\x9f\x98\x80\xe2\x80\xa8\"", "\"\xf0\x9f\x98\x80\xe2\x80\xa8\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char want[128] = "{\"answer\":";
		expect("echo", cases[i].in, strcat(strcat(want, cases[i].out), "}"), "");
	}
}

/* Text that JSON allows and that it does not, with the offset of the fault. */
static void the_reader_takes_json_and_nothing_else(void) {
	const char *const good[] = {
		"0", "-0", "10.5e-3", "1E+9", "true", "null", "\"\"", "[]", " [ 1 , 2 ] ", "{\"a\":{\"b\":[{}]}}", "\"\\u0000\"", "[\"]\"]",
	};
	const struct { const char *text; size_t offset; } bad[] = {
		{"", 0}, {" ", 1}, {"01", 1}, {"-", 1}, {"1.", 2}, {"1e", 2}, {"+1", 0}, {".5", 0}, {"tru", 0}, {"nulll", 4}, {"[1,]", 3}, {"[1 2]", 3},
		{"{\"a\"}", 4}, {"{a:1}", 1}, {"{\"a\":1,}", 7}, {"[", 1}, {"{\"a\":", 5}, {"\"a", 2}, {"\"\n\"", 1}, {"\"\\x\"", 2}, {"\"\\u12g4\"", 2},
		{"\"\xff\"", 1}, {"\"\xc0\xaf\"", 1}, {"\"\xed\xa0\x80\"", 1}, {"\"\xf4\x90\x80\x80\"", 1}, {"\"\xe2\x82\"", 1}, {"[]]", 2}, {"'a'", 0}, {"1 1", 2},
	};
	dash_json v;
	size_t offset;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) DASHTEST_CHECK(dash_parse(dash_text_of(good[i]), &v, &offset));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		bool ok = dash_parse(dash_text_of(bad[i].text), &v, &offset);
		DASHTEST_CHECK(!ok && v.raw.len == 0);
		DASHTEST_CHECK(offset == bad[i].offset);
		if (ok || offset != bad[i].offset) DASHTEST_EQUAL(bad[i].text, "(the case above)");
	}
	char deep[1100];
	memset(deep, '[', 513);
	memset(deep + 513, ']', 513);
	DASHTEST_CHECK(!dash_parse((dash_text){deep, 1026}, &v, &offset));
	DASHTEST_CHECK(dash_parse((dash_text){deep + 1, 1024}, &v, &offset));
	DASHTEST_CHECK(!dash_parse((dash_text){NULL, 0}, &v, &offset));
}

/* Every cut and every changed byte of a document: it is refused or read, and never read beyond. The buffer is as
 * long as the text, so that the address sanitizer sees a step too far. */
static void broken_text_is_never_read_beyond(void) {
	const char *whole = "{\"ask\":\"types\",\"value\":{\"list\":[1.5e3,\"\\u00e9\\ud83d\\ude00\",null],\"map\":{\"k\":true}}}";
	const char changes[] = "\"\\{}[],:u0 \xf0";
	size_t len = strlen(whole);
	for (size_t at = 1; at < len; at++) {
		for (size_t c = 0; c < sizeof changes; c++) {
			size_t n = c == 0 ? at : len, offset;
			dash_json v;
			char *text = malloc(n);
			memcpy(text, whole, n);
			if (c > 0) text[at] = changes[c - 1];
			bool ok = dash_parse((dash_text){text, n}, &v, &offset);
			dashtest_result *got = dashtest_run(&(dashtest_task){.input = text, .input_len = n});
			DASHTEST_CHECK(offset <= n && (ok || strstr(got->failure, "\"code\":\"bad_input\"") != NULL));
			dashtest_free(got);
			free(text);
		}
	}
}

static void text_is_taken_apart(void) {
	dash_text rest = dash_text_of("a\n\nb\n"), piece;
	char got[16] = "";
	while (dash_split(&rest, '\n', &piece)) {
		strncat(got, piece.ptr, piece.len);
		strcat(got, "|");
	}
	DASHTEST_EQUAL(got, "a||b||");
	rest = (dash_text){"", 0};
	DASHTEST_CHECK(dash_split(&rest, '\n', &piece) && piece.len == 0 && !dash_split(&rest, '\n', &piece));
	DASHTEST_CHECK(dash_has_prefix(dash_text_of("abc"), "ab") && !dash_has_prefix(dash_text_of("a"), "ab"));
	DASHTEST_CHECK(dash_has_suffix(dash_text_of("abc"), "bc") && !dash_has_suffix(dash_text_of("c"), "bc"));
	const char *const names[] = {"ok", "invalid", "not_found", "denied", "conflict", "too_large", "limited", "unavailable", "timeout", "internal", "full", "corrupt", "unsupported", "internal", "pending", "internal"};
	for (int i = 0; i < 16; i++) DASHTEST_EQUAL(dash_errno_name((dash_errno)i), names[i]);
}

int main(void) {
	failures_reach_the_host();
	refusals_keep_their_name_and_text();
	a_call_asks_the_host();
	questions_end_the_call_until_they_are_answered();
	configuration_is_checked_at_the_start();
	values_keep_what_they_are();
	strings_keep_every_character();
	the_reader_takes_json_and_nothing_else();
	broken_text_is_never_read_beyond();
	text_is_taken_apart();
	return dashtest_done();
}
