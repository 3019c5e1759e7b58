#include "dashtest.h"
#include "dash_v1.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
	char *ptr;
	size_t len;
} buffer;

static struct {
	dashtest_task task;
	dashtest_result *result;
	buffer output, failure, routes, sends, questions, log;
	char error[128];
	size_t asked;
	const char *answer;
} host;

static int checks, faults;

static void add(buffer *b, const void *ptr, size_t len) {
	b->ptr = realloc(b->ptr, b->len + len + 1);
	if (b->ptr == NULL) abort();
	if (len > 0) memcpy(b->ptr + b->len, ptr, len);
	b->len += len;
	b->ptr[b->len] = '\0';
}

static void add_line(buffer *b, const char *head, const void *ptr, size_t len) {
	if (b->len > 0) add(b, "\n", 1);
	add(b, head, strlen(head));
	add(b, ptr, len);
}

static int32_t refuse(const char *function, dash_errno why, const char *text) {
	snprintf(host.error, sizeof host.error, "%s: %s", function, text);
	return -(int32_t)why;
}

static int32_t refused(const char *function) {
	if (host.task.refuse == NULL || strcmp(host.task.refuse, function) != 0) return 0;
	return refuse(function, host.task.refusal, "refused by the test");
}

/* A VALUE: all or nothing, always the full length. */
static int32_t give(const char *function, void *buf, uint32_t cap, const char *value, size_t len) {
	int32_t n = refused(function);
	if (n != 0) return n;
	if (len > 0 && len <= cap) memcpy(buf, value, len);
	return (int32_t)len;
}

static int32_t give_text(const char *function, void *buf, uint32_t cap, const char *value) {
	if (value == NULL) value = "";
	return give(function, buf, cap, value, strlen(value));
}

static bool is_json(const void *ptr, size_t len, dash_json *v) {
	size_t offset;
	return dash_parse((dash_text){ptr, len}, v, &offset);
}

int32_t dash_v1_input_read(void *buf, uint32_t cap) {
	return give("input_read", buf, cap, host.task.input, host.task.input_len);
}

int32_t dash_v1_config_read(void *buf, uint32_t cap) { return give_text("config_read", buf, cap, host.task.config); }

int32_t dash_v1_meta_read(void *buf, uint32_t cap) {
	return give_text("meta_read", buf, cap, host.task.meta == NULL ? "{}" : host.task.meta);
}

int32_t dash_v1_last_error(void *buf, uint32_t cap) { return give_text("last_error", buf, cap, host.error); }

int32_t dash_v1_output_write(const void *ptr, uint32_t len) {
	dash_json v;
	int32_t n = refused("output_write");
	if (n != 0) return n;
	if (!is_json(ptr, len, &v) || dash_kind_of(v) != DASH_OBJECT) return refuse("output_write", DASH_INVALID, "want a JSON object");
	host.output.len = 0;
	add(&host.output, ptr, len);
	return 0;
}

int32_t dash_v1_fail(const void *ptr, uint32_t len, int64_t retry_us) {
	int32_t n = refused("fail");
	if (n != 0) return n;
	host.failure.len = 0;
	add(&host.failure, ptr, len);
	host.result->retry_us = retry_us;
	return 0;
}

int32_t dash_v1_route_to(const void *ptr, uint32_t len) {
	int32_t n = refused("route_to");
	if (n == 0) add_line(&host.routes, "", ptr, len);
	return n;
}

int32_t dash_v1_route_send(const void *nptr, uint32_t nlen, const void *iptr, uint32_t ilen) {
	dash_json v;
	int32_t n = refused("route_send");
	if (n != 0) return n;
	if (!is_json(iptr, ilen, &v)) return refuse("route_send", DASH_INVALID, "the item is not JSON");
	add_line(&host.sends, "", nptr, nlen);
	add(&host.sends, " ", 1);
	add(&host.sends, iptr, ilen);
	return 0;
}

int32_t dash_v1_interrupt(const void *ptr, uint32_t len) {
	dash_json v;
	int32_t n = refused("interrupt");
	if (n != 0) return n;
	if (!is_json(ptr, len, &v)) return refuse("interrupt", DASH_INVALID, "the question is not JSON");
	const char *const *answers = host.task.answers;
	add_line(&host.questions, "", ptr, len);
	host.answer = answers == NULL ? NULL : answers[host.asked];
	if (host.answer == NULL) return refuse("interrupt", DASH_PENDING, "no answer yet");
	host.asked++;
	return (int32_t)strlen(host.answer);
}

int32_t dash_v1_answer_read(void *buf, uint32_t cap) {
	if (host.answer == NULL) return refuse("answer_read", DASH_NOT_FOUND, "no question was answered");
	return give_text("answer_read", buf, cap, host.answer);
}

void dash_v1_log(int32_t level, const void *ptr, uint32_t len) {
	add_line(&host.log, (char[]){(char)('0' + level), ' ', '\0'}, ptr, len);
}

int32_t dash_v1_log_enabled(int32_t level) { return level >= 0; }

int64_t dash_v1_clock_now(void) { return ++host.task.now_us; }

/* A stream made from the seed (splitmix64). */
int32_t dash_v1_random(void *buf, uint32_t len) {
	int32_t n = refused("random");
	for (uint32_t i = 0; n == 0 && i < len; i++) {
		uint64_t z = host.task.seed += 0x9e3779b97f4a7c15;
		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
		z = (z ^ z >> 27) * 0x94d049bb133111eb;
		((unsigned char *)buf)[i] = (unsigned char)(z ^ z >> 31);
	}
	return n;
}

int32_t dash_start(uint32_t config_len);
int32_t dash_run(uint32_t input_len);

static const char *taken(buffer *b) {
	if (b->ptr == NULL) add(b, "", 0);
	const char *text = b->ptr;
	*b = (buffer){0};
	return text;
}

dashtest_result *dashtest_run(const dashtest_task *task) {
	memset(&host, 0, sizeof host);
	host.task = *task;
	if (host.task.input != NULL && host.task.input_len == 0) host.task.input_len = strlen(host.task.input);
	if (host.task.now_us == 0) host.task.now_us = 1767225600000000;
	dashtest_result *r = host.result = calloc(1, sizeof *r);
	if (r == NULL) abort();
	r->status = dash_start(task->config == NULL ? 0 : (uint32_t)strlen(task->config));
	r->started = r->status == 0;
	if (r->started) r->status = dash_run((uint32_t)host.task.input_len);
	r->output = taken(&host.output);
	r->failure = taken(&host.failure);
	r->routes = taken(&host.routes);
	r->sends = taken(&host.sends);
	r->questions = taken(&host.questions);
	r->log = taken(&host.log);
	return r;
}

void dashtest_free(dashtest_result *r) {
	const char *const texts[] = {r->output, r->failure, r->routes, r->sends, r->questions, r->log};
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) free((void *)texts[i]);
	free(r);
}

void dashtest_check(const char *file, int line, bool ok, const char *text) {
	checks++;
	if (ok) return;
	faults++;
	printf("%s:%d: not so: %s\n", file, line, text);
}

void dashtest_equal(const char *file, int line, const char *got, const char *want) {
	checks++;
	if (strcmp(got, want) == 0) return;
	faults++;
	printf("%s:%d:\n  got  %s\n  want %s\n", file, line, got, want);
}

int dashtest_done(void) {
	printf("%d checks, %d failed\n", checks, faults);
	return faults > 0 || checks == 0;
}
