package memstore_test

import (
	"context"
	"testing"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/checkpoint/storetest"
)

func TestLinearizable(t *testing.T) {
	m := memstore.NewMemory()
	storetest.Linearizable(t, 500, storetest.Handle(m.Open()), storetest.Handle(m.Open()), storetest.Handle(m.Open()), storetest.Handle(m.Open()))
}

// careless is a driver that forgets something of what an append expects.
type careless struct {
	driver.Driver
	forget func(*driver.Expect)
}

func (c careless) Append(ctx context.Context, thread string, e driver.Expect, recs []*driver.Record) (*driver.Commit, error) {
	c.forget(&e)
	return c.Driver.Append(ctx, thread, e, recs)
}

// A check that cannot fail shows nothing.
func TestLinearizableNotices(t *testing.T) {
	for name, forget := range map[string]func(*driver.Expect){
		"the epoch": func(e *driver.Expect) { e.AnyEpoch = true },
		"the head":  func(e *driver.Expect) { e.Heads = nil },
	} {
		m := memstore.NewMemory()
		client := func() storetest.Client { return storetest.Handle(careless{m.Open(), forget}) }
		t.Run(name, func(t *testing.T) { storetest.NotLinearizable(t, 500, client(), client(), client(), client()) })
	}
}
