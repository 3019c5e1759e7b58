package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/internal/engine"
)

// Blobs returns the digests of what a thread needs of its store to be resumed and looked into: the graphs that it ran, and their
// modules. It fits checkpoint.CopyOptions.
func Blobs(ctx context.Context, s *checkpoint.Store, thread string) ([]string, error) {
	var digests []string
	for r, err := range s.Records(ctx, thread) {
		if errors.Is(err, checkpoint.ErrDamaged) {
			continue // a copy says so
		}
		if err != nil {
			return nil, err
		}
		for _, a := range r.Attrs {
			if a.Name == engine.AttrDigest && a.Value != "" && !slices.Contains(digests, a.Value) {
				digests = append(digests, a.Value)
			}
		}
	}
	var all []string
	for _, graph := range digests {
		blobs, err := GraphBlobs(ctx, s, graph)
		if err != nil {
			return nil, fmt.Errorf("thread %q: %w", thread, err)
		}
		all = append(all, blobs...)
	}
	return all, nil
}

// GraphBlobs returns the digest of a graph that the store keeps, and those of its modules. Of one that cannot be read it is alone:
// who reads its blob is told why.
func GraphBlobs(ctx context.Context, s *checkpoint.Store, graph string) ([]string, error) {
	b, err := s.Blob(ctx, graph)
	if errors.Is(err, checkpoint.ErrDamaged) || errors.Is(err, checkpoint.ErrNotFound) {
		return []string{graph}, nil
	}
	if err != nil {
		return nil, err
	}
	var g struct {
		Modules map[string]struct {
			SHA256 string `json:"sha256"`
		} `json:"modules"`
	}
	if err := json.Unmarshal(b, &g); err != nil {
		return nil, fmt.Errorf("graph %s: %w", graph, err)
	}
	digests := []string{graph}
	for _, m := range g.Modules {
		digests = append(digests, "sha256:"+m.SHA256)
	}
	return digests, nil
}
