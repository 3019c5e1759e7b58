package pgstore

import (
	"testing"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
)

// GivesUp is when an owner of d takes itself for dead unless it renews its lease.
func GivesUp(d driver.Driver, owner string) time.Time {
	l := d.(*store).own(owner)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

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
