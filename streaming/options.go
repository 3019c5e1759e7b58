package streaming

import (
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"
)

// Overflow says what happens to an event when the queue of its stream is full.
type Overflow string

// Policies for a full queue.
const (
	Block      Overflow = "block"       // Publish waits, at most BlockFor, then the event is rejected
	Reject     Overflow = "reject"      // the event is rejected
	DropOldest Overflow = "drop_oldest" // the events that wait longest make room
)

// Options are those of a publisher.
type Options struct {
	Logger hclog.Logger     // default: silent
	Now    func() time.Time // default: time.Now
	Retry  Retry
	// Timeout is how long the sink may take over one batch. Default 30 s.
	Timeout time.Duration
	// MaxBytes is how large an event may be, in bytes of protobuf before compression. Default 1 MiB, which consumers accept; at most
	// eventpb.MaxDecoded.
	MaxBytes int
	// MaxStreams is how many streams there may be. Default 1024.
	MaxStreams int
}

// Retry says how often a batch is tried that the sink could not take, and how long is waited in between: First, then twice as long
// each time up to Max, each shortened at random by up to half.
type Retry struct {
	Attempts int           // in all, without progress; default 8
	First    time.Duration // default 50 ms
	Max      time.Duration // default 5 s
}

// StreamOptions are those of a stream. What waits is bounded by Events and Bytes; beside it, one batch may be on its way.
type StreamOptions struct {
	Events   int           // default 1024
	Bytes    int64         // of keys, headers and payloads before compression; default 8 MiB
	Overflow Overflow      // default Block
	BlockFor time.Duration // default 2 s
	// BatchEvents and BatchBytes bound what is handed to the sink at once: what waits when it is ready for more, so batches grow with
	// the time that it takes. An event that is larger goes alone. Default 4096 events, 1 MiB.
	BatchEvents int
	BatchBytes  int
}

const (
	defaultMaxBytes = 1 << 20
	maxAttempts     = 1000
)

// Validate returns all that is wrong, an error of several lines that is ErrOptions, or nil. Zero values are defaults.
func (o *Options) Validate() error {
	if o == nil {
		return nil
	}
	return faults(
		fault(o.Retry.Attempts < 0 || o.Retry.Attempts > maxAttempts, "Retry.Attempts", o.Retry.Attempts, "1 to 1000"),
		fault(o.Retry.First < 0, "Retry.First", o.Retry.First, "more than 0"),
		fault(o.Retry.Max < 0, "Retry.Max", o.Retry.Max, "more than 0"),
		fault(o.Timeout < 0, "Timeout", o.Timeout, "more than 0"),
		fault(o.MaxBytes < 0 || o.MaxBytes > 10<<20, "MaxBytes", o.MaxBytes, "1 to 10 MiB"),
		fault(o.MaxStreams < 0, "MaxStreams", o.MaxStreams, "more than 0"),
	)
}

// Validate returns all that is wrong, an error of several lines that is ErrOptions, or nil. Zero values are defaults.
func (o *StreamOptions) Validate() error {
	if o == nil {
		return nil
	}
	known := o.Overflow == "" || o.Overflow == Block || o.Overflow == Reject || o.Overflow == DropOldest
	return faults(
		fault(o.Events < 0, "Events", o.Events, "more than 0"),
		fault(o.Bytes < 0, "Bytes", o.Bytes, "more than 0"),
		fault(!known, "Overflow", o.Overflow, "block, reject or drop_oldest"),
		fault(o.BlockFor < 0, "BlockFor", o.BlockFor, "more than 0"),
		fault(o.BatchEvents < 0, "BatchEvents", o.BatchEvents, "more than 0"),
		fault(o.BatchBytes < 0, "BatchBytes", o.BatchBytes, "more than 0"),
	)
}

func fault(bad bool, field string, got any, want string) error {
	if !bad {
		return nil
	}
	return fmt.Errorf("%w: %s: %v, expected %s", ErrOptions, field, got, want)
}

func faults(errs ...error) error { return errors.Join(errs...) }

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Logger == nil {
		d.Logger = hclog.NewNullLogger()
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	orElse(&d.Retry.Attempts, 8)
	orElse(&d.Retry.First, 50*time.Millisecond)
	orElse(&d.Retry.Max, 5*time.Second)
	orElse(&d.Timeout, 30*time.Second)
	orElse(&d.MaxBytes, defaultMaxBytes)
	orElse(&d.MaxStreams, 1024)
	return d
}

func (o *StreamOptions) withDefaults() StreamOptions {
	var d StreamOptions
	if o != nil {
		d = *o
	}
	orElse(&d.Events, 1024)
	orElse(&d.Bytes, 8<<20)
	orElse(&d.Overflow, Block)
	orElse(&d.BlockFor, 2*time.Second)
	orElse(&d.BatchEvents, 4096)
	orElse(&d.BatchBytes, 1<<20)
	return d
}

func orElse[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}
