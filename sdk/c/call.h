/*
 * call.h - what dashhost.c and json.c know of a call; not for nodes.
 */
#ifndef DASH_CALL_H
#define DASH_CALL_H

#include "dashhost.h"

/* Memory of a call comes from chunks, the newest first in its list. */
typedef struct dash_chunk {
	struct dash_chunk *next;
	size_t used, size;
	max_align_t data[];
} dash_chunk;

struct dash_writer {
	dash_writer *next;
	char *ptr;
	size_t len, cap;
	bool comma; /* a value stands before: the next one needs a comma */
};

struct dash_call {
	dash_chunk *chunks; /* small pieces share them */
	dash_chunk *large;  /* a piece each */
	dash_chunk *kept;   /* a piece each, which dash_memory_reset leaves alone */
	dash_writer *writers;
	const char *subject; /* "input" or "config": what is read */
	dash_text source;    /* of it, for offsets */
	dash_text bad;       /* the first value that was not what the node read it as */
	dash_text code, message, details;
	int64_t retry_us;
	bool failed, keep_output, pending;
	dash_errno last;
};

/* A copy of text that dash_memory_reset leaves alone. */
dash_text dash_keep(dash_call *call, dash_text text);

_Noreturn void dash_out_of_memory(size_t size); /* says so in the log, and traps */

/* The length of the UTF-8 sequence at p, which has len > 0 bytes, and its character; 0 if there is none. */
size_t dash_sequence(const char *p, size_t len, uint32_t *rune);

#endif
