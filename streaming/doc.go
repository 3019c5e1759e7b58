// Package streaming tells others what happens in runs. A Publisher takes events to one sink (package driver) over streams; each
// stream is a bounded queue with one goroutine that delivers from it, in order.
//
// Nothing is lost without being counted. Of every stream and at any moment
//
//	produced = delivered + spooled + dropped + waiting
//
// where dropped is split by reason, and Close returns what that came to. Nothing is spooled in this version.
//
// # Full queues
//
// A queue is bounded in events and in bytes. When it is full, the stream's policy decides: Block waits, and rejects when that takes
// too long; Reject rejects; DropOldest gives up what has waited longest. Beside the queue one batch may be on its way to the sink. It
// is retried, with back-off and jitter, while the sink says that it may work later, and then counted as undeliverable. An error that
// does not say whether the record was written makes it be sent again under the same id, and it is counted as perhaps there twice.
//
// # Events and messages
//
// An event becomes one message of dashstream.v1 (package eventpb), in the goroutine that publishes it and outside every lock; its
// trace context and tenant are taken then, not when it is sent. The record's key is the thread.
//
//	Type         message     event_type        besides
//	run_start    Event       GRAPH_START
//	run_end      Event       GRAPH_END
//	run_error    Event       GRAPH_ERROR
//	run_stop     Event       GRAPH_END         dash.type
//	node_start   Event       NODE_START
//	node_end     Event       NODE_END
//	node_error   Event       NODE_ERROR
//	node_retry   Event       NODE_WARNING      dash.type
//	checkpoint   Event       CHECKPOINT_SAVE
//	interrupt    Event       HUMAN_INTERRUPT
//	answer       Event       HUMAN_RESUME
//	progress     Event       NODE_PROGRESS
//	guest        Event       NODE_PROGRESS     dash.type, dash.name
//	warning      Event       NODE_WARNING
//	token        TokenChunk                    request_id is "node:attempt:label", chunk_index is N
//	error        Error                         context holds what the message has no field for
//	state        Checkpoint                    state is the payload, zstd from 512 bytes; checksum is its SHA-256
//
// Header.parent_id is the task of a live event. Fields of Event without a place in a message are attributes, named dash.run,
// dash.path, dash.step, dash.attempt, dash.n, dash.status, dash.checkpoint, dash.code, dash.message, dash.retryable, dash.cause (a list)
// and dash.payload (JSON as text); in the maps of text of Error and Checkpoint, numbers are decimal and lists JSON.
//
// Headers of a record, each only if there is something to say: traceparent, tracestate, baggage, tenant_id, and dash-clock if the
// time is not what a clock showed (before_1970, backward).
//
// # Lifecycle and live events
//
// Lifecycle events derive from a store's log. They carry their number in the thread and LifecycleID, so that whoever sends them again
// after a crash sends the same ones, and a consumer tells repeats by the id and gaps by the number. Live events leave while a node
// runs; their number is 0, they carry task, attempt and N, and they are best effort.
package streaming
