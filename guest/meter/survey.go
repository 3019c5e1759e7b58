package meter

import "github.com/dashhost/dashhost/guest/wasmbin"

// block is one block of a function. The body as a whole is block 0, and each arm of an if is one.
type block struct {
	op         wasmbin.Op
	parent     int   // -1 for the body
	start, end int   // numbers of the instructions that begin and end it, for arms those of the if
	region     int   // the block whose check charges the code in it: the innermost loop around it, or the body
	cost       int64 // of a region: what one check charges
	params     bool  // a loop that takes operands
	wide       bool  // a loop that dispatches
	loops      bool  // there is a loop in it, a br_table, or something that calls
	tables     bool
	calls      bool

	// For the estimate of frames, see frame.go.
	target bool // values may meet at its end or head
	opened int
	sets   int
}

// site is a call.
type site struct {
	at, block int // instruction and the block it is in
	indirect  bool
	to        uint32 // function, or type of an indirect call
	cold      bool   // it does not return: unreachable follows
}

// survey is what a walk over a function's body has found.
type survey struct {
	types []wasmbin.FuncType // of the module

	blocks []block
	sites  []site
	instrs int
	merged bool // a loop is reached before anything else: it is charged there too
	bulk   bool // some instruction of bulk.go is in it
	throws bool // exceptions are thrown or caught in it
	frame  frame
	// references are the functions that ref.func names.
	references []uint32

	open    []int
	current int // innermost open block
}

// walk surveys a function. leaf gives what calls of unmetered functions cost; it may be nil.
func (s *survey) walk(f *wasmbin.Function, leaf func(uint32) int64) error {
	*s = survey{types: s.types, blocks: s.blocks[:0], sites: s.sites[:0], open: s.open[:0], references: s.references[:0], frame: s.frame}
	s.frame.begin(f, s.types[f.Type].Params)
	s.current = -1
	s.push(wasmbin.OpBlock, 0)
	it := wasmbin.NewInstrReader(f.Body)
	var in wasmbin.Instr
	straight := true // nothing but straight code so far
	length := int64(-1)
	for ; it.Next(&in); s.instrs++ {
		s.region().cost++
		switch in.Op {
		case wasmbin.OpBlock, wasmbin.OpLoop, wasmbin.OpIf, wasmbin.OpTryTable, wasmbin.OpElse, wasmbin.OpEnd:
			s.structure(&in)
			if in.Op == wasmbin.OpLoop && straight {
				s.merged = true
			}
		case wasmbin.OpBrTable:
			s.blocks[s.current].tables = true
			s.region().wide = s.region().wide || in.X > dispatch
		case wasmbin.OpCall, wasmbin.OpCallIndirect:
			s.call(&in, leaf)
		case wasmbin.OpThrow, wasmbin.OpThrowRef:
			s.throws = true
		case wasmbin.OpRefFunc:
			s.references = append(s.references, in.X)
		case wasmbin.OpUnreachable:
			if n := len(s.sites); n > 0 && s.sites[n-1].at == s.instrs-1 {
				s.sites[n-1].cold = true
			}
		case wasmbin.OpLocalSet, wasmbin.OpLocalTee:
			s.assigned(in.X)
		default:
			s.bulkOp(in.Op, length)
		}
		s.branches(&in)
		straight = straight && straightOn(in.Op)
		if length = -1; in.Op == wasmbin.OpI32Const {
			length = int64(uint32(in.I32()))
		}
	}
	return it.Err()
}

func (s *survey) region() *block { return &s.blocks[s.blocks[s.current].region] }

// straightOn tells whether what follows op is run whenever op is, and no code of others before.
func straightOn(op wasmbin.Op) bool {
	switch op {
	case wasmbin.OpLoop, wasmbin.OpIf, wasmbin.OpElse, wasmbin.OpTryTable, wasmbin.OpCall, wasmbin.OpCallIndirect, wasmbin.OpBr,
		wasmbin.OpBrIf, wasmbin.OpBrTable, wasmbin.OpReturn, wasmbin.OpUnreachable, wasmbin.OpThrow, wasmbin.OpThrowRef:
		return false
	}
	return !isBulk(op)
}

// structure opens and closes blocks.
func (s *survey) structure(in *wasmbin.Instr) {
	switch in.Op {
	case wasmbin.OpElse:
		start := s.blocks[s.current].start
		s.pop()
		s.push(wasmbin.OpIf, start)
	case wasmbin.OpEnd:
		s.pop()
	case wasmbin.OpTryTable:
		s.throws = true
		s.push(in.Op, s.instrs)
	default:
		s.push(in.Op, s.instrs)
		t := in.Block()
		s.blocks[s.current].params = t >= 0 && len(s.types[t].Params) > 0
	}
}

func (s *survey) push(op wasmbin.Op, start int) {
	b := block{op: op, parent: s.current, start: start, opened: s.instrs}
	i := len(s.blocks)
	switch {
	case op == wasmbin.OpLoop:
		b.region, b.cost = i, 1
	case i > 0:
		b.region = s.blocks[s.current].region
	}
	b.target = op == wasmbin.OpIf
	s.blocks = append(s.blocks, b)
	s.open = append(s.open, i)
	s.current = i
}

func (s *survey) pop() {
	b := &s.blocks[s.current]
	b.end = s.instrs
	if b.op == wasmbin.OpLoop && b.wide {
		b.cost = max(leastDispatch, b.cost/dispatchShare)
	}
	b.cost = min(b.cost, maxCharge)
	s.frame.leave(b)
	s.open = s.open[:len(s.open)-1]
	if b.parent >= 0 {
		p := &s.blocks[b.parent]
		p.loops = p.loops || b.loops || b.op == wasmbin.OpLoop
		p.tables = p.tables || b.tables
		p.calls = p.calls || b.calls
	}
	s.current = b.parent
}

func (s *survey) call(in *wasmbin.Instr, leaf func(uint32) int64) {
	s.blocks[s.current].calls = true
	s.frame.calls++
	indirect := in.Op == wasmbin.OpCallIndirect
	s.sites = append(s.sites, site{at: s.instrs, block: s.current, indirect: indirect, to: in.X})
	if leaf != nil && !indirect {
		s.region().cost += leaf(in.X)
	}
}

// bulkOp notes an instruction of bulk.go. A short length that is known costs what it costs, and needs no help.
func (s *survey) bulkOp(op wasmbin.Op, length int64) {
	if !isBulk(op) {
		return
	}
	if inMemory(op) && length >= 0 && length <= direct {
		s.region().cost += length / bytesPerUnit
		return
	}
	s.bulk = true
	s.blocks[s.current].calls = true
	s.frame.calls++
}

// branches notes the blocks that a branch leads to.
func (s *survey) branches(in *wasmbin.Instr) {
	switch in.Op {
	case wasmbin.OpBr, wasmbin.OpBrIf, wasmbin.OpBrTable:
		for l := range in.Labels() {
			s.blocks[s.open[len(s.open)-1-int(l)]].target = true
		}
	case wasmbin.OpTryTable:
		for l := range in.Labels() { // they count from outside of it, which has just been opened
			s.blocks[s.open[len(s.open)-2-int(l)]].target = true
		}
	}
}

// assigned notes that a local gets a value: one more for each block that is open and has not had one for it.
func (s *survey) assigned(local uint32) {
	last := s.frame.assign(local, s.instrs)
	for k := len(s.open) - 1; k >= 0 && s.blocks[s.open[k]].opened > last; k-- {
		s.blocks[s.open[k]].sets++
	}
}
