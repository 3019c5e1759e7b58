package host

import "context"

// opened is a store or an outlet that is opened once, by the first who asks.
type opened[T any] struct {
	ready chan struct{} // closed when the others are set
	value T
	err   error
}

// openOnce gives what m holds under key, opening it if nobody has. open runs
// without the host's lock: a slow one holds up nobody else. One that failed is
// forgotten, so that the next one tries again. What opens after the host was
// closed is shut at once.
func openOnce[T any](ctx context.Context, h *Host, m map[string]*opened[T], key string, open func() (T, error), shut func(T) error) (T, error) {
	var none T
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return none, ErrClosed
	}
	o, found := m[key]
	if !found {
		o = &opened[T]{ready: make(chan struct{})}
		m[key] = o
	}
	h.mu.Unlock()
	if found {
		select {
		case <-o.ready:
			return o.value, o.err
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
	value, err := open()
	h.mu.Lock()
	late := h.closed && err == nil
	switch {
	case late:
		o.err = ErrClosed
	case err != nil:
		o.err = err
		delete(m, key)
	default:
		o.value = value
	}
	close(o.ready)
	h.mu.Unlock()
	if late {
		if err := shut(value); err != nil {
			h.log.Error("close what was opened too late", "error", err)
		}
	}
	return o.value, o.err
}

// all gives what has been opened. It is called with the host's lock held.
func all[T any](m map[string]*opened[T]) []T {
	var out []T
	for _, o := range m {
		select {
		case <-o.ready:
			if o.err == nil {
				out = append(out, o.value)
			}
		default:
		}
	}
	return out
}
