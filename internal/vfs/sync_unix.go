//go:build !linux && !windows

package vfs

import "os"

const dirsSync = true

// syncData is Sync: on darwin that is F_FULLFSYNC, the only call that reaches the disk there.
func syncData(f *os.File) error { return f.Sync() }
