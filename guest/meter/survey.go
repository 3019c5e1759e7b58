package meter

import "github.com/dashhost/dashhost/guest/wasmbin"

// plan is what a function's checks cost.
type plan struct {
	entry int64   // 0: no check at the entry
	loops []int64 // in the order of their heads
}

// survey counts instructions where they are charged.
func survey(body []byte) (*plan, error) {
	p := &plan{}
	it := wasmbin.NewInstrReader(body)
	var in wasmbin.Instr
	// open holds, for each open block, the loop that its instructions belong to:
	// an index into p.loops, -1 outside of all.
	open := []int{-1}
	here := -1 // loop of the present instruction
	wide := map[int]bool{}
	straight, calls := true, false // nothing but straight code so far
	merged := false                // the first loop is reached before anything else
	for it.Next(&in) {
		if here < 0 {
			p.entry++
		} else {
			p.loops[here]++
		}
		switch in.Op {
		case wasmbin.OpLoop:
			if straight {
				merged, straight = true, false
			}
			p.loops = append(p.loops, 1)
			here = len(p.loops) - 1
			open = append(open, here)
		case wasmbin.OpBlock:
			open = append(open, here)
		case wasmbin.OpIf, wasmbin.OpTryTable:
			straight = false
			open = append(open, here)
		case wasmbin.OpEnd:
			open = open[:len(open)-1]
			if len(open) > 0 {
				here = open[len(open)-1]
			}
		case wasmbin.OpCall, wasmbin.OpCallIndirect:
			straight, calls = false, true
		case wasmbin.OpBr, wasmbin.OpBrIf, wasmbin.OpReturn, wasmbin.OpUnreachable:
			straight = false
		case wasmbin.OpBrTable:
			straight = false
			if in.X > dispatch && here >= 0 {
				wide[here] = true
			}
		}
	}
	for i := range wide {
		p.loops[i] = max(leastDispatch, p.loops[i]/dispatchShare)
	}
	if merged || len(p.loops) == 0 && !calls && p.entry <= leaf {
		p.entry = 0
	}
	return p, it.Err()
}
