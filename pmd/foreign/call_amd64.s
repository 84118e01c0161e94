#include "textflag.h"

// func call(top uintptr, fn, a, b unsafe.Pointer, c uintptr) (result uintptr, ok bool)
//
// The calling convention of C (System V): arguments in DI, SI, DX; the stack is
// aligned to 16; R12 is kept.
TEXT ·call(SB), NOSPLIT, $0-49
	MOVQ top+0(FP), R13
	MOVQ (TLS), CX     // the goroutine
	CMPQ CX, (R13)
	JNE  first

ours:
	MOVQ fn+8(FP), AX
	MOVQ a+16(FP), DI
	MOVQ b+24(FP), SI
	MOVQ c+32(FP), DX
	MOVQ SP, R12
	MOVQ R13, SP
	CALL AX
	MOVQ R12, SP
	MOVQ AX, result+40(FP)
	MOVB $1, ok+48(FP)
	RET

first:
	XORL     AX, AX
	LOCK
	CMPXCHGQ CX, (R13)
	JEQ      ours
	MOVQ     $0, result+40(FP)
	MOVB     $0, ok+48(FP)
	RET
