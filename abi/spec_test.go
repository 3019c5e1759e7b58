package abi

import (
	_ "embed"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

//go:embed spec/v1.md
var specText string

//go:embed spec/echo.wat
var echoText string

//go:embed spec/echo.wasm
var echoWasm []byte

// section gives the part of the spec from the heading "## n." to the next one of that level.
func section(t *testing.T, n int) string {
	t.Helper()
	_, rest, found := strings.Cut(specText, fmt.Sprintf("\n## %d. ", n))
	if !found {
		t.Fatalf("spec has no section %d", n)
	}
	body, _, _ := strings.Cut(rest, "\n## ")
	return body
}

// entries gives the text below each heading of level four, and the headings in order.
func entries(text string) (headings []string, body map[string]string) {
	body = make(map[string]string)
	parts := strings.Split(text, "\n#### ")
	for _, p := range parts[1:] {
		heading, rest, _ := strings.Cut(p, "\n")
		rest, _, _ = strings.Cut(rest, "\n### ")
		headings = append(headings, heading)
		body[heading] = rest
	}
	return headings, body
}

// rows gives the cells of the table that begins with this header.
func rows(t *testing.T, text, header string) [][]string {
	t.Helper()
	_, rest, found := strings.Cut(text, "\n"+header+"\n")
	if !found {
		t.Fatalf("spec has no table %q", header)
	}
	var all [][]string
	for i, line := range strings.Split(rest, "\n") {
		if !strings.HasPrefix(line, "|") {
			break
		}
		if i == 0 {
			continue // the rule below the header
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		all = append(all, cells)
	}
	return all
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

func TestSpecHasEveryFunction(t *testing.T) {
	headings, body := entries(section(t, 6))
	var want []string
	for _, f := range Functions() {
		want = append(want, f.Signature())
		phases := strings.ReplaceAll(f.Phases.String(), "|", ", ")
		facts := fmt.Sprintf("\n*Kind* %v. *Phases* %s. *Grant* %s. *Effect* %s.\n",
			f.Kind, phases, orNone(string(f.Grant)), orNone(f.Effect.String()))
		text, found := body[f.Signature()]
		if found && !strings.Contains(text, facts) {
			t.Errorf("spec, %s: no line %q", f.Name, strings.TrimSpace(facts))
		}
		if found && !strings.Contains(text, "\n*Errors* ") {
			t.Errorf("spec, %s: says nothing about its errors", f.Name)
		}
	}
	if !slices.Equal(headings, want) {
		t.Errorf("headings of section 6 differ from the table\nspec  %q\ntable %q", headings, want)
	}
}

func TestSpecErrorsExist(t *testing.T) {
	known := make(map[string]bool)
	for _, e := range Errnos() {
		known[e.String()] = true
	}
	_, body := entries(section(t, 6))
	name := regexp.MustCompile("`([a-z_]+)`(?:, `([a-z_]+)`)?: ")
	checked := 0
	for heading, text := range body {
		_, errs, _ := strings.Cut(text, "\n*Errors* ")
		errs, _, _ = strings.Cut(errs, "\n\n")
		for _, m := range name.FindAllStringSubmatch(errs, -1) {
			for _, n := range m[1:] {
				if n != "" && !known[n] {
					t.Errorf("spec, %s: error %q is not in the table of errors", heading, n)
				}
				checked++
			}
		}
	}
	if checked < len(body) {
		t.Errorf("only %d errors found in %d functions: the test no longer sees them", checked, len(body))
	}
}

func TestSpecHasEveryErrno(t *testing.T) {
	var got, want []string
	for _, r := range rows(t, section(t, 5), "| errno | name | meaning |") {
		got = append(got, r[0]+" "+r[1])
	}
	for _, e := range Errnos() {
		want = append(want, fmt.Sprintf("%d `%v`", int32(e), e))
	}
	if !slices.Equal(got, want) {
		t.Errorf("spec %q\ncode %q", got, want)
	}
}

func TestSpecHasEveryExport(t *testing.T) {
	headings, body := entries(section(t, 2))
	var want []string
	for _, e := range Exports() {
		want = append(want, e.Signature())
		required := "no"
		if e.Required {
			required = "yes"
		}
		facts := fmt.Sprintf("\n*Required* %s. *Phase* %v.\n", required, e.Phase)
		if text := body[e.Signature()]; !strings.Contains(text, facts) {
			t.Errorf("spec, %s: no line %q", e.Name, strings.TrimSpace(facts))
		}
	}
	if !slices.Equal(headings, want) {
		t.Errorf("headings of section 2 differ from Exports\nspec %q\ncode %q", headings, want)
	}
	var statuses []string
	for _, r := range rows(t, body["dash_run(input_len i32) -> i32"], "| status | name | meaning |") {
		statuses = append(statuses, r[0]+" "+r[1])
	}
	var known []string
	for s := Done; s <= Reserved; s++ {
		known = append(known, fmt.Sprintf("%d %v", int32(s), s))
	}
	if !slices.Equal(statuses, known) {
		t.Errorf("statuses: spec %q, code %q", statuses, known)
	}
}

func TestSpecHasEveryEffect(t *testing.T) {
	functions := make(map[string][]string)
	for _, f := range Functions() {
		if f.Effect != EffectNone {
			kind := "`" + f.Effect.String() + "`"
			functions[kind] = append(functions[kind], "`"+f.Name+"`")
		}
	}
	got := rows(t, section(t, 4), "| kind | functions |")
	if len(got) != len(functions) || len(got) != int(EffectCount)-1 {
		t.Fatalf("spec has %d kinds of effect, the table uses %d, declared are %d", len(got), len(functions), EffectCount-1)
	}
	for _, r := range got {
		if want := strings.Join(functions[r[0]], ", "); r[1] != want {
			t.Errorf("kind %s: spec %s, table %s", r[0], r[1], want)
		}
	}
}

func TestSpecHasEveryWASIFunction(t *testing.T) {
	var got, want []string
	for _, r := range rows(t, section(t, 7), "| function | what it does |") {
		got = append(got, strings.Trim(r[0], "`"))
	}
	for _, f := range WASI() {
		if !f.Served {
			continue
		}
		var params []string
		for _, p := range f.Params {
			params = append(params, p.String())
		}
		sig := f.Name + "(" + strings.Join(params, ", ") + ")"
		if len(f.Results) == 1 {
			sig += " -> " + f.Results[0].String()
		}
		want = append(want, sig)
	}
	if !slices.Equal(got, want) {
		t.Errorf("spec %q\ncode %q", got, want)
	}
}

func TestSpecHasEveryLimit(t *testing.T) {
	var got, want []string
	for _, r := range rows(t, section(t, 9), "| limit | manifest field | default | over it | bounds |") {
		got = append(got, strings.Join(r, "|"))
	}
	for _, l := range Limits() {
		field := "-"
		if l.Field != "" {
			field = "`" + l.Field + "`"
		}
		amount := strings.TrimSpace(fmt.Sprintf("%d %s", l.Default, l.Unit))
		want = append(want, fmt.Sprintf("`%s`|%s|%s|%s|%s", l.Name, field, amount, l.Gives, l.Doc))
	}
	if !slices.Equal(got, want) {
		t.Errorf("spec\n%s\ncode\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Section 12 names exactly the functions that need a backend which this host does not have: those with a
// grant, but for clock, random and interrupts. The host's own tests check that these answer unsupported.
func TestSpecNamesWhatIsUnsupported(t *testing.T) {
	var got, want []string
	for _, r := range rows(t, section(t, 12), "| grant | functions |") {
		for _, name := range strings.Split(r[1], ", ") {
			got = append(got, r[0]+" "+name)
		}
	}
	for _, f := range Functions() {
		if f.Grant != GrantNone && f.Grant != GrantClock && f.Grant != GrantRandom && f.Grant != GrantInterrupts {
			want = append(want, fmt.Sprintf("`%s` `%s`", f.Grant, f.Name))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("spec %q\ncode %q", got, want)
	}
}

// The parts of section 6 are the groups of the table.
func TestSpecGroupsFunctions(t *testing.T) {
	group := ""
	for _, line := range strings.Split(section(t, 6), "\n") {
		if title, ok := strings.CutPrefix(line, "### 6."); ok {
			_, title, _ = strings.Cut(title, " ")
			group = strings.ToLower(title)
		}
		if sig, ok := strings.CutPrefix(line, "#### "); ok {
			name, _, _ := strings.Cut(sig, "(")
			if f, ok := Lookup(name); !ok || f.Group != group {
				t.Errorf("%s stands under %q", name, group)
			}
		}
	}
}

func TestSpecShowsTheExampleGuest(t *testing.T) {
	_, rest, _ := strings.Cut(specText, "\n```wat\n")
	shown, _, found := strings.Cut(rest, "\n```\n")
	if !found || shown != strings.TrimSpace(echoText) {
		t.Error("appendix A and spec/echo.wat differ")
	}
}

// The built guest was made from the text: what it imports and exports is in both, with the types of the table.
func TestExampleGuestKeepsTheTable(t *testing.T) {
	imports, exports := interfaceOf(t, echoWasm)
	imported := regexp.MustCompile(`\(import "dash_v1" "([a-z_]+)"`).FindAllStringSubmatch(echoText, -1)
	if len(imports) == 0 || len(imports) != len(imported) {
		t.Fatalf("echo.wasm imports %v, echo.wat has %d imports", imports, len(imported))
	}
	for i, m := range imported {
		f, ok := Lookup(m[1])
		if !ok {
			t.Fatalf("echo.wat imports %s, which is not in the table", m[1])
		}
		if want := Module + " " + f.Name + typeText(f.Params, f.Results); imports[i] != want {
			t.Errorf("echo.wasm imports %q, want %q", imports[i], want)
		}
	}
	run := Exports()[2]
	want := []string{ExportMemory, ExportRun + typeText(run.Params, run.Results)}
	if !slices.Equal(exports, want) {
		t.Errorf("echo.wasm exports %q, want %q", exports, want)
	}
}

func typeText(params, results []ValueType) string { return fmt.Sprint(params, results) }

// interfaceOf reads types, imports and exports of a small well-formed module.
func interfaceOf(t *testing.T, wasm []byte) (imports, exports []string) {
	t.Helper()
	r := wasmReader{b: wasm[8:]}
	var types []string
	var funcs []int // type of each function
	for len(r.b) > 0 {
		id, size := r.byte(), r.number()
		s := wasmReader{b: r.take(size)}
		switch id {
		case 1:
			for range s.number() {
				s.byte() // 0x60
				types = append(types, typeText(s.values(), s.values()))
			}
		case 2:
			for range s.number() {
				module, name := s.name(), s.name()
				s.byte() // kind: function
				funcs = append(funcs, s.number())
				imports = append(imports, module+" "+name+types[funcs[len(funcs)-1]])
			}
		case 3:
			for range s.number() {
				funcs = append(funcs, s.number())
			}
		case 7:
			for range s.number() {
				name, kind, index := s.name(), s.byte(), s.number()
				if kind == 0 {
					name += types[funcs[index]]
				}
				exports = append(exports, name)
			}
		}
	}
	return imports, exports
}

type wasmReader struct{ b []byte }

func (r *wasmReader) take(n int) []byte { b := r.b[:n]; r.b = r.b[n:]; return b }
func (r *wasmReader) byte() byte        { return r.take(1)[0] }
func (r *wasmReader) name() string      { return string(r.take(r.number())) }

// number reads an unsigned LEB128 number.
func (r *wasmReader) number() int {
	n, shift := 0, 0
	for {
		c := r.byte()
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
		shift += 7
	}
}

func (r *wasmReader) values() []ValueType {
	var all []ValueType
	for range r.number() {
		all = append(all, ValueType(r.byte()))
	}
	return all
}

// The example key of section 4.4 is checked where keys are made; here only its shape.
func TestSpecGivesAnExampleKey(t *testing.T) {
	key := regexp.MustCompile(`number 0:\n +([0-9a-f]{32})\n`).FindStringSubmatch(section(t, 4))
	if key == nil {
		t.Fatal("section 4.4 gives no example of an idempotency key")
	}
	if _, err := strconv.ParseUint(key[1][:16], 16, 64); err != nil {
		t.Error(err)
	}
}
