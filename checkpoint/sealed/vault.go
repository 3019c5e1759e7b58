package sealed

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dashhost/dashhost/checkpoint/driver"
	"github.com/dashhost/dashhost/internal/seal"
)

// Key is a master key. Printing it shows its id only; its method Text gives the whole.
type Key = seal.Key

// NewKey draws a master key.
func NewKey() Key { return seal.NewKey() }

// ParseKey reads the text of a master key. Its error does not repeat the text.
func ParseKey(text string) (Key, error) { return seal.ParseKey(text) }

// vaultThread keeps the vaults. Part of the format.
const vaultThread = "\x01seal"

// copies is how often a vault is written.
const copies = 2

// load reads the newest vault. It gives nil without an error if there is none.
func load(ctx context.Context, d driver.Driver, keys []Key) (*seal.Vault, error) {
	var first error
	found := false
	for r, err := range d.Read(ctx, vaultThread, driver.Query{AllNamespaces: true, Kinds: driver.Kinds(driver.KindKV), Reverse: true}) {
		switch {
		case errors.Is(err, driver.ErrNotFound):
			return nil, nil
		case errors.Is(err, driver.ErrDamaged): // the copy before it may be sound
			found, first = true, errors.Join(first, err)
			continue
		case err != nil:
			return nil, err
		}
		found = true
		v, err := seal.OpenVault(r.Body, keys...)
		if missing := (*seal.KeyError)(nil); errors.As(err, &missing) {
			return nil, keyError(missing, keys) // an older vault would lack the keys of newer records
		}
		if err == nil {
			return v, nil
		}
		first = errors.Join(first, err)
	}
	if !found {
		return nil, nil
	}
	return nil, fmt.Errorf("keys of the store: %w", first)
}

// save writes a vault and waits until that is durable. With fresh it fails with driver.ErrConflict if there is one already.
func save(ctx context.Context, d driver.Driver, v *seal.Vault, master Key, fresh bool) error {
	body, err := v.SealWith(master)
	if err != nil {
		return err
	}
	for i := range copies {
		r := &driver.Record{Kind: driver.KindKV, ID: master.ID().String(), Time: time.Now().UnixMicro(), Size: int64(len(body)), Body: body}
		c, err := d.Append(ctx, vaultThread, driver.Expect{AnyEpoch: true, Empty: fresh && i == 0}, []*driver.Record{r})
		if err == nil {
			err = c.Wait(ctx)
		}
		if err != nil {
			return fmt.Errorf("keys of the store: %w", err)
		}
	}
	return nil
}

// Encrypted says whether a store is encrypted. It needs no key.
func Encrypted(ctx context.Context, d driver.Driver) (bool, error) {
	_, err := d.Thread(ctx, vaultThread)
	if errors.Is(err, driver.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// empty says whether a store has no thread at all.
func empty(ctx context.Context, d driver.Driver) (bool, error) {
	for _, reserved := range []bool{false, true} {
		for _, err := range d.Threads(ctx, driver.Filter{Limit: 1, Reserved: reserved}) {
			return false, err
		}
	}
	return true, nil
}

// Rekey seals the keys of an encrypted store with another master key, and adds a data key for what is written from then on. d is the
// driver itself, not what Open made of it; keys has the present master key. It waits until that is durable. A *KeyError says which
// key is missing, ErrPlain that the store is not encrypted.
func Rekey(ctx context.Context, d driver.Driver, keys []Key, master Key) error {
	v, err := load(ctx, d, keys)
	if err != nil {
		return err
	}
	if v == nil {
		return ErrPlain
	}
	return save(ctx, d, v.Rotated(), master, false)
}
