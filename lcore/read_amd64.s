#include "go_asm.h"
#include "textflag.h"

// func readVectors(frames []*pmd.Frame, at int, items []item, places []conntrack.Place, table *conntrack.Table, known *destinations, port uint8) (n, bytes int)
//
// SI: frame's place   DI: item   BX: place   CX: index of the frame in the burst and,
// above it, port, as they stand in an item   R8, R9: first line and number of lines
// for IPv4   R10: table   R11: destinations   Y12..Y15: constants
TEXT ·readVectors(SB), NOSPLIT, $16-120
	MOVQ    frames_base+0(FP), SI
	MOVQ    frames_len+8(FP), AX
	MOVQ    at+24(FP), DX
	MOVQ    items_base+32(FP), DI
	MOVQ    places_base+56(FP), BX
	MOVQ    table+80(FP), R10
	MOVQ    known+88(FP), R11
	MOVBLZX port+96(FP), CX
	SHLL    $16, CX
	ORL     DX, CX
	LEAQ    (SI)(AX*8), AX
	MOVQ    AX, end-8(SP)
	MOVQ    $0, sum-16(SP) // of lengths
	CMPQ    SI, AX
	JGE     done
	MOVL    (const_tableV4+const_familyFirst)(R10), R8
	SHLQ    $const_lineShift, R8
	ADDQ    const_tableBase(R10), R8
	MOVQ    (const_tableV4+const_familyCount)(R10), R9
	VMOVDQU usual<>+0(SB), Y15
	VMOVDQU usual<>+32(SB), Y14
	VMOVDQU addresses<>+0(SB), Y13
	VMOVDQU addresses<>+32(SB), Y12

next:
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
	VPXOR   (R13), Y15, Y0
	VPTEST  Y14, Y0
	JNE     six

	// R15: len, TOS and TCP flags as in Common, R12: protocol
	MOVBEL  14(R13), R15
	MOVWLZX R15, AX
	LEAL    14(AX), DX
	CMPL    DX, R14
	JHI     done
	MOVBLZX 23(R13), R12
	CMPL    R12, $const_tcp
	JNE     udp4
	CMPL    AX, $40
	JLT     done
	MOVBLZX 47(R13), DX
	MOVL    DX, AX
	XORL    $0x45, DX
	SHLL    $24, DX
	XORL    DX, R15
	TESTL   $const_newsFlags, AX
	JNE     news4
	MOVL    CX, item_at(DI)

key4:
	MOVL         R15, item_Common(DI)
	MOVBEL       34(R13), DX
	MOVL         DX, (item_key+const_keyPorts)(DI)
	MOVL         R12, (item_key+const_keyProto)(DI) // and that it is not IPv6
	MOVBEQ       26(R13), AX                        // AX: source and destination
	VPBROADCASTQ 26(R13), Y0
	VPSHUFB      Y13, Y0, Y0
	VMOVDQU      Y0, (item_key+const_keySrcHi)(DI)
	MOVL         AX, R13
	LEAL         (R13)(DX*1), R15
	ANDL         $(const_destinationSlots-1), R15
	SHLL         $const_destinationShift, R15
	ADDQ         R11, R15
	SHLQ         $8, DX
	ORQ          DX, R12 // R12: ports and protocol
	MOVL         R12, BP
	ANDL         $0xffffff, BP
	CMPL         BP, destination_rest(R15)
	JNE          done
	CMPQ         R13, destination_lo(R15)
	JNE          done
	MOVL         destination_service(R15), R15
	MOVL         R15, item_service(DI) // and l3

	MOVQ       AX, const_placeName(BX)
	XORQ       (const_tableSeed+const_seedA)(R10), AX
	XORQ       (const_tableSeed+const_seedB)(R10), R12
	MULQ       R12
	XORQ       (const_tableSeed+const_seedC)(R10), DX
	XORQ       (const_tableSeed+const_seedA)(R10), AX
	MULQ       DX
	XORQ       DX, AX
	MOVQ       AX, item_hash(DI)
	MULQ       R9
	SHLQ       $const_lineShift, DX
	ADDQ       R8, DX

placed:
	// DX: address of the home line
	MOVQ       DX, const_placeLine(BX)
	PREFETCHT0 (DX)

	ADDQ R14, sum-16(SP)
	ADDQ $8, SI
	ADDQ $(1<<const_placeShift), BX
	ADDQ $item__size, DI
	INCL CX
	CMPQ SI, end-8(SP)
	JLT  next

done:
	SUBQ frames_base+0(FP), SI
	SHRQ $3, SI
	MOVQ SI, n+104(FP)
	MOVQ sum-16(SP), AX
	MOVQ AX, bytes+112(FP)
	VZEROUPPER
	RET

udp4:
	CMPL R12, $const_udp
	JNE  done
	CMPL AX, $28
	JLT  done
	XORL $0x45000000, R15
	MOVL CX, item_at(DI)
	JMP  key4

news4:
	LEAQ    ·tcpEvents(SB), DX
	MOVBLZX (DX)(AX*1), AX
	SHLL    $8, AX
	ORL     CX, AX
	MOVL    AX, item_at(DI)
	JMP     key4

six:
	TESTB $1, (R13) // to a group
	JNE   done
	MOVL  12(R13), AX
	ANDL  $0x00f0ffff, AX
	CMPL  AX, $0x0060dd86
	JNE   done
	CMPL  R14, $74
	JLT   done

	// R15: len, TOS and TCP flags, R12: protocol
	MOVBEL  14(R13), R15
	SHRL    $4, R15
	ANDL    $0xff0000, R15
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
	TESTL   $const_newsFlags, AX
	JNE     news6
	MOVL    CX, item_at(DI)

key6:
	MOVL    R15, item_Common(DI)
	MOVBEL  54(R13), DX
	MOVL    DX, (item_key+const_keyPorts)(DI)
	BTSL    $8, R12 // IPv6
	MOVL    R12, (item_key+const_keyProto)(DI)
	MOVBLZX R12, R12
	VMOVDQU 22(R13), Y0
	VPSHUFB Y12, Y0, Y0
	VMOVDQU Y0, (item_key+const_keySrcHi)(DI)
	MOVBEQ  38(R13), BP
	MOVBEQ  46(R13), AX
	LEAL    (AX)(DX*1), R15
	ANDL    $(const_destinationSlots-1), R15
	SHLL    $const_destinationShift, R15
	ADDQ    R11, R15
	SHLQ    $8, DX
	ORQ     DX, R12 // R12: ports and protocol
	MOVL    R12, DX
	ANDL    $0xffffff, DX
	BTSL    $24, DX
	CMPL    DX, destination_rest(R15)
	JNE     done
	CMPQ    AX, destination_lo(R15)
	JNE     done
	CMPQ    BP, destination_hi(R15)
	JNE     done
	MOVL    destination_service(R15), R15
	MOVL    R15, item_service(DI) // and l3

	XORQ       (const_tableSeed+const_seedB)(R10), BP
	XORQ       (const_tableSeed+const_seedC)(R10), AX
	MULQ       BP
	XORQ       DX, AX
	RORXQ      $32, R12, R15
	XORQ       AX, R15
	XORQ       (const_tableSeed+const_seedA)(R10), R15 // R15: second factor
	MOVBEQ     22(R13), BP
	MOVBEQ     30(R13), AX
	XORQ       (const_tableSeed+const_seedA)(R10), BP
	XORQ       (const_tableSeed+const_seedB)(R10), AX
	MULQ       BP
	XORQ       DX, AX
	XORQ       R12, AX
	XORQ       (const_tableSeed+const_seedC)(R10), AX
	MULQ       R15
	XORQ       (const_tableSeed+const_seedB)(R10), DX
	XORQ       (const_tableSeed+const_seedC)(R10), AX
	MULQ       DX
	XORQ       DX, AX
	MOVQ       AX, item_hash(DI)
	MOVQ       AX, const_placeName(BX)
	MULQ       (const_tableV6+const_familyCount)(R10)
	MOVL       (const_tableV6+const_familyFirst)(R10), AX
	ADDQ       AX, DX
	SHLQ       $const_lineShift, DX
	ADDQ       const_tableBase(R10), DX
	JMP        placed

udp6:
	CMPL R12, $const_udp
	JNE  done
	CMPL AX, $8
	JLT  done
	MOVL CX, item_at(DI)
	JMP  key6

news6:
	LEAQ    ·tcpEvents(SB), DX
	MOVBLZX (DX)(AX*1), AX
	SHLL    $8, AX
	ORL     CX, AX
	MOVL    AX, item_at(DI)
	JMP     key6

// How a usual frame with IPv4 begins: not to a group, EtherType, version and length of
// the header, no fragment and not the reserved bit. The bytes, then which bits count.
DATA usual<>+0(SB)/8, $0
DATA usual<>+8(SB)/8, $0x0045000800000000
DATA usual<>+16(SB)/8, $0
DATA usual<>+24(SB)/8, $0
DATA usual<>+32(SB)/8, $1
DATA usual<>+40(SB)/8, $0x00ffffff00000000
DATA usual<>+48(SB)/8, $0x0000ff3f00000000
DATA usual<>+56(SB)/8, $0
GLOBL usual<>(SB), RODATA|NOPTR, $64

// Where the bytes of a key's addresses come from, the upper half of a zero or not: of
// two IPv4 addresses that are there twice, then of two IPv6 addresses.
DATA addresses<>+0(SB)/8, $0x8080808080808080
DATA addresses<>+8(SB)/8, $0x8080808000010203
DATA addresses<>+16(SB)/8, $0x8080808080808080
DATA addresses<>+24(SB)/8, $0x8080808004050607
DATA addresses<>+32(SB)/8, $0x0001020304050607
DATA addresses<>+40(SB)/8, $0x08090a0b0c0d0e0f
DATA addresses<>+48(SB)/8, $0x0001020304050607
DATA addresses<>+56(SB)/8, $0x08090a0b0c0d0e0f
GLOBL addresses<>(SB), RODATA|NOPTR, $64
