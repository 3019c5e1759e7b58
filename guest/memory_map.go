//go:build linux || darwin

package guest

import "syscall"

// reserve maps n bytes of zeroes that take no memory until they are touched, nil if the system refuses.
func reserve(n uint64) []byte {
	b, err := syscall.Mmap(-1, 0, int(n), syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	if err != nil {
		return nil
	}
	return b
}

// unreserve unmaps what reserve returned.
func unreserve(b []byte) {
	if err := syscall.Munmap(b); err != nil {
		panic("BUG: munmap: " + err.Error())
	}
}
