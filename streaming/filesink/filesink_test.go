package filesink

import (
	"context"
	"errors"
	"testing"

	"go.uber.org/goleak"

	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/memsink"
	"github.com/dashhost/dashhost/streaming/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	for _, sync := range []Sync{SyncEvery, SyncBatch, SyncClose} {
		t.Run(string(sync), func(t *testing.T) {
			sinktest.Run(t, func(t testing.TB) (driver.Sink, func() []memsink.Record) {
				dir := t.TempDir()
				s, err := Open(dir, &Options{Sync: sync, SegmentBytes: 256 << 10})
				if err != nil {
					t.Fatal(err)
				}
				return s, func() []memsink.Record { return readAll(t, dir) }
			})
		})
	}
}

// readAll returns what a folder holds; a writer may be at work, nothing else may be wrong.
func readAll(t testing.TB, dir string) []memsink.Record {
	t.Helper()
	var all []memsink.Record
	for e, err := range NewReader(dir, nil).All(context.Background()) {
		switch {
		case errors.Is(err, ErrTorn):
		case err != nil:
			t.Error(err)
		default:
			all = append(all, memsink.Record{Stream: e.Stream, Record: e.Record})
		}
	}
	return all
}
