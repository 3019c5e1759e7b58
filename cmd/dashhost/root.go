package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// flags are the global ones.
type flags struct {
	manifest  string
	store     string
	stream    string
	keys      []string
	cacheDir  string
	signers   []string
	json      bool
	quiet     bool
	logLevel  string
	logFormat string
}

func (a *app) rootCommand() *cobra.Command {
	c := a.group("dashhost", "Run workflow graphs whose nodes are WebAssembly modules")
	c.Long = `dashhost runs workflow graphs whose nodes are WebAssembly modules, and keeps what they did.

Exit codes: 0 done, 1 the run or check failed, 2 wrong usage or invalid manifest, 3 waiting,
4 stored data is damaged, 5 stopped before the end, 130 second interrupt.`
	c.Example = `  dashhost new demo --example merge-gate
  dashhost run workflow.yaml
  git diff main... | dashhost run workflow.yaml --input - --thread pr-42
  dashhost thread list
  dashhost resume pr-42`
	c.Version = buildVersion().Version
	c.SetVersionTemplate("dashhost {{.Version}}\n")
	c.SilenceErrors, c.SilenceUsage = true, true
	c.CompletionOptions.DisableDefaultCmd = true
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return &usageError{Text: err.Error(), Hints: []string{helpHint(c)}}
	})

	p := c.PersistentFlags()
	f := &a.flags
	p.StringVarP(&f.manifest, "manifest", "m", "", "read the manifest from `FILE` (default ./workflow.yaml)")
	p.StringVarP(&f.store, "store", "s", "", "keep runs in `STORE`: a folder, file:DIR, postgres://USER@HOST/DB or mem: (env DASHHOST_STORE, default .dashhost/store beside the manifest)")
	p.StringVar(&f.stream, "stream", "", "send events to `STREAM`, or read them there: a folder, file:DIR, kafka://HOST:PORT/TOPIC or mem: (env DASHHOST_STREAM, default what the manifest says)")
	p.StringArrayVar(&f.keys, "key", nil, "open an encrypted store with the key from `SOURCE`: file:PATH, env:NAME or command:LINE; may be repeated (env DASHHOST_KEY)")
	p.StringVar(&f.cacheDir, "cache-dir", "", "keep compiled modules in `DIR`, off for nowhere (env DASHHOST_CACHE_DIR, default in the user's cache folder)")
	p.StringArrayVar(&f.signers, "signer", nil, "refuse modules that nobody with the public key `KEY` has signed; a key or the file that it is in, may repeat (env DASHHOST_SIGNERS)")
	p.BoolVar(&f.json, "json", false, "print JSON")
	p.BoolVarP(&f.quiet, "quiet", "q", false, "print nothing on stderr but errors")
	p.StringVar(&f.logLevel, "log-level", "", "log from `LEVEL` up: trace, debug, info, warn, error or off (env DASHHOST_LOG, default warn, with -q error)")
	p.StringVar(&f.logFormat, "log-format", "", "log as `FORMAT`: text or json (env DASHHOST_LOG_FORMAT, default text)")
	_ = c.MarkPersistentFlagFilename("manifest", "yaml", "yml", "json")
	_ = c.MarkPersistentFlagDirname("store")
	_ = c.MarkPersistentFlagDirname("stream")
	_ = c.MarkPersistentFlagDirname("cache-dir")
	c.PersistentPreRunE = func(*cobra.Command, []string) error { return a.begin() }

	c.AddGroup(&cobra.Group{ID: "project", Title: "A project:"}, &cobra.Group{ID: "stored", Title: "What is stored, and modules:"},
		&cobra.Group{ID: "tool", Title: "The tool:"})
	add := func(group string, subs ...*cobra.Command) {
		for _, s := range subs {
			s.GroupID = group
			c.AddCommand(s)
		}
	}
	add("project", a.newCommand(), a.runCommand(), a.resumeCommand(), a.validateCommand(), a.graphCommand(), a.schemaCommand())
	add("stored", a.threadCommand(), a.eventsCommand(), a.storeCommand(), a.moduleCommand())
	add("tool", a.benchCommand(), a.benchAppendsCommand(), a.cacheCommand(), a.versionCommand(), a.completionCommand())
	c.AddCommand(a.compileCommand())
	c.SetHelpCommandGroupID("tool")
	return c
}

// begin checks the global flags once the command line as a whole is understood.
func (a *app) begin() error {
	if a.flags.quiet {
		a.talk.silent = true
	}
	if _, err := a.logSettings(); err != nil {
		return err
	}
	a.started = true
	return nil
}

// group is a command that only holds others: alone it prints its help, with an unknown word it suggests known ones.
func (a *app) group(use, short string) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, DisableFlagsInUseLine: true}
	c.Args = func(c *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		hints := []string{}
		for _, s := range c.SuggestionsFor(args[0]) {
			hints = append(hints, "did you mean: "+c.CommandPath()+" "+s)
		}
		return &usageError{Text: fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath()), Hints: append(hints, helpHint(c))}
	}
	c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
	c.SuggestionsMinimumDistance = 2
	return c
}

// args checks the number of positional arguments, named as the usage line names them: "THREAD [MANIFEST]".
func args(names string) cobra.PositionalArgs {
	all := strings.Fields(names)
	least := 0
	for _, n := range all {
		if !strings.HasPrefix(n, "[") {
			least++
		}
	}
	return func(c *cobra.Command, given []string) error {
		if len(given) < least {
			return &usageError{Text: fmt.Sprintf("%s: %s is missing", c.CommandPath(), all[len(given)]), Hints: []string{"usage: " + c.UseLine()}}
		}
		if len(given) > len(all) {
			return &usageError{Text: fmt.Sprintf("%s: unexpected argument %q", c.CommandPath(), given[len(all)]), Hints: []string{"usage: " + c.UseLine()}}
		}
		return nil
	}
}

func helpHint(c *cobra.Command) string { return c.CommandPath() + " --help" }
