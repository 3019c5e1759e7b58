package abi

const always = PhaseStart | PhaseRun

// table is the single source of everything the module dash_v1 offers. It is never written to.
var table = [FuncCount]Func{
	{
		ID: FnInputRead, Name: "input_read", Group: "data", Kind: Value, Phases: PhaseRun,
		Args: []string{"buf", "cap"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "read the task's input",
	},
	{
		ID: FnConfigRead, Name: "config_read", Group: "data", Kind: Value, Phases: always,
		Args: []string{"buf", "cap"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "read the node's configuration",
	},
	{
		ID: FnMetaRead, Name: "meta_read", Group: "data", Kind: Value, Phases: PhaseRun,
		Args: []string{"buf", "cap"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "read what identifies this task",
	},
	{
		ID: FnOutputWrite, Name: "output_write", Group: "data", Phases: PhaseRun,
		Args: []string{"ptr", "len"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "set the output, replacing an earlier one",
	},
	{
		ID: FnFail, Name: "fail", Group: "outcome", Phases: always,
		Args: []string{"ptr", "len", "retry_us"}, Params: []ValueType{I32, I32, I64}, Results: []ValueType{I32},
		Doc: "say why the call is about to fail",
	},
	{
		ID: FnLastError, Name: "last_error", Group: "outcome", Kind: Value, Phases: always,
		Args: []string{"buf", "cap"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "read the text of the last error",
	},
	{
		ID: FnRouteTo, Name: "route_to", Group: "routing", Phases: PhaseRun,
		Args: []string{"ptr", "len"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "choose a node that runs next",
	},
	{
		ID: FnRouteSend, Name: "route_send", Group: "routing", Phases: PhaseRun,
		Args: []string{"nptr", "nlen", "iptr", "ilen"}, Params: []ValueType{I32, I32, I32, I32}, Results: []ValueType{I32},
		Doc: "start a task of a node with an item of its own",
	},
	{
		ID: FnInterrupt, Name: "interrupt", Group: "human", Phases: PhaseRun, Grant: GrantInterrupts, Effect: EffectInterrupt,
		Args: []string{"ptr", "len"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "ask a question, or learn the length of its answer",
	},
	{
		ID: FnAnswerRead, Name: "answer_read", Group: "human", Kind: Value, Phases: PhaseRun, Grant: GrantInterrupts,
		Args: []string{"buf", "cap"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "read the answer to the question asked last",
	},
	{
		ID: FnLog, Name: "log", Group: "log", Phases: always,
		Args: []string{"level", "ptr", "len"}, Params: []ValueType{I32, I32, I32},
		Doc: "write a log message",
	},
	{
		ID: FnLogEnabled, Name: "log_enabled", Group: "log", Phases: always,
		Args: []string{"level"}, Params: []ValueType{I32}, Results: []ValueType{I32},
		Doc: "tell whether a message of this level would be kept",
	},
	{
		ID: FnEventEmit, Name: "event_emit", Group: "telemetry", Phases: PhaseRun, Grant: GrantTelemetry, Effect: EffectEvent,
		Args: []string{"tptr", "tlen", "ptr", "len"}, Params: []ValueType{I32, I32, I32, I32}, Results: []ValueType{I32},
		Doc: "publish an event",
	},
	{
		ID: FnStreamWrite, Name: "stream_write", Group: "telemetry", Phases: PhaseRun, Grant: GrantTelemetry, Effect: EffectStream,
		Args: []string{"lptr", "llen", "ptr", "len"}, Params: []ValueType{I32, I32, I32, I32}, Results: []ValueType{I32},
		Doc: "publish the next piece of a labelled stream",
	},
	{
		ID: FnMetric, Name: "metric", Group: "telemetry", Phases: PhaseRun, Grant: GrantTelemetry,
		Args: []string{"kind", "nptr", "nlen", "value"}, Params: []ValueType{I32, I32, I32, F64}, Results: []ValueType{I32},
		Doc: "record a measurement",
	},
	{
		ID: FnCheckpointSave, Name: "checkpoint_save", Group: "progress", Phases: PhaseRun, Grant: GrantCheckpoint, Effect: EffectCheckpoint,
		Args: []string{"ptr", "len"}, Params: []ValueType{I32, I32}, Results: []ValueType{I64},
		Doc: "keep the task's progress, durably",
	},
	{
		ID: FnCheckpointLoad, Name: "checkpoint_load", Group: "progress", Kind: Value, Phases: PhaseRun, Grant: GrantCheckpoint,
		Args: []string{"buf", "cap"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "read the task's newest progress",
	},
	{
		ID: FnKVGet, Name: "kv_get", Group: "state", Kind: Value, Phases: PhaseRun, Grant: GrantKV,
		Args:   []string{"kptr", "klen", "buf", "cap", "verptr"},
		Params: []ValueType{I32, I32, I32, I32, I32}, Results: []ValueType{I32},
		Doc: "read a value and its version",
	},
	{
		ID: FnKVPut, Name: "kv_put", Group: "state", Phases: PhaseRun, Grant: GrantKV, Effect: EffectKV,
		Args:   []string{"kptr", "klen", "vptr", "vlen", "expect"},
		Params: []ValueType{I32, I32, I32, I32, I64}, Results: []ValueType{I64},
		Doc: "set a value, if its version is the expected one",
	},
	{
		ID: FnKVDelete, Name: "kv_delete", Group: "state", Phases: PhaseRun, Grant: GrantKV, Effect: EffectKV,
		Args: []string{"kptr", "klen", "expect"}, Params: []ValueType{I32, I32, I64}, Results: []ValueType{I32},
		Doc: "remove a value, if its version is the expected one",
	},
	{
		ID: FnKVList, Name: "kv_list", Group: "state", Kind: Stream, Phases: PhaseRun, Grant: GrantKV,
		Args:   []string{"pptr", "plen", "aptr", "alen", "buf", "cap"},
		Params: []ValueType{I32, I32, I32, I32, I32, I32}, Results: []ValueType{I32},
		Doc: "list keys after a given one as JSON lines",
	},
	{
		ID: FnHTTPFetch, Name: "http_fetch", Group: "outside", Phases: PhaseRun, Grant: GrantHTTP, Effect: EffectHTTP,
		Args: []string{"hptr", "hlen", "bptr", "blen"}, Params: []ValueType{I32, I32, I32, I32}, Results: []ValueType{I32},
		Doc: "send a request and wait for the head of the response",
	},
	{
		ID: FnHTTPHead, Name: "http_head", Group: "outside", Kind: Value, Phases: PhaseRun, Grant: GrantHTTP,
		Args: []string{"handle", "buf", "cap"}, Params: []ValueType{I32, I32, I32}, Results: []ValueType{I32},
		Doc: "read the head of a response",
	},
	{
		ID: FnHTTPBody, Name: "http_body", Group: "outside", Kind: Stream, Phases: PhaseRun, Grant: GrantHTTP,
		Args: []string{"handle", "buf", "cap"}, Params: []ValueType{I32, I32, I32}, Results: []ValueType{I32},
		Doc: "read the next piece of a response's body",
	},
	{
		ID: FnHTTPClose, Name: "http_close", Group: "outside", Phases: PhaseRun, Grant: GrantHTTP,
		Args: []string{"handle"}, Params: []ValueType{I32}, Results: []ValueType{I32},
		Doc: "give a response back",
	},
	{
		ID: FnClockNow, Name: "clock_now", Group: "time", Phases: always, Grant: GrantClock,
		Results: []ValueType{I64},
		Doc:     "read the time in microseconds since 1970",
	},
	{
		ID: FnRandom, Name: "random", Group: "time", Phases: always, Grant: GrantRandom,
		Args: []string{"buf", "len"}, Params: []ValueType{I32, I32}, Results: []ValueType{I32},
		Doc: "fill a buffer with random bytes",
	},
}
