package memsink_test

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/memsink"
	"github.com/dashhost/dashhost/streaming/sinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	sinktest.Run(t, func(testing.TB) (driver.Sink, func() []memsink.Record) {
		s := memsink.New(nil)
		return s, s.Records
	})
}

func TestMaxKeepsTheNewest(t *testing.T) {
	s := memsink.New(&memsink.Options{Max: 3})
	for i := range byte(5) {
		if n, err := s.Write(t.Context(), "s", []driver.Record{{Value: []byte{i}}}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
	}
	got := s.Records()
	if len(got) != 3 || got[0].Value[0] != 2 || got[2].Value[0] != 4 {
		t.Errorf("kept %v", got)
	}
}

func TestWaitSeesWhatComes(t *testing.T) {
	s := memsink.New(nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	done := make(chan error)
	go func() { done <- s.Wait(ctx, 2) }()
	for range 2 {
		if _, err := s.Write(ctx, "s", make([]driver.Record, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	cancel()
	if err := s.Wait(ctx, 3); err == nil {
		t.Error("waited for a third record that nobody wrote")
	}
}
