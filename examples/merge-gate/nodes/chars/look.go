package main

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/dashhost/dashhost/examples/merge-gate/nodes/finding"
)

// hit is one rule broken by a line; a line breaks each rule once.
type hit struct{ rule, severity, message string }

// look judges one line that is not plain ASCII.
func look(line string, first, prose bool) []hit {
	runes := []rune(line)
	var hits []hit
	for _, rule := range []func([]rune, bool, bool) (hit, bool){bidi, invisible, control} {
		if h, ok := rule(runes, first, prose); ok {
			hits = append(hits, h)
		}
	}
	if h, ok := confusable(runes, prose); ok {
		hits = append(hits, h)
	}
	return hits
}

func isBidi(r rune) bool { return r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 }

func isMark(r rune) bool { return r == 0x200e || r == 0x200f || r == 0x061c }

// bidi finds controls of the writing direction. They belong into prose of scripts
// written from right to left, closed on the same line; overrides belong nowhere.
func bidi(line []rune, _, prose bool) (hit, bool) {
	var worst rune
	open, rtl := 0, false
	for _, r := range line {
		switch {
		case r == 0x202d || r == 0x202e:
			worst = r
		case isBidi(r):
			if worst == 0 {
				worst = r
			}
			if r == 0x202c || r == 0x2069 {
				open--
			} else {
				open++
			}
		case isMark(r):
			if worst == 0 {
				worst = r
			}
		case unicode.In(r, unicode.Hebrew, unicode.Arabic, unicode.Syriac, unicode.Thaana, unicode.Nko):
			rtl = true
		}
	}
	override := worst == 0x202d || worst == 0x202e
	switch {
	case worst == 0, !override && rtl && (isMark(worst) || prose && open == 0):
		return hit{}, false
	case isMark(worst):
		return hit{"bidi-control", finding.Medium, fmt.Sprintf("U+%04X, a mark of writing direction, in a line without such writing", worst)}, true
	}
	return hit{"bidi-control", finding.High, fmt.Sprintf("U+%04X changes the order in which this line is displayed: it does not read as it runs", worst)}, true
}

// invisible finds characters without a glyph, except where a script or an emoji
// sequence needs them.
func invisible(line []rune, first, _ bool) (hit, bool) {
	selectors := 0
	for i, r := range line {
		before, after := at(line, i-1), at(line, i+1)
		switch {
		case r >= 0xe0000 && r <= 0xe007f:
			if !inFlag(line, i) {
				return hit{"invisible", finding.High, fmt.Sprintf("U+%04X, a tag character: text that is not displayed", r)}, true
			}
		case isSelector(r):
			if selectors++; selectors >= 3 {
				return hit{"invisible", finding.High, "a row of variation selectors: hidden data"}, true
			}
			if !isSelector(before) && !isEmoji(before) && !symbolic(before) && !unicode.In(before, unicode.Han, unicode.Mongolian) {
				return hit{"invisible", finding.Medium, fmt.Sprintf("U+%04X, a variation selector after a character that has no variants", r)}, true
			}
			continue
		case r == 0x200d && (isEmoji(before) || isSelector(before)) && isEmoji(after), (r == 0x200c || r == 0x200d) && joins(before):
		case r == 0xfeff && first && i == 0:
		case r == 0x00ad && unicode.IsLetter(before) && unicode.IsLetter(after) && before > unicode.MaxASCII:
		case blank(r):
			return hit{"invisible", finding.Medium, fmt.Sprintf("U+%04X has no glyph: words that look the same are not", r)}, true
		}
		selectors = 0
	}
	return hit{}, false
}

func at(line []rune, i int) rune {
	if i < 0 || i >= len(line) {
		return 0
	}
	return line[i]
}

func blank(r rune) bool {
	switch r {
	case 0x00ad, 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180e, 0x200b, 0x200c, 0x200d, 0x2028, 0x2029, 0x2060, 0x2061, 0x2062, 0x2063, 0x2064, 0x3164, 0xfeff, 0xffa0:
		return true
	}
	return r >= 0x206a && r <= 0x206f || r >= 0xfff9 && r <= 0xfffb
}

func isSelector(r rune) bool { return r >= 0xfe00 && r <= 0xfe0f || r >= 0xe0100 && r <= 0xe01ef }

func isEmoji(r rune) bool {
	return r >= 0x1f000 && r <= 0x1faff || r >= 0x2190 && r <= 0x2bff || r == 0x3030 || r == 0x303d || r == 0x3297 || r == 0x3299
}

// symbolic characters have emoji or text variants: (c), digits of keycaps.
func symbolic(r rune) bool {
	return r == 0xa9 || r == 0xae || r == '#' || r == '*' || r >= '0' && r <= '9' || r == 0x203c || r == 0x2049 || r == 0x2122 || r == 0x2139
}

// joins reports scripts in which joiners change what is displayed.
func joins(r rune) bool {
	return r > unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsMark(r)) && !unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic, unicode.Han, unicode.Hangul)
}

// inFlag reports whether the tag character at i belongs to a flag: a black flag,
// then tags up to the closing one.
func inFlag(line []rune, i int) bool {
	for i > 0 && line[i] >= 0xe0020 && line[i] <= 0xe007f {
		i--
	}
	return line[i] == 0x1f3f4
}

// control finds characters that act on a terminal.
func control(line []rune, _, _ bool) (hit, bool) {
	for i, r := range line {
		switch {
		case r == '\t', r == '\f', r >= ' ' && r < 0x7f, r > 0x9f:
		case r == '\r' && strings.Trim(string(line[i:]), "\r") == "":
		case r == '\r':
			return hit{"control-char", finding.High, "a carriage return inside the line: a terminal shows only what comes after it"}, true
		default:
			return hit{"control-char", finding.Medium, fmt.Sprintf("U+%04X acts on a terminal instead of being displayed", r)}, true
		}
	}
	return hit{}, false
}

// confusable finds words that read as Latin but are not: every letter that is not
// ASCII looks like one that is. Words of other scripts, and words that mix scripts
// visibly, are fine.
func confusable(line []rune, prose bool) (hit, bool) {
	foreign := false // the line has words of another script, so it is a text in it
	var word string
	var alone string
	for i := 0; i < len(line); {
		if !wordRune(line[i]) {
			i++
			continue
		}
		start := i
		for i < len(line) && wordRune(line[i]) {
			i++
		}
		ascii, alike, other := judge(line[start:i])
		switch {
		case other > 0:
			foreign = true
		case alike == 0:
		case ascii > 0:
			if word == "" {
				word = string(line[start:i])
			}
		case alone == "" && alike > 1 && strings.ContainsRune("(=[", next(line, i)):
			alone = string(line[start:i])
		case alike > 1:
			foreign = true
		}
	}
	switch {
	case word != "":
		severity := finding.High
		if foreign {
			severity = finding.Low
		} else if prose {
			severity = finding.Medium
		}
		return hit{"confusable", severity, fmt.Sprintf("the word %s is not the one it looks like (%s)", spell(word), latin(word))}, true
	case alone != "" && !foreign && !prose:
		return hit{"confusable", finding.Medium, fmt.Sprintf("the name %s looks like the Latin %s", spell(alone), latin(alone))}, true
	}
	return hit{}, false
}

func wordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// next returns the first character after i that is not a space.
func next(line []rune, i int) rune {
	for i < len(line) && line[i] == ' ' {
		i++
	}
	return at(line, i)
}

// judge counts ASCII letters, look-alikes of them, and other letters.
func judge(word []rune) (ascii, alike, other int) {
	for _, r := range word {
		switch {
		case r <= unicode.MaxASCII:
			if r != '_' && !unicode.IsDigit(r) {
				ascii++
			}
		case latinOf(r) != 0:
			alike++
		case unicode.IsLetter(r):
			other++
		}
	}
	return ascii, alike, other
}

// alikes are letters of other scripts and the ASCII letters they look like in
// common fonts: Cyrillic, Greek, Armenian, Cherokee, Latin beyond ASCII. Letters
// that Greek formulas use beside Latin ones and that differ in most fonts are not
// here.
var alikes = map[rune]rune{
	'а': 'a', 'е': 'e', 'о': 'o', 'р': 'p', 'с': 'c', 'у': 'y', 'х': 'x', 'і': 'i', 'ј': 'j', 'ѕ': 's', 'һ': 'h', 'ԁ': 'd', 'ԛ': 'q', 'ԝ': 'w', 'ѵ': 'v', 'ӏ': 'l',
	'А': 'A', 'В': 'B', 'Е': 'E', 'К': 'K', 'М': 'M', 'Н': 'H', 'О': 'O', 'Р': 'P', 'С': 'C', 'Т': 'T', 'Х': 'X', 'Ѕ': 'S', 'І': 'I', 'Ј': 'J', 'Ү': 'Y', 'Ԍ': 'G', 'Ԛ': 'Q', 'Ԝ': 'W', 'Ѵ': 'V', 'Ӏ': 'I',
	'ο': 'o', 'ι': 'i', 'ϳ': 'j', 'Α': 'A', 'Β': 'B', 'Ε': 'E', 'Ζ': 'Z', 'Η': 'H', 'Ι': 'I', 'Κ': 'K', 'Μ': 'M', 'Ν': 'N', 'Ο': 'O', 'Ρ': 'P', 'Τ': 'T', 'Υ': 'Y', 'Χ': 'X',
	'օ': 'o', 'ս': 'u', 'հ': 'h', 'ո': 'n', 'ց': 'g', 'զ': 'q',
	'Ꭺ': 'A', 'Ᏼ': 'B', 'Ꮯ': 'C', 'Ꭼ': 'E', 'Ꮋ': 'H', 'Ꭻ': 'J', 'Ꮶ': 'K', 'Ꮮ': 'L', 'Ꮇ': 'M', 'Ꮲ': 'P', 'Ꮪ': 'S', 'Ꭲ': 'T', 'Ꮃ': 'W', 'Ꮓ': 'Z',
	'ɑ': 'a', 'ɡ': 'g', 'ɩ': 'i', 'ʏ': 'y', 'ᴄ': 'c', 'ᴏ': 'o', 'ᴜ': 'u', 'ᴠ': 'v', 'ᴡ': 'w', 'ᴢ': 'z', 'ⅼ': 'l', 'ⅰ': 'i', 'ⅽ': 'c', 'ⅾ': 'd', 'ⅿ': 'm', 'ⅴ': 'v', 'ⅹ': 'x',
}

// latinOf returns the ASCII letter that r looks like, 0 if none.
func latinOf(r rune) rune {
	switch {
	case r >= 'Ａ' && r <= 'Ｚ':
		return 'A' + r - 'Ａ'
	case r >= 'ａ' && r <= 'ｚ':
		return 'a' + r - 'ａ'
	case r >= 0x1d400 && r <= 0x1d6a3: // mathematical alphabets, 52 letters each
		if n := (r - 0x1d400) % 52; n < 26 {
			return 'A' + n
		} else {
			return 'a' + n - 26
		}
	}
	return alikes[r]
}

// latin is the word as it reads.
func latin(word string) string {
	return strings.Map(func(r rune) rune {
		if l := latinOf(r); l != 0 {
			return l
		}
		return r
	}, word)
}

// spell writes a word with what is not ASCII as code points.
func spell(word string) string {
	var b strings.Builder
	for _, r := range word {
		if r > unicode.MaxASCII {
			fmt.Fprintf(&b, "<U+%04X>", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// excerpt is a line made printable and short: what has no glyph or moves others is
// written as its code point.
func excerpt(line string) string {
	const most = 120
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimLeft(line, " \t") {
		if n++; n > most {
			b.WriteString("...")
			break
		}
		switch {
		case r == '\t':
			b.WriteByte(' ')
		case r < ' ', r >= 0x7f && r <= 0x9f, isBidi(r), isMark(r), blank(r), isSelector(r), r >= 0xe0000 && r <= 0xe007f:
			fmt.Fprintf(&b, "<U+%04X>", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
