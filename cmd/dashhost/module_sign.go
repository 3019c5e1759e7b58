package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dashhost/dashhost/guest/signature"
)

// keygenView is what module keygen --json prints.
type keygenView struct {
	KeyID  string `json:"key_id"`
	Public string `json:"public_key"`
	File   string `json:"file"`
}

func (a *app) moduleKeygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen FILE",
		Short: "Make a key to sign modules with",
		Long: `Make a key to sign modules with. The secret key is written to FILE, which only its owner may read and which must not be there
yet, the public one to FILE.pub, and printed.`,
		Example: `  dashhost module keygen ~/.config/dashhost/signer
  dashhost module sign nodes/*.wasm --key ~/.config/dashhost/signer
  dashhost run --signer ~/.config/dashhost/signer.pub`,
		Args: args("FILE"),
		RunE: func(_ *cobra.Command, given []string) error {
			k := signature.NewSecretKey()
			for _, f := range []struct {
				path, text string
				mode       os.FileMode
			}{{given[0], k.Text(), 0o600}, {given[0] + ".pub", k.Public().String(), 0o644}} {
				if err := writeNew(f.path, f.text+"\n", f.mode); err != nil {
					return &fileError{What: "key", Path: f.path, Err: err}
				}
			}
			if a.flags.json {
				a.printJSON(&keygenView{KeyID: k.Public().ID(), Public: k.Public().String(), File: given[0]})
				return nil
			}
			a.printf("%s\n", k.Public())
			a.talk.linef("key %s: the secret is in %s, the public key in %s.pub", k.Public().ID(), given[0], given[0])
			return nil
		},
	}
}

// writeNew writes a file that must not be there yet.
func writeNew(path, text string, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}

// signView is one signature as module sign --json prints it, one a line.
type signView struct {
	File      string `json:"file"`
	SHA256    string `json:"sha256"`
	KeyID     string `json:"key_id"`
	Signature string `json:"signature"` // the file that it is in
}

func (a *app) moduleSignCommand() *cobra.Command {
	var key string
	c := &cobra.Command{
		Use:   "sign FILE...",
		Short: "Sign modules: each gets a signature file beside it",
		Long: `Sign modules. The signature of FILE goes into FILE.sig; signatures by other keys in it stay as long as they are for the module as
it is now.`,
		Args: func(c *cobra.Command, given []string) error {
			if len(given) == 0 {
				return &usageError{Text: c.CommandPath() + ": FILE is missing", Hints: []string{"usage: " + c.UseLine()}}
			}
			return nil
		},
		RunE: func(c *cobra.Command, given []string) error {
			if key == "" {
				return &usageError{Text: "--key: the file with the secret key is missing", Hints: []string{"dashhost module keygen FILE"}}
			}
			text, err := readKeyFile(key)
			if err != nil {
				return &fileError{What: "key", Path: key, Err: err}
			}
			k, err := signature.ParseSecretKey(text)
			if err != nil {
				return &usageError{Text: "--key " + key + ": " + err.Error()}
			}
			for _, file := range given {
				wasm, err := a.readFile(c.Context(), "module", file, maxModule)
				if err != nil {
					return err
				}
				if err := a.signModule(file, wasm, k); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.Flags().StringVarP(&key, "key", "k", "", "sign with the secret key in `FILE`")
	_ = c.MarkFlagFilename("key")
	return c
}

// signModule puts a signature into the file beside the module.
func (a *app) signModule(path string, wasm []byte, k signature.SecretKey) error {
	old, err := signaturesOf(path)
	if err != nil {
		return err
	}
	digest := sha256.Sum256(wasm)
	line := k.Sign(digest)
	own, err := signature.Parse(line)
	if err != nil {
		panic("BUG: a signature cannot be read: " + err.Error())
	}
	lines := []string{line}
	for _, o := range old {
		if l, err := signature.Parse(o); err == nil && l.SHA256 == own.SHA256 && l.KeyID != own.KeyID {
			lines = append(lines, o)
		}
	}
	file := path + signature.Suffix
	if err := replaceFile(file, strings.Join(lines, "\n")+"\n"); err != nil {
		return &fileError{What: "signature file", Path: file, Err: err}
	}
	if a.flags.json {
		a.printJSON(&signView{File: path, SHA256: own.SHA256, KeyID: own.KeyID, Signature: file})
	} else {
		a.talk.linef("signed %s as %s: %s", path, own.KeyID, file)
	}
	return nil
}

// replaceFile writes a file whole or not at all.
func replaceFile(path, text string) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".sig-")
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// verifyView is what module verify --json prints.
type verifyView struct {
	File    string   `json:"file"`
	SHA256  string   `json:"sha256"`
	Good    bool     `json:"good"`
	KeyID   string   `json:"key_id,omitempty"` // whose signature it is that counts
	Signed  []string `json:"signed"`           // ids of keys that the signature file names, good or not
	Refused string   `json:"refused,omitempty"`
}

func (a *app) moduleVerifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE",
		Short: "Check who signed a module",
		Long: `Check that FILE.sig has a good signature of the module by one of the keys that --signer names. If not, the reason is printed and
the exit code is 1.`,
		Example:           `  dashhost module verify node.wasm --signer ed25519:...`,
		Args:              args("FILE"),
		ValidArgsFunction: completeModule,
		RunE: func(c *cobra.Command, given []string) error {
			keys, err := a.signers()
			if err != nil {
				return err
			}
			if len(keys) == 0 {
				return &usageError{Text: "--signer: the public key to check with is missing", Hints: []string{"--signer KEY, or the file that it is in"}}
			}
			wasm, err := a.readFile(c.Context(), "module", given[0], maxModule)
			if err != nil {
				return err
			}
			lines, err := signaturesOf(given[0])
			if err != nil {
				return err
			}
			return a.verifyModule(given[0], sha256.Sum256(wasm), lines, keys)
		},
	}
}

func (a *app) verifyModule(path string, digest [32]byte, lines []string, keys []signature.PublicKey) error {
	v := &verifyView{File: path, SHA256: hex.EncodeToString(digest[:]), Signed: []string{}}
	for _, text := range lines {
		if l, err := signature.Parse(text); err == nil {
			v.Signed = append(v.Signed, l.KeyID)
		}
	}
	by, err := signature.Verify(lines, digest, keys)
	if v.Good = err == nil; v.Good {
		v.KeyID = by.ID()
	} else {
		v.Refused = err.Error()
	}
	if a.flags.json {
		a.printJSON(v)
	} else {
		rows := [][]string{{"file", visible(path)}, {"sha256", v.SHA256}, {"signed by", orDash(strings.Join(v.Signed, " "))}}
		if v.Good {
			rows = append(rows, []string{"good", v.KeyID})
		} else {
			rows = append(rows, []string{"refused", visible(v.Refused)})
		}
		a.table(rows)
	}
	if !v.Good {
		return &exitError{code: exitFailed}
	}
	return nil
}
