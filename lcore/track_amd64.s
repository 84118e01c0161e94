#include "go_asm.h"
#include "textflag.h"

// func trackVectors(items []item, places []conntrack.Place, again uint64, table *conntrack.Table, now conntrack.Tick, endpoints []fib.Endpoint, services []serviceCounter, packets []uint64) (n int, left, later uint64)
//
// SI: item   BX: place   R8, R9: endpoints   R10: counters of services
// R11: counters of endpoints   R12: now   R13: table
TEXT ·trackVectors(SB), NOSPLIT, $16-168
	MOVQ items_base+0(FP), SI
	MOVQ items_len+8(FP), AX
	MOVQ places_base+24(FP), BX
	MOVQ again+48(FP), CX
	MOVQ table+56(FP), R13
	MOVL now+64(FP), R12
	MOVQ endpoints_base+72(FP), R8
	MOVQ endpoints_len+80(FP), R9
	MOVQ services_base+96(FP), R10
	MOVQ packets_base+120(FP), R11
	MOVQ AX, n+144(FP)
	MOVQ $0, left+152(FP)
	MOVQ $0, later+160(FP)
	MOVQ $0, end-8(SP)             // for some of the items
	MOVQ CX, again-16(SP)
	TESTQ CX, CX
	JNE  some
	SHLQ $const_itemShift, AX
	ADDQ SI, AX
	MOVQ AX, end-8(SP)
	CMPQ SI, AX
	JGE  out

next:
	TESTL $0xff00ff00, item_at(SI) // event, marks
	JNE   stop

look:
	// DI: home line, or the one beside it
	MOVQ         const_placeLine(BX), DI
	VPBROADCASTQ const_placeName(BX), Y0
	VPBROADCASTD (item_key+const_keyPorts)(SI), X1

	// AX: which slot it is. No branch: which one, no processor can predict.
	VPCMPEQQ  (DI), Y0, Y2
	VPCMPEQD  const_linePorts(DI), X1, X3
	VMOVMSKPD Y2, AX
	VMOVMSKPS X3, DX
	ANDL      DX, AX
	ANDL      $(1<<const_lineSlots-1), AX // in the fourth lanes is what lies behind
	JEQ       none
	BLSRL     AX, DX
	JNE       leave // two, that differ in their class
	SHRL      $1, AX

	// DX: the slot's mark, CX: its shift
	LEAL    (AX)(AX*4), CX
	SHRXL   CX, const_lineMeta(DI), DX
	ANDL    $const_markMask, DX
	MOVBLZX (item_key+const_keyProto)(SI), R14
	MOVBLZX const_tableClass(R13)(R14*1), R14
	XORL    DX, R14
	TESTL   $const_markClassMask, R14
	JNE     leave
	MOVL    R12, R14
	SUBL    const_lineStamps(DI)(AX*4), R14
	CMPL    R14, const_tableRenew(R13)(DX*4)
	JCC     renew

current:
	MOVL    const_lineValues(DI)(AX*4), DX

	// DX: value, AX: its id, CX: its endpoint, R14: service
	MOVL    DX, AX
	ANDL    $const_idMask, AX
	CMPQ    AX, R9
	JCC     leave
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
	JNE     leave
	MOVWLZX const_endpointWays(CX), R15
	TESTL   R15, R15
	JEQ     leave
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

beyond:
	ADDQ $item__size, SI
	ADDQ $(1<<const_placeShift), BX
	CMPQ SI, end-8(SP)
	JLT  next
	CMPQ end-8(SP), $0
	JNE  out

some:
	MOVQ   again-16(SP), AX
	BLSRQ  AX, CX
	MOVQ   CX, again-16(SP)
	TZCNTQ AX, AX
	JCS    out                    // none
	MOVQ   places_base+24(FP), BX
	MOVQ   AX, SI
	SHLQ   $const_placeShift, AX
	ADDQ   AX, BX
	SHLQ   $const_itemShift, SI
	ADDQ   items_base+0(FP), SI
	JMP    look

stop:
	SUBQ items_base+0(FP), SI
	SHRQ $const_itemShift, SI
	MOVQ SI, n+144(FP)

out:
	VZEROUPPER
	RET

renew:
	CMPL R14, (const_tableMarks+const_markTimeout)(R13)(DX*8)
	JGE  leave
	MOVL R12, const_lineStamps(DI)(AX*4)
	MOVL (const_tableMarks+const_markFlip)(R13)(DX*8), R14
	SHLL CX, R14
	XORL R14, const_lineMeta(DI)
	JMP  current

none:
	CMPQ       end-8(SP), $0
	JEQ        leave                               // nor beside it
	TESTL      $const_nearMask, const_lineMeta(DI)
	JEQ        leave
	SUBQ       const_tableBase(R13), DI
	XORQ       $(1<<const_lineShift), DI
	ADDQ       const_tableBase(R13), DI
	PREFETCHT0 (DI)
	MOVQ       DI, const_placeLine(BX)
	LEAQ       later+160(FP), DX
	JMP        note

leave:
	LEAQ left+152(FP), DX

note:
	// In the mask at DX, the item's bit.
	MOVQ  SI, CX
	SUBQ  items_base+0(FP), CX
	SHRQ  $const_itemShift, CX
	MOVL  $1, AX
	SHLXQ CX, AX, AX
	ORQ   AX, (DX)
	JMP   beyond
