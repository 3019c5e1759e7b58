package filestore

import (
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/checkpoint/storetest"
)

// TestSameAnswersAsMemory is the form of the test over three drivers (pgstore) that needs no server.
func TestSameAnswersAsMemory(t *testing.T) {
	storetest.Compare(t, func(testing.TB) func() driver.Driver { return memstore.NewMemory().Open }, memOpen)
}
