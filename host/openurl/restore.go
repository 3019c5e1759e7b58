package openurl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/dashhost/dashhost/checkpoint"
	"github.com/dashhost/dashhost/checkpoint/filestore"
	"github.com/dashhost/dashhost/host"
)

// Restore makes a store at url, a folder, of what checkpoint.Store.Backup wrote. Other kinds of stores are
// errors.ErrUnsupported: restore into a folder and copy. The errors of a fault in the backup are those of
// filestore.Restore.
func Restore(ctx context.Context, url string, r io.Reader, progress func(done, total int64)) (*checkpoint.BackupReport, error) {
	scheme, dir, _ := strings.Cut(url, ":")
	switch {
	case scheme == "file" && dir != "":
	case scheme == "mem", scheme == "postgres", scheme == "postgresql":
		return nil, fmt.Errorf("restore into %s: %w", url, errors.ErrUnsupported)
	default:
		return nil, &host.SchemeError{URL: url}
	}
	report, err := filestore.Restore(ctx, dir, r, progress)
	if err != nil {
		return nil, fmt.Errorf("restore into %s: %w", dir, err)
	}
	return checkpoint.NewBackupReport(report), nil
}
