// Reads a JSON document of some 60 KiB into a tree and writes it again: recursive descent, many small calls.
#include "../program.h"
#include <string.h>

enum kind { NUL, BOOLEAN, NUMBER, STRING, ARRAY, OBJECT };

struct value {
	enum kind kind;
	double number;
	const char *text; // of a string, or an object's member name in name
	uint32_t length;
	const char *name;
	uint32_t name_length;
	struct value *first, *next;
};

static char document[1 << 17], written[1 << 17];
static struct value pool[1 << 14];
static uint32_t used, out;
static const char *at;

static void blank(void) {
	while (*at == ' ' || *at == '\n' || *at == '\t' || *at == '\r') at++;
}

static void string(const char **text, uint32_t *length) {
	const char *begin = ++at;
	while (*at != '"') at += *at == '\\' ? 2 : 1;
	*text = begin, *length = (uint32_t)(at - begin);
	at++;
}

static double number(void) {
	double v = 0, scale = 1;
	int negative = *at == '-';
	at += negative;
	while (*at >= '0' && *at <= '9') v = v * 10 + (*at++ - '0');
	if (*at == '.') {
		at++;
		while (*at >= '0' && *at <= '9') v = v * 10 + (*at++ - '0'), scale *= 10;
	}
	return (negative ? -v : v) / scale;
}

static struct value *parse(void);

static struct value *items(struct value *parent, char close, int named) {
	struct value **tail = &parent->first;
	at++;
	for (blank(); *at != close; blank()) {
		const char *name = 0;
		uint32_t length = 0;
		if (named) {
			string(&name, &length);
			blank();
			at++;
		}
		struct value *v = parse();
		v->name = name, v->name_length = length;
		*tail = v, tail = &v->next;
		blank();
		if (*at == ',') at++;
	}
	at++;
	return parent;
}

__attribute__((noinline)) static struct value *parse(void) {
	blank();
	struct value *v = &pool[used++];
	memset(v, 0, sizeof *v);
	switch (*at) {
	case '{':
		v->kind = OBJECT;
		return items(v, '}', 1);
	case '[':
		v->kind = ARRAY;
		return items(v, ']', 0);
	case '"':
		v->kind = STRING;
		string(&v->text, &v->length);
		return v;
	case 't':
		v->kind = BOOLEAN, v->number = 1, at += 4;
		return v;
	case 'f':
		v->kind = BOOLEAN, at += 5;
		return v;
	case 'n':
		at += 4;
		return v;
	}
	v->kind = NUMBER, v->number = number();
	return v;
}

static void put(const char *text, uint32_t n) {
	memcpy(written + out, text, n);
	out += n;
}

#define PUT(s) put(s, sizeof(s) - 1)

static void put_string(const char *text, uint32_t n) {
	written[out++] = '"';
	put(text, n);
	written[out++] = '"';
}

static void put_number(double v) {
	char digits[24];
	int n = 0;
	if (v < 0) written[out++] = '-', v = -v;
	uint64_t whole = (uint64_t)v;
	do digits[n++] = (char)('0' + whole % 10), whole /= 10;
	while (whole);
	while (n) written[out++] = digits[--n];
	uint32_t part = (uint32_t)((v - (double)(uint64_t)v) * 1000 + 0.5);
	if (!part) return;
	written[out++] = '.';
	for (uint32_t d = 100; d; d /= 10) written[out++] = (char)('0' + part / d % 10);
}

__attribute__((noinline)) static void print(const struct value *v) {
	switch (v->kind) {
	case NUL: PUT("null"); return;
	case BOOLEAN: v->number != 0 ? PUT("true") : PUT("false"); return;
	case NUMBER: put_number(v->number); return;
	case STRING: put_string(v->text, v->length); return;
	default: break;
	}
	written[out++] = v->kind == ARRAY ? '[' : '{';
	for (const struct value *i = v->first; i; i = i->next) {
		if (v->kind == OBJECT) {
			put_string(i->name, i->name_length);
			written[out++] = ':';
		}
		print(i);
		if (i->next) written[out++] = ',';
	}
	written[out++] = v->kind == ARRAY ? ']' : '}';
}

static void make(void) {
	out = 0;
	PUT("[");
	for (int i = 0; i < 400; i++) {
		PUT("{ \"id\": ");
		put_number(next() % 100000);
		PUT(", \"name\": \"member number\", \"tags\": [\"a\", \"bc\", [1, 2.5, -3]], \"score\": ");
		put_number((double)(next() % 1000000) / 1000);
		PUT(", \"nested\": {\"on\": true, \"off\": false, \"none\": null}},\n");
	}
	PUT("0]");
	memcpy(document, written, out);
}

uint64_t run(uint32_t n) {
	uint64_t sum = 0;
	make();
	for (uint32_t k = 0; k < n; k++) {
		used = out = 0;
		at = document;
		print(parse());
		sum = sum * 31 + out;
		for (uint32_t i = 0; i < out; i += 97) sum = sum * 31 + (uint8_t)written[i];
	}
	return sum;
}
