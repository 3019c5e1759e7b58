package workflow

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
)

// unit is a suffix and what it stands for.
type unit struct {
	suffix string
	factor uint64
}

func sizeUnits() []unit {
	return []unit{{"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}}
}

func countUnits() []unit {
	return []unit{{"k", 1e3}, {"M", 1e6}, {"G", 1e9}, {"T", 1e12}}
}

// The patterns of values with a unit, for the parser and the JSON Schema alike.
const (
	sizePattern     = `[0-9]{1,19}(B|KiB|MiB|GiB|TiB)`
	countPattern    = `[0-9]{1,19}[kMGT]?`
	durationPattern = `([0-9]+(\.[0-9]+)?(ns|us|ms|s|m|h))+`
	ratePattern     = `[1-9][0-9]{0,9}/(s|m|h)`
)

// quantity parses digits followed by one of the units, none if bare is
// allowed. ok is false if the text is not of that form or does not fit 63 bits.
func quantity(text string, units []unit, bare bool) (n uint64, ok bool) {
	digits := strings.TrimRight(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
	suffix := text[len(digits):]
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || digits == "" || digits[0] == '+' {
		return 0, false
	}
	if suffix == "" {
		return n, bare
	}
	for _, u := range units {
		if u.suffix == suffix {
			return n * u.factor, n <= math.MaxInt64/u.factor
		}
	}
	return 0, false
}

// sizeHint says how to write what was probably meant.
func sizeHint(text string) string {
	i := strings.TrimRight(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ")
	if strings.Contains(i, ".") {
		return "write a whole number of the next smaller unit"
	}
	switch strings.ToLower(strings.TrimSpace(text[len(i):])) {
	case "k", "kb", "kib":
		return "write " + i + "KiB (1024 bytes each)"
	case "m", "mb", "mib":
		return "write " + i + "MiB (1024 KiB each)"
	case "g", "gb", "gib":
		return "write " + i + "GiB (1024 MiB each)"
	}
	return "a whole number of B, KiB, MiB, GiB or TiB"
}

var durationForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^" + durationPattern + "$") })

func parseDuration(text string) (time.Duration, bool) {
	if len(text) > 64 || !durationForm().MatchString(text) {
		return 0, false
	}
	d, err := time.ParseDuration(text)
	return d, err == nil
}

func durationHint(text string) string {
	digits := strings.TrimRight(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz ")
	switch strings.ToLower(strings.TrimSpace(text[len(digits):])) {
	case "sec", "secs", "second", "seconds":
		return "write " + digits + "s"
	case "min", "mins", "minute", "minutes":
		return "write " + digits + "m"
	case "hr", "hrs", "hour", "hours":
		return "write " + digits + "h"
	case "d", "day", "days":
		if n, err := strconv.Atoi(digits); err == nil && n < 1e6 {
			return "write " + strconv.Itoa(24*n) + "h"
		}
	case "":
		return "say which unit: " + text + "s, " + text + "ms"
	}
	return "a number and ns, us, ms, s, m or h, such as 500ms or 1m30s"
}

var rateForm = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile("^" + ratePattern + "$") })
