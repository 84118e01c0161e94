package dpdk

// #include "shim.h"
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/net/bpf"
)

// Limits of a filter. It is run for every frame, on the cores: a program as
// long as the kernel would take (4096) could cost ten times what a packet does.
const (
	MaxFilter        = 1024 // bytes of text
	MaxFilterProgram = C.GW_FILTER_LEN
)

// Older libpcaps compile one filter at a time.
var compiling sync.Mutex

// CompileFilter turns a filter of tcpdump's syntax (pcap-filter(7)) into a
// program that returns 0 for what does not match: for Ethernet frames or, with
// inside, for what they carry, IP packets. Errors are libpcap's words. It may
// take seconds, where the filter names hosts: the machine's resolver is asked.
func CompileFilter(text string, inside bool) ([]bpf.RawInstruction, error) {
	if len(text) > MaxFilter {
		return nil, fmt.Errorf("the filter has %d bytes, at most %d are allowed", len(text), MaxFilter)
	}
	if strings.ContainsRune(text, 0) {
		return nil, errors.New("the filter has a byte 0 in it")
	}
	compiling.Lock()
	defer compiling.Unlock()
	c := cString(text)
	defer c.free()
	var code [C.GW_FILTER_LEN]C.struct_gw_instruction
	var reason [C.GW_FILTER_ERROR]C.char
	link := C.int(0)
	if inside {
		link = 1
	}
	n := int(C.gw_filter_compile(c.c, link, &code[0], &reason[0]))
	if n < 0 {
		return nil, errors.New(C.GoString(&reason[0]))
	}
	if n > len(code) {
		return nil, fmt.Errorf("the filter takes %d instructions, at most %d are allowed", n, len(code))
	}
	program := make([]bpf.RawInstruction, n)
	for i, c := range code[:n] {
		program[i] = bpf.RawInstruction{Op: uint16(c.code), Jt: uint8(c.jt), Jf: uint8(c.jf), K: uint32(c.k)}
	}
	return program, nil
}
