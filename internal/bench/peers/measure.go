package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dashhost/dashhost/internal/bench/bare"
)

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// bareLog makes the yardstick a keeper, as far as it is one.
type bareLog struct{ *bare.Log }

func (b bareLog) append(_ int, body []byte) error { return b.Append(body) }
func (b bareLog) load(int, int, []byte) error     { return errors.ErrUnsupported }
func (b bareLog) latest(int) error                { return errors.ErrUnsupported }
func (b bareLog) close() error                    { return b.Close() }

// appends measures durable appends of 1 KiB by 1 to 256 goroutines, each side in turn.
func appends(w io.Writer, dir string, s size) error {
	sides := append([]peer{{"group commit", func(dir string) (keeper, error) {
		l, err := bare.Create(dir + ".bare")
		return bareLog{l}, err
	}}}, peers()...)
	fmt.Fprintf(w, "durable appends of 1 KiB a second, median of %d rounds\t\t\n", s.rounds)
	for _, n := range []int{1, 16, 64, 256} {
		rates, err := crowd(dir, s, sides, n)
		if err != nil {
			return err
		}
		base, _, _ := middle(rates[0])
		for i, side := range sides {
			m, least, most := middle(rates[i])
			fmt.Fprintf(w, "  %d threads, %s\t%.0f/s\t%.0f..%.0f\t%.2f of group commit\n", n, side.name, m, least, most, m/base)
		}
	}
	return nil
}

func crowd(dir string, s size, sides []peer, n int) (rates [][]float64, err error) {
	keepers := make([]keeper, len(sides))
	for i, side := range sides {
		if keepers[i], err = side.open(filepath.Join(dir, fmt.Sprint("crowd", n, side.name))); err != nil {
			return nil, fmt.Errorf("%s: %w", side.name, err)
		}
		defer func() { err = errors.Join(err, keepers[i].close()) }()
	}
	body := random(1 << 10)
	for i, k := range keepers { // claims, files and the like are made
		if _, err := together(k, n, 0, body); err != nil {
			return nil, fmt.Errorf("%s: %w", sides[i].name, err)
		}
	}
	rates = make([][]float64, len(sides))
	for range s.rounds {
		for i, k := range keepers {
			rate, err := together(k, n, s.slice, body)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", sides[i].name, err)
			}
			rates[i] = append(rates[i], rate)
		}
	}
	return rates, nil
}

// together appends by n goroutines at once, each at least once, and returns how many appends a second there were.
func together(k keeper, n int, d time.Duration, body []byte) (float64, error) {
	var total atomic.Int64
	errs := make([]error, n)
	var wg sync.WaitGroup
	begun := time.Now()
	for g := range n {
		wg.Go(func() {
			for more := true; more; more = time.Since(begun) < d {
				if errs[g] = k.append(g, body); errs[g] != nil {
					return
				}
				total.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(total.Load()) / time.Since(begun).Seconds(), errors.Join(errs...)
}

// turns measures how much 400 turns of 400 bytes on one thread take on the disk.
func turns(w io.Writer, dir string, _ size) error {
	fmt.Fprintln(w, "400 turns of 400 random bytes on disk\t\t")
	for _, p := range peers() {
		at := filepath.Join(dir, "turns"+p.name)
		k, err := p.open(at)
		if err != nil {
			return err
		}
		for range 400 {
			if err := k.append(0, random(400)); err != nil {
				return errors.Join(err, k.close())
			}
		}
		if err := k.close(); err != nil {
			return err
		}
		n, err := bytesIn(at)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %s\t%.2f MB\n", p.name, float64(n)/1e6)
	}
	return nil
}

// latest measures reading the newest state of one of many threads.
func latest(w io.Writer, dir string, s size) error {
	fmt.Fprintf(w, "latest of %d threads with %d checkpoints\t\t\n", s.threads, s.threads*s.each)
	for _, p := range peers() {
		at := filepath.Join(dir, "latest"+p.name)
		if err := filled(p, at, s.threads, s.each, random(100)); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		begun := time.Now()
		k, err := p.open(at)
		if err != nil {
			return err
		}
		opened := time.Since(begun)
		var times []float64
		for range 2000 {
			begun := time.Now()
			if err := k.latest(mathrand.IntN(s.threads)); err != nil {
				return errors.Join(err, k.close())
			}
			times = append(times, float64(time.Since(begun).Microseconds()))
		}
		m, least, most := middle(times)
		fmt.Fprintf(w, "  %s\t%.0f µs\t%.0f..%.0f\topen %.3f s\n", p.name, m, least, most, opened.Seconds())
		if err := errors.Join(k.close(), os.RemoveAll(at)); err != nil {
			return err
		}
	}
	return nil
}

func filled(p peer, at string, threads, each int, body []byte) error {
	k, err := p.open(at)
	if err != nil {
		return err
	}
	return errors.Join(k.load(threads, each, body), k.close())
}

// opening measures opening a large log, and for ours without its index too.
func opening(w io.Writer, dir string, s size) error {
	fmt.Fprintf(w, "open %.1f GB in records of 64 KiB\t\t\n", float64(s.log)/1e9)
	for _, p := range peers() {
		at := filepath.Join(dir, "open"+p.name)
		if err := filled(p, at, 16, int(s.log/16/(64<<10)), random(64<<10)); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		took, err := reopened(p, at)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "  %s\t%.3f s\n", p.name, took.Seconds())
		if p.name == "dashhost" {
			if err := os.Remove(filepath.Join(at, "index")); err != nil {
				return err
			}
			if took, err = reopened(p, at); err != nil {
				return err
			}
			fmt.Fprintf(w, "  %s, without its index\t%.3f s\n", p.name, took.Seconds())
		}
		if err := os.RemoveAll(at); err != nil {
			return err
		}
	}
	return nil
}

func reopened(p peer, at string) (time.Duration, error) {
	begun := time.Now()
	k, err := p.open(at)
	if err != nil {
		return 0, err
	}
	took := time.Since(begun)
	return took, k.close()
}
