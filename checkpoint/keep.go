package checkpoint

import (
	"context"
	"time"
)

// KeepRule says which checkpoints of a thread are kept, as PruneOptions does. The zero value keeps all.
type KeepRule struct {
	Last int           // the newest so many, default 0
	For  time.Duration // those that are younger, default 0
}

// Keep drops checkpoints of a thread that the rule does not keep: what Prune does, made to be called whenever a run ends. It writes no
// state of its own, so it cuts where a snapshot stands already, and looks only if there may be enough to drop; what is kept is at
// least what the rule says. It frees no space: that is for Prune. dropped is how many checkpoints went.
//
// ErrNotFound: there is no such thread; a damaged one is a *DamageError, and nothing is dropped.
func (s *Store) Keep(ctx context.Context, thread string, rule KeepRule) (dropped int64, err error) {
	if rule.Last <= 0 && rule.For <= 0 {
		return 0, nil
	}
	if err := checkThread(thread); err != nil {
		return 0, err
	}
	t, err := s.thread(ctx, thread)
	if err != nil {
		return 0, err
	}
	few := t.Records <= int64(rule.Last)+keepSlack
	young := rule.For > 0 && t.Created >= s.now().Add(-rule.For).UnixMicro()
	if few || young {
		return 0, nil
	}
	rep := &PruneReport{}
	err = s.pruneThread(ctx, thread, &PruneOptions{KeepLast: rule.Last, MaxAge: rule.For, cheap: true}, rep)
	return rep.Steps, err
}

// keepSlack is how many records more than the rule keeps are not worth a look: a snapshot stands every few hundred records at most.
const keepSlack = 128
