#include "go_asm.h"
#include "textflag.h"

// func encloseVectors(items []item, frames *[pmd.MaxBurst]*pmd.Frame, tunnels []fib.Tunnel, port uint16, out *pmd.Burst, n int) int
//
// SI: item   AX: how many are done   CX: how many there are   BX: frames
// R8, R9: tunnels   R10: out   R11: port
TEXT ·encloseVectors(SB), NOSPLIT, $0-88
	MOVQ    items_base+0(FP), SI
	MOVQ    items_len+8(FP), CX
	MOVQ    frames+24(FP), BX
	MOVQ    tunnels_base+32(FP), R8
	MOVQ    tunnels_len+40(FP), R9
	MOVWLZX port+56(FP), R11
	MOVQ    out+64(FP), R10
	MOVQ    n+72(FP), DI
	LEAQ    const_burstFrames(R10)(DI*8), R10
	MOVL    $const_maxBurst, DX // no more than out has room for
	SUBQ    DI, DX
	CMPQ    CX, DX
	CMOVQGT DX, CX
	XORL    AX, AX
	CMPQ    AX, CX
	JGE     done

next:
	// DX: tunnel, R12: length of the packet
	MOVL    item_tunnel(SI), DX
	CMPQ    DX, R9
	JCC     done // noTunnel too
	IMUL3Q  $const_tunnelSize, DX, DX
	ADDQ    R8, DX
	MOVWLZX (item_Common+const_commonLen)(SI), R12
	CMPW    R12, const_tunnelMaxInner(DX)
	JHI     done
	CMPW    R11, const_tunnelPort(DX)
	JNE     done

	// DI: frame, R13: where in its buffer the packet begins
	MOVBLZX item_at(SI), DI
	ANDL    $(const_maxBurst-1), DI
	MOVQ    (BX)(DI*8), DI
	MOVWLZX const_frameOff(DI), R13
	MOVWLZX item_l3(SI), R15
	ADDQ    R15, R13
	CMPQ    R13, $const_frontLen
	JLT     done
	LEAQ    (R13)(R12*1), R15
	MOVWLZX const_frameBufLen(DI), R14
	CMPQ    R15, R14
	JGT     done

	// The frame is the header and the packet. R13: address of the packet
	MOVBLZX const_tunnelLen(DX), R15
	MOVQ    R13, R14
	SUBQ    R15, R14
	MOVW    R14, const_frameOff(DI)
	ADDQ    R12, R15
	MOVW    R15, const_frameDataLen(DI)
	MOVL    R15, const_framePktLen(DI)
	MOVQ    DI, (R10)(AX*8)
	ADDQ    const_frameBuf(DI), R13

	MOVBLZX (item_Common+const_commonTOS)(SI), DI
	CMPB    const_tunnelIPv6(DX), $0
	JNE     six

	// What is filled in is put into the block's words on their way: to change two bytes here and
	// there of what has just been stored costs more than all of this. No word crosses a line where
	// the packet begins 14 bytes into one, as it does in a frame without a tag.
	VMOVDQU (const_tunnelBlock+18)(DX), X0
	ADDL    $const_overhead4, R12
	MOVL    const_tunnelRest(DX), R15 // 16 bits; a carry counts one
	ADDW    DI, R15
	ADCW    R12, R15
	ADCW    $0, R15
	XORL    $0xffff, R15
	ROLW    $8, R15
	ROLW    $8, R12
	SHLQ    $56, DI
	ORQ     (const_tunnelBlock+34)(DX), DI
	ORQ     (const_tunnelBlock+42)(DX), R12
	ORQ     (const_tunnelBlock+50)(DX), R15
	MOVQ    (const_tunnelBlock+56)(DX), DX
	VMOVDQU X0, -46(R13)
	MOVQ    DI, -30(R13)
	MOVQ    R12, -22(R13)
	MOVQ    R15, -14(R13)
	MOVQ    DX, -8(R13)
	ADDQ    $item__size, SI
	INCQ    AX
	CMPQ    AX, CX
	JLT     next
	JMP     done

six:
	VMOVDQU (const_tunnelBlock+0)(DX), Y0
	VMOVDQU (const_tunnelBlock+32)(DX), Y1
	VMOVDQU Y0, -64(R13)
	VMOVDQU Y1, -32(R13)
	MOVL    item_hash(SI), R15 // flow label: the last 20 bits, and 1 for none
	ANDL    $0xfffff, R15
	CMPL    R15, $1
	ADCL    $0, R15
	SHLL    $20, DI
	ORL     DI, R15
	ORL     $0x60000000, R15
	BSWAPL  R15
	MOVL    R15, (0-const_overhead6)(R13)
	ADDL    $4, R12
	ROLW    $8, R12
	MOVW    R12, (4-const_overhead6)(R13)
	ADDQ    $item__size, SI
	INCQ    AX
	CMPQ    AX, CX
	JLT     next

done:
	MOVQ    AX, ret+80(FP)
	VZEROUPPER
	RET
