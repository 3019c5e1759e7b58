// Command order checks an order: two checks side by side, then a verdict.
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
		Country string
		Price   int
	}
}

type score struct {
	Score int `json:"score"`
}

type verdict struct {
	Verdict string `json:"verdict"`
}

// What a node gets is the object of the channels that it reads; what it returns is the object of those that it writes.
var nodes = host.Nodes{
	"price": host.Func(func(_ *host.Task, in order) (score, error) {
		return score{in.Order.Price / 100}, nil
	}),
	"country": host.Func(func(_ *host.Task, in order) (score, error) {
		if in.Order.Country == "XX" {
			return score{10}, nil
		}
		return score{}, nil
	}),
	"decide": host.Func(func(_ *host.Task, in score) (verdict, error) {
		if in.Score > 10 {
			return verdict{"ask a person"}, nil
		}
		return verdict{"accept"}, nil
	}),
}

func main() {
	if err := check(context.Background(), `{"country":"XX","price":250}`, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "order:", err)
		os.Exit(1)
	}
}

func check(ctx context.Context, order string, out io.Writer) (err error) {
	h, err := host.New(nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close(ctx)) }()

	g, err := h.Load(ctx, "workflow.yaml", &host.LoadOptions{Nodes: nodes})
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
