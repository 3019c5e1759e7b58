package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/host"
)

// channelNotFoundError says that a channel has no value at a checkpoint.
type channelNotFoundError struct {
	Channel string
	Known   []string
}

// Error implements error.
func (e *channelNotFoundError) Error() string {
	return fmt.Sprintf("channel %q: not written at this checkpoint", e.Channel)
}

func (a *app) threadStateCommand() *cobra.Command {
	var id, channel string
	c := &cobra.Command{
		Use:   "state THREAD",
		Short: "Print the channels of a thread as JSON",
		Long: `Print the channels of a thread as one JSON object, the values byte for byte as they are stored. With --channel only
that value. CHECKPOINT is an id from "thread history", or the beginning of one.`,
		Args:              args("THREAD"),
		ValidArgsFunction: a.completeThread,
		RunE: func(c *cobra.Command, args []string) error {
			return a.withThread(c.Context(), args[0], false, func(s *checkpoint.Store, info *checkpoint.ThreadInfo) error {
				// Of a damaged thread there is the newest complete step, together with the damage.
				head, state, err := s.State(c.Context(), info.Thread, "", id)
				if head == nil {
					return err
				}
				return firstOf(err, a.printState(state, channel, c.Flags().Changed("channel")))
			})
		},
	}
	c.Flags().StringVar(&id, "checkpoint", "", "look at `CHECKPOINT` (default: the newest)")
	c.Flags().StringVar(&channel, "channel", "", "print only the channel called `NAME`")
	return c
}

func (a *app) printState(state checkpoint.State, channel string, one bool) error {
	first, found := true, false
	e := &channelNotFoundError{Channel: channel}
	for name, raw := range host.Channels(state) {
		switch {
		case one && name == channel:
			found = true
			a.printf("%s\n", raw)
		case one:
			e.Known = append(e.Known, name)
		default:
			open := ","
			if first {
				open, first = "{", false
			}
			a.printf("%s%s:%s", open, jsonText(name), raw)
		}
	}
	switch {
	case one && !found:
		return e
	case !one && first:
		a.printf("{}\n")
	case !one:
		a.printf("}\n")
	}
	return nil
}
