package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// since is where reading events begins; the zero one is the oldest.
type since struct {
	now    bool
	offset int64
	time   time.Time // also set by now
}

// parseSince reads what --since says.
func parseSince(text string, now time.Time) (since, error) {
	switch text {
	case "", "start":
		return since{}, nil
	case "now":
		return since{now: true, time: now}, nil
	}
	if n, found := strings.CutPrefix(text, "offset:"); found {
		offset, err := strconv.ParseInt(n, 10, 64)
		if err != nil || offset < 0 {
			return since{}, &usageError{Text: fmt.Sprintf("--since %s: expected offset:N with a number from 0", text)}
		}
		return since{offset: offset}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return since{time: now.Add(-d)}, nil
	}
	for _, layout := range [...]string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, text); err == nil {
			return since{time: t}, nil
		}
	}
	return since{}, &usageError{
		Text:  fmt.Sprintf("--since %s: neither start, now, a time, how long ago, nor offset:N", text),
		Hints: []string{"--since 2026-01-31T15:04:05Z", "--since 90m"},
	}
}

// micros is the time before which events are left out, 0 for none.
func (s since) micros() int64 {
	if s.time.IsZero() {
		return 0
	}
	return s.time.UnixMicro()
}
