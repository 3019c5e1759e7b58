package workflow

import "sync"

// grammar is the manifest, field by field. It is made once and never changed.
var grammar = sync.OnceValue(newGrammar)

// names holds the rules of the texts of a manifest.
type names struct {
	node, channel, module, label, code, word, sha256, scope, url, method, path, web, env, signer, signature *name
}

func newNames() names {
	const plain, plainRule = `[A-Za-z_][A-Za-z0-9_.-]*`, "letters, digits, _ - and ., starting with a letter or _, at most 64"
	const ident, identRule = `[A-Za-z_][A-Za-z0-9_]*`, "letters, digits and _, starting with a letter or _, at most 64"
	return names{
		node:      newName(name{what: "a node name", pattern: plain, rule: plainRule, max: 64, reserved: []string{Start, End}}),
		channel:   newName(name{what: "a channel name", pattern: ident, rule: identRule, max: 64, reserved: []string{"item", "true", "false", "null", "in"}}),
		module:    newName(name{what: "a module name", pattern: plain, rule: plainRule, max: 64}),
		label:     newName(name{what: "a name", pattern: plain, rule: plainRule, max: 64}),
		code:      newName(name{what: "an error code", pattern: `[a-z][a-z0-9_]*`, rule: "lower case letters, digits and _, such as unavailable", max: 64}),
		word:      newName(name{what: "an environment variable", pattern: ident, rule: identRule, max: 64}),
		sha256:    newName(name{what: "a SHA-256", pattern: `[0-9a-f]{64}`, rule: "64 hexadecimal digits, lower case", max: 64}),
		scope:     newName(name{what: "a scope", pattern: `thread|workflow|shared:[A-Za-z_][A-Za-z0-9_.-]*`, rule: "thread, workflow or shared:NAME", max: 64}),
		url:       newName(name{what: "a URL", pattern: `[a-z][a-z0-9+.-]*:.*`, rule: "SCHEME:..., such as file:.dashhost/store", max: 4096}),
		method:    newName(name{what: "an HTTP method", pattern: `[A-Z]+`, rule: "in capitals, such as POST", max: 16}),
		path:      newName(name{what: "a path", pattern: `[^\x00]+`, rule: "a path relative to the manifest", max: 4096}),
		web:       newName(name{what: "a URL", pattern: `https?://.+`, rule: "such as https://api.example.org/v1/*", max: 4096}),
		signer:    newName(name{what: "a public key", pattern: `ed25519:[A-Za-z0-9+/]{43}=`, rule: "ed25519: and 32 bytes in base64, as dashhost module keygen prints it", max: 64}),
		signature: newName(name{what: "a signature", pattern: `dashhost-signature-1 [ -~]+`, rule: "a line of a signature file", max: 400}),
		env:       newName(name{what: "text", pattern: `[^\x00]*`, rule: "no NUL", max: 32 << 10}),
	}
}

func newGrammar() *shape {
	n := newNames()
	limits := limitsShape()
	return &shape{form: formObject, what: "a manifest", fields: []field{
		{name: "version", shape: &shape{form: formInt, min: 1, max: 1}, need: true, doc: "Version of this format."},
		{name: "name", shape: textShape(n.label), def: "workflow", doc: "Name of the workflow, in events and listings."},
		{name: "input", shape: inputShape(n, true), doc: "Channel that --input is written to; without it the input is an object of channels."},
		{name: "output", shape: inputShape(n, false), doc: "Channel that is printed at the end; without it an object of all channels."},
		{name: "modules", shape: tableShape("a module", n.module, moduleShape(n)), doc: "The wasm files, by name."},
		{name: "signers", shape: notEmpty(listShape("a list of public keys", textShape(n.signer))), doc: "Public keys: every module must be signed by one of them."},
		{name: "channels", shape: tableShape("a channel", n.channel, channelShape()), doc: "The state, by name."},
		{name: "limits", shape: limits, def: "{}", doc: "Limits of every node that does not set its own."},
		{name: "strict_imports", shape: boolShape(), def: "false", doc: "An import whose grant is missing is an error, not a warning."},
		{name: "run", shape: runShape(), def: "{}", doc: "Budgets of one run."},
		{name: "nodes", shape: tableShape("a node", n.node, nodeShape(n, limits)), need: true, doc: "The vertices, by name; their order is the order of tasks."},
		{name: "edges", shape: &shape{form: formList, what: "edges", elem: edgeShape()}, need: true, doc: "What runs after what."},
		{name: "interrupt", shape: &shape{form: formOneOrMany, what: "an interrupt or a list of them", elem: interruptShape()}, doc: "Where a run stops for an answer."},
		{name: "secrets", shape: tableShape("a secret", n.word, secretShape(n)), later: true, doc: "Values that never reach state, events or records."},
		{name: "store", shape: storeShape(n), def: "{}", doc: "Where checkpoints go."},
		{name: "stream", shape: streamShape(n), def: "{}", doc: "Where events go."},
	}}
}

func textShape(n *name) *shape               { return &shape{form: formText, what: n.what, text: n} }
func refShape(k refKind, what string) *shape { return &shape{form: formText, what: what, ref: k} }
func boolShape() *shape                      { return &shape{form: formBool} }
func wordShape(w []word) *shape              { return &shape{form: formWord, words: w} }
func tableShape(what string, k *name, e *shape) *shape {
	return &shape{form: formTable, what: what, key: k, elem: e}
}
func listShape(what string, e *shape) *shape { return &shape{form: formList, what: what, elem: e} }
func sizeShape() *shape                      { return &shape{form: formSize, min: 1} }
func countShape() *shape                     { return &shape{form: formCount, min: 1} }
func durationShape() *shape                  { return &shape{form: formDuration, min: 1} }
func rateShape() *shape                      { return &shape{form: formRate} }
func intShape(low, high float64) *shape      { return &shape{form: formInt, min: low, max: high} }

func channelRef() *shape  { return refShape(refChannel, "a channel") }
func channelRefs() *shape { return listShape("a list of channels", channelRef()) }
func nodeRefs() *shape {
	return notEmpty(listShape("a list of nodes", refShape(refNode, "a node")))
}

func notEmpty(s *shape) *shape {
	s.notEmpty = true
	return s
}

// targets are what an edge may lead to.
func targets() *shape {
	return &shape{form: formOneOrMany, what: "a node or a list of nodes", elem: refShape(refNodeOrEnd, "a node or END")}
}

func inputShape(n names, in bool) *shape {
	s := &shape{form: formObject, what: "an object {channel, as}", fields: []field{
		{name: "channel", shape: channelRef(), need: true, doc: "Name of the channel."},
		{name: "as", shape: wordShape(words("json", "text")), def: "json", doc: "text: the bytes are the text of a JSON string."},
	}}
	if in {
		s.fields = append(s.fields, field{name: "default", shape: textShape(n.path), doc: "File that is read when there is no --input, inside the manifest's folder."})
	}
	return s
}

func moduleShape(n names) *shape {
	return &shape{form: formObject, what: "a module", atLeastOne: []string{"path", "sha256"}, fields: []field{
		{name: "path", shape: textShape(n.path), doc: "The wasm file, relative to the manifest."},
		{name: "sha256", shape: textShape(n.sha256), doc: "Digest that the file must have."},
		{name: "kind", shape: wordShape([]word{{text: "node"}, {text: "wasi", later: true}, {text: "extism", later: true}}), def: "node", doc: "What it was built for."},
		{name: "trusted", shape: boolShape(), def: "false", later: true, doc: "Allow WebAssembly exceptions."},
		{name: "bounds", def: "{}", doc: "Limits of what compiling costs.", shape: &shape{form: formObject, what: "an object of bounds", fields: []field{
			{name: "function", shape: sizeShape(), doc: "Size of one function body."},
			{name: "blocks", shape: countShape(), doc: "Control blocks of one function."},
			{name: "block_locals", shape: countShape(), doc: "Control blocks times locals of one function."},
			{name: "nesting", shape: countShape(), doc: "Control blocks open at once."},
			{name: "targets", shape: countShape(), doc: "Targets of all br_table instructions."},
			{name: "compile_time", shape: durationShape(), doc: "Processor time of compiling."},
			{name: "compile_memory", shape: sizeShape(), doc: "Memory of compiling."},
		}}},
		{name: "signers", shape: notEmpty(listShape("a list of public keys", textShape(n.signer))), doc: "Public keys for this module, in place of the manifest's."},
		{name: "signatures", shape: notEmpty(listShape("a list of signatures", textShape(n.signature))), doc: "Who signed it; left out, the lines of the file PATH.sig, if there is one."},
		{name: "build", local: true, doc: "How dashhost build makes it.", shape: &shape{form: formObject, what: "an object {lang, dir}", fields: []field{
			{name: "lang", shape: textShape(n.label), need: true, doc: "Language."},
			{name: "dir", shape: textShape(n.path), need: true, doc: "Folder of the source, relative to the manifest."},
		}}},
	}}
}

func channelShape() *shape {
	return &shape{form: formObject, what: "a channel", fields: []field{
		{name: "reduce", shape: wordShape(words("value", "first", "append", "union", "merge", "add", "max", "min")), def: "value", doc: "How several writes become one value."},
		{name: "kind", shape: wordShape(words("plain", "ephemeral", "barrier")), def: "plain", doc: "How long a value lives."},
		{name: "writers", shape: nodeRefs(), doc: "Nodes that a barrier waits for."},
		{name: "schema", shape: &shape{form: formJSON, schema: true, what: "a JSON Schema"}, doc: "JSON Schema of the value."},
	}}
}

func limitsShape() *shape {
	return &shape{form: formObject, what: "an object of limits", fields: []field{
		{name: "module", shape: sizeShape(), doc: "Size of the wasm file."},
		{name: "memory", shape: sizeShape(), doc: "Memory of one instance."},
		{name: "input", shape: sizeShape(), doc: "Input of one task."},
		{name: "output", shape: sizeShape(), doc: "Output of one task."},
		{name: "arg", shape: sizeShape(), doc: "One argument or result of a host call."},
		{name: "stack", shape: sizeShape(), doc: "Call stack of one instance."},
		{name: "log", shape: sizeShape(), doc: "Log text of one call."},
		{name: "table", shape: countShape(), doc: "Elements of a table."},
		{name: "effects", shape: countShape(), doc: "Outside effects of one call."},
		{name: "handles", shape: countShape(), doc: "HTTP responses open at once."},
		{name: "fuel", shape: countShape(), doc: "Work of one call, in units."},
		{name: "start_fuel", shape: countShape(), doc: "Work of starting an instance, in units."},
		{name: "deadline", shape: durationShape(), doc: "Time of one call."},
		{name: "start_deadline", shape: durationShape(), doc: "Time of starting an instance."},
	}}
}

func runShape() *shape {
	return &shape{form: formObject, what: "an object of budgets", fields: []field{
		{name: "max_steps", shape: intShape(1, 1e9), def: "1000", doc: "Supersteps."},
		{name: "max_tasks", shape: intShape(1, 1e7), def: "10000", doc: "Tasks of one superstep."},
		{name: "parallel", shape: intShape(1, 65536), doc: "Tasks at once; default: number of processors."},
		{name: "state", shape: sizeShape(), def: "1GiB", doc: "Size of all channels together."},
		{name: "wall_time", shape: durationShape(), doc: "Time of the run."},
		{name: "fuel", shape: countShape(), doc: "Work of all calls together, in units."},
	}}
}

func nodeShape(n names, limits *shape) *shape {
	return &shape{form: formObject, what: "a node", exactlyOne: []string{"module", "native", "workflow", "wait"}, fields: []field{
		{name: "module", shape: refShape(refModule, "a module"), doc: "Module that runs."},
		{name: "native", shape: textShape(n.label), doc: "Go function of the embedding program that runs."},
		{name: "workflow", shape: textShape(n.path), later: true, doc: "Manifest that runs as a subgraph."},
		{name: "wait", later: true, doc: "Time to wait.", shape: &shape{form: formObject, what: "an object {for} or {until}", exactlyOne: []string{"for", "until"}, fields: []field{
			{name: "for", shape: durationShape(), doc: "How long."},
			{name: "until", shape: channelRef(), doc: "Channel that holds the time."},
		}}},
		{name: "reads", shape: channelRefs(), doc: "Channels in the input."},
		{name: "writes", shape: channelRefs(), doc: "Channels the output may have."},
		{name: "raw", doc: "Channels passed as plain bytes.", shape: &shape{form: formObject, what: "an object {in, out}", atLeastOne: []string{"in", "out"}, fields: []field{
			{name: "in", shape: channelRef(), doc: "Channel that is the input."},
			{name: "out", shape: channelRef(), doc: "Channel that the output goes to."},
		}}},
		{name: "each", doc: "One task per element.", shape: &shape{form: formObject, what: "an object {over, batch}", fields: []field{
			{name: "over", shape: channelRef(), need: true, doc: "Channel with the list."},
			{name: "batch", shape: intShape(1, 1e6), doc: "Elements of one task; without it item is one element, not a list."},
		}}},
		{name: "config", shape: &shape{form: formJSON, what: "any value"}, doc: "Configuration the node reads at its start."},
		{name: "deadline", shape: durationShape(), doc: "Short for limits.deadline."},
		{name: "limits", shape: limits, def: "{}", doc: "Limits of this node."},
		{name: "retry", shape: retryShape(n), doc: "What happens after a failure; without it one attempt."},
		{name: "on_error", shape: refShape(refNode, "a node"), doc: "Node that gets the error after the last attempt."},
		{name: "policy", shape: wordShape(words("reset", "fresh", "reuse")), doc: "Which instance a call gets: one put back to what its start left (default), a new one, or one as the last call left it."},
		{name: "instances", shape: intShape(1, 65536), doc: "Instances at a time; default: one for each task that runs at once."},
		{name: "reuse_max", shape: intShape(1, 1e9), doc: "Calls of one instance under policy reuse."},
		{name: "defer", shape: boolShape(), def: "false", doc: "Run when nothing else is due."},
		{name: "interrupts", shape: boolShape(), def: "false", doc: "The node may ask a question."},
		{name: "durable", shape: wordShape(words("calls")), later: true, doc: "Record the result of every outside call."},
		{name: "cache", later: true, doc: "Keep the output for the same input.", shape: &shape{form: formObject, what: "an object {ttl}", fields: []field{
			{name: "ttl", shape: durationShape(), doc: "How long."},
		}}},
		{name: "strict_imports", shape: boolShape(), doc: "As the field of that name at the top."},
		{name: "grants", shape: grantsShape(n), def: "{}", doc: "What the node may use."},
	}}
}

func retryShape(n names) *shape {
	return &shape{form: formObject, what: "an object of retry fields", fields: []field{
		{name: "attempts", shape: intShape(1, 1000), def: "3", doc: "Attempts in all."},
		{name: "initial", shape: durationShape(), def: "100ms", doc: "Wait after the first failure."},
		{name: "factor", shape: &shape{form: formFloat, min: 1, max: 1000}, def: "2", doc: "Each wait is so many times the one before."},
		{name: "max", shape: durationShape(), def: "30s", doc: "Longest wait."},
		{name: "jitter", shape: &shape{form: formFloat, min: 0, max: 1}, def: "0.2", doc: "Share of a wait that is random."},
		{name: "on", shape: listShape("a list of error codes", textShape(n.code)), doc: "Codes to retry; default: those that are retryable."},
	}}
}

func grantsShape(n names) *shape {
	return &shape{form: formObject, what: "an object of grants", fields: []field{
		{name: "clock", shape: boolShape(), def: "false", doc: "The real time."},
		{name: "random", shape: boolShape(), def: "false", doc: "Real randomness."},
		{name: "checkpoint", shape: boolShape(), def: "false", later: true, doc: "Progress inside a task."},
		{name: "args", shape: listShape("a list of arguments", textShape(n.env)), doc: "WASI arguments."},
		{name: "env", shape: tableShape("a variable", n.word, textShape(n.env)), doc: "WASI environment."},
		{name: "kv", later: true, doc: "Values by key.", shape: &shape{form: formObject, what: "an object {scope, max_bytes}", fields: []field{
			{name: "scope", shape: textShape(n.scope), def: "thread", doc: "Who shares them: thread, workflow or shared:NAME."},
			{name: "max_bytes", shape: sizeShape(), def: "1MiB", doc: "All keys and values together."},
		}}},
		{name: "http", later: true, doc: "Requests to the outside.", shape: &shape{form: formObject, what: "an object {allow, methods, max_bytes, rate}", fields: []field{
			{name: "allow", shape: notEmpty(listShape("a list of URLs", textShape(n.web))), need: true, doc: "URLs; a host may start with *., a path may end in *."},
			{name: "methods", shape: notEmpty(listShape("a list of methods", textShape(n.method))), def: "[GET]", doc: "Methods."},
			{name: "max_bytes", shape: sizeShape(), def: "4MiB", doc: "Size of one response."},
			{name: "rate", shape: rateShape(), doc: "Requests in a time."},
		}}},
		{name: "telemetry", doc: "Events, stream labels and metrics.", shape: &shape{form: formObject, what: "an object {names, rate}", fields: []field{
			{name: "names", shape: listShape("a list of names", textShape(newName(name{what: "a name", pattern: `[A-Za-z0-9_.:/-]*\*?`, rule: "letters, digits and _ . : / -, * only at the end", max: 128}))), need: true, doc: "Event types, labels and metric names."},
			{name: "rate", shape: rateShape(), later: true, doc: "Calls in a time."},
		}}},
	}}
}

func edgeShape() *shape {
	return &shape{form: formObject, what: "an edge", exactlyOne: []string{"to", "when", "route"}, fields: []field{
		{name: "from", shape: &shape{form: formOneOrMany, what: "a node or a list of nodes", elem: refShape(refNodeOrStart, "a node or START")}, need: true, doc: "Where it starts; a list waits for all."},
		{name: "to", shape: targets(), doc: "Where it leads."},
		{name: "when", doc: "Branches, the first that holds is taken.", shape: notEmpty(listShape("a list of branches", &shape{form: formObject, what: "a branch", fields: []field{
			{name: "if", shape: &shape{form: formText, what: "a CEL expression"}, doc: "Condition over channels; without it always, last only."},
			{name: "to", shape: targets(), need: true, doc: "Where it leads."},
		}}))},
		{name: "route", shape: notEmpty(listShape("a list of nodes", refShape(refNodeOrEnd, "a node or END"))), doc: "Nodes that the node itself may choose."},
	}}
}

func interruptShape() *shape {
	return &shape{form: formObject, what: "an interrupt", atLeastOne: []string{"before", "after"}, fields: []field{
		{name: "before", shape: nodeRefs(), doc: "Nodes to stop before."},
		{name: "after", shape: nodeRefs(), doc: "Nodes to stop after."},
		{name: "if", shape: &shape{form: formText, what: "a CEL expression"}, doc: "Condition over channels."},
		{name: "answer", shape: channelRef(), doc: "Channel that the answer is written to."},
	}}
}

func secretShape(n names) *shape {
	return &shape{form: formObject, what: "a secret", exactlyOne: []string{"env", "file"}, fields: []field{
		{name: "env", shape: textShape(n.word), doc: "Environment variable that holds it."},
		{name: "file", shape: textShape(n.path), doc: "File that holds it, relative to the manifest."},
	}}
}

func storeShape(n names) *shape {
	delay := &shape{form: formObject, what: "an object {max_delay}", fields: []field{
		{name: "max_delay", shape: durationShape(), need: true, later: true, doc: "Longest time until a step is on disk."},
	}}
	return &shape{form: formObject, what: "a store", fields: []field{
		{name: "url", shape: &shape{form: formText, what: n.url.what, text: n.url, url: true}, local: true, doc: "Where it is."},
		{name: "durability", shape: &shape{form: formWord, words: []word{{text: DurabilitySync}, {text: DurabilityExit, later: true}}, alt: delay}, def: "sync", doc: "Who waits for the disk."},
		{name: "keep", def: "{}", doc: "Which checkpoints of a thread are kept when a run ends; without it, all.", shape: &shape{form: formObject, what: "an object {last, for}", fields: []field{
			{name: "last", shape: intShape(1, 1e9), doc: "At least the newest so many."},
			{name: "for", shape: durationShape(), doc: "And those that are younger."},
		}}},
	}}
}

func streamShape(n names) *shape {
	return &shape{form: formObject, what: "a stream", fields: []field{
		{name: "url", shape: &shape{form: formText, what: n.url.what, text: n.url, url: true}, local: true, doc: "Where it is."},
		{name: "queue", shape: intShape(1, 1e7), def: "1024", doc: "Events that wait."},
		{name: "overflow", shape: wordShape(words("block", "reject", "drop_oldest")), def: "block", doc: "What happens when the queue is full."},
		{name: "block_for", shape: durationShape(), def: "2s", doc: "Longest wait under block."},
		{name: "limit", def: "{}", later: true, doc: "Rate of events.", shape: &shape{form: formObject, what: "an object {rate, burst}", fields: []field{
			{name: "rate", shape: rateShape(), doc: "Events in a time."},
			{name: "burst", shape: intShape(1, 1e9), doc: "Events at once."},
		}}},
	}}
}
