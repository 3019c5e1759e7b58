package memstore_test

import (
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/checkpoint/storetest"
)

func open(testing.TB) func() driver.Driver { return memstore.NewMemory().Open }

func TestConformance(t *testing.T) { storetest.Run(t, open) }

func TestModel(t *testing.T) { storetest.Model(t, open) }
