#include "go_asm.h"
#include "textflag.h"

// func trackBurst(items []item, lines []uintptr, table *conntrack.Table, now conntrack.Tick, endpoints []fib.Endpoint, services []serviceCounter, packets []uint64) int
//
// SI: item   BX: line's place   R8, R9: endpoints   R10: counters of services
// R11: counters of endpoints   R12: now   R13: table
TEXT ·trackBurst(SB), NOSPLIT, $8-144
	MOVQ    items_base+0(FP), SI
	MOVQ    items_len+8(FP), AX
	MOVQ    lines_base+24(FP), BX
	MOVQ    table+48(FP), R13
	MOVL    now+56(FP), R12
	MOVQ    endpoints_base+64(FP), R8
	MOVQ    endpoints_len+72(FP), R9
	MOVQ    services_base+88(FP), R10
	MOVQ    packets_base+112(FP), R11
	SHLQ    $const_itemShift, AX
	ADDQ    SI, AX
	MOVQ    AX, end-8(SP)

next:
	CMPQ    SI, end-8(SP)
	JGE     done
	TESTL   $0xff00ff00, item_at(SI) // event, marks
	JNE     done

	// DI: home line, or the one beside it, DX: name
	MOVQ    (BX), DI

look:
	MOVQ    item_hash(SI), DX
	CMPB    (item_key+const_keyIPv6)(SI), $0
	JNE     named
	MOVQ    (item_key+const_keySrcLo)(SI), DX
	SHLQ    $32, DX
	ORQ     (item_key+const_keyDstLo)(SI), DX

named:
	// R15: which slot it is. No branch: which one, no processor can predict.
	MOVL    (item_key+const_keyPorts)(SI), R14
	XORL    R15, R15
	MOVQ    8(DI), CX
	XORQ    DX, CX
	MOVL    (const_linePorts+4)(DI), AX
	XORL    R14, AX
	ORQ     AX, CX
	SETEQ   R15
	XORL    AX, AX
	MOVQ    16(DI), CX
	XORQ    DX, CX
	XORQ    (DI), DX
	XORL    const_linePorts(DI), R14
	ORQ     DX, R14 // zero if it is the zeroth
	MOVL    (item_key+const_keyPorts)(SI), DX
	XORL    (const_linePorts+8)(DI), DX
	ORQ     DX, CX
	SETEQ   AX
	LEAL    (R15)(AX*2), R15
	XORL    DX, DX
	TESTL   R15, R15
	CMOVQNE DX, R14
	TESTQ   R14, R14
	JNE     none
	CMPL    R15, $3
	JEQ     done // two, that differ in their class

	// AX: the line's meta, CX: shift of the slot's mark, DX: mark
	MOVL    const_lineMeta(DI), AX
	LEAL    (R15)(R15*4), CX
	MOVL    AX, DX
	SHRL    CX, DX
	ANDL    $const_markMask, DX
	MOVBLZX (item_key+const_keyProto)(SI), R14
	MOVBLZX const_tableClass(R13)(R14*1), R14
	XORL    DX, R14
	TESTL   $const_markClassMask, R14
	JNE     done
	MOVL    R12, R14
	SUBL    const_lineStamps(DI)(R15*4), R14
	CMPL    R14, (const_tableMarks+const_markTimeout)(R13)(DX*8)
	JGE     done
	MOVL    R12, const_lineStamps(DI)(R15*4)
	MOVL    (const_tableMarks+const_markFlip)(R13)(DX*8), R14
	SHLL    CX, R14
	XORL    R14, AX
	MOVL    AX, const_lineMeta(DI)

	// DX: value, AX: its id, CX: its endpoint, R14: service
	MOVL    const_lineValues(DI)(R15*4), DX
	MOVL    DX, AX
	ANDL    $const_idMask, AX
	CMPQ    AX, R9
	JCC     done
	MOVQ    AX, CX
	SHLQ    $const_endpointShift, CX
	ADDQ    R8, CX
	MOVWLZX item_service(SI), R14
	MOVL    R14, R15
	ORL     $(const_serving<<16), R15
	SHLQ    $32, R15
	ORQ     DX, R15
	XORQ    (CX), R15 // value, service, state, and a byte that says nothing
	SHLQ    $8, R15
	JNE     done
	MOVWLZX const_endpointWays(CX), R15
	TESTL   R15, R15
	JEQ     done
	MOVL    item_hash(SI), DX
	IMULQ   R15, DX
	SHRQ    $32, DX
	ADDL    const_endpointTunnel(CX), DX
	MOVL    DX, item_tunnel(SI)

	SHLQ    $const_serviceShift, R14
	MOVWLZX (item_Common+const_commonLen)(SI), R15
	INCQ    serviceCounter_packets(R10)(R14*1)
	ADDQ    R15, serviceCounter_bytes(R10)(R14*1)
	INCQ    (R11)(AX*8)
	ADDQ    $item__size, SI
	ADDQ    $8, BX
	JMP     next

none:
	CMPQ    DI, (BX)
	JNE     done // nor beside it
	TESTL   $const_nearMask, const_lineMeta(DI)
	JEQ     done
	SUBQ    const_tableBase(R13), DI
	XORQ    $(1<<const_lineShift), DI
	ADDQ    const_tableBase(R13), DI
	JMP     look

done:
	SUBQ    items_base+0(FP), SI
	SHRQ    $const_itemShift, SI
	MOVQ    SI, ret+136(FP)
	RET
