package meter

import "github.com/dashhost/dashhost/guest/wasmbin"

// plan is what is injected into one function, and where.
type plan struct {
	*survey
	fuel  variable // the counter, as this function has it
	entry int64    // what is taken at the entry; 0: nothing, its callers pay
	// check: the entry asks whether the counter is spent. Otherwise a loop that is reached at once does.
	check bool

	// depth: the function minds the depth. What it leaves to its callees is in the local of that name, from the
	// instruction number lower on, as far as the block within reaches. Calls elsewhere are cold, and see to it
	// themselves.
	depth  bool
	lower  int // -1: nowhere
	within int
	local  uint32
	frame  int64
	below  int64
}

// plan decides what becomes of the function that was surveyed last.
func (w *rewriter) plan(i int) *plan {
	f, s := &w.graph.functions[i], &w.now
	body := &s.blocks[0]
	p := &plan{survey: s, fuel: w.fuel, lower: -1, frame: f.frame, below: max(f.below, 1)}
	if f.leaf == 0 {
		p.entry = body.cost
		p.check = !s.merged
	}
	if f.deep {
		w.lowering(p, f)
	}
	return p
}

// private tells whether the counter may live in a local of the function: nobody else looks at it meanwhile.
func (p *plan) private() bool {
	return p.blocks[0].loops && !p.blocks[0].calls && !p.throws && !p.depth
}

// outside tells whether a loop's call of refuel stands outside of it. It does so where it costs less than inside, which
// is everywhere but in loops of loops that call nothing. A loop with parameters has operands that would be in the way.
func (p *plan) outside(b *block) bool { return !b.params && (!b.loops || b.tables || b.calls) }

// lowering finds the place where the depth is lowered: before the first call that matters and is likely to be
// run, so that paths without calls do without, but outside of all loops.
func (w *rewriter) lowering(p *plan, f *function) {
	if p.throws || f.frame > unminded {
		p.depth, p.lower = true, 0
		return
	}
	within, first, last := -1, 0, -1
	for k := range p.sites {
		c := &p.sites[k]
		if !w.graph.reaches(c) {
			continue
		}
		p.depth = true
		if c.cold {
			continue
		}
		switch {
		case within < 0:
			within, first = c.block, k
		case c.block != last:
			within = p.around(within, c.block)
		}
		last = c.block
	}
	if within < 0 {
		return
	}
	child := p.sites[first].block
	at := p.sites[first].at
	loop := -1
	for b := child; b != within; b = p.blocks[b].parent {
		at = p.blocks[b].start
	}
	for b := within; b >= 0; b = p.blocks[b].parent {
		if p.blocks[b].op == wasmbin.OpLoop {
			loop = b
		}
	}
	if loop >= 0 {
		within, at = p.blocks[loop].parent, p.blocks[loop].start
	}
	p.lower, p.within = at, within
}

// around gives the innermost block that has both in it. A block's number is higher than those of the blocks around
// it.
func (p *plan) around(a, b int) int {
	for a != b {
		if a > b {
			a = p.blocks[a].parent
		} else {
			b = p.blocks[b].parent
		}
	}
	return a
}

// lowered tells whether the depth has been lowered when the site is reached.
func (p *plan) lowered(c *site) bool {
	return p.lower >= 0 && c.at >= p.lower && c.at < p.blocks[p.within].end
}
