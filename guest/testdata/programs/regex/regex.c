// A backtracking matcher of small patterns (letters, '.', classes, *, +, ?) searched for in 16 KiB of text.
#include "../program.h"

static char text[1 << 14];

static int one(const char *p, char c) {
	if (*p != '[') return c && (*p == '.' || *p == c);
	int in = 0;
	for (p++; *p != ']'; p++) {
		if (p[1] == '-') {
			in |= c >= *p && c <= p[2];
			p += 2;
		} else {
			in |= c == *p;
		}
	}
	return in;
}

static const char *after(const char *p) {
	if (*p == '[') {
		while (*p != ']') p++;
	}
	return p + 1;
}

__attribute__((noinline)) static const char *match(const char *p, const char *t) {
	if (!*p) return t;
	const char *rest = after(p), *end;
	switch (*rest) {
	case '?':
		if (one(p, *t) && (end = match(rest + 1, t + 1))) return end;
		return match(rest + 1, t);
	case '*':
	case '+': {
		const char *far = t;
		while (one(p, *far)) far++;
		for (const char *least = t + (*rest == '+'); far >= least; far--) {
			if ((end = match(rest + 1, far))) return end;
		}
		return 0;
	}
	}
	return one(p, *t) ? match(rest, t + 1) : 0;
}

uint64_t run(uint32_t n) {
	static const char *const patterns[] = {"[a-f]+x[0-9]?y", "ab*c.*q[u-z]", "[a-z]+@[a-z]+\\.c", "zz?y+.[mno]*p"};
	uint64_t sum = 0;
	for (uint32_t i = 0; i < sizeof text - 1; i++) {
		uint32_t r = next() % 40;
		text[i] = (char)(r < 26 ? 'a' + r : r < 36 ? '0' + r - 26 : r == 36 ? '@' : ' ');
	}
	for (uint32_t k = 0; k < n; k++) {
		for (uint32_t p = 0; p < sizeof patterns / sizeof *patterns; p++) {
			for (const char *t = text; *t; t++) {
				const char *end = match(patterns[p], t);
				if (end) sum = sum * 31 + (uint64_t)(end - t);
			}
		}
	}
	return sum + 1;
}
