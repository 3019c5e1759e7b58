/*
 * dashtest.h - run a node natively, against a host in memory, without wasm.
 *
 *     dashtest_result *got = dashtest_run(&(dashtest_task){.input = "{\"name\":\"ada\"}"});
 *     DASHTEST_EQUAL(got->output, "{\"greeting\":\"hello ada\"}");
 *     dashtest_free(got);
 *     return dashtest_done();
 *
 * Link dashtest.c with the node and the SDK. The host here answers what a node may
 * see and keeps what it did. It checks no grants and no limits, except what
 * refuse names: those are the real host's. It is for one thread.
 */
#ifndef DASHTEST_H
#define DASHTEST_H

#include "dashhost.h"

/* What a node is given. Zero values are a task with empty input and no config. */
typedef struct {
	const char *input;   /* JSON; default none at all */
	size_t input_len;    /* 0: input ends at its zero */
	const char *config;  /* JSON; default none */
	const char *meta;    /* JSON; default {} */
	int64_t now_us;      /* the clock's start; default 2026-01-01 00:00:00 UTC */
	uint64_t seed;       /* varies the random stream */
	const char *refuse;  /* a function of dash_v1 that returns an error ... */
	dash_errno refusal;  /* ... which is this one */
	const char *const *answers; /* JSON, of the questions in order; ends with NULL */
} dashtest_task;

/* What a node did. Texts are lists with one line each, in order, and end with a zero. */
typedef struct {
	int status;       /* of dash_run, or of dash_start if that failed */
	bool started;     /* dash_start succeeded */
	const char *output;   /* JSON; "" when nothing was written */
	const char *failure;  /* the argument of fail; "" when it was not called */
	int64_t retry_us;     /* of fail */
	const char *routes;   /* targets of route_to */
	const char *sends;    /* node, space, item of route_send */
	const char *questions;
	const char *log;      /* level (0 trace to 4 error), space, text */
} dashtest_result;

/* Starts the node and runs one task, as the host does. Free the result. */
dashtest_result *dashtest_run(const dashtest_task *task);
void dashtest_free(dashtest_result *result);

/* Both print what differs, with the place, and count it. */
#define DASHTEST_EQUAL(got, want) dashtest_equal(__FILE__, __LINE__, got, want)
#define DASHTEST_CHECK(condition) dashtest_check(__FILE__, __LINE__, condition, #condition)
void dashtest_equal(const char *file, int line, const char *got, const char *want);
void dashtest_check(const char *file, int line, bool ok, const char *text);

/* Says how many checks were made and how many failed; the exit code of the test. */
int dashtest_done(void);

#endif
