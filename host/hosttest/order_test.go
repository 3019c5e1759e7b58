package hosttest_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/hosttest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const orderManifest = "testdata/order.yaml"

type order struct {
	Order struct {
		Country string
		Price   int
	}
}

type score struct {
	Score int `json:"score"`
}

type decision struct {
	Score    int
	Approval *bool
}

type verdict struct {
	Verdict string `json:"verdict"`
}

func byPrice(_ *host.Task, in order) (score, error) { return score{in.Order.Price / 100}, nil }

func byCountry(_ *host.Task, in order) (score, error) {
	if in.Order.Country == "XX" {
		return score{10}, nil
	}
	return score{}, nil
}

func decide(_ *host.Task, in decision) (verdict, error) {
	if in.Score > 10 && (in.Approval == nil || !*in.Approval) {
		return verdict{"refuse"}, nil
	}
	return verdict{"accept"}, nil
}

func orderNodes() host.Nodes {
	return host.Nodes{"price": host.Func(byPrice), "country": host.Func(byCountry), "decide": host.Func(decide)}
}

// failing fails with a code a few times before it does its work.
func failing(times int32, code string, n host.Node) host.Node {
	var failed atomic.Int32
	return func(t *host.Task) error {
		if failed.Add(1) <= times {
			return &host.Error{Code: code, Message: "not yet"}
		}
		return n(t)
	}
}

// recorder is a T that keeps what a test would report. Its owner calls done.
type recorder struct {
	dir      string
	failures []string
	cleanups []func()
}

func (*recorder) Helper()                  {}
func (*recorder) Context() context.Context { return context.Background() }
func (r *recorder) TempDir() string        { return r.dir }
func (r *recorder) Cleanup(f func())       { r.cleanups = append(r.cleanups, f) }

func (r *recorder) Errorf(format string, args ...any) {
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// do runs a test body as package testing does: on a goroutine that Fatalf can end, cleanups in reverse.
func (r *recorder) do(body func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		body()
	}()
	<-ended
	for i := range r.cleanups {
		r.cleanups[len(r.cleanups)-1-i]()
	}
}

// example runs the body of a documented test and prints its failures.
func example(body func(t hosttest.T)) {
	dir, err := os.MkdirTemp("", "hosttest")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	r := &recorder{dir: dir}
	r.do(func() { body(r) })
	for _, f := range r.failures {
		fmt.Println(f)
	}
}
