package guest

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/cpu"

	"github.com/dashhost/dashhost/abi"
	"github.com/dashhost/dashhost/guest/meter"
	"github.com/dashhost/dashhost/guest/wasmbin"
)

// An entry of the cache is one file: what the runtime keeps of a compilation, in the runtime's own format, which
// ends itself, and behind it what spares the next process decoding, checking and metering. So the runtime can read
// the file as it is, through a link, once it was verified.
//
//	machine code | wasm | notes (JSON) | trailer
//	trailer: length of machine code u64 | of wasm u64 | of notes u64 | sum of notes | sum of all | magic
//
// wasm is what the runtime was given: the metered module. Lengths are little endian, sums SHA-256. Both sums begin with
// the name of the entry, so that an entry under another name is as good as damaged. The sum of all is one over the sums
// of pieces of 1 MiB, which are taken on all processors at once, of everything before it.
const (
	entryMagic  = "dashhost code 3\n"
	trailerSize = 3*8 + 2*sha256.Size + len(entryMagic)
	entryPiece  = 1 << 20
	maxNotes    = 16 << 20
)

// codeKey names one compilation: a module's bytes, the rules it was checked against, and the limit of tables that is
// written into it.
type codeKey struct {
	digest [sha256.Size]byte
	rules  [sha256.Size]byte
	table  uint32
}

// String is the name of the entry on disk: the digest of the module, and what else the machine code depends on.
func (k codeKey) String() string {
	b := binary.LittleEndian.AppendUint32(k.rules[:], k.table)
	b = binary.LittleEndian.AppendUint16(b, meter.Version)
	rest := sha256.Sum256(append(b, processor()...))
	return hex.EncodeToString(k.digest[:]) + "-" + hex.EncodeToString(rest[:8])
}

// processor is what the runtime's compiler looks at of the machine.
func processor() string {
	x, a := &cpu.X86, &cpu.ARM64
	return fmt.Sprint(runtime.GOARCH, x.HasSSE41, x.HasBMI1, x.HasBMI2, x.HasPOPCNT, x.HasLZCNT, a.HasATOMICS)
}

// rulesOf is the digest of what decides whether a module is accepted, beside its bytes: an entry that was made under
// other rules is not found.
func rulesOf(o *ModuleOptions) [sha256.Size]byte {
	h := sha256.New()
	fmt.Fprint(h, o.Bounds.WithDefaults(), o.Trusted, abi.Version)
	fmt.Fprintf(h, "%+v %+v", Info{}, meter.Rewritten{}) // their fields: notes of another shape are not found either
	for _, f := range abi.Functions() {
		fmt.Fprintln(h, f.Signature())
	}
	for _, f := range abi.WASI() {
		fmt.Fprintln(h, f.Name, f.Params, f.Results)
	}
	return [sha256.Size]byte(h.Sum(nil))
}

// notes is what an entry says of its module.
type notes struct {
	Name     string // given by whoever loaded it first, may be ""
	Created  time.Time
	File     string // the name by which the runtime looks for the machine code
	Growable bool
	Table    uint32
	Meter    int
	Info     *Info
	Metered  *meter.Rewritten
}

// prepared is a module that was checked and metered: what the runtime is given, and what is known of it.
type prepared struct {
	notes
	wasm   []byte
	native string        // file of the entry it comes from, "" when it was made from the module's bytes
	time   time.Duration // limits of compiling it, 0 for the defaults
	memory int64
}

// prepare decodes, checks and meters a module. It fails with a *LoadError without a name.
func prepare(wasm []byte, o *ModuleOptions, table uint32) (*prepared, error) {
	m, info, e := examine(wasm, o)
	if e != nil {
		return nil, e
	}
	p := &prepared{
		notes: notes{Name: o.Name, Growable: growable(m), Table: table, Meter: meter.Version, Info: info},
		time:  o.CompileTime, memory: o.CompileMemory,
	}
	if p.Growable {
		capTables(m, table)
	}
	var err error
	if p.Metered, err = meter.Rewrite(m); err != nil {
		return nil, because(err)
	}
	info.Obstacles = p.Metered.Obstacles
	spare(m)
	p.wasm = wasmbin.Encode(m)
	return p, nil
}

var (
	errNotEntry = errors.New("not an entry of this version")
	errDamaged  = errors.New("checksum differs: damaged or tampered with")
)

// trailer is the end of an entry.
type trailer struct {
	native, wasm, notes int64 // lengths
	noteSum, sum        [sha256.Size]byte
}

func (t *trailer) append(b []byte) []byte {
	for _, n := range []int64{t.native, t.wasm, t.notes} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	b = append(append(b, t.noteSum[:]...), t.sum[:]...)
	return append(b, entryMagic...)
}

// readTrailer reads the end of a file of size bytes and checks that the lengths fit.
func readTrailer(f io.ReaderAt, size int64) (*trailer, error) {
	b := make([]byte, trailerSize)
	if size < int64(trailerSize) {
		return nil, errNotEntry
	}
	if _, err := f.ReadAt(b, size-int64(trailerSize)); err != nil {
		return nil, err
	}
	if string(b[trailerSize-len(entryMagic):]) != entryMagic {
		return nil, errNotEntry
	}
	t := &trailer{}
	left := size - int64(trailerSize)
	for i, n := range []*int64{&t.native, &t.wasm, &t.notes} {
		*n = int64(binary.LittleEndian.Uint64(b[8*i:]))
		if *n < 0 || *n > left {
			return nil, errDamaged
		}
		left -= *n
	}
	if left != 0 || t.notes > maxNotes || t.wasm > abi.MaxSize {
		return nil, errDamaged
	}
	copy(t.noteSum[:], b[3*8:])
	copy(t.sum[:], b[3*8+sha256.Size:])
	return t, nil
}

// readNotes reads what an entry called name says of its module, and verifies that part of it.
func readNotes(f io.ReaderAt, t *trailer, name string) (*notes, error) {
	b := make([]byte, t.notes)
	if _, err := f.ReadAt(b, t.native+t.wasm); err != nil {
		return nil, err
	}
	if noteSum(name, b) != t.noteSum {
		return nil, errDamaged
	}
	n := &notes{}
	if err := json.Unmarshal(b, n); err != nil {
		return nil, err
	}
	if n.Info == nil || n.Metered == nil || n.File == "" || filepath.Base(n.File) != n.File {
		return nil, errNotEntry
	}
	return n, nil
}

func noteSum(name string, b []byte) [sha256.Size]byte {
	h := sha256.New()
	h.Write([]byte(name))
	h.Write(b)
	return [sha256.Size]byte(h.Sum(nil))
}

// sumOf is the sum of all: over the first size bytes of f, in an entry called name.
func sumOf(f io.ReaderAt, size int64, name string) (sum [sha256.Size]byte, err error) {
	pieces := make([][sha256.Size]byte, (size+entryPiece-1)/entryPiece)
	var eg errgroup.Group
	workers := max(1, min(runtime.GOMAXPROCS(0), len(pieces)))
	for w := range workers {
		eg.Go(func() error {
			b := make([]byte, min(entryPiece, size))
			for i := w; i < len(pieces); i += workers {
				at := int64(i) * entryPiece
				piece := b[:min(entryPiece, size-at)]
				if _, err := f.ReadAt(piece, at); err != nil {
					return err
				}
				pieces[i] = sha256.Sum256(piece)
			}
			return nil
		})
	}
	if err := eg.Wait(); err != nil {
		return sum, err
	}
	h := sha256.New()
	h.Write([]byte(name))
	for i := range pieces {
		h.Write(pieces[i][:])
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// readEntry reads and verifies an entry. It fails with fs.ErrNotExist if there is none.
func readEntry(path string) (*prepared, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var p *prepared
	size, err := regularSize(f)
	if err == nil {
		p, err = verifyEntry(f, size, filepath.Base(path))
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	p.native = path
	return p, nil
}

// regularSize is the size of a file, which must be a regular one.
func regularSize(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errNotEntry
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// verifyEntry reads an entry called name out of size bytes.
func verifyEntry(f io.ReaderAt, size int64, name string) (*prepared, error) {
	t, err := readTrailer(f, size)
	if err != nil {
		return nil, err
	}
	sum, err := sumOf(f, size-int64(sha256.Size+len(entryMagic)), name)
	if err != nil {
		return nil, err
	}
	if sum != t.sum {
		return nil, errDamaged
	}
	n, err := readNotes(f, t, name)
	if err != nil {
		return nil, err
	}
	p := &prepared{notes: *n, wasm: make([]byte, t.wasm)}
	_, err = f.ReadAt(p.wasm, t.native)
	return p, err
}

// sealEntry makes an entry called name of the file at path, which the runtime has written.
func sealEntry(path, name string, p *prepared) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	err = appendTrailer(f, name, p)
	return errors.Join(err, f.Close())
}

func appendTrailer(f *os.File, name string, p *prepared) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := json.Marshal(&p.notes)
	if err != nil {
		return err
	}
	t := &trailer{native: info.Size(), wasm: int64(len(p.wasm)), notes: int64(len(b)), noteSum: noteSum(name, b)}
	head := t.append(nil)
	head = head[:len(head)-sha256.Size-len(entryMagic)]
	for _, part := range [][]byte{p.wasm, b, head} {
		if _, err := f.Write(part); err != nil {
			return err
		}
	}
	if t.sum, err = sumOf(f, t.native+t.wasm+t.notes+int64(len(head)), name); err != nil {
		return err
	}
	_, err = f.Write(append(t.sum[:], entryMagic...))
	return err
}

// entryNotes reads only what the entry at path says of its module.
func entryNotes(path string) (_ *notes, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := regularSize(f)
	if err != nil {
		return nil, err
	}
	return notesOf(f, size, filepath.Base(path))
}

// notesOf reads only the notes of an entry called name out of size bytes.
func notesOf(f io.ReaderAt, size int64, name string) (*notes, error) {
	t, err := readTrailer(f, size)
	if err != nil {
		return nil, err
	}
	return readNotes(f, t, name)
}
