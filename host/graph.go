package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/dashhost/dashhost/guest"
)

// nodePool is the pool of a node.
type nodePool struct {
	node string
	*guest.Pool
}

// warm starts an instance for each node, in the background and once, so that the first call of a node finds one that is
// ready. What cannot be started is told to the call that needs it.
func (g *Graph) warm() {
	g.host.mu.Lock()
	defer g.host.mu.Unlock()
	if _, open := g.host.graphs[g]; !open || g.warmed {
		return
	}
	g.warmed = true
	var ctx context.Context
	ctx, g.cool = context.WithCancel(context.Background())
	g.warming.Go(func() {
		for _, p := range g.pools {
			if err := p.Warm(ctx, 1); err != nil {
				g.host.log.Debug("start ahead of the first call", "node", p.node, "error", err)
			}
		}
	})
}

// Stats tells what the instances of each node that runs a module have done, by the name of the node.
func (g *Graph) Stats() map[string]guest.Stats {
	all := make(map[string]guest.Stats, len(g.pools))
	for _, p := range g.pools {
		all[p.node] = p.Stats()
	}
	return all
}

// Drain waits until no run of the graph goes on and closes it. From the first call on no run of it can be started or
// resumed: that is ErrClosed. When ctx ends first it returns an error that says how many runs go on; they are not
// disturbed, and Drain can be called again.
//
// A new version of a workflow takes over like this: Load it, which leaves the old one alone, start runs with the new
// Graph from then on, and Drain the old one.
func (g *Graph) Drain(ctx context.Context) error {
	h := g.host
	h.mu.Lock()
	if !g.draining {
		g.draining = true
		if g.users == 0 {
			close(g.unused)
		}
	}
	h.mu.Unlock()
	select {
	case <-g.unused:
		return g.Close(ctx)
	case <-ctx.Done():
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return fmt.Errorf("drain graph %s: %d runs go on: %w", g.graph.Name, g.users, ctx.Err())
}

func drained(g *Graph) error { return fmt.Errorf("graph %s is drained: %w", g.graph.Name, ErrClosed) }

// Close gives back the graph's instances and compiled modules. Runs of it must
// have ended. Calling it again does nothing.
func (g *Graph) Close(ctx context.Context) error {
	g.host.mu.Lock()
	delete(g.host.graphs, g)
	g.host.mu.Unlock()
	return g.close(ctx)
}

func (g *Graph) close(ctx context.Context) error {
	g.closeOnce.Do(func() {
		g.cool()
		g.warming.Wait()
		var errs []error
		for _, p := range g.pools {
			errs = append(errs, p.Close(ctx))
		}
		for _, m := range g.modules {
			if m != nil {
				errs = append(errs, m.Close(ctx))
			}
		}
		g.closeErr = errors.Join(errs...)
	})
	return g.closeErr
}
