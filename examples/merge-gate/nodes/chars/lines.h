/* The rules on what stands in a line, apart from its length. */
#ifndef LINES_H
#define LINES_H

#include "finding.h"

/* A line as characters. */
typedef struct {
	const uint32_t *at;
	size_t len;
} runes;

/* One rule broken by a line; a line breaks each rule once. rule is NULL if it does not. */
typedef struct {
	const char *rule, *severity;
	dash_text message;
} hit;

enum { RULES = 4 };

/* Judges one line that is not plain ASCII. first: of its file. prose: documentation or
 * translations, whose point are other scripts. Writes the hits to found, and returns how many. */
size_t look(dash_call *call, dash_text line, bool first, bool prose, hit found[RULES]);

/* Tells whether text has nothing but printable ASCII, tabs and line ends. */
bool plain(dash_text text);

/* A line made printable and short: what has no glyph or moves others is written as its code point. */
dash_text excerpt(dash_call *call, dash_text line);

#endif
