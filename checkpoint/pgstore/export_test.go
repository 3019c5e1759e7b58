package pgstore

import "testing"

// SchemaOf is the schema that a URL names.
func SchemaOf(tb testing.TB, url string) string {
	tb.Helper()
	set, _, err := parseURL(url)
	if err != nil {
		tb.Fatal(err)
	}
	return set.schema
}

// Version is the newest version of the schema.
const Version = version
