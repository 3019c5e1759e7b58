#include "confusable.h"
#include "unicode.h"

/* Letters of other scripts and the ASCII letters they look like in common fonts: Cyrillic, Greek, Armenian, Cherokee,
 * Latin beyond ASCII; in order. Letters that Greek formulas use beside Latin ones and that differ in most fonts are not
 * here. */
static const struct {
	uint32_t letter;
	char like;
} alikes[] = {
	{0x0251, 'a'}, {0x0261, 'g'}, {0x0269, 'i'}, {0x028f, 'y'}, {0x0391, 'A'}, {0x0392, 'B'}, {0x0395, 'E'},
	{0x0396, 'Z'}, {0x0397, 'H'}, {0x0399, 'I'}, {0x039a, 'K'}, {0x039c, 'M'}, {0x039d, 'N'}, {0x039f, 'O'},
	{0x03a1, 'P'}, {0x03a4, 'T'}, {0x03a5, 'Y'}, {0x03a7, 'X'}, {0x03b9, 'i'}, {0x03bf, 'o'}, {0x03f3, 'j'},
	{0x0405, 'S'}, {0x0406, 'I'}, {0x0408, 'J'}, {0x0410, 'A'}, {0x0412, 'B'}, {0x0415, 'E'}, {0x041a, 'K'},
	{0x041c, 'M'}, {0x041d, 'H'}, {0x041e, 'O'}, {0x0420, 'P'}, {0x0421, 'C'}, {0x0422, 'T'}, {0x0425, 'X'},
	{0x0430, 'a'}, {0x0435, 'e'}, {0x043e, 'o'}, {0x0440, 'p'}, {0x0441, 'c'}, {0x0443, 'y'}, {0x0445, 'x'},
	{0x0455, 's'}, {0x0456, 'i'}, {0x0458, 'j'}, {0x0474, 'V'}, {0x0475, 'v'}, {0x04ae, 'Y'}, {0x04bb, 'h'},
	{0x04c0, 'I'}, {0x04cf, 'l'}, {0x0501, 'd'}, {0x050c, 'G'}, {0x051a, 'Q'}, {0x051b, 'q'}, {0x051c, 'W'},
	{0x051d, 'w'}, {0x0566, 'q'}, {0x0570, 'h'}, {0x0578, 'n'}, {0x057d, 'u'}, {0x0581, 'g'}, {0x0585, 'o'},
	{0x13a2, 'T'}, {0x13aa, 'A'}, {0x13ab, 'J'}, {0x13ac, 'E'}, {0x13b3, 'W'}, {0x13b7, 'M'}, {0x13bb, 'H'},
	{0x13c3, 'Z'}, {0x13da, 'S'}, {0x13de, 'L'}, {0x13df, 'C'}, {0x13e2, 'P'}, {0x13e6, 'K'}, {0x13f4, 'B'},
	{0x1d04, 'c'}, {0x1d0f, 'o'}, {0x1d1c, 'u'}, {0x1d20, 'v'}, {0x1d21, 'w'}, {0x1d22, 'z'}, {0x2170, 'i'},
	{0x2174, 'v'}, {0x2179, 'x'}, {0x217c, 'l'}, {0x217d, 'c'}, {0x217e, 'd'}, {0x217f, 'm'},
};

/* The ASCII letter that c looks like, 0 if none. */
static char latin_of(uint32_t c) {
	if (c >= 0xff21 && c <= 0xff3a) return (char)('A' + c - 0xff21); /* full width */
	if (c >= 0xff41 && c <= 0xff5a) return (char)('a' + c - 0xff41);
	if (c >= 0x1d400 && c <= 0x1d6a3) { /* mathematical alphabets, 52 letters each */
		uint32_t n = (c - 0x1d400) % 52;
		return (char)(n < 26 ? 'A' + n : 'a' + n - 26);
	}
	size_t low = 0, high = sizeof alikes / sizeof *alikes;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (alikes[middle].letter < c) low = middle + 1;
		else high = middle;
	}
	return low < sizeof alikes / sizeof *alikes && alikes[low].letter == c ? alikes[low].like : 0;
}

static bool in_word(uint32_t c) { return c == '_' || char_is(c, LETTER | DIGIT | MARK); }

/* How many ASCII letters, look-alikes of them, and other letters a word has. */
typedef struct {
	int ascii, alike, other;
} letters;

static letters judge(runes word) {
	letters n = {0};
	for (size_t i = 0; i < word.len; i++) {
		uint32_t c = word.at[i];
		if (c <= 0x7f) {
			n.ascii += c != '_' && !char_is(c, DIGIT);
		} else if (latin_of(c) != 0) {
			n.alike++;
		} else if (char_is(c, LETTER)) {
			n.other++;
		}
	}
	return n;
}

/* Tells whether a call, an assignment or an index follows: the word is a name. */
static bool is_name(runes line, size_t i) {
	while (i < line.len && line.at[i] == ' ') i++;
	return i < line.len && (line.at[i] == '(' || line.at[i] == '=' || line.at[i] == '[');
}

size_t code_point(char *to, uint32_t c) {
	size_t n = 0;
	to[n++] = '<';
	to[n++] = 'U';
	to[n++] = '+';
	for (int shift = c > 0xfffff ? 20 : c > 0xffff ? 16 : 12; shift >= 0; shift -= 4) to[n++] = "0123456789ABCDEF"[c >> shift & 15];
	to[n++] = '>';
	return n;
}

/* A word with what is not ASCII as code points. */
static dash_text spell(dash_call *call, runes word) {
	char *out = dash_alloc(call, word.len * 10), *to = out;
	for (size_t i = 0; i < word.len; i++) to += word.at[i] > 0x7f ? code_point(to, word.at[i]) : dash_encode_rune(to, word.at[i]);
	return (dash_text){out, (size_t)(to - out)};
}

/* A word as it reads. */
static dash_text latin(dash_call *call, runes word) {
	char *out = dash_alloc(call, word.len * 4), *to = out;
	for (size_t i = 0; i < word.len; i++) {
		char like = latin_of(word.at[i]);
		to += dash_encode_rune(to, like != 0 ? (uint32_t)like : word.at[i]);
	}
	return (dash_text){out, (size_t)(to - out)};
}

hit confusable(dash_call *call, runes line, bool prose) {
	bool foreign = false; /* the line has words of another script, so it is a text in it */
	runes word = {0}, alone = {0};
	for (size_t i = 0; i < line.len;) {
		if (!in_word(line.at[i])) {
			i++;
			continue;
		}
		runes this = {line.at + i, 0};
		while (i < line.len && in_word(line.at[i])) {
			i++;
			this.len++;
		}
		letters n = judge(this);
		if (n.other > 0) {
			foreign = true;
		} else if (n.alike > 0 && n.ascii > 0) {
			if (word.len == 0) word = this;
		} else if (n.alike > 1 && alone.len == 0 && is_name(line, i)) {
			alone = this;
		} else if (n.alike > 1) {
			foreign = true;
		}
	}
	if (word.len > 0) {
		const char *severity = foreign ? LOW : prose ? MEDIUM : HIGH;
		return (hit){"confusable", severity, dash_format(call, "the word " DASH_F " is not the one it looks like (" DASH_F ")",
		                                                 DASH_A(spell(call, word)), DASH_A(latin(call, word)))};
	}
	if (alone.len > 0 && !foreign && !prose) {
		return (hit){"confusable", MEDIUM, dash_format(call, "the name " DASH_F " looks like the Latin " DASH_F,
		                                               DASH_A(spell(call, alone)), DASH_A(latin(call, alone)))};
	}
	return (hit){0};
}
