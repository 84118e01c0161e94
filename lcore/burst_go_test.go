package lcore

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// With GODEBUG=cpu.avx2=off it is the loops in Go that all tests of this package run.
func TestLoopsInGo(t *testing.T) {
	code := func(f any) uintptr { return reflect.ValueOf(f).Pointer() }
	inGo := []bool{code(readBurst) == code(readEach), code(trackBurst) == code(trackEach), code(encloseBurst) == code(encloseEach)}
	for _, is := range inGo {
		if is != inGo[0] || !is && strings.Contains(os.Getenv("GODEBUG"), "cpu.avx2=off") {
			t.Fatalf("which of the loops are in Go: %v", inGo)
		}
	}
}
