//go:build !linux

package guest

import "errors"

// sheet does not exist here: images are copied.
type sheet struct{ data []byte }

func newSheet([]byte) (*sheet, error) { return nil, errors.ErrUnsupported }

func (*sheet) cover([]byte) error { return errors.ErrUnsupported }

func (*sheet) close() {}

// discard clears b.
func discard(b []byte) { clear(b) }

// pagemap does not exist here.
type pagemap struct{}

func openPagemap() (*pagemap, error) { return nil, errors.ErrUnsupported }

func (*pagemap) close() error { return nil }

func (*pagemap) own([]byte, func(from, to int)) error { return errors.ErrUnsupported }
