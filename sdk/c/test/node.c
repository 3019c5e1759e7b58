/* A node that does what "ask" says: what reaches the host, and how failures look. */
#include "dashhost.h"

#include <string.h>

static struct { char prefix[32]; } state;

static dash_status start(dash_call *call, dash_json config) {
	DASH_TRY(dash_only(call, config, (const char *const[]){"prefix", NULL}));
	dash_text prefix = dash_get_text(call, config, "prefix");
	if (prefix.len >= sizeof state.prefix) return dash_fatal(call, "bad_config", "prefix: too long");
	memset(&state, 0, sizeof state);
	if (prefix.len > 0) memcpy(state.prefix, prefix.ptr, prefix.len);
	return DASH_DONE;
}

static dash_json approve(dash_call *call, const char *what) {
	dash_writer *w = dash_new_writer(call);
	dash_open_object(w);
	dash_key(w, "approve");
	dash_put_text(w, dash_text_of(what));
	dash_close_object(w);
	return dash_written(w);
}

static void answer(dash_writer *out, dash_text text) {
	dash_open_object(out);
	dash_key(out, "answer");
	dash_put_text(out, text);
	dash_close_object(out);
}

static dash_status run(dash_call *call, dash_json in, dash_writer *out) {
	dash_text ask = dash_get_text(call, in, "ask");
	dash_json value = dash_get(call, in, "value");
	if (dash_is(ask, "plain")) return dash_fail(call, "failed", "it %s", "broke");
	if (dash_is(ask, "silent")) return DASH_FAILED;
	if (dash_is(ask, "nothing")) return DASH_DONE;
	if (dash_is(ask, "fatal")) return dash_fatal(call, "bad", "m");
	if (dash_is(ask, "details")) {
		dash_fail(call, "busy", "m");
		dash_details(call, value);
		dash_retry_after(call, 1500000);
		return DASH_FAILED;
	}
	if (dash_is(ask, "keep")) {
		answer(out, dash_text_of("kept"));
		dash_fail(call, "findings", "3 high");
		dash_keep_output(call);
		return DASH_FAILED;
	}
	if (dash_is(ask, "routes")) {
		DASH_TRY(dash_route_to(call, "b"));
		DASH_TRY(dash_route_send(call, "c", value));
		dash_log(DASH_INFO, "routed %d", 1);
		return DASH_DONE;
	}
	if (dash_is(ask, "go on")) {
		if (dash_route_to(call, "b") != DASH_DONE) answer(out, dash_text_of(dash_errno_name(dash_last_errno(call))));
		return DASH_DONE;
	}
	if (dash_is(ask, "random")) {
		unsigned char b[4];
		DASH_TRY(dash_random(call, b, sizeof b));
		answer(out, dash_format(call, "%02x%02x%02x%02x", b[0], b[1], b[2], b[3]));
		return DASH_DONE;
	}
	if (dash_is(ask, "meta")) {
		dash_json meta;
		DASH_TRY(dash_meta(call, &meta));
		answer(out, dash_get_text(call, meta, "node"));
		return DASH_DONE;
	}
	if (dash_is(ask, "memory")) { /* texts and large pieces, and a failure among them */
		for (int i = 0; i < 20000; i++) {
			dash_mark mark = dash_memory_mark(call);
			memset(dash_alloc(call, (size_t)i), 1, (size_t)i);
			dash_text text = dash_format(call, "text %d", i);
			if (i == 100) dash_fail(call, "x", DASH_F, DASH_A(text));
			dash_memory_reset(call, mark);
		}
		return DASH_FAILED;
	}
	if (dash_is(ask, "clock")) {
		int64_t first = dash_now();
		answer(out, dash_format(call, "%lld %d", (long long)first, dash_now() > first));
		return DASH_DONE;
	}
	if (dash_is(ask, "people")) {
		dash_json first, second;
		DASH_TRY(dash_ask(call, approve(call, "deploy"), &first));
		DASH_TRY(dash_ask(call, approve(call, "announce"), &second));
		answer(out, dash_format(call, DASH_F "+" DASH_F, DASH_A(first.raw), DASH_A(second.raw)));
		return DASH_DONE;
	}
	if (dash_is(ask, "swallow")) {
		dash_json a;
		if (dash_ask(call, approve(call, "x"), &a) != DASH_DONE) return DASH_DONE;
		return DASH_DONE;
	}
	if (dash_is(ask, "bad status")) return DASH_INTERRUPTED;
	if (dash_is(ask, "bad json")) {
		dash_open_array(out);
		dash_close_object(out);
		return DASH_DONE;
	}
	if (dash_is(ask, "types")) {
		dash_open_object(out);
		dash_key(out, "int");
		dash_put_int(out, dash_get_int(call, value, "int"));
		dash_key(out, "double");
		dash_put_double(out, dash_get_double(call, value, "double"));
		dash_key(out, "bool");
		dash_put_bool(out, dash_get_bool(call, value, "bool"));
		dash_key(out, "raw");
		dash_put_json(out, dash_get(call, value, "raw"));
		dash_key(out, "list");
		dash_open_array(out);
		for (dash_iter it = dash_items(call, dash_get(call, value, "list")); dash_next(&it);) dash_put_json(out, it.value);
		dash_close_array(out);
		dash_key(out, "keys");
		dash_open_array(out);
		for (dash_iter it = dash_members(call, dash_get(call, value, "map")); dash_next(&it);) dash_put_text(out, it.key);
		dash_close_array(out);
		dash_close_object(out);
		return DASH_DONE;
	}
	answer(out, dash_format(call, "%s" DASH_F, state.prefix, DASH_A(dash_text_value(call, value))));
	if (dash_is(ask, "echo")) return DASH_DONE;
	return dash_fail(call, "failed", "ask: unknown");
}

const dash_node dash_main = {.run = run, .start = start};
