package main

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/dashhost/dashhost/guest"
	"github.com/dashhost/dashhost/guest/signature"
	"github.com/dashhost/dashhost/host/workflow"
)

// signers are the keys that --signer or DASHHOST_SIGNERS name: none if nobody must have signed.
func (a *app) signers() ([]signature.PublicKey, error) {
	setting, sources := "--signer", a.flags.signers
	if len(sources) == 0 {
		setting, sources = "DASHHOST_SIGNERS", strings.Fields(strings.ReplaceAll(a.Getenv("DASHHOST_SIGNERS"), ",", " "))
	}
	var keys []signature.PublicKey
	for _, s := range sources {
		k, err := publicKey(s)
		if err != nil {
			return nil, &usageError{Text: setting + ": " + err.Error(), Hints: []string{"a public key as dashhost module keygen prints it, or the file that it is in"}}
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// publicKey reads a key, or the file that it is in.
func publicKey(source string) (signature.PublicKey, error) {
	if strings.HasPrefix(source, "ed25519") {
		return signature.ParsePublicKey(source)
	}
	text, err := readKeyFile(source)
	if err != nil {
		return signature.PublicKey{}, fmt.Errorf("%s: %w", source, err)
	}
	return signature.ParsePublicKey(text)
}

// signaturesOf reads the signatures of the module at path, none if it has no signature file.
func signaturesOf(path string) ([]string, error) {
	file := path + signature.Suffix
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, nil
	case err == nil && info.Size() > signature.MaxFile:
		return nil, &tooLargeError{What: "signature file", Path: file, Max: signature.MaxFile}
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, &fileError{What: "signature file", Path: file, Err: err}
	}
	return signature.Lines(string(b)), nil
}

// checkSigned checks the modules of a manifest that is not going to be loaded against --signer.
func (a *app) checkSigned(g *workflow.Graph) error {
	keys, err := a.signers()
	if err != nil || len(keys) == 0 {
		return err
	}
	for _, m := range g.Modules {
		digest, err := hex.DecodeString(m.SHA256)
		if err != nil || len(digest) != 32 {
			continue // a fault that was reported
		}
		if _, err := signature.Verify(m.Signatures, [32]byte(digest), keys); err != nil {
			return &guest.LoadError{Module: m.Name, Offset: -1, Text: err.Error(), Hint: signHint, Err: err}
		}
	}
	return nil
}

const signHint = "dashhost module sign FILE --key SECRET"
