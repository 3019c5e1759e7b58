// Package openurl opens stores by URL. It is the one place that knows which
// scheme means which driver:
//
//	file:DIR   a folder, made if it is not there (checkpoint/filestore)
//	mem:       memory, gone with the process (checkpoint/memstore)
//
// and event sinks:
//
//	file:DIR   a folder of dashstream.v1 frames (streaming/filesink)
//	mem:       memory (streaming/memsink)
//
// An embedder who wants fewer dependencies gives host.Options a function of its
// own instead.
package openurl

import (
	"context"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/filestore"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/filesink"
	"github.com/dashhost/dashhost/streaming/memsink"
)

// Options of the stores that are opened. Nil is fine.
type Options struct {
	Logger   hclog.Logger // default silent
	Owner    string       // what this process says of itself to others, default ""
	ReadOnly bool         // open for reading only; the store must exist
}

// Store opens a store. A scheme it does not know is a *host.SchemeError; other
// errors are the driver's.
func Store(_ context.Context, url string, o *Options) (*checkpoint.Store, error) {
	if o == nil {
		o = &Options{}
	}
	co := &checkpoint.Options{Logger: o.Logger, Owner: o.Owner}
	scheme, rest, _ := strings.Cut(url, ":")
	switch {
	case scheme == "mem" && rest == "":
		return checkpoint.New(memstore.New(), co), nil
	case scheme == "file" && rest != "":
		d, err := filestore.Open(rest, &filestore.Options{ReadOnly: o.ReadOnly})
		if err != nil {
			return nil, err
		}
		return checkpoint.New(d, co), nil
	}
	return nil, &host.SchemeError{URL: url}
}

// Stream opens a sink for events. It fits host.Options.OpenStream. A scheme it
// does not know is a *host.SchemeError; other errors are the driver's.
func Stream(_ context.Context, url string) (driver.Sink, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch {
	case scheme == "mem" && rest == "":
		return memsink.New(nil), nil
	case scheme == "file" && rest != "":
		s, err := filesink.Open(rest, nil)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
	return nil, &host.SchemeError{URL: url}
}
