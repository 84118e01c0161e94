package capture

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"

	"guideway/lcore"
)

// MaxSize is how large a file can get, in bytes. It does not take more than half
// of what is free on its file system either.
const MaxSize = 1 << 30

// A file is a pcapng file that is being written: a section with an interface for
// each port, then a block for each packet.
type file struct {
	disk    *os.File
	buffer  *bufio.Writer
	blocks  *pcapgo.NgWriter
	zero    time.Time // when the clock of the copies was 0
	ports   []uint64  // packets of each
	packets int
	bytes   int64 // in all
	count   int   // packets at most
	size    int64 // bytes at most
	full    string
}

// create begins a file, which must not exist. Nothing is followed or overwritten
// that somebody else has put in its place, and nobody else may read it: packets
// are private.
func (c *Capturer) create(r Request, snap int) (*file, error) {
	if !filepath.IsAbs(r.File) || filepath.Clean(r.File) != r.File || filepath.Ext(r.File) != ".pcapng" {
		return nil, fmt.Errorf("%q is no path from / of a .pcapng file", r.File)
	}
	disk, err := os.OpenFile(r.File, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	f := &file{disk: disk, ports: make([]uint64, len(c.o.Ports)), count: r.Count, size: MaxSize}
	if r.Size > 0 {
		f.size = min(f.size, r.Size)
	}
	if free, err := available(disk); err == nil {
		f.size = min(f.size, free/2)
	}
	f.zero = time.Now().Add(-time.Duration(c.o.Clock()))
	f.buffer = newBuffer(disk)
	if err := f.begin(c, r, snap); err != nil {
		return nil, errors.Join(err, disk.Close())
	}
	f.bytes = int64(f.buffer.Buffered())
	return f, nil
}

func newBuffer(disk *os.File) *bufio.Writer { return bufio.NewWriterSize(disk, 1<<18) }

// available returns how many bytes are free where f is.
func available(f *os.File) (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &fs); err != nil {
		return 0, err
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// begin writes what comes before packets.
func (f *file) begin(c *Capturer, r Request, snap int) error {
	options := pcapgo.NgWriterOptions{SectionInfo: pcapgo.NgSectionInfo{
		Hardware: runtime.GOARCH, OS: system(), Application: c.o.Program, Comment: "node " + c.o.Node,
	}}
	direction := "as received"
	if r.Sent {
		direction = "as sent"
	}
	for i, p := range c.o.Ports {
		port := pcapgo.NgInterface{
			Name: p.Name, Description: fmt.Sprintf("port %s (%s), %s", p.Name, p.Device, direction), Filter: r.Filter,
			LinkType: layers.LinkTypeEthernet, SnapLength: uint32(snap),
		}
		var err error
		if i == 0 {
			f.blocks, err = pcapgo.NewNgWriterInterface(f.buffer, port, options)
		} else {
			_, err = f.blocks.AddInterface(port)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// system names the operating system and its release.
func system() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return runtime.GOOS
	}
	return unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
}

// blockLen is the size of a packet's block: header, data, and that to a multiple
// of four.
func blockLen(data int) int64 { return 32 + int64(data+3)&^3 }

// fetch writes up to n copies down, and returns how many. Where it sets full,
// there is no room for more. When it has caught up, all is on its way to the disk.
func (f *file) fetch(tap *lcore.Tap, n int) (fetched int, err error) {
	for fetched < n && f.full == "" {
		p, ok := tap.Next()
		if !ok {
			break
		}
		if err := f.add(p); err != nil {
			return fetched, err
		}
		fetched++
	}
	if fetched < n && f.buffer.Buffered() > 0 {
		return fetched, f.buffer.Flush()
	}
	return fetched, nil
}

// add writes one copy down.
func (f *file) add(p lcore.Copy) error {
	if f.bytes+blockLen(len(p.Data)) > f.size {
		f.full = BySize
		return nil
	}
	info := gopacket.CaptureInfo{
		Timestamp: f.zero.Add(time.Duration(p.Now)), InterfaceIndex: p.Port, CaptureLength: len(p.Data), Length: p.Total,
	}
	if err := f.blocks.WritePacket(info, p.Data); err != nil {
		return err
	}
	f.bytes += blockLen(len(p.Data))
	f.ports[p.Port]++
	if f.packets++; f.packets == f.count {
		f.full = ByCount
	}
	return nil
}

// finish writes what comes after packets, and closes the file. missed is by port.
func (f *file) finish(missed []uint64) error {
	var err error
	for i, packets := range f.ports {
		err = errors.Join(err, f.blocks.WriteInterfaceStats(i, pcapgo.NgInterfaceStatistics{
			LastUpdate: time.Now(), PacketsReceived: packets + missed[i], PacketsDropped: missed[i],
		}))
	}
	err = errors.Join(err, f.buffer.Flush())
	if info, statErr := f.disk.Stat(); statErr == nil {
		f.bytes = info.Size()
	}
	return errors.Join(err, f.disk.Close())
}
