/*
 * What the C nodes of merge-gate know of files and findings. The Go, Rust and
 * AssemblyScript nodes have the same; all are tested against the same ids.
 */
#ifndef FINDING_H
#define FINDING_H

#include "dashhost.h"

/* One thing that somebody should look at. */
typedef struct {
	char id[17];
	const char *rule;
	const char *severity; /* HIGH, MEDIUM, LOW */
	int64_t line;         /* number in the new file; 0 is the file as a whole */
	dash_text message;
	dash_text excerpt;    /* the place, printable; may be empty */
} finding;

#define HIGH "high"
#define MEDIUM "medium"
#define LOW "low"

/* Identifies a finding over pushes: 16 hex digits of SHA-256 over rule, path and the
 * offending content, each ended by a zero byte. The line number is not in it. */
void finding_id(char id[17], const char *rule, dash_text path, dash_text content);

/* Tells whether a path belongs to test data, where odd content is often meant:
 * findings there are low. */
bool is_fixture(dash_call *call, dash_text path);

/* A copy in which A to Z are small. */
dash_text lower(dash_call *call, dash_text text);

/* What stands before the last slash, and behind it. */
dash_text folder(dash_text path);
dash_text base(dash_text path);

/* The last dot of the base and what follows; empty without one. */
dash_text extension(dash_text path);

/* Tells whether text is one of names, which ends with NULL. */
bool is_one_of(dash_text text, const char *const names[]);

/* SHA-256 (FIPS 180-4) of pieces that are added one by one. */
typedef struct {
	uint32_t state[8];
	uint64_t length;
	unsigned char block[64];
} sha256;

void sha256_begin(sha256 *s);
void sha256_add(sha256 *s, const void *ptr, size_t len);
void sha256_end(sha256 *s, unsigned char digest[32]);

#endif
