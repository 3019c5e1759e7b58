package checkpoint

import (
	"context"
	"fmt"
)

// Refresh looks at what others have appended to the thread since this claim's last append: afterwards Cancelled is up to date.
// ErrFenced: another claim or a delete came later, or may come, because the owner is not alive any more: a lease has ended.
func (c *Claim) Refresh(ctx context.Context) error {
	if c.s.own != nil {
		if _, alive, err := c.s.own.Owner(ctx, c.owner); err == nil && !alive {
			return fmt.Errorf("thread %q: owner %s has ended: %w", c.thread, c.owner, ErrFenced)
		}
	}
	t, err := c.s.thread(ctx, c.thread)
	if err != nil {
		return err
	}
	if t.Epoch != c.epoch {
		return fmt.Errorf("thread %q: %w", c.thread, ErrFenced)
	}
	c.mu.Lock()
	c.cancel = max(c.cancel, t.Cancel)
	c.mu.Unlock()
	return nil
}
