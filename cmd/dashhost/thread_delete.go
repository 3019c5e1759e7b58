package main

import (
	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
)

func (a *app) threadDeleteCommand() *cobra.Command {
	var force bool
	c := &cobra.Command{
		Use:     "delete THREAD",
		Aliases: []string{"rm"},
		Short:   "Delete a thread with all its checkpoints",
		Long: `Delete a thread with all its checkpoints. A thread that a process runs right now is refused; --force deletes it all
the same, and that process stops at its next step with an error.`,
		Args:              args("THREAD"),
		ValidArgsFunction: a.completeThread,
		RunE: func(c *cobra.Command, args []string) error {
			a.scene.deleting = true
			return a.withThread(c.Context(), args[0], true, func(s *checkpoint.Store, info *checkpoint.ThreadInfo) error {
				if err := s.Delete(c.Context(), info.Thread, force); err != nil {
					return err
				}
				if a.flags.json {
					a.printJSON(map[string]string{"deleted": info.Thread})
					return nil
				}
				a.talk.linef("deleted %s from %s", info.Thread, storeName(a.scene.store))
				return nil
			})
		},
	}
	c.Flags().BoolVar(&force, "force", false, "also while a process runs it")
	return c
}
