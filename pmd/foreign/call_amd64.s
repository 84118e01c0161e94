#include "textflag.h"

// func call(top uintptr, fn, a, b unsafe.Pointer, c uintptr) (result uintptr, ok bool)
//
// The calling convention of C (System V): arguments in DI, SI, DX; the stack is
// aligned to 16; R12 and R13 are kept. The exchange is a barrier, and so is its end
// on this processor: what one thread has done in C, the next one on the stack sees.
TEXT ·call(SB), NOSPLIT, $0-49
	MOVQ  top+0(FP), R13
	MOVL  $1, AX
	XCHGL AX, (R13)
	TESTL AX, AX
	JNE   taken
	MOVQ  fn+8(FP), AX
	MOVQ  a+16(FP), DI
	MOVQ  b+24(FP), SI
	MOVQ  c+32(FP), DX
	MOVQ  SP, R12
	MOVQ  R13, SP
	CALL  AX
	MOVQ  R12, SP
	MOVL  $0, (R13)
	MOVQ  AX, result+40(FP)
	MOVB  $1, ok+48(FP)
	RET

taken:
	MOVQ $0, result+40(FP)
	MOVB $0, ok+48(FP)
	RET
