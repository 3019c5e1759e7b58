#include "lines.h"
#include "confusable.h"
#include "unicode.h"

#include <stdlib.h>

static bool between(uint32_t c, uint32_t first, uint32_t last) { return c >= first && c <= last; }

static bool is_bidi(uint32_t c) { return between(c, 0x202a, 0x202e) || between(c, 0x2066, 0x2069); }

static bool is_direction_mark(uint32_t c) { return c == 0x200e || c == 0x200f || c == 0x061c; }

static bool is_override(uint32_t c) { return c == 0x202d || c == 0x202e; }

static bool is_tag(uint32_t c) { return between(c, 0xe0000, 0xe007f); }

static bool is_selector(uint32_t c) { return between(c, 0xfe00, 0xfe0f) || between(c, 0xe0100, 0xe01ef); }

static bool is_emoji(uint32_t c) {
	return between(c, 0x1f000, 0x1faff) || between(c, 0x2190, 0x2bff) || c == 0x3030 || c == 0x303d || c == 0x3297 || c == 0x3299;
}

/* Characters with emoji or text variants: (c), digits of keycaps. */
static bool is_symbolic(uint32_t c) {
	return c == 0xa9 || c == 0xae || c == '#' || c == '*' || between(c, '0', '9') || c == 0x203c || c == 0x2049 || c == 0x2122 || c == 0x2139;
}

/* Characters of scripts in which joiners change what is displayed. */
static bool is_joined(uint32_t c) { return c > 0x7f && char_is(c, LETTER | MARK) && !char_is(c, NEVER_JOINED); }

static bool is_blank(uint32_t c) {
	switch (c) {
	case 0x00ad: case 0x034f: case 0x115f: case 0x1160: case 0x17b4: case 0x17b5: case 0x180e: case 0x3164: case 0xfeff: case 0xffa0:
		return true;
	default:
		return between(c, 0x200b, 0x200d) || c == 0x2028 || c == 0x2029 || between(c, 0x2060, 0x2064) || between(c, 0x206a, 0x206f) ||
		       between(c, 0xfff9, 0xfffb);
	}
}

/* Controls of the writing direction belong into prose of scripts written from right to left, closed on the same
 * line; overrides belong nowhere. */
static hit bidi(dash_call *call, runes line, bool prose) {
	uint32_t worst = 0;
	int open = 0;
	bool right_to_left = false;
	for (size_t i = 0; i < line.len; i++) {
		uint32_t c = line.at[i];
		if (is_override(c)) {
			worst = c;
		} else if (is_bidi(c)) {
			if (worst == 0) worst = c;
			open += c == 0x202c || c == 0x2069 ? -1 : 1;
		} else if (is_direction_mark(c)) {
			if (worst == 0) worst = c;
		} else if (char_is(c, RIGHT_TO_LEFT)) {
			right_to_left = true;
		}
	}
	if (worst == 0) return (hit){0};
	bool mark = is_direction_mark(worst);
	if (!is_override(worst) && right_to_left && (mark || (prose && open == 0))) return (hit){0};
	if (mark) {
		return (hit){"bidi-control", MEDIUM, dash_format(call, "U+%04X, a mark of writing direction, in a line without such writing", worst)};
	}
	return (hit){"bidi-control", HIGH, dash_format(call, "U+%04X changes the order in which this line is displayed: it does not read as it runs", worst)};
}

/* Tells whether the tag character at i belongs to a flag: a black flag, then tags up to the closing one. */
static bool in_flag(runes line, size_t i) {
	while (i > 0 && between(line.at[i], 0xe0020, 0xe007f)) i--;
	return line.at[i] == 0x1f3f4;
}

/* Characters without a glyph, except where a script or an emoji sequence needs them. */
static hit invisible(dash_call *call, runes line, bool first) {
	int selectors = 0;
	for (size_t i = 0; i < line.len; i++) {
		uint32_t c = line.at[i], before = i > 0 ? line.at[i - 1] : 0, after = i + 1 < line.len ? line.at[i + 1] : 0;
		if (is_selector(c)) {
			if (++selectors >= 3) return (hit){"invisible", HIGH, dash_text_of("a row of variation selectors: hidden data")};
			if (!is_selector(before) && !is_emoji(before) && !is_symbolic(before) && !char_is(before, HAS_VARIANTS)) {
				return (hit){"invisible", MEDIUM, dash_format(call, "U+%04X, a variation selector after a character that has no variants", c)};
			}
			continue;
		}
		selectors = 0;
		if (is_tag(c)) {
			if (in_flag(line, i)) continue;
			return (hit){"invisible", HIGH, dash_format(call, "U+%04X, a tag character: text that is not displayed", c)};
		}
		bool joins = (c == 0x200d && (is_emoji(before) || is_selector(before)) && is_emoji(after)) || ((c == 0x200c || c == 0x200d) && is_joined(before));
		bool order_mark = c == 0xfeff && first && i == 0;
		bool hyphen = c == 0x00ad && before > 0x7f && char_is(before, LETTER) && char_is(after, LETTER);
		if (is_blank(c) && !joins && !order_mark && !hyphen) {
			return (hit){"invisible", MEDIUM, dash_format(call, "U+%04X has no glyph: words that look the same are not", c)};
		}
	}
	return (hit){0};
}

/* Characters that act on a terminal. */
static hit control(dash_call *call, runes line) {
	size_t text = line.len;
	while (text > 0 && line.at[text - 1] == '\r') text--; /* line ends of Windows */
	for (size_t i = 0; i < text; i++) {
		uint32_t c = line.at[i];
		if (c == '\t' || c == '\f' || between(c, ' ', 0x7e) || c > 0x9f) continue;
		if (c == '\r') {
			return (hit){"control-char", HIGH, dash_text_of("a carriage return inside the line: a terminal shows only what comes after it")};
		}
		return (hit){"control-char", MEDIUM, dash_format(call, "U+%04X acts on a terminal instead of being displayed", c)};
	}
	return (hit){0};
}

size_t look(dash_call *call, dash_text line, bool first, bool prose, hit found[RULES]) {
	uint32_t *at = malloc(line.len * sizeof *at); /* not of the call: one line after the other has this */
	if (at == NULL) {
		dash_log(DASH_ERROR, "out of memory: a line of %zu bytes", line.len);
		abort();
	}
	runes r = {.at = at};
	for (size_t i = 0; i < line.len;) at[r.len++] = dash_decode_rune(line, &i);
	const hit hits[RULES] = {bidi(call, r, prose), invisible(call, r, first), control(call, r), confusable(call, r, prose)};
	free(at);
	size_t n = 0;
	for (int i = 0; i < RULES; i++) {
		if (hits[i].rule != NULL) found[n++] = hits[i];
	}
	return n;
}

bool plain(dash_text text) {
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.ptr[i];
		if (c >= 0x7f || (c < ' ' && c != '\n' && c != '\t')) return false;
	}
	return true;
}

dash_text excerpt(dash_call *call, dash_text line) {
	enum { MOST = 120, LONGEST = 10 }; /* characters; bytes that one becomes */
	while (line.len > 0 && (*line.ptr == ' ' || *line.ptr == '\t')) line = (dash_text){line.ptr + 1, line.len - 1};
	char *out = dash_alloc(call, MOST * LONGEST + 4), *to = out;
	size_t i = 0;
	for (int n = 0; i < line.len && n < MOST; n++) {
		uint32_t c = dash_decode_rune(line, &i);
		if (c == '\t') {
			*to++ = ' ';
		} else if (c < ' ' || between(c, 0x7f, 0x9f) || is_bidi(c) || is_direction_mark(c) || is_blank(c) || is_selector(c) || is_tag(c)) {
			to += code_point(to, c);
		} else {
			to += dash_encode_rune(to, c);
		}
	}
	for (int dots = 0; i < line.len && dots < 3; dots++) *to++ = '.';
	return (dash_text){out, (size_t)(to - out)};
}
