// Package engine runs a graph over a checkpointed thread in supersteps.
//
// State is a set of channels, each holding raw JSON. One superstep:
//
//	frontier --expand--> tasks --Node.Run, in parallel--> outputs
//	outputs --reduce, in task order--> ops on channels
//	channels after the ops --route--> next frontier
//	{ops, next frontier, what ended} = ONE step record --checkpoint--> durable
//	and only then: the events of that record are emitted
//
// The model is bulk-synchronous parallel, as in Google's Pregel (Malewicz et
// al., 2010): tasks of one step do not see each other's writes, and results
// are merged in task order, never in order of completion, so the same inputs
// give the same state.
//
// # Order
//
// Tasks are ordered by the position of their node in the manifest, then by
// kind (triggered by edges, each, sent, error), then by number. The identity
// of a task is
//
//	first 16 bytes of SHA-256(thread, namespace, branch, step, node, path)
//
// with each part preceded by its length. It is the same after a crash and
// another one in a fork, because a fork makes a new branch.
//
// # What the log holds
//
// Records are those of package checkpoint; Meta is JSON, drawn at the types in
// meta.go. A task that ends while its siblings still run appends task_done,
// which nobody waits for; the result of the last one travels in the step
// record. After a crash only tasks without task_done run again.
//
// The engine does no I/O but through its checkpoint.Claim (or none: journal.go), knows nothing of
// wasm, and takes the time from its Clock.
package engine
