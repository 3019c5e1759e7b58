/*
 * dashhost.h - write a node of a dashhost workflow in C11.
 *
 * A node is one function from input to output. The host reads and writes the
 * channels, keeps the state, enforces the limits and decides what the node may reach.
 *
 *     static dash_status greet(dash_call *call, dash_json in, dash_writer *out) {
 *         dash_text name = dash_get_text(call, in, "name");     // a channel under "reads"
 *         if (name.len == 0)
 *             return dash_fail(call, "no_name", "channel name: empty, want a name");
 *         dash_open_object(out);
 *         dash_key(out, "greeting");                            // a channel under "writes"
 *         dash_put_text(out, dash_format(call, "hello " DASH_F, DASH_A(name)));
 *         dash_close_object(out);
 *         return DASH_DONE;
 *     }
 *
 *     const dash_node dash_main = {.run = greet};
 *
 * Memory that these functions return belongs to the call and lives until its
 * function returns. There is nothing to free, and no result is NULL: a node that
 * gets no more memory logs so and traps.
 *
 * Wrong types in the input need no check. Where a value is not what a function here
 * was asked to read, it gives an empty one and remembers the first such place; when
 * run returns, the task fails for good with the code bad_input, whatever was written.
 */
#ifndef DASHHOST_H
#define DASHHOST_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- The node ---- */

typedef struct dash_call dash_call;     /* one running task, or the start of the node */
typedef struct dash_writer dash_writer; /* JSON being written */

/* Bytes, UTF-8 where they come from JSON. Not ended by a zero, and may contain one. */
typedef struct {
	const char *ptr;
	size_t len;
} dash_text;

/* A value inside JSON that was checked; raw.len 0 is a value that is not there. */
typedef struct {
	dash_text raw; /* as it was written: a number keeps every digit */
} dash_json;

/* What run and start return, and what every function returns that can be refused. */
typedef enum {
	DASH_DONE = 0,
	DASH_FAILED = 1,      /* the call has its failure: return this, or go on */
	DASH_INTERRUPTED = 2, /* a question waits for its answer: return this */
} dash_status;

/* Every program defines one of these as dash_main. */
typedef struct {
	/* One task. in is the object of the channels that the node reads, and of "item"
	 * under each or route_send. Write the object of the channels to out, or nothing. */
	dash_status (*run)(dash_call *call, dash_json in, dash_writer *out);
	/* Once per instance, before the first task: the node's config in the manifest, a
	 * value that is not there if it has none. What it builds is kept in static
	 * variables, not in memory of the call. May log and fail, nothing else. NULL: the
	 * node takes no config, and refuses to start with one. */
	dash_status (*start)(dash_call *call, dash_json config);
} dash_node;

extern const dash_node dash_main;

/* Returns the status from the function around it, unless it is DASH_DONE. */
#define DASH_TRY(expression)                      \
	do {                                          \
		dash_status dash_try_ = (expression);     \
		if (dash_try_ != DASH_DONE) return dash_try_; \
	} while (0)

/* ---- Failure ---- */

/* Says why the call is about to fail, and returns DASH_FAILED. The code is what retry
 * policies and on_error edges match; the message (a printf format) is for people:
 * subject, cause, what to do. A later call replaces an earlier one. */
dash_status dash_fail(dash_call *call, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like dash_fail, and no retry can help: the input itself is wrong. */
dash_status dash_fatal(dash_call *call, const char *code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* After dash_fail: ask for a retry, not before us microseconds have passed. */
void dash_retry_after(dash_call *call, int64_t us);

/* After dash_fail: what was written to out counts all the same. */
void dash_keep_output(dash_call *call);

/* After dash_fail: data for programs. */
void dash_details(dash_call *call, dash_json details);

/* ---- Text and memory ---- */

/* For printf formats: dash_format(call, "no file " DASH_F, DASH_A(path)). Ends at a zero byte. */
#define DASH_F "%.*s"
#define DASH_A(text) (int)(text).len, (text).ptr

dash_text dash_text_of(const char *s);         /* a view, without the final zero */
bool dash_is(dash_text text, const char *s);   /* equal to s */
bool dash_same(dash_text a, dash_text b);
bool dash_has_prefix(dash_text text, const char *prefix);
bool dash_has_suffix(dash_text text, const char *suffix);

/* The text up to the next separator, which is cut from *rest with it. false when
 * nothing is left; a text that ends in a separator has an empty last piece. Begin with
 * rest = the text; an empty text has one empty piece. */
bool dash_split(dash_text *rest, char separator, dash_text *piece);

dash_text dash_format(dash_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *dash_alloc(dash_call *call, size_t size); /* zeroed, aligned for any type */

/* For loops that run long: what was taken from the call's memory after the mark is given
 * back, texts that were decoded or formatted since then too. Writers are not concerned,
 * and failures keep their texts. */
typedef struct {
	void *chunk, *large;
	size_t used;
} dash_mark;

dash_mark dash_memory_mark(dash_call *call);
void dash_memory_reset(dash_call *call, dash_mark mark);

/* The next character of UTF-8, and moves *at behind it; U+FFFD for each byte that is
 * none. Requires *at < text.len. */
uint32_t dash_decode_rune(dash_text text, size_t *at);

/* Writes r as UTF-8 and returns how many bytes, 1 to 4; U+FFFD for what is no character. */
size_t dash_encode_rune(char buf[4], uint32_t r);

/* ---- Reading JSON ---- */

typedef enum {
	DASH_ABSENT, DASH_NULL, DASH_BOOL, DASH_NUMBER, DASH_STRING, DASH_ARRAY, DASH_OBJECT,
} dash_kind;

dash_kind dash_kind_of(dash_json value);

/* Checks text (RFC 8259, UTF-8, at most 512 levels) and gives its value. If it is
 * not JSON, the result is false and *offset says where. */
bool dash_parse(dash_text text, dash_json *value, size_t *offset);

/* The first member of that name. Absent when there is none; also of a value that is
 * absent or null itself. */
dash_json dash_get(dash_call *call, dash_json object, const char *name);

/* A value as C sees it. Absent and null are "", 0 and false. */
dash_text dash_text_value(dash_call *call, dash_json value);
int64_t dash_int_value(dash_call *call, dash_json value); /* whole numbers of 64 bits */
double dash_double_value(dash_call *call, dash_json value);
bool dash_bool_value(dash_call *call, dash_json value);

/* The same of a member. */
dash_text dash_get_text(dash_call *call, dash_json object, const char *name);
int64_t dash_get_int(dash_call *call, dash_json object, const char *name);
double dash_get_double(dash_call *call, dash_json object, const char *name);
bool dash_get_bool(dash_call *call, dash_json object, const char *name);

/* Walks an array or an object; absent and null have nothing in them.
 *
 *     for (dash_iter it = dash_items(call, files); dash_next(&it);)
 *         check(it.value);
 */
typedef struct {
	dash_text key;   /* of a member; empty in an array */
	dash_json value;
	dash_call *call; /* this and what follows are the library's */
	const char *at, *end;
} dash_iter;

dash_iter dash_items(dash_call *call, dash_json array);
dash_iter dash_members(dash_call *call, dash_json object);
bool dash_next(dash_iter *it);

/* Fails the start of a node whose config has a member that is not in names, which
 * ends with NULL: a misspelt line of a manifest shall not look as if it worked. */
dash_status dash_only(dash_call *call, dash_json config, const char *const names[]);

/* ---- Writing JSON ---- */

/* Commas and colons come by themselves. Calls in an order that makes no JSON give
 * what the host refuses, and the task fails with the place. */
dash_writer *dash_new_writer(dash_call *call);
void dash_open_object(dash_writer *w);
void dash_close_object(dash_writer *w);
void dash_open_array(dash_writer *w);
void dash_close_array(dash_writer *w);
void dash_key(dash_writer *w, const char *name);
void dash_put_text(dash_writer *w, dash_text text); /* bytes that are no UTF-8 become U+FFFD */
void dash_put_int(dash_writer *w, int64_t n);
void dash_put_double(dash_writer *w, double d);     /* null if it is not finite */
void dash_put_bool(dash_writer *w, bool b);
void dash_put_json(dash_writer *w, dash_json value); /* unchanged; null if it is absent */
dash_json dash_written(dash_writer *w);              /* what is there so far */

/* ---- The host ---- */

typedef enum { DASH_TRACE, DASH_DEBUG, DASH_INFO, DASH_WARN, DASH_ERROR } dash_level;

/* Why the host refused; numbers that are not listed mean DASH_INTERNAL. */
typedef enum {
	DASH_OK = 0,
	DASH_INVALID = 1,
	DASH_NOT_FOUND = 2,
	DASH_DENIED = 3,
	DASH_CONFLICT = 4,
	DASH_TOO_LARGE = 5,
	DASH_LIMITED = 6,
	DASH_UNAVAILABLE = 7,
	DASH_TIMEOUT = 8,
	DASH_FULL = 10,
	DASH_CORRUPT = 11,
	DASH_UNSUPPORTED = 12,
	DASH_INTERNAL = 13,
	DASH_PENDING = 14,
} dash_errno;

const char *dash_errno_name(dash_errno e); /* "too_large", as the ABI calls it */

/* The functions below that return a status make the refusal the call's failure: its
 * code is the errno's name, so that "on: [unavailable]" in a retry policy does what it
 * says. A node that can do without looks here why, and goes on. */
dash_errno dash_last_errno(dash_call *call);

/* For functions of dash_v1.h: turns a negative result into a status, as described. */
dash_status dash_check(dash_call *call, const char *function, int64_t result);

/* Asks a person. The first time, the result is DASH_INTERRUPTED: return it at once,
 * and the task ends until somebody has answered; then it runs again from its beginning
 * and this call gives the answer. Questions must be the same, in the same order, each
 * time. Needs interrupts: true on the node.
 *
 *     dash_json answer;
 *     DASH_TRY(dash_ask(call, dash_written(question), &answer));
 */
dash_status dash_ask(dash_call *call, dash_json question, dash_json *answer);

/* Names a node that runs next; the graph must have an edge that allows it. */
dash_status dash_route_to(dash_call *call, const char *node);

/* Makes a task of node with an input of its own, which it finds in "item". */
dash_status dash_route_send(dash_call *call, const char *node, dash_json item);

/* Which task this is: the object that the ABI describes under meta_read. */
dash_status dash_meta(dash_call *call, dash_json *meta);

/* Random bytes; needs the grant random. */
dash_status dash_random(dash_call *call, void *buf, size_t len);

/* Microseconds since 1970: real with the grant clock, else a virtual time that moves
 * on by 1 with each reading. */
int64_t dash_now(void);

/* One line to the task's log. Never fails: what is over the limit is cut, and counted. */
void dash_log(dash_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool dash_log_enabled(dash_level level);

#endif
