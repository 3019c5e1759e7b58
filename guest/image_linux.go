package guest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sheet is an image as an anonymous file, so that the memory of an instance can be a private mapping of it.
type sheet struct {
	fd   int
	data []byte // the file, mapped for reading
}

// newSheet makes a file of b. Pages of zeroes take no room in it. Nobody can write to it afterwards.
func newSheet(b []byte) (_ *sheet, err error) {
	fd, err := unix.MemfdCreate("dashhost-image", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unix.Close(fd))
		}
	}()
	if err := unix.Ftruncate(fd, int64(len(b))); err != nil {
		return nil, os.NewSyscallError("ftruncate", err)
	}
	for at := 0; at < len(b); at += PageSize {
		piece := b[at:min(at+PageSize, len(b))]
		if usedPages(piece) == 0 {
			continue
		}
		if n, err := unix.Pwrite(fd, piece, int64(at)); err != nil || n != len(piece) {
			return nil, fmt.Errorf("write %d of %d bytes: %w", n, len(piece), os.NewSyscallError("pwrite", err))
		}
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	data, err := unix.Mmap(fd, 0, len(b), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	return &sheet{fd: fd, data: data}, nil
}

// cover maps the sheet over the beginning of a mapping. What was there is gone.
func (s *sheet) cover(room []byte) error {
	_, err := unix.MmapPtr(s.fd, 0, unsafe.Pointer(unsafe.SliceData(room)), uintptr(len(s.data)),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_FIXED)
	return os.NewSyscallError("mmap", err)
}

func (s *sheet) close() {
	if err := errors.Join(unix.Munmap(s.data), unix.Close(s.fd)); err != nil {
		panic("BUG: image: " + err.Error())
	}
}

// discard gives pages of a mapping back: they read as zero again.
func discard(b []byte) {
	if err := unix.Madvise(b, unix.MADV_DONTNEED); err != nil {
		panic("BUG: madvise: " + err.Error())
	}
}

// pagemap tells which pages of a mapping are the process's own. It reads /proc/self/pagemap, which has 64
// bits for each page (Documentation/admin-guide/mm/pagemap.rst of the Linux kernel):
//
//	63  present
//	62  swapped out
//	61  a page of a file, or shared; 0 for anonymous pages, which copies made on write are
//
// It is safe for concurrent use.
type pagemap struct {
	fd   int
	page int
}

const (
	pageHere = 3 << 62
	pageFile = 1 << 61
)

// openPagemap opens the page map and makes sure that it tells what we read out of it.
func openPagemap() (*pagemap, error) {
	fd, err := unix.Open("/proc/self/pagemap", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("open /proc/self/pagemap", err)
	}
	p := &pagemap{fd: fd, page: os.Getpagesize()}
	if err := p.probe(); err != nil {
		return nil, errors.Join(fmt.Errorf("/proc/self/pagemap: %w", err), p.close())
	}
	return p, nil
}

func (p *pagemap) close() error {
	if p == nil {
		return nil
	}
	return os.NewSyscallError("close", unix.Close(p.fd))
}

// own calls f with each run of pages of b that are present or swapped out, and no file's. b begins at a page
// and is a number of whole pages.
func (p *pagemap) own(b []byte, f func(from, to int)) error {
	var entries [4096]byte
	first := int64(uintptr(unsafe.Pointer(unsafe.SliceData(b)))) / int64(p.page)
	begin := -1 // of the run
	for at := 0; at < len(b); {
		want := entries[:min(len(entries), (len(b)-at)/p.page*8)]
		n, err := unix.Pread(p.fd, want, (first+int64(at/p.page))*8)
		if err != nil || n != len(want) {
			return fmt.Errorf("read %d of %d bytes: %w", n, len(want), os.NewSyscallError("pread", err))
		}
		for i := 0; i < n; i += 8 {
			e := binary.NativeEndian.Uint64(want[i:])
			switch mine := e&pageHere != 0 && e&pageFile == 0; {
			case mine && begin < 0:
				begin = at
			case !mine && begin >= 0:
				f(begin, at)
				begin = -1
			}
			at += p.page
		}
	}
	if begin >= 0 {
		f(begin, len(b))
	}
	return nil
}

// probe looks at a mapping like those of images: a page that was read, one that was written, one behind the
// file that was written, and between them pages that nobody touched.
func (p *pagemap) probe() (err error) {
	const read, wrote, behind, pages = 0, 2, 5, 8
	file := make([]byte, 4*max(p.page, PageSize))
	for i := range file {
		file[i] = 1
	}
	s, err := newSheet(file)
	if err != nil {
		return err
	}
	defer s.close()
	room := reserve(uint64(2 * len(file)))
	if room == nil {
		return errors.New("mmap refused")
	}
	defer unreserve(room)
	if err := s.cover(room); err != nil {
		return err
	}
	at := len(file) / 4 // pages of the probe are this large: at least one of the system's
	sum := room[read*at]
	room[wrote*at]++
	room[behind*at]++
	var got []int
	if err := p.own(room[:pages*at], func(from, to int) { got = append(got, from, to) }); err != nil {
		return err
	}
	if len(got) != 4 || got[0] != wrote*at || got[1] != wrote*at+p.page || got[2] != behind*at || sum != 1 {
		return fmt.Errorf("pages that were written are not told from others: %v", got)
	}
	return nil
}
