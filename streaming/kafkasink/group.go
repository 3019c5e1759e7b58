package kafkasink

import (
	"context"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// turns is which partitions a group has given to a reader. The client tells it from goroutines of its own.
type turns struct {
	mu     sync.Mutex
	joined bool
	held   map[int32]int64 // where the group was when it gave them
	count  map[int32]uint32
}

func (t *turns) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.joined, t.held = false, map[int32]int64{}
	if t.count == nil {
		t.count = map[int32]uint32{}
	}
}

// take notes partitions that the reader got, and where each goes on; -1 if the group does not know.
func (t *turns) take(at map[int32]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.joined = true
	for n, offset := range at {
		t.held[n] = offset
		t.count[n]++
	}
}

func (t *turns) give(partitions []int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range partitions {
		delete(t.held, n)
	}
}

// of is the turn of a partition.
func (t *turns) of(n int32) uint32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count[n]
}

// mine returns which partitions the reader has, moves pos to where the group was if that is further, and says whether the group has
// given out anything yet.
func (t *turns) mine(pos map[int32]int64) (is func(int32) bool, joined bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := map[int32]bool{}
	for n, at := range t.held {
		held[n] = true
		pos[n] = max(pos[n], at)
	}
	return func(n int32) bool { return held[n] }, t.joined
}

// group are the options of a member.
func (r *Reader) group(topic string) []kgo.Opt {
	gone := func(_ context.Context, _ *kgo.Client, was map[string][]int32) { r.turns.give(was[topic]) }
	return []kgo.Opt{
		kgo.ConsumerGroup(r.o.Group), kgo.AutoCommitMarks(), kgo.BlockRebalanceOnPoll(),
		kgo.OnPartitionsAssigned(func(ctx context.Context, cl *kgo.Client, now map[string][]int32) {
			at := map[int32]int64{}
			for _, n := range now[topic] {
				at[n] = -1
			}
			offsets, err := kadm.NewClient(cl).FetchOffsetsForTopics(ctx, r.o.Group, topic)
			if err != nil {
				r.o.Logger.Debug("where the group is, is not known", "group", r.o.Group, "error", err)
			}
			offsets.Each(func(o kadm.OffsetResponse) {
				if _, got := at[o.Partition]; got {
					at[o.Partition] = o.At
				}
			})
			r.turns.take(at)
		}),
		kgo.OnPartitionsRevoked(func(ctx context.Context, cl *kgo.Client, was map[string][]int32) {
			if err := cl.CommitMarkedOffsets(ctx); err != nil {
				r.o.Logger.Warn("what was read last is not committed, and will be read again", "group", r.o.Group, "error", err)
			}
			gone(ctx, cl, was)
		}),
		kgo.OnPartitionsLost(gone),
	}
}
