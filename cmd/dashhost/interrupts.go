package main

import (
	"context"
	"os"
	"sync"

	"github.com/dashhost/dashhost/host"
)

// interrupts turns signals into what they mean for a run. Before a run exists the first one cancels the context. Once it
// does, the first lets it stop at the next step boundary and the second cancels the guests that run. One more than that
// ends the process: something does not react.
type interrupts struct {
	app    *app
	cancel context.CancelFunc

	mu     sync.Mutex
	count  int
	run    *host.Run
	drains sync.WaitGroup
}

// interruptible returns a context for everything that leads to a run, and what handles signals until done is called.
func (a *app) interruptible(parent context.Context) (ctx context.Context, i *interrupts, done func()) {
	ctx, cancel := context.WithCancel(parent)
	i = &interrupts{app: a, cancel: cancel}
	c := make(chan os.Signal, 4)
	stop := a.Notify(c)
	ended, quit := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-c:
				i.interrupt(ctx)
			case <-quit:
				return
			}
		}
	}()
	return ctx, i, func() {
		stop()
		close(quit)
		<-ended
		i.drains.Wait()
		cancel()
	}
}

// attach says that there is a run now. A signal that came while it was being started counts.
func (i *interrupts) attach(ctx context.Context, r *host.Run) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.run = r
	if i.count > 0 {
		i.drain(ctx)
	}
}

// cancelled reports whether a second signal cancelled the run.
func (i *interrupts) cancelled() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.run != nil && i.count > 1
}

func (i *interrupts) interrupt(ctx context.Context) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count++
	switch {
	case i.count == 1 && i.run == nil:
		i.app.talk.linef("stopping; interrupt again to end at once")
		i.cancel()
	case i.count == 1:
		i.app.talk.linef("stopping at the end of this step; interrupt again to cancel what runs")
		i.drain(ctx)
	case i.count == 2 && i.run != nil:
		i.app.talk.linef("cancelling what runs")
		i.run.Cancel()
	default:
		i.app.Exit(exitInterrupted)
	}
}

// drain asks the run to stop; nobody waits here, since Wait tells how it ended.
func (i *interrupts) drain(ctx context.Context) {
	r := i.run
	i.drains.Go(func() { _ = r.Drain(ctx) })
}

// untilSignal returns a context that the first signal ends: for commands that only look, and for which being interrupted is an
// end like any other.
func (a *app) untilSignal(parent context.Context) (ctx context.Context, done func()) {
	ctx, cancel := context.WithCancel(parent)
	c := make(chan os.Signal, 1)
	stop := a.Notify(c)
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-c:
			cancel()
		case <-quit:
		}
	}()
	return ctx, func() {
		stop()
		close(quit)
		<-ended
		cancel()
	}
}
