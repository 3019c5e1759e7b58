package hosttest_test

import (
	"fmt"
	"strings"
	"time"

	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/host/hosttest"
)

// In a test, t is the *testing.T; the examples here have no test around them and print what it would report.

func ExampleRun() {
	example(func(t hosttest.T) {
		out := hosttest.Run(t, "testdata/order.yaml", &hosttest.Options{
			Nodes: orderNodes(),
			Input: []byte(`{"country":"SE","price":250}`),
		})
		out.Check(t, &hosttest.Want{
			Output: `"accept"`,
			State:  map[string]string{"score": "2", "approval": ""},
		})
		fmt.Println(strings.Join(out.Trace(), "\n"))
	})
	// Output:
	// run_start
	// node_start price
	// node_start country
	// node_end country
	// node_end price
	// step 1
	// node_start decide
	// node_end decide
	// step 2
	// run_end
}

// A question that the manifest asks is answered by the script, and the run goes on.
func ExampleRun_answers() {
	example(func(t hosttest.T) {
		out := hosttest.Run(t, "testdata/order.yaml", &hosttest.Options{
			Nodes:   orderNodes(),
			Input:   []byte(`{"country":"XX","price":250}`),
			Answers: []hosttest.Answer{{Node: "decide", Value: "false"}},
		})
		fmt.Println(out.Status, string(out.Output))
	})
	// Output: done "refuse"
}

func ExampleOutcome_Check() {
	example(func(t hosttest.T) {
		out := hosttest.Run(t, "testdata/order.yaml", &hosttest.Options{
			Nodes: orderNodes(),
			Input: []byte(`{"country":"SE","price":250}`),
		})
		out.Check(t, &hosttest.Want{Output: `"refuse"`, State: map[string]string{"score": "3"}})
	})
	// Output:
	// output:
	//  got "accept"
	// want "refuse"
	// channel score:
	//  got 2
	// want 3
}

func ExampleRunNode() {
	greet := host.Func(func(t *host.Task, in struct{ Name string }) (string, error) {
		return "hello " + in.Name, nil
	})
	example(func(t hosttest.T) {
		out := hosttest.RunNode(t, greet, `{"name":"Ada"}`, nil)
		fmt.Println(string(out.Output))
	})
	// Output: "hello Ada"
}

// A node that asks gets the answer in a second attempt.
func ExampleRunNode_ask() {
	deploy := func(t *host.Task) error {
		answer, err := t.Ask([]byte(`"deploy?"`))
		if err != nil {
			return err
		}
		return t.Write(answer)
	}
	example(func(t hosttest.T) {
		out := hosttest.RunNode(t, deploy, "", &hosttest.NodeOptions{
			Fields:  "interrupts: true",
			Answers: []hosttest.Answer{{Value: `"not on a Friday"`}},
		})
		fmt.Println(out.Status, string(out.Output))
	})
	// Output: done "not on a Friday"
}

func ExampleRunModule() {
	example(func(t hosttest.T) {
		out := hosttest.RunModule(t, "../../guest/testdata/echo.wasm", "hello", &hosttest.NodeOptions{
			Fields: "limits: {memory: 1MiB}, deadline: 1s",
		})
		fmt.Println(out.Status, string(out.Output))
	})
	// Output: done hello
}

// The second attempt comes twenty seconds after the first, in no time.
func ExampleClock() {
	example(func(t hosttest.T) {
		clock := hosttest.NewClock()
		h := hosttest.New(t, clock)
		nodes := orderNodes()
		nodes["price"] = failing(1, "unavailable", nodes["price"])
		run := h.Start("testdata/order.yaml", &hosttest.Options{Nodes: nodes, Input: []byte(`{"country":"SE","price":250}`)})
		if err := clock.Await(t.Context(), 1); err != nil {
			t.Fatalf("%v", err)
		}
		clock.Advance(20 * time.Second)
		out := h.Wait(run, nil)
		for _, ev := range out.Events {
			if ev.Node == "price" {
				fmt.Println(ev.Time.Sub(hosttest.Epoch()), ev.Type, ev.Node)
			}
		}
	})
	// Output:
	// 0s node_start price
	// 0s node_retry price
	// 20s node_end price
}

// The second process goes on where the first one failed.
func ExampleHost_Restart() {
	example(func(t hosttest.T) {
		h := hosttest.New(t, nil)
		broken := orderNodes()
		broken["decide"] = failing(1, "broken", broken["decide"])
		out := h.Run("testdata/order.yaml", &hosttest.Options{Nodes: broken, Input: []byte(`{"country":"SE","price":250}`)})
		fmt.Println(out.Status, out.Err.Code)
		h.Restart()
		out = h.Resume("test", &hosttest.Options{Nodes: orderNodes()})
		fmt.Println(out.Status, string(out.Output), strings.Join(out.Trace(), ", "))
	})
	// Output:
	// failed broken
	// done "accept" node_end decide, step 2, run_end
}
