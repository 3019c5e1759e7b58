package kafkasink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Start says where in each partition reading begins. At most one field is set; the zero Start is the oldest record there is.
type Start struct {
	End    bool      // behind the newest record
	Offset int64     // this one, or the nearest there is
	Time   time.Time // the first record with this time or a later one; the time of a record is that of its event
}

// offset is the start as the client takes it, for partitions that appear while it reads.
func (s Start) offset() kgo.Offset {
	switch {
	case s.End:
		return kgo.NewOffset().AtEnd()
	case s.Offset > 0:
		return kgo.NewOffset().At(s.Offset)
	case !s.Time.IsZero():
		return kgo.NewOffset().AfterMilli(s.Time.UnixMilli())
	}
	return kgo.NewOffset().AtStart()
}

// Partition is what a topic holds of one.
type Partition struct {
	Partition int32
	First     int64 // offset of the oldest record
	Next      int64 // offset that the next record will get
	Committed int64 // where the group goes on; -1 if there is no group, or it has said nothing yet
	Lag       int64 // records that the group has not read; without a group all that there are
}

// partitions asks for the borders, and where a group is if one is named.
func partitions(ctx context.Context, cl *kgo.Client, topic, group string) (map[int32]*Partition, error) {
	adm := kadm.NewClient(cl)
	first, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("topic %s: offsets: %w", topic, err)
	}
	next, err := adm.ListEndOffsets(ctx, topic)
	if err == nil {
		err = next.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("topic %s: offsets: %w", topic, err)
	}
	all := map[int32]*Partition{}
	first.Each(func(o kadm.ListedOffset) {
		all[o.Partition] = &Partition{Partition: o.Partition, First: o.Offset, Next: o.Offset, Committed: -1}
	})
	next.Each(func(o kadm.ListedOffset) {
		if p := all[o.Partition]; p != nil {
			p.Next = max(p.Next, o.Offset)
			p.Lag = p.Next - p.First
		}
	})
	if group == "" {
		return all, nil
	}
	return all, committed(ctx, adm, topic, group, all)
}

// committed adds where a group is.
func committed(ctx context.Context, adm *kadm.Client, topic, group string, all map[int32]*Partition) error {
	var offsets kadm.OffsetResponses
	err := patiently(ctx, func() (err error) {
		if offsets, err = adm.FetchOffsetsForTopics(ctx, group, topic); err == nil {
			err = offsets.Error()
		}
		return err
	})
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil // it has read nothing yet
	}
	if err != nil {
		return fmt.Errorf("group %s: %w", group, err)
	}
	offsets.Each(func(o kadm.OffsetResponse) {
		if p := all[o.Partition]; p != nil && o.At >= 0 {
			p.Committed = o.At
			p.Lag = p.Next - min(max(o.At, p.First), p.Next)
		}
	})
	return nil
}

// positions says where each partition is begun.
func (s Start) positions(ctx context.Context, cl *kgo.Client, topic string, all map[int32]*Partition) (map[int32]int64, error) {
	from := map[int32]int64{}
	for n, p := range all {
		from[n] = min(max(p.First, s.Offset), p.Next)
		if s.End {
			from[n] = p.Next
		}
	}
	if s.Time.IsZero() {
		return from, nil
	}
	after, err := kadm.NewClient(cl).ListOffsetsAfterMilli(ctx, s.Time.UnixMilli(), topic)
	if err == nil {
		err = after.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("topic %s: offsets at %v: %w", topic, s.Time, err)
	}
	after.Each(func(o kadm.ListedOffset) {
		if p := all[o.Partition]; p != nil {
			from[o.Partition] = min(max(p.First, o.Offset), p.Next)
		}
	})
	return from, nil
}
