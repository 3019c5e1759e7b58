// Command genpatch prints a large patch of plain source files, for trying out and measuring examples/merge-gate:
//
//	go run ./internal/bench/genpatch -files 50000 | dashhost run examples/merge-gate/workflow.yaml --input -
//
// The same flags give the same bytes. Most files are edits of ordinary code; a known part of them, see -planted,
// holds one problem each, so that the number of findings is known too.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("genpatch", flag.ContinueOnError)
	flags.SetOutput(stderr)
	files := flags.Int("files", 50_000, "number of files")
	lines := flags.Int("lines", 12, "added lines of a file, on average")
	planted := flags.Int("planted", 1000, "every so many-th file holds a fake token; 0 for none")
	seed := flags.Uint64("seed", 1, "another seed, another patch")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		return 2
	}
	if *files < 0 || *lines < 1 || *planted < 0 {
		fmt.Fprintln(stderr, "genpatch: -files and -planted must not be negative, -lines must be positive")
		return 2
	}
	w := bufio.NewWriterSize(stdout, 1<<20)
	g := generator{w: w, rand: rand.New(rand.NewPCG(*seed, 0)), lines: *lines}
	for i := range *files {
		g.file(i, *planted > 0 && i%*planted == *planted-1)
	}
	if err := w.Flush(); err != nil {
		fmt.Fprintf(stderr, "genpatch: %v\n", err)
		return 1
	}
	return 0
}

// generator writes files. Errors of w stay in w until it is flushed.
type generator struct {
	w     *bufio.Writer
	rand  *rand.Rand
	lines int
}

// file writes one file: new or edited, of one to three hunks.
func (g *generator) file(i int, planted bool) {
	name := fmt.Sprintf("services/s%03d/p%02d/file%05d.go", i/1000, i/50%20, i)
	fmt.Fprintf(g.w, "diff --git a/%s b/%s\n", name, name)
	hunks := 1 + g.rand.IntN(3)
	start := 1
	if g.rand.IntN(4) == 0 {
		fmt.Fprintf(g.w, "new file mode 100644\nindex 0000000..%07x\n--- /dev/null\n+++ b/%s\n", g.rand.Uint32()>>4, name)
		g.hunk(0, 0, 1, hunks*g.lines, 0, planted)
		return
	}
	fmt.Fprintf(g.w, "index %07x..%07x 100644\n--- a/%s\n+++ b/%s\n", g.rand.Uint32()>>4, g.rand.Uint32()>>4, name, name)
	shift := 0
	for h := range hunks {
		added, removed := 1+g.rand.IntN(g.lines), g.rand.IntN(g.lines/2+1)
		const context = 3
		g.hunk(start, removed+2*context, start+shift, added+2*context, context, planted && h == 0)
		start += removed + 2*context + 1 + g.rand.IntN(200)
		shift += added - removed
	}
}

// hunk writes a hunk whose sides have the given lines, context of them unchanged before and after the change.
func (g *generator) hunk(oldStart, oldLines, newStart, newLines, context int, planted bool) {
	fmt.Fprintf(g.w, "@@ -%d,%d +%d,%d @@ func handle() {\n", oldStart, oldLines, newStart, newLines)
	g.code(" ", context)
	g.code("-", oldLines-2*context)
	if planted {
		fmt.Fprintf(g.w, "+\ttoken := \"ghp_%s\"\n", g.token())
		newLines--
	}
	g.code("+", newLines-2*context)
	g.code(" ", context)
}

// token is 36 letters and digits, as of a GitHub token, without its checksum.
func (g *generator) token() string {
	const set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, 36)
	for i := range b {
		b[i] = set[g.rand.IntN(len(set))]
	}
	return string(b)
}

// code writes lines that look like code and hold nothing a check should find.
func (g *generator) code(prefix string, lines int) {
	forms := [...]string{
		"\tif err := store.Write(ctx, record%d, options); err != nil {\n",
		"\t\treturn fmt.Errorf(\"write record %d: %%w\", err)\n",
		"\t}\n",
		"\tresult%d := compute(values[i], weights[j], offset)\n",
		"\t// step %d keeps the order of what came before: später, 後で, позже\n",
		"\tlog.Debug(\"step finished\", \"number\", %d, \"elapsed\", time.Since(begun))\n",
		"\n",
	}
	for range lines {
		form := forms[g.rand.IntN(len(forms))]
		g.w.WriteString(prefix)
		if len(form) > 10 {
			fmt.Fprintf(g.w, form, g.rand.IntN(100_000))
		} else {
			g.w.WriteString(form)
		}
	}
}
