/* Classes of characters, as far as this check asks for them. */
#ifndef UNICODE_H
#define UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	LETTER = 1,       /* categories L */
	DIGIT = 2,        /* Nd */
	MARK = 4,         /* M */
	RIGHT_TO_LEFT = 8, /* scripts written so: Hebrew, Arabic, Syriac, Thaana, N'Ko */
	HAS_VARIANTS = 16, /* scripts whose characters have variants: Han, Mongolian */
	NEVER_JOINED = 32, /* scripts in which joiners change nothing: Latin, Greek, Cyrillic, Han, Hangul */
};

typedef struct {
	uint32_t first, last, classes;
} char_run;

extern const char_run char_runs[]; /* in order, apart from each other */
extern const size_t char_run_count;

/* Tells whether c is in one of the classes. */
bool char_is(uint32_t c, uint32_t classes);

#endif
