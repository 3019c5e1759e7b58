// Command embed shows how a Go program runs a workflow: it brings nodes of its own, starts a run, follows its events
// and reads the result. The store is in memory; with Options.OpenStore and a URL it would be a folder.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dashhost/dashhost/host"
)

type order struct {
	Order struct {
		Country string `json:"country"`
		Price   int    `json:"price"`
	} `json:"order"`
}

type score struct {
	Score int `json:"score"`
}

type verdict struct {
	Verdict string `json:"verdict"`
}

func byPrice(_ *host.Task, in order) (score, error) {
	return score{in.Order.Price / 100}, nil
}

func byCountry(t *host.Task, in order) (score, error) {
	if in.Order.Country == "" {
		return score{}, &host.Error{Code: "no_country", Message: "the order has no country", Final: true}
	}
	if in.Order.Country == "XX" {
		return score{10}, nil
	}
	return score{}, nil
}

func decide(_ *host.Task, in score) (verdict, error) {
	if in.Score > 10 {
		return verdict{"ask a person"}, nil
	}
	return verdict{"accept"}, nil
}

func main() {
	if err := check(context.Background(), "examples/embed/workflow.yaml", `{"country":"XX","price":250}`, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "embed:", err)
		os.Exit(1)
	}
}

// check runs the workflow on one order and prints what it decided.
func check(ctx context.Context, manifest, order string, out io.Writer) (err error) {
	h, err := host.New(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()

	g, err := h.Load(ctx, manifest, &host.LoadOptions{Nodes: host.Nodes{
		"price":   host.Func(byPrice),
		"country": host.Func(byCountry),
		"decide":  host.Func(decide),
	}})
	if err != nil {
		return err
	}
	run, err := h.Start(ctx, g, []byte(order), &host.RunOptions{Thread: "order-17"})
	if err != nil {
		return err
	}
	for ev := range run.Events() {
		if ev.Type == host.EventNodeEnd {
			fmt.Fprintf(out, "step %d: %s\n", ev.Step, ev.Node)
		}
	}
	res, err := run.Wait(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "%s: %s\n", res.Status, res.Output)
	return nil
}
