#include "call.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 512 };

/* ---- Reading JSON ---- */

typedef struct {
	const char *at, *end;
	int depth;
} scanner;

static void space(scanner *s) {
	while (s->at < s->end && (*s->at == ' ' || *s->at == '\n' || *s->at == '\r' || *s->at == '\t')) s->at++;
}

static bool take(scanner *s, char c) {
	if (s->at == s->end || *s->at != c) return false;
	s->at++;
	return true;
}

static bool digits(scanner *s) {
	const char *from = s->at;
	while (s->at < s->end && *s->at >= '0' && *s->at <= '9') s->at++;
	return s->at > from;
}

static bool number(scanner *s) {
	take(s, '-');
	if (!take(s, '0') && !digits(s)) return false;
	if (take(s, '.') && !digits(s)) return false;
	if (take(s, 'e') || take(s, 'E')) {
		if (!take(s, '+')) take(s, '-');
		return digits(s);
	}
	return true;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9') return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool escape(scanner *s) {
	if (s->at == s->end) return false;
	char c = *s->at;
	if (c != 'u') {
		if (c == '\0' || strchr("\"\\/bfnrt", c) == NULL) return false;
		s->at++;
		return true;
	}
	if (s->end - s->at < 5) return false;
	for (int i = 1; i <= 4; i++) {
		if (hex_digit(s->at[i]) < 0) return false;
	}
	s->at += 5;
	return true;
}

static bool string(scanner *s) {
	if (!take(s, '"')) return false;
	while (s->at < s->end) {
		unsigned char c = (unsigned char)*s->at;
		uint32_t rune;
		if (c == '"') {
			s->at++;
			return true;
		}
		if (c < ' ') return false;
		if (c == '\\') {
			s->at++;
			if (!escape(s)) return false;
			continue;
		}
		size_t n = c < 0x80 ? 1 : dash_sequence(s->at, (size_t)(s->end - s->at), &rune);
		if (n == 0) return false;
		s->at += n;
	}
	return false;
}

static bool word(scanner *s, const char *w) {
	size_t n = strlen(w);
	if ((size_t)(s->end - s->at) < n || memcmp(s->at, w, n) != 0) return false;
	s->at += n;
	return true;
}

static bool value(scanner *s);

static bool container(scanner *s, char closer) {
	s->at++;
	if (++s->depth > MAX_DEPTH) return false;
	space(s);
	if (!take(s, closer)) {
		do {
			space(s);
			if (closer == '}') {
				if (!string(s)) return false;
				space(s);
				if (!take(s, ':')) return false;
			}
			if (!value(s)) return false;
			space(s);
		} while (take(s, ','));
		if (!take(s, closer)) return false;
	}
	s->depth--;
	return true;
}

static bool value(scanner *s) {
	space(s);
	if (s->at == s->end) return false;
	switch (*s->at) {
	case '{': return container(s, '}');
	case '[': return container(s, ']');
	case '"': return string(s);
	case 't': return word(s, "true");
	case 'f': return word(s, "false");
	case 'n': return word(s, "null");
	default: return number(s);
	}
}

bool dash_parse(dash_text text, dash_json *result, size_t *offset) {
	if (text.len == 0) text.ptr = "";
	scanner s = {.at = text.ptr, .end = text.ptr + text.len};
	space(&s);
	const char *from = s.at;
	bool ok = value(&s);
	const char *to = s.at;
	if (ok) {
		space(&s);
		ok = s.at == s.end;
	}
	*offset = (size_t)(s.at - text.ptr);
	*result = ok ? (dash_json){{from, (size_t)(to - from)}} : (dash_json){{0}};
	return ok;
}

/* The end of the value at p, in text that was checked. */
static const char *skip_string(const char *p) {
	for (p++; *p != '"'; p++) {
		if (*p == '\\') p++;
	}
	return p + 1;
}

static const char *skip(const char *p, const char *end) {
	if (*p == '"') return skip_string(p);
	if (*p != '{' && *p != '[') {
		while (p < end && strchr(",]} \n\r\t", *p) == NULL) p++;
		return p;
	}
	for (int depth = 0;;) {
		switch (*p) {
		case '"': p = skip_string(p); continue;
		case '{': case '[': depth++; break;
		case '}': case ']':
			if (--depth == 0) return p + 1;
		}
		p++;
	}
}

dash_kind dash_kind_of(dash_json v) {
	if (v.raw.len == 0) return DASH_ABSENT;
	switch (v.raw.ptr[0]) {
	case '{': return DASH_OBJECT;
	case '[': return DASH_ARRAY;
	case '"': return DASH_STRING;
	case 't': case 'f': return DASH_BOOL;
	case 'n': return DASH_NULL;
	default: return DASH_NUMBER;
	}
}

/* Remembers the first value that is not what the node took it for. */
static void not_a(dash_call *call, dash_json v, const char *want) {
	static const char *const names[] = {"nothing", "null", "a boolean", "a number", "a string", "an array", "an object"};
	if (call->bad.len > 0) return;
	const char *from = call->source.ptr, *at = v.raw.ptr;
	const char *found = names[dash_kind_of(v)];
	dash_text text = from != NULL && at >= from && at < from + call->source.len
	    ? dash_format(call, "%s: offset %zu: want %s, found %s", call->subject, (size_t)(at - from), want, found)
	    : dash_format(call, "a value beside the %s: want %s, found %s", call->subject, want, found);
	call->bad = dash_keep(call, text);
}

/* Tells whether v is of the kind; a value that is not there is fine, and has nothing in it. */
static bool is_a(dash_call *call, dash_json v, dash_kind kind, const char *want) {
	dash_kind is = dash_kind_of(v);
	if (is == kind) return true;
	if (is > DASH_NULL) not_a(call, v, want);
	return false;
}

static size_t hex4(const char *p, uint32_t *r) {
	*r = 0;
	for (int i = 0; i < 4; i++) *r = *r << 4 | (uint32_t)hex_digit(p[i]);
	return 4;
}

/* Decodes the inside of a string, which was checked; text without escapes is not copied. */
static dash_text unquote(dash_call *call, dash_text raw) {
	const char *p = raw.ptr + 1, *end = raw.ptr + raw.len - 1;
	dash_text inside = {p, (size_t)(end - p)};
	if (inside.len == 0 || memchr(p, '\\', inside.len) == NULL) return inside;
	char *to = dash_alloc(call, inside.len), *from = to;
	while (p < end) {
		const char *plain = memchr(p, '\\', (size_t)(end - p));
		size_t n = (size_t)((plain == NULL ? end : plain) - p);
		memcpy(to, p, n);
		to += n;
		p += n;
		if (plain == NULL) break;
		p += 2;
		switch (p[-1]) {
		case 'b': *to++ = '\b'; break;
		case 'f': *to++ = '\f'; break;
		case 'n': *to++ = '\n'; break;
		case 'r': *to++ = '\r'; break;
		case 't': *to++ = '\t'; break;
		case 'u': {
			uint32_t r, low;
			p += hex4(p, &r);
			if (r >= 0xd800 && r < 0xdc00 && end - p >= 6 && p[0] == '\\' && p[1] == 'u') {
				hex4(p + 2, &low);
				if (low >= 0xdc00 && low < 0xe000) {
					r = 0x10000 + ((r - 0xd800) << 10) + (low - 0xdc00);
					p += 6;
				}
			}
			to += dash_encode_rune(to, r); /* at most as long as the escape was */
			break;
		}
		default: *to++ = p[-1];
		}
	}
	return (dash_text){from, (size_t)(to - from)};
}

dash_text dash_text_value(dash_call *call, dash_json v) {
	return is_a(call, v, DASH_STRING, "a string") ? unquote(call, v.raw) : (dash_text){"", 0};
}

int64_t dash_int_value(dash_call *call, dash_json v) {
	if (!is_a(call, v, DASH_NUMBER, "a whole number")) return 0;
	bool negative = v.raw.ptr[0] == '-';
	uint64_t n = 0, most = negative ? (uint64_t)INT64_MAX + 1 : INT64_MAX;
	for (size_t i = negative; i < v.raw.len; i++) {
		uint64_t digit = (uint64_t)(v.raw.ptr[i] - '0');
		if (digit > 9 || n > (most - digit) / 10) {
			not_a(call, v, "a whole number of 64 bits");
			return 0;
		}
		n = n * 10 + digit;
	}
	return negative ? (int64_t)(0 - n) : (int64_t)n;
}

double dash_double_value(dash_call *call, dash_json v) {
	if (!is_a(call, v, DASH_NUMBER, "a number")) return 0;
	char *ended = dash_alloc(call, v.raw.len + 1);
	memcpy(ended, v.raw.ptr, v.raw.len);
	return strtod(ended, NULL);
}

bool dash_bool_value(dash_call *call, dash_json v) {
	return is_a(call, v, DASH_BOOL, "a boolean") && v.raw.ptr[0] == 't';
}

dash_iter dash_members(dash_call *call, dash_json v) {
	if (!is_a(call, v, DASH_OBJECT, "an object")) return (dash_iter){.call = call};
	return (dash_iter){.call = call, .at = v.raw.ptr + 1, .end = v.raw.ptr + v.raw.len};
}

dash_iter dash_items(dash_call *call, dash_json v) {
	if (!is_a(call, v, DASH_ARRAY, "an array")) return (dash_iter){.call = call};
	return (dash_iter){.call = call, .at = v.raw.ptr + 1, .end = v.raw.ptr + v.raw.len};
}

bool dash_next(dash_iter *it) {
	scanner s = {.at = it->at, .end = it->end};
	space(&s);
	if (take(&s, ',')) space(&s);
	if (s.at == s.end || *s.at == '}' || *s.at == ']') return false;
	if (it->end[-1] == '}') {
		const char *key = s.at;
		s.at = skip_string(key);
		it->key = unquote(it->call, (dash_text){key, (size_t)(s.at - key)});
		space(&s);
		take(&s, ':');
		space(&s);
	}
	const char *from = s.at;
	it->at = skip(from, it->end);
	it->value = (dash_json){{from, (size_t)(it->at - from)}};
	return true;
}

dash_json dash_get(dash_call *call, dash_json object, const char *name) {
	for (dash_iter it = dash_members(call, object); dash_next(&it);) {
		if (dash_is(it.key, name)) return it.value;
	}
	return (dash_json){{0}};
}

dash_text dash_get_text(dash_call *call, dash_json object, const char *name) {
	return dash_text_value(call, dash_get(call, object, name));
}

int64_t dash_get_int(dash_call *call, dash_json object, const char *name) {
	return dash_int_value(call, dash_get(call, object, name));
}

double dash_get_double(dash_call *call, dash_json object, const char *name) {
	return dash_double_value(call, dash_get(call, object, name));
}

bool dash_get_bool(dash_call *call, dash_json object, const char *name) {
	return dash_bool_value(call, dash_get(call, object, name));
}

dash_status dash_only(dash_call *call, dash_json config, const char *const names[]) {
	for (dash_iter it = dash_members(call, config); dash_next(&it);) {
		size_t i = 0;
		while (names[i] != NULL && !dash_is(it.key, names[i])) i++;
		if (names[i] == NULL) return dash_fatal(call, "bad_config", "config: unknown field \"" DASH_F "\"", DASH_A(it.key));
	}
	return DASH_DONE;
}

/* ---- Writing JSON ---- */

dash_writer *dash_new_writer(dash_call *call) {
	dash_writer *w = calloc(1, sizeof *w);
	if (w == NULL) dash_out_of_memory(sizeof *w);
	w->next = call->writers;
	call->writers = w;
	return w;
}

static void put(dash_writer *w, const char *ptr, size_t len) {
	if (len == 0) return;
	if (w->cap - w->len < len) {
		if (len > SIZE_MAX / 2 - w->len) dash_out_of_memory(len);
		w->cap = (w->len + len) * 2;
		w->ptr = realloc(w->ptr, w->cap);
		if (w->ptr == NULL) dash_out_of_memory(w->cap);
	}
	memcpy(w->ptr + w->len, ptr, len);
	w->len += len;
}

/* A value, or the name of a member, begins. */
static void begin(dash_writer *w) {
	if (w->comma) put(w, ",", 1);
	w->comma = true;
}

static void open(dash_writer *w, const char *bracket) {
	begin(w);
	put(w, bracket, 1);
	w->comma = false;
}

static void close(dash_writer *w, const char *bracket) {
	put(w, bracket, 1);
	w->comma = true;
}

void dash_open_object(dash_writer *w) { open(w, "{"); }
void dash_close_object(dash_writer *w) { close(w, "}"); }
void dash_open_array(dash_writer *w) { open(w, "["); }
void dash_close_array(dash_writer *w) { close(w, "]"); }

static void quote(dash_writer *w, dash_text text) {
	static const char hex[] = "0123456789abcdef", named[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
	put(w, "\"", 1);
	for (size_t i = 0, from = 0; i <= text.len;) {
		unsigned char c = i < text.len ? (unsigned char)text.ptr[i] : 0;
		uint32_t rune;
		size_t n = i == text.len ? 0 : c < ' ' || c == '"' || c == '\\' ? 0 : dash_sequence(text.ptr + i, text.len - i, &rune);
		if (n > 0) {
			i += n;
			continue;
		}
		put(w, text.ptr + from, i - from);
		if (i < text.len) {
			const char *found = c == 0 ? NULL : strchr(named, c);
			if (c >= 0x80) {
				put(w, "\xef\xbf\xbd", 3);
			} else if (found != NULL) {
				put(w, (char[]){'\\', letters[found - named]}, 2);
			} else {
				put(w, (char[]){'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6);
			}
		}
		from = ++i;
	}
	put(w, "\"", 1);
}

void dash_key(dash_writer *w, const char *name) {
	begin(w);
	quote(w, dash_text_of(name));
	put(w, ":", 1);
	w->comma = false;
}

void dash_put_text(dash_writer *w, dash_text text) {
	begin(w);
	quote(w, text);
}

static void put_word(dash_writer *w, const char *s) {
	begin(w);
	put(w, s, strlen(s));
}

void dash_put_int(dash_writer *w, int64_t n) {
	char buf[24];
	snprintf(buf, sizeof buf, "%lld", (long long)n);
	put_word(w, buf);
}

void dash_put_double(dash_writer *w, double d) {
	char buf[32] = "null";
	for (int precision = 15; isfinite(d) && precision <= 17; precision++) {
		snprintf(buf, sizeof buf, "%.*g", precision, d);
		if (strtod(buf, NULL) == d) break;
	}
	put_word(w, buf);
}

void dash_put_bool(dash_writer *w, bool b) { put_word(w, b ? "true" : "false"); }

void dash_put_json(dash_writer *w, dash_json v) {
	begin(w);
	if (v.raw.len == 0) v.raw = dash_text_of("null");
	put(w, v.raw.ptr, v.raw.len);
}

dash_json dash_written(dash_writer *w) { return (dash_json){{w->ptr, w->len}}; }
