package guest

import "fmt"

// suggest gives the hint for a name that is not known, "" if none is near.
func suggest(name string, known []string) string {
	if near := nearest(name, known); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return ""
}

// longName bounds the work on names that a hostile module chose.
const longName = 64

// nearest gives the known name with the fewest edits, if they are few enough to be a mistake.
func nearest(name string, known []string) string {
	if len(name) > longName {
		return ""
	}
	best, edits := "", len(name)/3+2
	for _, k := range known {
		if d := distance(name, k); d < edits {
			best, edits = k, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or replace to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
