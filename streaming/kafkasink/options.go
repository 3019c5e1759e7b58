package kafkasink

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Compression is how batches of records are compressed on their way and in the broker's log. Consumers do not notice.
type Compression string

// Compressions.
const (
	Zstd Compression = "zstd"
	LZ4  Compression = "lz4"
	None Compression = "none"
)

// Options are those of a Sink.
type Options struct {
	Compression Compression // default LZ4
	// Timeout is how long a record may take from the moment it is handed to the client until the broker has it, 1 s to 10 min. It
	// should be less than what the publisher allows for a batch. Default 10 s.
	Timeout time.Duration
	// Records and Bytes bound what is on its way at once: 1 to 1,000,000 records, 2 MiB to 1 GiB. Default 20,000 and 32 MiB.
	Records int
	Bytes   int
	// Logger gets what the client library says, at lower levels than it thinks, as failures are also returned. Default: silent.
	Logger hclog.Logger
}

// Validate returns all that is wrong, an error of several lines that is ErrOptions, or nil. Zero values are defaults.
func (o *Options) Validate() error {
	if o == nil {
		return nil
	}
	var errs []error
	bad := func(wrong bool, field string, got any, want string) {
		if wrong {
			errs = append(errs, fmt.Errorf("%w: %s: %v, expected %s", ErrOptions, field, got, want))
		}
	}
	known := o.Compression == "" || o.Compression == Zstd || o.Compression == LZ4 || o.Compression == None
	bad(!known, "Compression", o.Compression, "zstd, lz4 or none")
	bad(o.Timeout != 0 && (o.Timeout < time.Second || o.Timeout > 10*time.Minute), "Timeout", o.Timeout, "1s to 10m")
	bad(o.Records < 0 || o.Records > 1_000_000, "Records", o.Records, "1 to 1000000")
	bad(o.Bytes != 0 && (o.Bytes < 2<<20 || o.Bytes > 1<<30), "Bytes", o.Bytes, "2 MiB to 1 GiB, in bytes")
	return errors.Join(errs...)
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Compression == "" {
		d.Compression = LZ4
	}
	if d.Timeout == 0 {
		d.Timeout = 10 * time.Second
	}
	if d.Records == 0 {
		d.Records = 20_000
	}
	if d.Bytes == 0 {
		d.Bytes = 32 << 20
	}
	d.Logger = orSilent(d.Logger)
	return d
}

func orSilent(l hclog.Logger) hclog.Logger {
	if l == nil {
		return hclog.NewNullLogger()
	}
	return l
}
