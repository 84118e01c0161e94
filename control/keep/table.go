package keep

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	"guideway/maglev/conntrack"
)

// A file is a core's table with its header:
//
//	 0..7   magic
//	 8..23  instance of the owner
//	24..27  index of the core
//	28..31  1: in use, or left in use; 2: complete
//	32..35  CRC-32C of a table that is complete
//
// Numbers are little endian. The table begins at tableAt, and takes as much as
// it needs.
type file struct{ memory, table []byte }

const (
	tableMagic = "gwtable1"
	tableAt    = 4096 // a page, so that the table's lines are lines of the cache

	inUse    = 1
	complete = 2
)

func (f *file) state() uint32     { return binary.LittleEndian.Uint32(f.memory[28:]) }
func (f *file) setState(s uint32) { binary.LittleEndian.PutUint32(f.memory[28:], s) }
func (f *file) close() error      { return unmap(&f.memory) }

// complete says that nothing is written any more, and what has been.
func (f *file) complete() {
	binary.LittleEndian.PutUint32(f.memory[32:], crc32.Checksum(f.table, castagnoli))
	f.setState(complete)
}

// begin gives a core a new table.
func (s *Store) begin(core int) error {
	size := conntrack.Bytes(s.c.Table.Flows)
	memory, err := create(s.c, tableName(core), tableAt+size)
	if err != nil {
		return err
	}
	f := &file{memory: memory, table: memory[tableAt:][:size]}
	s.files = append(s.files, f)
	copy(f.memory[8:], s.owner.instance[:])
	binary.LittleEndian.PutUint32(f.memory[24:], uint32(core))
	f.setState(inUse)
	copy(f.memory, tableMagic)
	t := s.c.Table
	t.Memory, t.Seed = f.table, s.owner.seed
	table, err := conntrack.New(t)
	s.tables = append(s.tables, table)
	return err
}

// takeOver goes on with the table that the owner has left to a core, and returns
// Taken, or why it cannot.
func (s *Store) takeOver(core int, later conntrack.Tick, good func(uint32) bool) (result string) {
	f, err := s.leftBy(core)
	if err == nil && f.state() == complete && crc32.Checksum(f.table, castagnoli) != binary.LittleEndian.Uint32(f.memory[32:]) {
		err = errors.Join(errors.New("the checksum of the table is wrong"), f.close())
	}
	if err != nil {
		s.c.Log.Warn("a core's connection table is not taken over", "core", core, "error", err)
		if errors.Is(err, os.ErrNotExist) {
			return None
		}
		return Damaged
	}
	f.setState(inUse)
	t := s.c.Table
	t.Memory, t.Seed = f.table, s.owner.seed
	table, a, err := conntrack.Adopt(t, conntrack.Ticks(s.c.Now), later, good)
	if err != nil {
		s.c.Log.Warn("a core's connection table is not taken over", "core", core, "error", errors.Join(err, f.close()))
		return Damaged
	}
	s.files, s.tables = append(s.files, f), append(s.tables, table)
	s.told.Adoption.Taken += a.Taken
	s.told.Adoption.Expired += a.Expired
	s.told.Adoption.Void += a.Void
	s.told.Adoption.Dropped += a.Dropped
	return Taken
}

// leftBy maps the file that the owner has left of a core.
func (s *Store) leftBy(core int) (*file, error) {
	memory, err := open(s.c, tableName(core))
	if err != nil {
		return nil, err
	}
	size := conntrack.Bytes(s.c.Table.Flows)
	switch {
	case len(memory) < tableAt+size:
		err = fmt.Errorf("the file has %d bytes, want %d", len(memory), tableAt+size)
	case string(memory[:8]) != tableMagic || string(memory[8:24]) != string(s.owner.instance[:]) || binary.LittleEndian.Uint32(memory[24:]) != uint32(core):
		err = errors.New("the file is another table's")
	default:
		return &file{memory: memory, table: memory[tableAt:][:size]}, nil
	}
	return nil, errors.Join(err, unmap(&memory))
}
