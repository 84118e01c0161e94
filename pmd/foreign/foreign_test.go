//go:build amd64

package foreign

import (
	"bytes"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Functions as a C compiler makes them.
var (
	// lea (rdi,rsi),rax; add rdx,rax; ret
	sum = []byte{0x48, 0x8d, 0x04, 0x37, 0x48, 0x01, 0xd0, 0xc3}
	// mov rsp,rax; ret
	stackPointer = []byte{0x48, 0x89, 0xe0, 0xc3}
	// All that C may leave changed: rcx, r8..r11, xmm15; then ret
	clobber = []byte{0x48, 0x31, 0xc9, 0x4d, 0x31, 0xc0, 0x4d, 0x31, 0xc9, 0x4d, 0x31, 0xd2, 0x4d, 0x31, 0xdb,
		0x66, 0x45, 0x0f, 0x76, 0xff, 0xc3} // the last: pcmpeqd xmm15,xmm15
	// 1: dec rdi; jnz 1b; mov rsi,rax; ret
	spin = []byte{0x48, 0xff, 0xcf, 0x75, 0xfb, 0x48, 0x89, 0xf0, 0xc3}
	// 1: push rax; dec rdi; jnz 1b; lea (rsp,rsi),rsp; ret
	deep = []byte{0x50, 0x48, 0xff, 0xcf, 0x75, 0xfa, 0x48, 0x8d, 0x24, 0x34, 0xc3}
)

func stack(t testing.TB) *Stack {
	t.Helper()
	s, err := NewStack()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Delete(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// code returns machine code in memory where it can run.
func code(t testing.TB, machine []byte) []byte {
	t.Helper()
	b, err := unix.Mmap(-1, 0, os.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		t.Fatal(err)
	}
	copy(b, machine)
	if err := unix.Mprotect(b, unix.PROT_READ|unix.PROT_EXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Munmap(b) })
	return b
}

// call is try where the stack is nobody else's.
func (s *Stack) call(fn []byte, a, b, c uintptr) uintptr {
	result, ok := s.try(fn, a, b, c)
	if !ok {
		panic("the stack is somebody else's")
	}
	return result
}

// Of two goroutines one has the stack. The other is refused, each time, and spoils
// nothing; which of them it is, both find out at once.
func TestTwoGoroutines(t *testing.T) {
	for range 20 {
		s, fn := stack(t), code(t, pushes)
		var calls, refused [2]int
		var done sync.WaitGroup
		for i := range 2 {
			done.Go(func() {
				for n := range 1000 {
					got, ok := s.try(fn, 100, uintptr(n), 0)
					switch {
					case !ok:
						refused[i]++
					case got != uintptr(n):
						t.Errorf("call %d returns %d", n, got)
						return
					default:
						calls[i]++
					}
				}
			})
		}
		done.Wait()
		if calls[0]+calls[1] != 1000 || calls[0] != refused[1] {
			t.Fatalf("%d calls, %d refused", calls, refused)
		}
	}
}

// 1: push rsi; pop rax; dec rdi; jnz 1b; mov rsi,rax; ret
var pushes = []byte{0x56, 0x58, 0x48, 0xff, 0xcf, 0x75, 0xf9, 0x48, 0x89, 0xf0, 0xc3}

func TestArgumentsAndResult(t *testing.T) {
	s, fn := stack(t), code(t, sum)
	if got := s.call(fn, 1, 20, 300); got != 321 {
		t.Fatalf("1 + 20 + 300 is %d", got)
	}
	if got := s.call(fn, math.MaxUint64, 0, 5); got != 4 {
		t.Fatalf("the words are not whole: %d", got)
	}
}

// The stack is C's own, and aligned as C wants it: to 16 before the call.
func TestStackPointer(t *testing.T) {
	s := stack(t)
	top := uint64(s.call(code(t, stackPointer), 0, 0, 0)) + 8
	low := uint64(address(s.memory))
	if top%16 != 0 || top < low+guard+size-2*front || top >= low+uint64(len(s.memory)) {
		t.Fatalf("the stack begins at %#x, of %#x and %#x bytes", top, low, len(s.memory))
	}
}

// All of the stack can be used.
func TestDeepStack(t *testing.T) {
	s := stack(t)
	const words = (size-front)/8 - 2
	s.call(code(t, deep), words, words*8, 0)
}

// What C leaves in registers does not reach Go, which counts on some.
func TestRegisters(t *testing.T) {
	s, fn := stack(t), code(t, clobber)
	for i := range 1000 {
		s.call(fn, 0, 0, 0)
		var zero [4]float64 // cleared by the register that Go keeps zero
		if made := make([]uint64, i%7); zero != [4]float64{} || len(made) != i%7 {
			t.Fatal("Go's registers are not its own")
		}
	}
}

// While the profiler's and the scheduler's signals arrive, and the collector stops
// the world, calls go on and are right; a profile says where the time went.
func TestSignals(t *testing.T) {
	s, fn := stack(t), code(t, spin)
	var profile bytes.Buffer
	if err := pprof.StartCPUProfile(&profile); err != nil {
		t.Fatal(err)
	}
	var stop atomic.Bool
	collected := make(chan int)
	go func() {
		n := 0
		for ; !stop.Load(); n++ {
			runtime.GC()
			debug.Stack()
		}
		collected <- n
	}()
	done := make(chan int)
	go func() {
		runtime.LockOSThread()
		calls := 0
		for began := time.Now(); time.Since(began) < time.Second; calls++ {
			if got := s.call(fn, 100_000, uintptr(calls), 0); got != uintptr(calls) {
				t.Errorf("call %d returns %d", calls, got)
			}
		}
		done <- calls
	}()
	calls := <-done
	stop.Store(true)
	collections := <-collected
	pprof.StopCPUProfile()
	if calls < 100 || collections < 10 || profile.Len() == 0 {
		t.Fatalf("%d calls, %d collections, a profile of %d bytes", calls, collections, profile.Len())
	}
	t.Logf("%d calls, %d collections", calls, collections)
}

// A stack that grows between calls moves what is on it; C sees where it is.
func TestPointersToTheGoroutinesStack(t *testing.T) {
	s, fn := stack(t), code(t, load)
	done := make(chan bool)
	go func() {
		ok := true
		for depth := range 200 {
			ok = ok && descend(s, fn, depth)
		}
		done <- ok
	}()
	if !<-done {
		t.Fatal("C saw something else")
	}
}

// mov (rdi),rax; ret
var load = []byte{0x48, 0x8b, 0x07, 0xc3}

func descend(s *Stack, fn []byte, depth int) bool {
	var room [256]byte
	if depth > 0 {
		return descend(s, fn, depth-1) && room[depth%256] == 0
	}
	word := uint64(0x0123456789abcdef)
	return s.load(fn, &word) == word
}

func BenchmarkCall(b *testing.B) {
	s, fn := stack(b), code(b, sum)
	for b.Loop() {
		s.call(fn, 1, 2, 3)
	}
}
