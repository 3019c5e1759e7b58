// Package langgraph serves a checkpoint.Store to LangGraph's checkpointers: what BaseCheckpointSaver of the Python and JavaScript
// packages asks for, over lines of JSON. The SDKs sdk/langgraph-python and sdk/langgraph-js are its clients, and
// `dashhost store langgraph` runs it on stdio or on a unix socket.
//
// # Protocol, version 1
//
// A request is one JSON object on one line, a reply too. Every request has an id, chosen by the client, that its reply repeats;
// requests may be sent without waiting, replies come in any order. The first request of a connection is hello:
//
//	-> {"id":0,"op":"hello","protocol":1,"client":"langgraph-python 0.1.0"}
//	<- {"id":0,"ok":{"protocol":1,"server":"dashhost 0.2.0","store":"5c1d...","max_line":67108864}}
//	-> {"id":1,"op":"put","thread":"t","ns":"","checkpoint":{"id":"1f0a-2","parent":"1f0a-1",
//	      "value":{"type":"msgpack","data":"gaJp"},"metadata":{"type":"json","data":"e30="},
//	      "fields":{"source":"loop","step":1},"versions":{"messages":"002.7","step":"001.3"}},
//	      "values":[{"channel":"messages","version":"002.7","value":{"type":"msgpack","data":"kQE="}}]}
//	<- {"id":1,"ok":{}}
//	-> {"id":2,"op":"put_writes","thread":"t","ns":"","checkpoint_id":"1f0a-2","task":"5b6f","path":"~__pregel_pull, node",
//	      "writes":[{"index":0,"channel":"messages","value":{"type":"msgpack","data":"kQI="}}]}
//	-> {"id":3,"op":"get_tuple","thread":"t"}
//	<- {"id":3,"ok":{"tuple":{"thread":"t","ns":"","id":"1f0a-2","parent":"1f0a-1","checkpoint":{...},"metadata":{...},
//	      "values":[{"channel":"messages","value":{...}},{"channel":"step","value":{...}}],
//	      "writes":[{"task":"5b6f","channel":"messages","value":{...}}]}}}
//	<- {"id":2,"ok":{}}
//	-> {"id":4,"op":"rewind"}
//	<- {"id":4,"error":{"code":"invalid","message":"op \"rewind\": not one of hello, put, ..."}}
//
// Values are what a client's serializer made: a type and bytes (base64), which nothing here looks into. An ok of put, put_writes,
// delete_thread, delete_for_runs, copy_thread and prune says that it is durable. The requests of one connection that write are
// carried out in the order in which they came, and a request that reads sees those before it.
//
//	op               fields                                                  ok
//	put              thread ns checkpoint values                             {}
//	put_writes       thread ns checkpoint_id task path writes                {}
//	get_tuple        thread ns checkpoint_id: absent is the newest           tuple, null if there is none
//	list             thread ns checkpoint_id before filter limit cursor      tuples, newest first; cursor if there are more
//	delta_history    thread ns checkpoint_id channels                        channels: writes, oldest first, and the seed
//	delete_thread    thread                                                  {}
//	delete_for_runs  runs                                                    {}
//	copy_thread      from to                                                 {}
//	prune            threads, strategy: keep_latest or delete                {}
//
// Without a thread, list goes through all of them in the order of their names. Without ns it lists all namespaces, merged by id; filter
// is compared with the members of fields, as JSON values, and null matches what is absent. A cursor is given back as it came.
//
// A line is at most Options.MaxLine bytes, newline included. Whatever is wrong with a request, its reply says so and the connection goes on; the id is null if
// none could be read. Names with U+FFFD are refused, because that is what a broken surrogate is read as, and two names must not become
// one. Codes are those of errors.go.
//
// # Records
//
// A LangGraph thread is the thread "langgraph/" + id of the store, all its records are of kind KV (package checkpoint: put without a claim,
// the log decides what was first). ID is the checkpoint's, Namespace its checkpoint_ns. Meta is in protobuf's wire format:
//
//	checkpoint   1: format, 1   2: parent   3: type   4: bytes of the checkpoint without channel_values
//	             5: type   6: bytes of the metadata   7: fields, a JSON object   8: Version, repeated
//	Version      1: channel   2: version, as JSON text
//	Ops          put "channel@version" for a value of a new version: length of its type, varint; type; bytes
//	             del "channel@version" for a new version without one
//	writes       1: format, 1   2: task   3: path; Parts, at least one, each:
//	Part         1: index, zigzag   2: channel   3: type   4: bytes
//
// Of several checkpoints with one id the last counts. Of several writes with one (checkpoint, task, index) the first counts, or the last
// if the index is negative: LangGraph writes errors, interrupts and resumes there. Writes may come before their checkpoint.
//
// A checkpoint holds the values of its new versions only. The value of a channel at a checkpoint is the one put under its version;
// if several checkpoints have put that version, as clients that count versions with integers do after a fork, the nearest ancestor's.
//
// Removing checkpoints writes the thread anew without them, in one append that is refused if anything came meanwhile; values that only
// a removed checkpoint held go to those that remain and need them. If others put to the thread all the time, a record without ID hides what
// stands before it of the checkpoints that its Parts name; the next removal writes the thread anew.
//
// # Reading
//
// The server keeps an index of each thread that was asked for lately: ids, parents, and which record holds which version. A read looks
// whether the thread has grown, reads what is new, and then the few records that it needs and that it has not read lately. So it sees what
// any other process has put.
package langgraph
