package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"go.etcd.io/bbolt"
)

// key is thread and number, in the order of bytes.
func key(thread int, n uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint32(nil, uint32(thread)), n)
}

// counter gives each thread its next number.
type counter struct {
	mu   sync.Mutex
	last map[int]uint64
}

func (c *counter) next(thread int) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last == nil {
		c.last = map[int]uint64{}
	}
	c.last[thread]++
	return c.last[thread]
}

// bucket is where bbolt keeps everything.
const bucket = "records"

type bolt struct {
	counter
	db *bbolt.DB
}

func openBbolt(dir string) (keeper, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(filepath.Join(dir, "db"), 0o600, nil)
	if err != nil {
		return nil, err
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists([]byte(bucket))
		return err
	})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &bolt{db: db}, nil
}

func (b *bolt) append(thread int, body []byte) error {
	k := key(thread, b.next(thread))
	return b.db.Batch(func(tx *bbolt.Tx) error { return tx.Bucket([]byte(bucket)).Put(k, body) })
}

func (b *bolt) load(threads, each int, body []byte) error {
	const batch = 100
	for from := 0; from < threads; from += batch {
		err := b.db.Update(func(tx *bbolt.Tx) error {
			for t := from; t < min(from+batch, threads); t++ {
				for n := range each {
					if err := tx.Bucket([]byte(bucket)).Put(key(t, uint64(n+1)), body); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bolt) latest(thread int) error {
	return b.db.View(func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte(bucket)).Cursor()
		k, v := c.Seek(key(thread+1, 0))
		if k == nil {
			k, v = c.Last()
		} else {
			k, v = c.Prev()
		}
		return found(thread, k, v)
	})
}

// found checks that what was sought is of the thread, and reads it.
func found(thread int, k, v []byte) error {
	if !bytes.HasPrefix(k, key(thread, 0)[:4]) || len(bytes.Clone(v)) == 0 {
		return fmt.Errorf("thread %d: found %x", thread, k)
	}
	return nil
}

func (b *bolt) close() error { return b.db.Close() }

type peb struct {
	counter
	db *pebble.DB
}

// silent keeps Pebble from telling what it does.
type silent struct{}

func (silent) Infof(string, ...any)      {}
func (silent) Errorf(string, ...any)     {}
func (silent) Fatalf(f string, a ...any) { panic(fmt.Sprintf(f, a...)) }

func openPebble(dir string) (keeper, error) {
	db, err := pebble.Open(dir, &pebble.Options{Logger: silent{}})
	if err != nil {
		return nil, err
	}
	return &peb{db: db}, nil
}

func (p *peb) append(thread int, body []byte) error {
	return p.db.Set(key(thread, p.next(thread)), body, pebble.Sync)
}

func (p *peb) load(threads, each int, body []byte) error {
	for t := range threads {
		for n := range each {
			if err := p.db.Set(key(t, uint64(n+1)), body, pebble.NoSync); err != nil {
				return err
			}
		}
	}
	return p.db.LogData(nil, pebble.Sync)
}

func (p *peb) latest(thread int) error {
	it, err := p.db.NewIter(&pebble.IterOptions{LowerBound: key(thread, 0), UpperBound: key(thread+1, 0)})
	if err != nil {
		return err
	}
	if !it.Last() {
		return errors.Join(fmt.Errorf("thread %d: not found", thread), it.Error(), it.Close())
	}
	return errors.Join(found(thread, it.Key(), it.Value()), it.Close())
}

func (p *peb) close() error { return p.db.Close() }
