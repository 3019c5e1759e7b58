package filestore_test

import (
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/filestore"
	"github.com/dashhost/dashhost/checkpoint/storetest"
)

func TestConformance(t *testing.T) {
	storetest.Run(t, func(tb testing.TB) func() driver.Driver {
		dir := tb.TempDir() + "/store"
		return func() driver.Driver {
			d, err := filestore.Open(dir, &filestore.Options{SegmentSize: 128 << 10})
			if err != nil {
				tb.Fatal(err)
			}
			return d
		}
	})
}
