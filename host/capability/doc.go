// Package capability is the one choke point for everything a node may ask of the host.
//
// A [Set] is the handle of one attempt of one task. It holds what the node may read, decides for each
// function of the ABI whether this node may call it now, and keeps what the node produced until the
// attempt ends:
//
//	                    Enter(fn, phase)                         Finish
//	node ── function ──> closed? phase? grant? ──> method ──┐       │
//	  ^                        │ *abi.Error                 v       v
//	  └────────────────────────┴───────────────────── Set ──────> Outcome
//	                                                   ^    {Output, Writes, Routes,
//	                                 Close: fenced ────┘     Sends, Failure, ...}
//
// Both kinds of node go through it. A wasm guest reaches a Set as the guest package's Host; a native Go
// node through whatever the host wraps around the same methods. Whoever calls a method that stands for a
// function of the ABI calls Enter with that function first and calls the method only if Enter allowed it.
//
// An attempt ends once: [Set.Close] fences it, and from then on no method changes anything, so a native
// node that ignores its cancellation can do no harm with the handle it still has. That is also why a Set
// is never used for a second attempt.
//
// What a node can make the host keep is bounded: output, sends and failures by bytes, sends and effects
// by number, log by bytes, each checked before anything is copied.
//
// A Set is safe for concurrent use, except that Stdio and Finish belong to whoever runs the call.
package capability
