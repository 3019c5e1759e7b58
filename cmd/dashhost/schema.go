package main

import (
	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/host/workflow"
)

func (a *app) schemaCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the manifest",
		Long: `Print the JSON Schema of the manifest, for editors that check and complete YAML. A first line of

  # yaml-language-server: $schema=dashhost.schema.json

in a manifest points the YAML language server to it.`,
		Args: args(""),
		RunE: func(*cobra.Command, []string) error {
			b := workflow.JSONSchema()
			a.printf("%s\n", trimNewline(b))
			return nil
		},
	}
}
