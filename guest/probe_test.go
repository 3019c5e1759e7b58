package guest

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// A probe is a guest made for one imported function: it reads its input, which holds one 64-bit word per
// parameter, calls the function with them and writes the result, 64 bits, as output. After that it writes
// two pages of memory as second output, for tests that look at what the host wrote.
//
//	0    words of the parameters     64  result
//	1024.. the test's own data, which the input may cover

const (
	probeResult = 64
	probeData   = 1024
	probeMemory = 2 * PageSize
)

// code writes instructions.
type wcode []byte

func (c *wcode) op(b ...byte)        { *c = append(*c, b...) }
func (c *wcode) i32(v int32)         { c.op(0x41); *c = sleb(*c, int64(v)) }
func (c *wcode) call(f uint32)       { c.op(0x10); *c = uleb(*c, uint64(f)) }
func (c *wcode) load(op byte)        { c.op(op, 0, 0) }
func (c *wcode) store(op byte)       { c.op(op, 0, 0) }
func uleb(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }
func sleb(b []byte, v int64) []byte {
	for {
		low := byte(v & 0x7f)
		v >>= 7
		if (v == 0 && low&0x40 == 0) || (v == -1 && low&0x40 != 0) {
			return append(b, low)
		}
		b = append(b, low|0x80)
	}
}

// probe builds the guest for the function module.name.
func probe(module, name string, params, results []abi.ValueType) []byte {
	i32x2 := wasmbin.FuncType{Params: []wasmbin.ValueType{wasmbin.I32, wasmbin.I32}, Results: []wasmbin.ValueType{wasmbin.I32}}
	run := wasmbin.FuncType{Params: []wasmbin.ValueType{wasmbin.I32}, Results: []wasmbin.ValueType{wasmbin.I32}}
	var probed wasmbin.FuncType
	for _, p := range params {
		probed.Params = append(probed.Params, wasmbin.ValueType(p))
	}
	for _, r := range results {
		probed.Results = append(probed.Results, wasmbin.ValueType(r))
	}
	var c wcode
	c.i32(0)
	c.op(0x20, 0) // local.get 0
	c.call(0)     // input_read
	c.op(0x1a)    // drop
	c.i32(probeResult)
	for i, p := range params {
		c.i32(int32(8 * i))
		switch p {
		case abi.I32:
			c.load(0x28)
		case abi.I64:
			c.load(0x29)
		case abi.F64:
			c.load(0x2b)
		}
	}
	c.call(2)
	switch {
	case len(results) == 0:
		c.op(0x1a)
	case results[0] == abi.I32:
		c.op(0xac) // i64.extend_i32_s
		c.store(0x37)
	default:
		c.store(0x37)
	}
	c.i32(probeResult)
	c.i32(8)
	c.call(1) // output_write
	c.op(0x1a)
	c.i32(0)
	c.i32(probeMemory)
	c.call(1)
	c.op(0x0b)
	return wasmbin.Encode(&wasmbin.Module{
		Types: []wasmbin.FuncType{i32x2, run, probed},
		Imports: []wasmbin.Import{
			{Module: abi.Module, Name: "input_read", Kind: wasmbin.KindFunc, Type: 0},
			{Module: abi.Module, Name: "output_write", Kind: wasmbin.KindFunc, Type: 0},
			{Module: module, Name: name, Kind: wasmbin.KindFunc, Type: 2},
		},
		Memories: []wasmbin.Limits{{Min: probeMemory / PageSize}},
		Exports: []wasmbin.Export{
			{Name: abi.ExportMemory, Kind: wasmbin.KindMemory},
			{Name: abi.ExportRun, Kind: wasmbin.KindFunc, Index: 3},
		},
		Functions: []wasmbin.Function{{Type: 1, Body: c}},
	})
}

// probed is what a probe shows.
type probed struct {
	h      *recorder
	result int64
	memory []byte
	err    error
	stats  Stats
}

func (p *probed) at(ptr, n int) []byte { return p.memory[ptr : ptr+n] }

// probeHost notes both outputs.
type probeHost struct {
	recorder
	all [][]byte
}

func (h *probeHost) OutputWrite(b []byte) error {
	h.all = append(h.all, append([]byte(nil), b...))
	return h.recorder.OutputWrite(b)
}

// words packs parameters; data follows at probeData.
func words(data string, params ...any) []byte {
	b := make([]byte, probeData, probeData+len(data))
	for i, p := range params {
		var w uint64
		switch v := p.(type) {
		case int:
			w = uint64(v)
		case int64:
			w = uint64(v)
		case uint32:
			w = uint64(v)
		case float64:
			w = math.Float64bits(v)
		}
		binary.LittleEndian.PutUint64(b[8*i:], w)
	}
	return append(b, data...)
}

// probes keeps a pool per function of one runtime.
type probes struct {
	t     testing.TB
	rt    *Runtime
	cfg   PoolConfig
	pools map[string]*Pool
}

func newProbes(t testing.TB, o *Options, c PoolConfig) *probes {
	return &probes{t: t, rt: openRuntime(t, o), cfg: c, pools: map[string]*Pool{}}
}

func (p *probes) pool(module, name string, params, results []abi.ValueType) *Pool {
	if p.pools[name] == nil {
		p.pools[name] = newPool(p.t, load(p.t, p.rt, probe(module, name, params, results), name), p.cfg)
	}
	return p.pools[name]
}

// dash calls a function of dash_v1.
func (p *probes) dash(id abi.FuncID, h *probeHost, data string, params ...any) *probed {
	f := abi.ByID(id)
	return p.call(p.pool(abi.Module, f.Name, f.Params, f.Results), h, data, params...)
}

// wasi calls a function of wasi_snapshot_preview1.
func (p *probes) wasi(name string, h *probeHost, data string, params ...any) *probed {
	f, ok := abi.LookupWASI(name)
	if !ok {
		p.t.Fatalf("no function %s", name)
	}
	return p.call(p.pool(abi.WASIModule, name, f.Params, f.Results), h, data, params...)
}

func (p *probes) call(pool *Pool, h *probeHost, data string, params ...any) *probed {
	p.t.Helper()
	h.input = words(data, params...)
	_, err := pool.Call(p.t.Context(), h, len(h.input))
	out := &probed{h: &h.recorder, err: err, stats: pool.Stats()}
	if n := len(h.all); err == nil && n >= 2 {
		out.result = int64(binary.LittleEndian.Uint64(h.all[n-2]))
		out.memory = h.all[n-1]
	}
	return out
}
