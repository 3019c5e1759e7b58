// Package openurl opens stores by URL. It is the one place that knows which
// scheme means which driver:
//
//	file:DIR   a folder, made if it is not there (checkpoint/filestore)
//	mem:       memory, gone with the process (checkpoint/memstore)
//	postgres://user@host/database
//	           a PostgreSQL server (checkpoint/pgstore, which says what else the URL may hold)
//
// and event sinks:
//
//	file:DIR                  a folder of dashstream.v1 frames (streaming/filesink)
//	kafka://HOST:PORT/TOPIC   a topic of Apache Kafka (streaming/kafkasink, which has the rest of the grammar)
//	mem:                      memory (streaming/memsink)
//
// An embedder who wants fewer dependencies gives host.Options a function of its
// own instead.
package openurl

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/dashhost/dashhost/checkpoint"
	checkpointdriver "github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/checkpoint/filestore"
	"github.com/dashhost/dashhost/checkpoint/memstore"
	"github.com/dashhost/dashhost/checkpoint/pgstore"
	"github.com/dashhost/dashhost/checkpoint/sealed"
	"github.com/dashhost/dashhost/host"
	"github.com/dashhost/dashhost/streaming/driver"
	"github.com/dashhost/dashhost/streaming/filesink"
	"github.com/dashhost/dashhost/streaming/kafkasink"
	"github.com/dashhost/dashhost/streaming/memsink"
)

// Options of the stores and sinks that are opened. Nil is fine.
type Options struct {
	Logger   hclog.Logger // default silent
	Owner    string       // what this process says of itself to others, default ""
	ReadOnly bool         // open for reading only; the store must exist
	// Getenv is asked for secrets that a URL does not hold. Default os.Getenv.
	Getenv func(string) string
	// Keys open an encrypted store; the first encrypts one that has nothing in it. Default none.
	Keys []sealed.Key
	// PlainToo opens a store that is not encrypted even if Keys are given. Default is sealed.ErrPlain.
	PlainToo bool
}

// Store opens a store. A scheme it does not know is a *host.SchemeError, a key
// that is missing a *sealed.KeyError; other errors are the driver's.
func Store(ctx context.Context, url string, o *Options) (*checkpoint.Store, error) {
	if o == nil {
		o = &Options{}
	}
	d, err := open(ctx, url, o)
	if err != nil {
		return nil, err
	}
	keys := o.Keys
	if o.PlainToo {
		encrypted, err := sealed.Encrypted(ctx, d)
		if err != nil {
			return nil, errors.Join(err, d.Close())
		}
		if !encrypted {
			keys = nil
		}
	}
	e, err := sealed.Open(ctx, d, keys...)
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return checkpoint.New(e, &checkpoint.Options{Logger: o.Logger, Owner: o.Owner}), nil
}

// Rekey gives an encrypted store another master key, see sealed.Rekey. o.Keys
// has the present one.
func Rekey(ctx context.Context, url string, o *Options, master sealed.Key) error {
	d, err := open(ctx, url, o)
	if err != nil {
		return err
	}
	return errors.Join(sealed.Rekey(ctx, d, o.Keys, master), d.Close())
}

// open is the one place that knows the schemes of stores.
func open(ctx context.Context, url string, o *Options) (checkpointdriver.Driver, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	switch {
	case scheme == "mem" && rest == "":
		return memstore.New(), nil
	case scheme == "file" && rest != "":
		return filestore.Open(rest, &filestore.Options{ReadOnly: o.ReadOnly})
	case scheme == "postgres" || scheme == "postgresql":
		return pgstore.Open(ctx, url, &pgstore.Options{ReadOnly: o.ReadOnly})
	}
	return nil, &host.SchemeError{URL: Redact(url)}
}

// Stream opens a sink for events. A scheme it does not know is a *host.SchemeError;
// other errors are the driver's. Secrets of a kafka URL may come from the environment.
// Options.Owner and ReadOnly have no meaning here.
func Stream(ctx context.Context, url string, o *Options) (driver.Sink, error) {
	if o == nil {
		o = &Options{}
	}
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
	case scheme == "kafka":
		return kafka(ctx, url, o)
	}
	return nil, &host.SchemeError{URL: Redact(url)}
}

func kafka(ctx context.Context, url string, o *Options) (driver.Sink, error) {
	getenv := o.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	t, ko, err := kafkasink.ParseURL(url, getenv)
	if err != nil {
		return nil, err
	}
	ko.Logger = o.Logger
	s, err := kafkasink.Open(ctx, t, ko)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Redact returns a URL with the password in it, if there is one, replaced by
// "xxxxx": for messages and logs.
func Redact(url string) string {
	if strings.HasPrefix(url, "postgres") {
		return pgstore.Redact(url)
	}
	return kafkasink.Redact(url)
}
