package host_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/workflow"
)

// A typed node: it gets the channels it reads and returns those it writes.
func ExampleFunc() {
	type in struct{ Prices []int }
	type out struct {
		Total int `json:"total"`
	}
	sum := host.Func(func(t *host.Task, in in) (out, error) {
		if len(in.Prices) == 0 {
			return out{}, &host.Error{Code: "empty", Message: "no prices", Final: true}
		}
		total := 0
		for _, p := range in.Prices {
			total += p
		}
		return out{total}, nil
	})
	nodes := host.Nodes{"sum": sum} // for `native: sum` in a manifest
	fmt.Println(len(nodes))
	// Output: 1
}

// A node that is not typed reads and writes JSON as bytes, and can do what a guest can: route, ask, read clock and
// randomness, under the same grants and limits.
func ExampleNodes() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)
	nodes := greeters()
	nodes["shout"] = func(t *host.Task) error {
		fmt.Printf("%s, step %d, attempt %d: %s\n", t.Node(), t.Step(), t.Attempt(), t.Input())
		fmt.Println(t.Random(make([]byte, 8)))
		return t.Write([]byte(`{"greeting":"HEY"}`))
	}
	g, err := h.Load(ctx, "testdata/greet.yaml", &host.LoadOptions{Nodes: nodes})
	if err != nil {
		log.Fatal(err)
	}
	run, err := h.Start(ctx, g, []byte("Ada"), nil)
	if err != nil {
		log.Fatal(err)
	}
	res, err := run.Wait(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(res.Output))
	// Output:
	// shout, step 2, attempt 1: {"greeting":"hello Ada"}
	// denied: random: node "shout" is not granted random: add random to its grants
	// HEY
}

// One call of a module, without a graph.
func ExampleHost_CallModule() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)
	wasm, err := os.ReadFile("../guest/testdata/echo.wasm")
	if err != nil {
		log.Fatal(err)
	}
	res, err := h.CallModule(ctx, "echo", wasm, &host.CallOptions{Input: []byte("hello")})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(res.Output), res.Err)
	// Output: hello <nil>
}

// Check finds every fault of a manifest in one pass, and needs no host.
func ExampleCheck() {
	_, _, err := host.Check(context.Background(), "testdata/faulty.yaml", []string{"read"})
	var invalid *workflow.Invalid
	if errors.As(err, &invalid) {
		for _, f := range invalid.Faults {
			fmt.Println(f)
		}
	}
	// Output:
	// testdata/faulty.yaml:5:18: nodes.read.native: expected a function that the embedding program offers, found "reed"
	//     hint: did you mean "read"?
	// testdata/faulty.yaml:5:33: nodes.read.writes[0]: expected a channel, found "txt"
	//     hint: did you mean "text"?
}

// Errors are told apart by type, not by text.
func ExampleError() {
	ctx := context.Background()
	h, err := host.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer h.Close(ctx)
	g, err := h.Load(ctx, "testdata/greet.yaml", &host.LoadOptions{Nodes: greeters()})
	if err != nil {
		log.Fatal(err)
	}

	_, err = h.Start(ctx, g, []byte(""), nil)
	var bad *host.Error
	if errors.As(err, &bad) {
		fmt.Println("input:", bad.Code)
	}

	run, err := h.Start(ctx, g, []byte("Ada"), &host.RunOptions{Thread: "ada"})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := run.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = h.Resume(ctx, "ada", nil)
	var finished *host.FinishedError
	if errors.As(err, &finished) {
		fmt.Println("resume:", finished.Thread, "is", finished.Status)
	}

	_, err = h.Resume(ctx, "nobody", nil)
	fmt.Println("resume:", errors.Is(err, host.ErrNotFound))

	_, err = h.Load(ctx, "testdata/greet.yaml", nil) // without its Go functions
	var invalid *workflow.Invalid
	if errors.As(err, &invalid) {
		fmt.Println("load:", len(invalid.Faults), "faults, the first at", invalid.Faults[0].Pos)
	}
	// Output:
	// input: schema
	// resume: ada is done
	// resume: true
	// load: 2 faults, the first at testdata/greet.yaml:12:19
}
