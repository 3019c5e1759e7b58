package main

import (
	"github.com/spf13/cobra"
)

func (a *app) graphCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:   "graph [MANIFEST]",
		Short: "Draw the graph of a manifest",
		Example: `  dashhost graph > graph.mmd
  dashhost graph --format dot | dot -Tsvg > graph.svg`,
		Args:              args("[MANIFEST]"),
		ValidArgsFunction: completeManifest,
		RunE: func(c *cobra.Command, args []string) error {
			switch format {
			case "mermaid", "dot":
			case "svg":
				return &notYetError{What: "graph --format svg", Instead: "dashhost graph --format dot | dot -Tsvg"}
			default:
				return &usageError{Text: "--format " + format + ": not one of mermaid, dot"}
			}
			path, err := a.findManifest(args)
			if err != nil {
				return err
			}
			g, _, err := a.readManifest(c.Context(), path, false)
			if err != nil {
				return err
			}
			text := g.Mermaid()
			if format == "dot" {
				text = g.DOT()
			}
			if a.flags.json {
				a.printJSON(map[string]string{"format": format, "graph": text})
				return nil
			}
			a.printf("%s\n", trimNewline(text))
			return nil
		},
	}
	c.Flags().StringVar(&format, "format", "mermaid", "draw as `FORMAT`: mermaid or dot")
	_ = c.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"mermaid", "dot"}, cobra.ShellCompDirectiveNoFileComp))
	return c
}
