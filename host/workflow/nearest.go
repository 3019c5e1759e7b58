package workflow

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// didYouMean returns a hint that names the nearest of the known names, or all
// of them if there are few, or "".
func didYouMean(found string, known []string) string {
	if near := nearest(found, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	switch {
	case len(known) == 0:
		return "there is none yet"
	case len(known) <= 12:
		sorted := slices.Sorted(slices.Values(known))
		return "known: " + strings.Join(sorted, ", ")
	}
	return ""
}

// nearest returns the known name with the fewest edits from found, "" if none
// is close enough to be meant.
func nearest(found string, known []string) string {
	if len(found) > 64 {
		return ""
	}
	best, most := "", 0 // one or two letters leave nothing to guess from
	if len(found) > 2 {
		most = (len(found) + 1) / 3
	}
	for _, name := range slices.Sorted(slices.Values(known)) {
		if d := distance(strings.ToLower(found), strings.ToLower(name), most); d <= most && (best == "" || d < most) {
			best, most = name, d
		}
	}
	return best
}

// distance counts the edits (insert, delete, replace, swap of neighbours) that
// make b of a, or returns more than most.
func distance(a, b string, most int) int {
	if len(a)-len(b) > most || len(b)-len(a) > most {
		return most + 1
	}
	before, prev, cur := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		cur[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			cur[j] = min(prev[j]+1, cur[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cur[j] = min(cur[j], before[j-2]+1)
			}
		}
		before, prev, cur = prev, cur, before
	}
	return prev[len(b)]
}

// keysOf returns the keys of a map, sorted.
func keysOf[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}
