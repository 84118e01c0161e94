#include "go_asm.h"
#include "textflag.h"

// func readBurst(frames []*pmd.Frame, at int, items []item, lines []uintptr, table *conntrack.Table, known *destinations, port uint8) int
//
// SI: frame's place   DI: item   BX: line's place   CX: index of the frame in the burst
// R8, R9: first line and number of lines for IPv4   R10: table   R11: destinations
TEXT ·readBurst(SB), NOSPLIT, $16-112
	MOVQ    frames_base+0(FP), SI
	MOVQ    at+24(FP), CX
	MOVQ    items_base+32(FP), DI
	MOVQ    lines_base+56(FP), BX
	MOVQ    table+80(FP), R10
	MOVQ    known+88(FP), R11
	MOVQ    frames_len+8(FP), AX
	ADDQ    CX, AX
	MOVQ    AX, end-8(SP)
	MOVBLZX port+96(FP), AX
	SHLL    $16, AX
	MOVL    AX, word-16(SP) // port, of what stands side by side in an item
	MOVL    (const_tableV4+const_familyFirst)(R10), R8
	SHLQ    $const_lineShift, R8
	ADDQ    const_tableBase(R10), R8
	MOVQ    (const_tableV4+const_familyCount)(R10), R9

next:
	CMPQ    CX, end-8(SP)
	JGE     done

	// A frame as nearly all are. R13: its data, R14: their length
	MOVQ    (SI), R12
	CMPW    const_frameSegments(R12), $1
	JNE     done
	TESTB   $const_checksumBad, const_frameFlags(R12)
	JNE     done
	MOVWLZX const_frameOff(R12), R13
	ADDQ    const_frameBuf(R12), R13
	MOVWLZX const_frameDataLen(R12), R14
	LEAL    -54(R14), AX
	CMPL    AX, $(const_maxFrame-54)
	JHI     done
	TESTB   $1, (R13) // to a group
	JNE     done
	MOVL    12(R13), R15 // EtherType, and the first two bytes of the packet
	MOVL    R15, AX
	ANDL    $0x00ffffff, AX
	CMPL    AX, $0x00450008
	JNE     six

	// R15: len, TOS and TCP flags as in Common, R12: protocol, AX: event
	SHRL    $24, R15
	SHLL    $16, R15
	MOVWLZX 16(R13), AX
	ROLW    $8, AX
	ORL     AX, R15
	LEAL    14(AX), DX
	CMPL    DX, R14
	JHI     done
	TESTW   $0xff3f, 20(R13) // reserved bit, or a fragment
	JNE     done
	MOVBLZX 23(R13), R12
	CMPL    R12, $const_tcp
	JNE     udp4
	CMPL    AX, $40
	JLT     done
	MOVBLZX 47(R13), AX
	MOVL    AX, DX
	SHLL    $24, DX
	ORL     DX, R15
	LEAQ    ·tcpEvents(SB), DX
	MOVBLZX (DX)(AX*1), AX
	SHLL    $8, AX

key4:
	ORL     CX, AX
	ORL     word-16(SP), AX
	MOVL    AX, item_at(DI)
	MOVL    R15, item_Common(DI)
	MOVL    34(R13), DX
	BSWAPL  DX
	MOVQ    R12, R14
	SHLQ    $32, R14
	ORQ     DX, R14
	MOVQ    R14, (item_key+const_keyPorts)(DI) // and protocol, and that it is not IPv6
	SHLQ    $8, DX
	ORQ     DX, R12 // R12: ports and protocol
	MOVQ    26(R13), AX
	BSWAPQ  AX // AX: source and destination
	MOVL    AX, R13
	MOVQ    AX, R14
	SHRQ    $32, R14
	MOVQ    $0, (item_key+const_keySrcHi)(DI)
	MOVQ    R14, (item_key+const_keySrcLo)(DI)
	MOVQ    $0, (item_key+const_keyDstHi)(DI)
	MOVQ    R13, (item_key+const_keyDstLo)(DI)

	MOVL    R12, R14
	ANDL    $0xffffff, R14
	MOVL    R14, R15
	SHRL    $8, R15
	ADDL    R13, R15
	ANDL    $(const_destinationSlots-1), R15
	SHLL    $const_destinationShift, R15
	ADDQ    R11, R15
	CMPL    R14, destination_rest(R15)
	JNE     done
	CMPQ    R13, destination_lo(R15)
	JNE     done
	MOVL    destination_service(R15), R15
	MOVL    R15, item_service(DI) // and l3

	XORQ    (const_tableSeed+const_seedA)(R10), AX
	XORQ    (const_tableSeed+const_seedB)(R10), R12
	MULQ    R12
	XORQ    (const_tableSeed+const_seedC)(R10), DX
	XORQ    (const_tableSeed+const_seedA)(R10), AX
	MULQ    DX
	XORQ    DX, AX
	MOVQ    AX, item_hash(DI)
	MULQ    R9
	SHLQ    $const_lineShift, DX
	ADDQ    R8, DX
	MOVQ    DX, (BX)
	PREFETCHT0 (DX)
	ADDQ    $8, SI
	ADDQ    $8, BX
	ADDQ    $item__size, DI
	INCQ    CX
	JMP     next

udp4:
	CMPL    R12, $const_udp
	JNE     done
	CMPL    AX, $28
	JLT     done
	XORL    AX, AX
	JMP     key4

six:
	MOVL    R15, AX
	ANDL    $0x00f0ffff, AX
	CMPL    AX, $0x0060dd86
	JNE     done
	CMPL    R14, $74
	JLT     done
	BSWAPL  R15
	SHRL    $4, R15
	MOVBLZX R15, R15
	SHLL    $16, R15
	MOVWLZX 18(R13), AX
	ROLW    $8, AX
	LEAL    54(AX), DX
	CMPL    DX, R14
	JHI     done
	LEAL    40(AX), DX
	ORL     DX, R15
	MOVBLZX 20(R13), R12
	CMPL    R12, $const_tcp
	JNE     udp6
	CMPL    AX, $20
	JLT     done
	MOVBLZX 67(R13), AX
	MOVL    AX, DX
	SHLL    $24, DX
	ORL     DX, R15
	LEAQ    ·tcpEvents(SB), DX
	MOVBLZX (DX)(AX*1), AX
	SHLL    $8, AX

key6:
	ORL     CX, AX
	ORL     word-16(SP), AX
	MOVL    AX, item_at(DI)
	MOVL    R15, item_Common(DI)
	MOVL    54(R13), DX
	BSWAPL  DX
	MOVQ    R12, R14
	BTSQ    $8, R14 // IPv6
	SHLQ    $32, R14
	ORQ     DX, R14
	MOVQ    R14, (item_key+const_keyPorts)(DI)
	SHLQ    $8, DX
	ORQ     DX, R12

	MOVQ    38(R13), R14
	BSWAPQ  R14
	MOVQ    46(R13), AX
	BSWAPQ  AX
	MOVQ    R14, (item_key+const_keyDstHi)(DI)
	MOVQ    AX, (item_key+const_keyDstLo)(DI)
	MOVL    R12, DX
	ANDL    $0xffffff, DX
	BTSL    $24, DX
	MOVL    DX, R15
	SHRL    $8, R15
	ADDL    AX, R15
	ANDL    $(const_destinationSlots-1), R15
	SHLL    $const_destinationShift, R15
	ADDQ    R11, R15
	CMPL    DX, destination_rest(R15)
	JNE     done
	CMPQ    AX, destination_lo(R15)
	JNE     done
	CMPQ    R14, destination_hi(R15)
	JNE     done
	MOVL    destination_service(R15), R15
	MOVL    R15, item_service(DI) // and l3

	XORQ    (const_tableSeed+const_seedB)(R10), R14
	XORQ    (const_tableSeed+const_seedC)(R10), AX
	MULQ    R14
	XORQ    DX, AX
	MOVQ    R12, R15
	ROLQ    $32, R15
	XORQ    AX, R15
	XORQ    (const_tableSeed+const_seedA)(R10), R15 // R15: second factor
	MOVQ    22(R13), R14
	BSWAPQ  R14
	MOVQ    30(R13), AX
	BSWAPQ  AX
	MOVQ    R14, (item_key+const_keySrcHi)(DI)
	MOVQ    AX, (item_key+const_keySrcLo)(DI)
	XORQ    (const_tableSeed+const_seedA)(R10), R14
	XORQ    (const_tableSeed+const_seedB)(R10), AX
	MULQ    R14
	XORQ    DX, AX
	XORQ    R12, AX
	XORQ    (const_tableSeed+const_seedC)(R10), AX
	MULQ    R15
	XORQ    (const_tableSeed+const_seedB)(R10), DX
	XORQ    (const_tableSeed+const_seedC)(R10), AX
	MULQ    DX
	XORQ    DX, AX
	MOVQ    AX, item_hash(DI)
	MULQ    (const_tableV6+const_familyCount)(R10)
	MOVL    (const_tableV6+const_familyFirst)(R10), AX
	ADDQ    AX, DX
	SHLQ    $const_lineShift, DX
	ADDQ    const_tableBase(R10), DX
	MOVQ    DX, (BX)
	PREFETCHT0 (DX)
	ADDQ    $8, SI
	ADDQ    $8, BX
	ADDQ    $item__size, DI
	INCQ    CX
	JMP     next

udp6:
	CMPL    R12, $const_udp
	JNE     done
	CMPL    AX, $8
	JLT     done
	XORL    AX, AX
	JMP     key6

done:
	SUBQ    at+24(FP), CX
	MOVQ    CX, ret+104(FP)
	RET
