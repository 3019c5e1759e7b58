// Package dash is the Go SDK for nodes of a dashhost workflow. A node is one
// function from input to output; the host reads and writes the channels, keeps
// the state, enforces the limits and decides what the node may reach.
//
//	package main
//
//	import dash "github.com/dashhost/dashhost/sdk/go"
//
//	type In struct {
//		Name string `json:"name"` // a channel of the manifest's "reads"
//	}
//
//	type Out struct {
//		Greeting string `json:"greeting"` // a channel of "writes"
//	}
//
//	func greet(c *dash.Call, in In) (Out, error) {
//		if in.Name == "" {
//			return Out{}, dash.Fail("no_name", "channel name: empty, want a name")
//		}
//		return Out{Greeting: "hello " + in.Name}, nil
//	}
//
//	var node = dash.Serve(dash.Func(greet))
//
//	func main() {} // a reactor: the host calls the exports, main never runs
//
// Build it with
//
//	GOOS=wasip1 GOARCH=wasm go build -buildmode=c-shared -trimpath -ldflags="-s -w" -o greet.wasm .
//
// # Phases
//
// The host calls dash_start once per instance and dash_run once per task:
//
//	dash_start   Configured, RawConfigured: configuration is decoded, the setup
//	             function runs; JSON is warmed up. May log, read the (fixed) clock
//	             and fail; nothing else.
//	dash_run     input is read, the function runs, output is written or the
//	             failure reported.
//
// # Failure
//
// An error returned by the function fails the task. A *Failure says with which
// code, whether a retry makes sense and whether the output is kept; any other
// error has the code "failed" and leaves retrying to the node's policy. A panic
// ends the instance: its text is in the log, the task fails with "exited".
//
// # People
//
// Call.Ask asks a question and ends the task; it runs again once somebody answered.
//
// # Tests
//
// Everything but the imports and exports builds natively, so a node is tested
// with go test; package dashtest has a host in memory.
package dash
