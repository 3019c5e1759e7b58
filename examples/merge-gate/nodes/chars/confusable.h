/* Words that are not what they look like. */
#ifndef CONFUSABLE_H
#define CONFUSABLE_H

#include "lines.h"

/* Finds words that read as Latin but are not: every letter that is not ASCII looks like
 * one that is. Words of other scripts, and words that mix scripts visibly, are fine. */
hit confusable(dash_call *call, runes line, bool prose);

/* Writes <U+0430> and returns how many bytes, at most 10. */
size_t code_point(char *to, uint32_t c);

#endif
