//go:build go1.26 && !go1.27 && linux

#include "textflag.h"

// Offsets in the structures of the runtime, Go 1.26.
#define g_m         48
#define m_procid    64
#define m_curg      184
#define m_p         208
#define p_status    4
#define p_schedtick 16
#define p_m         48

// func look() (self, m, current uintptr, thread uint64, p uintptr)
TEXT ·look(SB), NOSPLIT, $0-40
	MOVQ (TLS), AX
	MOVQ AX, self+0(FP)
	MOVQ g_m(AX), AX
	MOVQ AX, m+8(FP)
	MOVQ m_curg(AX), CX
	MOVQ CX, current+16(FP)
	MOVQ m_procid(AX), CX
	MOVQ CX, thread+24(FP)
	MOVQ m_p(AX), CX
	MOVQ CX, p+32(FP)
	RET

// func lookAt(p uintptr) (m uintptr, status uint32)
TEXT ·lookAt(SB), NOSPLIT, $0-20
	MOVQ p+0(FP), AX
	MOVQ p_m(AX), CX
	MOVQ CX, m+8(FP)
	MOVL p_status(AX), CX
	MOVL CX, status+16(FP)
	RET

// func tick(p uintptr) uint32
TEXT ·tick(SB), NOSPLIT, $0-12
	MOVQ p+0(FP), AX
	MOVL p_schedtick(AX), AX
	MOVL AX, ret+8(FP)
	RET

// func renew()
//
// The processor is the caller's until it returns: nobody is asked to give way in assembly.
TEXT ·renew(SB), NOSPLIT, $0-0
	MOVQ (TLS), AX
	MOVQ g_m(AX), AX
	MOVQ m_p(AX), AX
	INCL p_schedtick(AX)
	RET
