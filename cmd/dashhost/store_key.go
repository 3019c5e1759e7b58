package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/checkpoint/sealed"
	"github.com/dashhost/dashhost/host/openurl"
)

func (a *app) storeKeygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen [FILE]",
		Short: "Make a key for an encrypted store",
		Long: `Make a key and write it to FILE, which only its owner may read, or to stdout. A store that is made with --key is encrypted:
what is in its records, and the names of threads, nodes and attributes. Whoever loses the key has lost the store.`,
		Example: `  dashhost store keygen ~/.config/dashhost/key
  dashhost run --key file:$HOME/.config/dashhost/key`,
		Args: args("[FILE]"),
		RunE: func(_ *cobra.Command, given []string) error {
			k := sealed.NewKey()
			if len(given) == 0 {
				fmt.Fprintln(a.stdout, k.Text())
				return nil
			}
			if err := writeKey(given[0], k); err != nil {
				return &fileError{Path: given[0], Err: err}
			}
			a.talk.linef("key       %s in %s: keep a copy elsewhere", k.ID(), given[0])
			if a.flags.json {
				a.printJSON(map[string]string{"id": k.ID().String(), "file": given[0]})
			}
			return nil
		},
	}
}

// writeKey never replaces a file: it could be a key.
func writeKey(path string, k sealed.Key) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := fmt.Fprintln(f, k.Text()); err != nil {
		return err
	}
	return f.Sync()
}

func (a *app) storeRekeyCommand() *cobra.Command {
	var source string
	c := &cobra.Command{
		Use:   "rekey --new SOURCE",
		Short: "Give an encrypted store another key",
		Long: `Give an encrypted store another key; --key names the present one. Only the new key opens the store from then on, and
what is written from then on is encrypted with keys that the old one never had. Runs that go on are not disturbed.

The old key still opens older copies of the store's files. To shut out who has both, copy the store into a new one.`,
		Example: `  dashhost store rekey --key file:old --new file:new`,
		Args:    args(""),
		RunE: func(c *cobra.Command, _ []string) error {
			if source == "" {
				return &usageError{Text: "store rekey: --new is missing", Hints: []string{keyHint}}
			}
			master, err := a.key(c.Context(), "--new", source)
			if err != nil {
				return err
			}
			keys, err := a.keys(c.Context())
			if err != nil {
				return err
			}
			url, err := a.projectStore()
			if err != nil {
				return err
			}
			a.scene.store = url
			if err := a.checkStore(c.Context(), url); err != nil {
				return err
			}
			o := &openurl.Options{Logger: a.logger(), Keys: keys}
			if err := openurl.Rekey(c.Context(), url, o, master); err != nil {
				return err
			}
			a.talk.linef("rekeyed   %s: from now on it opens with key %s", storeName(url), master.ID())
			if a.flags.json {
				a.printJSON(map[string]string{"store": storeName(url), "key": master.ID().String()})
			}
			return nil
		},
	}
	c.Flags().StringVar(&source, "new", "", "the new key, from `SOURCE` as --key has them")
	return c
}
