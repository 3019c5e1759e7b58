package seal

import (
	"bytes"
	"crypto/cipher"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// vaultBytes bounds a sealed vault, before it is opened. A data key takes about 100.
const vaultBytes = 1 << 20

// Vault holds the keys that do the work. It does not change and is safe for concurrent use.
type Vault struct {
	names   Key
	data    []Key // the last one seals
	ciphers map[ID]cipher.AEAD
	namer   *Names
}

// NewVault draws new keys.
func NewVault() *Vault { return newVault(NewKey(), []Key{NewKey()}) }

func newVault(names Key, data []Key) *Vault {
	v := &Vault{names: names, data: data, ciphers: make(map[ID]cipher.AEAD, len(data)), namer: newNames(names)}
	for _, k := range data {
		v.ciphers[k.ID()] = k.aead()
	}
	return v
}

// Rotated is the vault with a new data key, which seals from then on.
func (v *Vault) Rotated() *Vault {
	return newVault(v.names, append(append([]Key(nil), v.data...), NewKey()))
}

// Names makes tokens of names.
func (v *Vault) Names() *Names { return v.namer }

// Current is the id of the key that seals.
func (v *Vault) Current() ID { return v.data[len(v.data)-1].ID() }

// Keys is how many data keys there are.
func (v *Vault) Keys() int { return len(v.data) }

// Seal appends the sealed text to dst.
func (v *Vault) Seal(dst, text, ad []byte) []byte {
	id := v.Current()
	return seal(v.ciphers[id], id, dst, text, ad)
}

// Open appends the plain text to dst. The error is ErrForged, or a *KeyError if the vault does not have the key.
func (v *Vault) Open(dst, sealed, ad []byte) ([]byte, error) {
	id, err := KeyOf(sealed)
	if err != nil {
		return nil, err
	}
	a, ok := v.ciphers[id]
	if !ok {
		return nil, &KeyError{ID: id}
	}
	return open(a, dst, sealed, ad)
}

// document is a vault as JSON.
type document struct {
	Format int       `json:"format"`
	Names  []byte    `json:"names"`
	Data   []dataKey `json:"data"`
}

type dataKey struct {
	ID  string `json:"id"`
	Key []byte `json:"key"`
}

// vaultData binds a sealed vault to what it is.
const vaultData = "dashhost vault 1"

// SealWith is the vault sealed with a master key.
func (v *Vault) SealWith(master Key) ([]byte, error) {
	d := document{Format: 1, Names: v.names.b[:]}
	for _, k := range v.data {
		d.Data = append(d.Data, dataKey{ID: k.ID().String(), Key: k.b[:]})
	}
	text, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	if len(text)+Overhead > vaultBytes {
		return nil, fmt.Errorf("vault: %d keys are too many for %d bytes: write the store anew with store copy", len(v.data), vaultBytes)
	}
	return master.Seal(nil, text, []byte(vaultData)), nil
}

// OpenVault opens what SealWith made. The error is a *KeyError if none of the masters did it, or ErrForged.
func OpenVault(sealed []byte, masters ...Key) (*Vault, error) {
	if len(sealed) > vaultBytes {
		return nil, fmt.Errorf("vault: %d bytes are over the limit of %d", len(sealed), vaultBytes)
	}
	id, err := KeyOf(sealed)
	if err != nil {
		return nil, err
	}
	for _, m := range masters {
		if m.ID() != id {
			continue
		}
		text, err := m.Open(nil, sealed, []byte(vaultData))
		if err != nil {
			return nil, err
		}
		return parseVault(text)
	}
	return nil, &KeyError{ID: id}
}

var errVault = errors.New("vault: the document is malformed")

func parseVault(text []byte) (*Vault, error) {
	var d document
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		return nil, errVault // its cause could repeat what is inside
	}
	if d.Format != 1 {
		return nil, fmt.Errorf("vault: format %d, this program knows 1", d.Format)
	}
	if len(d.Names) != KeySize || len(d.Data) == 0 {
		return nil, errVault
	}
	var names Key
	copy(names.b[:], d.Names)
	data := make([]Key, len(d.Data))
	for i, k := range d.Data {
		if len(k.Key) != KeySize {
			return nil, errVault
		}
		copy(data[i].b[:], k.Key)
		if id := data[i].ID(); hex.EncodeToString(id[:]) != k.ID {
			return nil, errVault
		}
	}
	return newVault(names, data), nil
}
