#include "dashhost.h"
#include "call.h"
#include "dash_v1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 16 << 10 };

/* ---- Text and memory ---- */

_Noreturn void dash_out_of_memory(size_t size) {
	dash_log(DASH_ERROR, "out of memory: %zu bytes more", size);
	__builtin_trap();
}

static void *must(void *memory, size_t size) {
	if (memory == NULL) dash_out_of_memory(size);
	return memory;
}

static dash_chunk *push(dash_chunk **list, size_t size) {
	if (size > SIZE_MAX - sizeof(dash_chunk)) dash_out_of_memory(size);
	dash_chunk *c = must(malloc(sizeof *c + size), size);
	*c = (dash_chunk){.next = *list, .size = size};
	return *list = c;
}

static void pop_to(dash_chunk **list, const dash_chunk *end) {
	while (*list != end) {
		dash_chunk *c = *list;
		*list = c->next;
		free(c);
	}
}

void *dash_alloc(dash_call *call, size_t size) {
	if (size > CHUNK / 4) return memset(push(&call->large, size)->data, 0, size);
	size = (size + sizeof(max_align_t) - 1) / sizeof(max_align_t) * sizeof(max_align_t);
	dash_chunk *c = call->chunks;
	if (c == NULL || c->size - c->used < size) c = push(&call->chunks, CHUNK);
	void *memory = (char *)c->data + c->used;
	c->used += size;
	return memset(memory, 0, size);
}

dash_text dash_keep(dash_call *call, dash_text text) {
	char *copy = (char *)push(&call->kept, text.len)->data;
	if (text.len > 0) memcpy(copy, text.ptr, text.len);
	return (dash_text){copy, text.len};
}

dash_mark dash_memory_mark(dash_call *call) {
	return (dash_mark){call->chunks, call->large, call->chunks == NULL ? 0 : call->chunks->used};
}

void dash_memory_reset(dash_call *call, dash_mark mark) {
	pop_to(&call->chunks, mark.chunk);
	pop_to(&call->large, mark.large);
	if (call->chunks != NULL) call->chunks->used = mark.used;
}

dash_text dash_text_of(const char *s) { return (dash_text){s, strlen(s)}; }

bool dash_same(dash_text a, dash_text b) {
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool dash_is(dash_text text, const char *s) { return dash_same(text, dash_text_of(s)); }

bool dash_has_prefix(dash_text text, const char *prefix) {
	size_t n = strlen(prefix);
	return text.len >= n && memcmp(text.ptr, prefix, n) == 0;
}

bool dash_has_suffix(dash_text text, const char *suffix) {
	size_t n = strlen(suffix);
	return text.len >= n && memcmp(text.ptr + text.len - n, suffix, n) == 0;
}

bool dash_split(dash_text *rest, char separator, dash_text *piece) {
	if (rest->ptr == NULL) return false;
	const char *found = rest->len == 0 ? NULL : memchr(rest->ptr, separator, rest->len);
	if (found == NULL) {
		*piece = *rest;
		*rest = (dash_text){0};
		return true;
	}
	*piece = (dash_text){rest->ptr, (size_t)(found - rest->ptr)};
	*rest = (dash_text){found + 1, rest->len - piece->len - 1};
	return true;
}

static dash_text vformat(dash_call *call, const char *format, va_list args) {
	va_list again;
	va_copy(again, args);
	int n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0) return dash_text_of(format);
	char *memory = dash_alloc(call, (size_t)n + 1);
	vsnprintf(memory, (size_t)n + 1, format, args);
	return (dash_text){memory, (size_t)n};
}

dash_text dash_format(dash_call *call, const char *format, ...) {
	va_list args;
	va_start(args, format);
	dash_text text = vformat(call, format, args);
	va_end(args);
	return text;
}

size_t dash_sequence(const char *p, size_t len, uint32_t *rune) {
	static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *b = (const unsigned char *)p;
	if (b[0] < 0x80) {
		*rune = b[0];
		return 1;
	}
	size_t n = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	if (b[0] < 0xc2 || b[0] > 0xf4 || len < n) return 0;
	uint32_t r = b[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80) return 0;
		r = r << 6 | (b[i] & 0x3f);
	}
	if (r < least[n] || r > 0x10ffff || (r >= 0xd800 && r <= 0xdfff)) return 0;
	*rune = r;
	return n;
}

uint32_t dash_decode_rune(dash_text text, size_t *at) {
	uint32_t rune;
	size_t n = dash_sequence(text.ptr + *at, text.len - *at, &rune);
	*at += n > 0 ? n : 1;
	return n > 0 ? rune : 0xfffd;
}

size_t dash_encode_rune(char buf[4], uint32_t r) {
	if (r > 0x10ffff || (r >= 0xd800 && r <= 0xdfff)) r = 0xfffd;
	if (r < 0x80) {
		buf[0] = (char)r;
		return 1;
	}
	size_t n = r < 0x800 ? 2 : r < 0x10000 ? 3 : 4;
	for (size_t i = n - 1; i > 0; i--, r >>= 6) buf[i] = (char)(0x80 | (r & 0x3f));
	buf[0] = (char)((0xf00 >> n) | r);
	return n;
}

/* ---- Failure ---- */

static dash_status set_failure(dash_call *call, const char *code, dash_text message, int64_t retry_us) {
	call->failed = true;
	call->code = dash_keep(call, dash_text_of(code));
	call->message = dash_keep(call, message);
	call->details = (dash_text){0};
	call->retry_us = retry_us;
	call->keep_output = false;
	return DASH_FAILED;
}

dash_status dash_fail(dash_call *call, const char *code, const char *format, ...) {
	va_list args;
	va_start(args, format);
	dash_text message = vformat(call, format, args);
	va_end(args);
	return set_failure(call, code, message, 0);
}

dash_status dash_fatal(dash_call *call, const char *code, const char *format, ...) {
	va_list args;
	va_start(args, format);
	dash_text message = vformat(call, format, args);
	va_end(args);
	return set_failure(call, code, message, -1);
}

void dash_retry_after(dash_call *call, int64_t us) { call->retry_us = us > 0 ? us : 0; }

void dash_keep_output(dash_call *call) { call->keep_output = true; }

void dash_details(dash_call *call, dash_json details) { call->details = dash_keep(call, details.raw); }

/* ---- The host ---- */

const char *dash_errno_name(dash_errno e) {
	switch (e) {
	case DASH_OK: return "ok";
	case DASH_INVALID: return "invalid";
	case DASH_NOT_FOUND: return "not_found";
	case DASH_DENIED: return "denied";
	case DASH_CONFLICT: return "conflict";
	case DASH_TOO_LARGE: return "too_large";
	case DASH_LIMITED: return "limited";
	case DASH_UNAVAILABLE: return "unavailable";
	case DASH_TIMEOUT: return "timeout";
	case DASH_FULL: return "full";
	case DASH_CORRUPT: return "corrupt";
	case DASH_UNSUPPORTED: return "unsupported";
	case DASH_PENDING: return "pending";
	default: return "internal";
	}
}

dash_errno dash_last_errno(dash_call *call) { return call->last; }

/* Reads a VALUE result. The host writes only what fits and always gives the full length, so a buffer of the
 * right size needs one call. */
static dash_status read_value(dash_call *call, const char *name, int32_t (*read)(void *, uint32_t), size_t size, dash_text *result) {
	for (;;) {
		char *buf = dash_alloc(call, size);
		int32_t n = read(buf, (uint32_t)size);
		if (n < 0) return dash_check(call, name, n);
		if ((size_t)n <= size) {
			*result = (dash_text){buf, (size_t)n};
			return DASH_DONE;
		}
		size = (size_t)n;
	}
}

/* The text of the error; without one, nothing. */
static dash_text last_error(dash_call *call) {
	size_t size = 256;
	for (;;) {
		char *buf = dash_alloc(call, size);
		int32_t n = dash_v1_last_error(buf, (uint32_t)size);
		if (n < 0) return (dash_text){"", 0};
		if ((size_t)n <= size) return (dash_text){buf, (size_t)n};
		size = (size_t)n;
	}
}

dash_status dash_check(dash_call *call, const char *function, int64_t result) {
	call->last = DASH_OK;
	if (result >= 0) return DASH_DONE;
	call->last = result < -DASH_PENDING ? DASH_INTERNAL : (dash_errno)-result;
	const char *name = dash_errno_name(call->last);
	dash_text text = last_error(call);
	const char *colon = text.len > 0 ? ": " : "";
	return dash_fail(call, name, "%s: %s%s" DASH_F, function, name, colon, DASH_A(text));
}

dash_status dash_ask(dash_call *call, dash_json question, dash_json *answer) {
	*answer = (dash_json){{0}};
	int32_t n = dash_v1_interrupt(question.raw.ptr, (uint32_t)question.raw.len);
	if (n == -DASH_PENDING) {
		call->last = DASH_PENDING;
		call->pending = true;
		return DASH_INTERRUPTED;
	}
	DASH_TRY(dash_check(call, "interrupt", n));
	dash_text text;
	size_t offset;
	DASH_TRY(read_value(call, "answer_read", dash_v1_answer_read, (size_t)n, &text));
	if (!dash_parse(text, answer, &offset)) return dash_fatal(call, "bad_answer", "answer: offset %zu: not JSON", offset);
	return DASH_DONE;
}

dash_status dash_route_to(dash_call *call, const char *node) {
	return dash_check(call, "route_to", dash_v1_route_to(node, (uint32_t)strlen(node)));
}

dash_status dash_route_send(dash_call *call, const char *node, dash_json item) {
	int32_t n = dash_v1_route_send(node, (uint32_t)strlen(node), item.raw.ptr, (uint32_t)item.raw.len);
	return dash_check(call, "route_send", n);
}

dash_status dash_meta(dash_call *call, dash_json *meta) {
	*meta = (dash_json){{0}};
	dash_text text;
	size_t offset;
	DASH_TRY(read_value(call, "meta_read", dash_v1_meta_read, 512, &text));
	if (!dash_parse(text, meta, &offset)) return dash_fail(call, "internal", "meta_read: offset %zu: not JSON", offset);
	return DASH_DONE;
}

dash_status dash_random(dash_call *call, void *buf, size_t len) {
	return len == 0 ? DASH_DONE : dash_check(call, "random", dash_v1_random(buf, (uint32_t)len));
}

int64_t dash_now(void) { return dash_v1_clock_now(); }

void dash_log(dash_level level, const char *format, ...) {
	char line[512], *text = line;
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (n < 0) return;
	if ((size_t)n >= sizeof line) {
		char *longer = malloc((size_t)n + 1);
		if (longer == NULL) {
			n = sizeof line - 1; /* what fits says more than nothing */
		} else {
			va_start(args, format);
			vsnprintf(longer, (size_t)n + 1, format, args);
			va_end(args);
			text = longer;
		}
	}
	dash_v1_log((int32_t)level, text, (uint32_t)n);
	if (text != line) free(text);
}

bool dash_log_enabled(dash_level level) { return dash_v1_log_enabled((int32_t)level) > 0; }

/* ---- The exports ---- */

static dash_status write_output(dash_call *call, dash_writer *out) {
	return out->len == 0 ? DASH_DONE : dash_check(call, "output_write", dash_v1_output_write(out->ptr, (uint32_t)out->len));
}

/* Tells the host why. When it refuses even that, the status alone says it. */
static dash_status report(dash_call *call) {
	if (!call->failed) return DASH_FAILED;
	dash_writer *w = dash_new_writer(call);
	dash_open_object(w);
	dash_key(w, "code");
	dash_put_text(w, call->code);
	dash_key(w, "message");
	dash_put_text(w, call->message);
	if (call->details.len > 0) {
		dash_key(w, "details");
		dash_put_json(w, (dash_json){call->details});
	}
	if (call->keep_output) {
		dash_key(w, "keep_output");
		dash_put_bool(w, true);
	}
	dash_close_object(w);
	dash_v1_fail(w->ptr, (uint32_t)w->len, call->retry_us);
	return DASH_FAILED;
}

static dash_status fail_keeping(dash_call *call, dash_writer *out) {
	dash_text code = call->code, message = call->message;
	if (call->keep_output && write_output(call, out) != DASH_DONE) {
		dash_log(DASH_ERROR, DASH_F ": " DASH_F, DASH_A(code), DASH_A(message));
	}
	return report(call);
}

static dash_status read_json(dash_call *call, const char *name, int32_t (*read)(void *, uint32_t), uint32_t len, dash_json *v) {
	size_t offset = 0;
	DASH_TRY(read_value(call, name, read, len, &call->source));
	if (call->source.len > 0 && !dash_parse(call->source, v, &offset)) {
		const char *code = read == dash_v1_input_read ? "bad_input" : "bad_config";
		return dash_fatal(call, code, "%s: offset %zu: not JSON", call->subject, offset);
	}
	return DASH_DONE;
}

static dash_status run(dash_call *call, uint32_t input_len) {
	dash_json in = {{0}};
	dash_writer *out = dash_new_writer(call);
	if (read_json(call, "input_read", dash_v1_input_read, input_len, &in) != DASH_DONE) return report(call);
	dash_status status = dash_main.run(call, in, out);
	if (call->pending) return DASH_INTERRUPTED;
	if (call->bad.len > 0) {
		set_failure(call, "bad_input", call->bad, -1);
		return report(call);
	}
	if (status == DASH_INTERRUPTED) {
		dash_fatal(call, "bad_status", "run: returned DASH_INTERRUPTED, and no question waits");
		return report(call);
	}
	if (status != DASH_DONE) return fail_keeping(call, out);
	return write_output(call, out) == DASH_DONE ? DASH_DONE : report(call);
}

static dash_status start(dash_call *call, uint32_t config_len) {
	dash_json config = {{0}};
	if (read_json(call, "config_read", dash_v1_config_read, config_len, &config) != DASH_DONE) return report(call);
	dash_status status = DASH_DONE;
	if (dash_main.start != NULL) {
		status = dash_main.start(call, config);
	} else if (dash_kind_of(config) > DASH_NULL && !dash_is(config.raw, "{}")) {
		status = dash_fatal(call, "bad_config", "config: this node takes none");
	}
	if (call->bad.len > 0) status = set_failure(call, "bad_config", call->bad, -1);
	return status == DASH_DONE ? DASH_DONE : report(call);
}

static int32_t finish(dash_call *call, dash_status status) {
	while (call->writers != NULL) {
		dash_writer *w = call->writers;
		call->writers = w->next;
		free(w->ptr);
		free(w);
	}
	pop_to(&call->chunks, NULL);
	pop_to(&call->large, NULL);
	pop_to(&call->kept, NULL);
	return (int32_t)status;
}

#ifdef __wasm__
#define EXPORT(name) __attribute__((export_name(#name)))
#else
#define EXPORT(name)
#endif

EXPORT(dash_start) int32_t dash_start(uint32_t config_len);
EXPORT(dash_run) int32_t dash_run(uint32_t input_len);

int32_t dash_start(uint32_t config_len) {
	dash_call call = {.subject = "config"};
	return finish(&call, start(&call, config_len));
}

int32_t dash_run(uint32_t input_len) {
	dash_call call = {.subject = "input"};
	return finish(&call, run(&call, input_len));
}
