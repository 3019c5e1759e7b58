// Package host runs workflows whose nodes are WebAssembly modules or Go
// functions, and keeps every step in a store, so that a run which was killed
// goes on where it was.
//
//	h, err := host.New(nil)                           // memory store, silent
//	g, err := h.Load(ctx, "workflow.yaml", nil)       // parse, check, compile
//	run, err := h.Start(ctx, g, input, nil)           // durable when it returns
//	for ev := range run.Events() { ... }              // what happens, as it becomes durable
//	res, err := run.Wait(ctx)
//
// A run that was stopped, failed or killed goes on with Resume, which needs
// only the thread's name: the store keeps the graph and its modules.
//
// Package host is where the halves meet: the graph (host/workflow), the guests
// (guest, behind host/capability), the engine and the store (checkpoint) know
// nothing of each other.
package host
