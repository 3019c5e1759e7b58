package main

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/host"
)

// updateFlags are those of thread update.
type updateFlags struct {
	set        []string
	values     string
	hasValues  bool
	checkpoint string
}

func (a *app) threadUpdateCommand() *cobra.Command {
	var f updateFlags
	c := &cobra.Command{
		Use:   "update THREAD",
		Short: "Change channels of a thread by hand",
		Long: `Change channels of a thread by hand. The values are writes like those of a node: they go through the channel's schema and
reducer, and CHANNEL! replaces the value instead. They make a new checkpoint on a new branch, and "dashhost resume THREAD" runs
on from it; what was recorded before stays in the history. CHECKPOINT is an id from "thread history", or the beginning of one.`,
		Example: `  dashhost thread update pr-42 --set 'waivers={"5f2c": "a test key"}'
  dashhost thread update pr-42 --set 'findings!=[]' --checkpoint 01JD2M
  dashhost thread update pr-42 --values @values.json`,
		Args:              args("THREAD"),
		ValidArgsFunction: a.completeThread,
		RunE: func(c *cobra.Command, args []string) error {
			f.hasValues = c.Flags().Changed("values")
			values, err := a.updateValues(c.Context(), &f)
			if err != nil {
				return err
			}
			return a.branch(c.Context(), args[0], "updated", func(ctx context.Context, h *host.Host, thread string) (string, error) {
				return h.Update(ctx, thread, values, &host.UpdateOptions{Checkpoint: f.checkpoint})
			})
		},
	}
	c.Flags().StringArrayVar(&f.set, "set", nil, "write a channel: `CHANNEL=JSON`, CHANNEL=@FILE or CHANNEL=- for stdin; may be repeated")
	c.Flags().StringVar(&f.values, "values", "", "write the channels of the JSON `OBJECT`, of @FILE, or of - for stdin")
	c.Flags().StringVar(&f.checkpoint, "checkpoint", "", "start from `CHECKPOINT` (default: the newest)")
	return c
}

// updateValues makes one JSON object of the flags. The values stay the bytes that they are.
func (a *app) updateValues(ctx context.Context, f *updateFlags) ([]byte, error) {
	switch {
	case f.hasValues && len(f.set) > 0:
		return nil, &usageError{Text: "--values and --set: both given", Hints: []string{"give one"}}
	case f.hasValues:
		b, err := a.readValue(ctx, "values", f.values)
		if err == nil && strings.TrimLeft(string(b), " \t\r\n")[0] != '{' {
			err = &usageError{Text: "values: not a JSON object", Hints: []string{`for example --values '{"CHANNEL": 1}'`}}
		}
		return b, err
	case len(f.set) == 0:
		return nil, &usageError{Text: "thread update: nothing to write", Hints: []string{"--set CHANNEL=JSON, or --values OBJECT"}}
	}
	value := func(s string) string { _, v, _ := strings.Cut(s, "="); return v }
	if err := oneStdin("--set", f.set, value); err != nil {
		return nil, err
	}
	channels := map[string]json.RawMessage{}
	for _, s := range f.set {
		name, v, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, &usageError{Text: "--set " + s + ": no channel and value", Hints: []string{`for example --set 'CHANNEL={"a": 1}'`}}
		}
		if channels[name] != nil {
			return nil, &usageError{Text: "--set " + name + ": given twice"}
		}
		raw, err := a.readValue(ctx, "channel "+name, v)
		if err != nil {
			return nil, err
		}
		channels[name] = raw
	}
	return object(channels), nil
}

// object glues members into a JSON object without touching their bytes.
func object(members map[string]json.RawMessage) []byte {
	b := []byte{'{'}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(b, jsonText(name)...), ':')
		b = append(b, members[name]...)
	}
	return append(b, '}')
}
