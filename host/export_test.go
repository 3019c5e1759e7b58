package host

// Graphs is how many graphs the host keeps.
func (h *Host) Graphs() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.graphs)
}
