package vfs

import "os"

// dirsSync is false: Windows has no such call, NTFS journals its directories.
const dirsSync = false

func syncData(f *os.File) error { return f.Sync() }
