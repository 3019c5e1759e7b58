/* The check of ../README.md in C. */
#include "dashhost.h"

#include <string.h>

static char channel[64];

static dash_status setup(dash_call *call, dash_json config) {
	DASH_TRY(dash_only(call, config, (const char *const[]){"to", NULL}));
	dash_text to = dash_get_text(call, config, "to");
	if (to.len == 0 || to.len >= sizeof channel) return dash_fatal(call, "bad_config", "config: want {\"to\": CHANNEL}");
	memcpy(channel, to.ptr, to.len); /* the rest is zero: an instance is started once */
	return DASH_DONE;
}

static bool ends_in(dash_text text, const char *blank, size_t *len) {
	*len = strlen(blank);
	return dash_has_suffix(text, blank);
}

/* The text without the blanks at its end. */
static dash_text trim_end(dash_text text) {
	size_t n;
	while (ends_in(text, " ", &n) || ends_in(text, "\t", &n) || ends_in(text, "\xc2\xa0", &n) || ends_in(text, "\xe3\x80\x80", &n)) text.len -= n;
	return text;
}

static bool continues(char byte) { return (byte & 0xc0) == 0x80; }

static int64_t characters(dash_text text) {
	int64_t n = 0;
	for (size_t i = 0; i < text.len; i++) n += !continues(text.ptr[i]);
	return n;
}

/* The last n characters. */
static dash_text last(dash_text text, int n) {
	size_t from = text.len;
	for (; from > 0 && n > 0; n--) {
		do from--;
		while (from > 0 && continues(text.ptr[from]));
	}
	return (dash_text){text.ptr + from, text.len - from};
}

static void check(dash_writer *out, dash_text path, dash_json size, int64_t number, dash_text line) {
	if (dash_has_suffix(line, "\r")) line.len--;
	dash_text text = trim_end(line);
	if (text.len == line.len) return;
	dash_open_object(out);
	dash_key(out, "path");
	dash_put_text(out, path);
	dash_key(out, "line");
	dash_put_int(out, number);
	dash_key(out, "column");
	dash_put_int(out, characters(text) + 1);
	dash_key(out, "excerpt");
	dash_put_text(out, last(line, 20));
	if (dash_kind_of(size) > DASH_NULL) {
		dash_key(out, "size");
		dash_put_json(out, size);
	}
	dash_close_object(out);
}

static dash_status run(dash_call *call, dash_json in, dash_writer *out) {
	dash_open_object(out);
	dash_key(out, channel);
	dash_open_array(out);
	for (dash_iter file = dash_items(call, dash_get(call, in, "files")); dash_next(&file);) {
		dash_text path = dash_get_text(call, file.value, "path");
		dash_json size = dash_get(call, file.value, "size");
		for (dash_iter added = dash_items(call, dash_get(call, file.value, "added")); dash_next(&added);) {
			int64_t number = dash_get_int(call, added.value, "line");
			dash_text rest = dash_get_text(call, added.value, "text"), line;
			for (; dash_split(&rest, '\n', &line); number++) check(out, path, size, number, line);
		}
	}
	dash_close_array(out);
	dash_close_object(out);
	return DASH_DONE;
}

const dash_node dash_main = {.run = run, .start = setup};
