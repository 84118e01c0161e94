#include "textflag.h"

// func call(top uintptr, fn, a, b unsafe.Pointer, c uintptr) uintptr
//
// The calling convention of C (System V): arguments in DI, SI, DX; the stack is
// aligned to 16; R12 is kept.
TEXT ·call(SB), NOSPLIT, $0-48
	MOVQ top+0(FP), R13
	MOVQ fn+8(FP), AX
	MOVQ a+16(FP), DI
	MOVQ b+24(FP), SI
	MOVQ c+32(FP), DX
	MOVQ SP, R12
	MOVQ R13, SP
	CALL AX
	MOVQ R12, SP
	MOVQ AX, ret+40(FP)
	RET
