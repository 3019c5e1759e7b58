// Package hosttest runs nodes and graphs in tests: on a host with a store in
// memory, at a time that stands still or is moved by hand, with answers to
// questions written down beforehand.
//
//	func TestGate(t *testing.T) {
//		out := hosttest.Run(t, "workflow.yaml", &hosttest.Options{
//			Nodes:   host.Nodes{"score": host.Func(score)},
//			Input:   []byte(`{"price": 250}`),
//			Answers: []hosttest.Answer{{Node: "decide", Value: `{"approved": true}`}},
//		})
//		out.Check(t, &hosttest.Want{Output: `"accept"`, State: map[string]string{"score": "12"}})
//	}
//
// Run runs a graph, RunNode one Go function and RunModule one wasm module, each
// from its start to its end. New is for what takes more than that: several runs
// of one thread, a restart between them, time that passes. What a test opened
// is closed when it ends, and a goroutine that is left over is one of the
// node's own.
//
// Nothing here is a mock: it is the real host with the real limits. Only the
// store, the clock and who answers are the test's.
package hosttest
