#include "go_asm.h"
#include "textflag.h"

// STEP takes a walk one step of back further: below zero the size is added.
#define STEP(at, back, size, temp) \
	SUBL    back, at             \
	LEAL    (at)(size*1), temp   \
	CMOVLCS temp, at

// LOOK puts the bit of the slot at, whether it is taken, into the carry.
#define LOOK(at, taken, temp) \
	MOVL at, temp              \
	SHRL $6, temp              \
	MOVQ (taken)(temp*8), temp \
	BTQ  at, temp

// func advanceOnce(perms []permutation, list *[batch]uint16, members []uint16, taken []uint64, size uint32) int
//
// SI, CX: members and their end   AX: how many are listed   R8: perms   DI: list
// R9: taken   R10: size
TEXT ·advanceOnce(SB), NOSPLIT, $0-96
	MOVQ perms_base+0(FP), R8
	MOVQ list+24(FP), DI
	MOVQ members_base+32(FP), SI
	MOVQ members_len+40(FP), CX
	MOVQ taken_base+56(FP), R9
	MOVL size+80(FP), R10
	XORL AX, AX
	LEAQ (SI)(CX*2), CX
	CMPQ SI, CX
	JCC  done

next:
	// BX: member, DX: where it stands, R11: the slot after that
	MOVWLZX (SI), BX
	MOVW    BX, (DI)(AX*2)
	MOVL    permutation_next(R8)(BX*permutation__size), DX
	MOVL    DX, R11
	STEP(R11, permutation_back(R8)(BX*permutation__size), R10, R12)
	LOOK(DX, R9, R12)
	CMOVLCC DX, R11
	MOVL    R11, permutation_next(R8)(BX*permutation__size)
	ADCQ    $0, AX  // the bit
	ADDQ    $2, SI
	CMPQ    SI, CX
	JCS     next

done:
	MOVQ AX, ret+88(FP)
	RET

// func firstEmpty(taken []uint64, a, back, size uint32) uint32
//
// AX, BX, CX, DX: where the four stand   R8: back, then four times that   R9: size
// R10: taken
TEXT ·firstEmpty(SB), NOSPLIT, $0-44
	MOVQ taken_base+0(FP), R10
	MOVL a+24(FP), AX
	MOVL back+28(FP), R8
	MOVL size+32(FP), R9
	MOVL AX, BX
	STEP(BX, R8, R9, R13)

	// Twice back, in R11, is back less size-back, and so on.
	MOVL R9, R12
	SUBL R8, R12
	MOVL R8, R11
	STEP(R11, R12, R9, R13)
	MOVL R9, R12
	SUBL R11, R12
	MOVL R11, R8
	STEP(R8, R12, R9, R13)

	MOVL AX, CX
	STEP(CX, R11, R9, R13)
	MOVL BX, DX
	STEP(DX, R11, R9, R13)

next:
	LOOK(AX, R10, R11)
	JCC  done
	STEP(AX, R8, R9, R12)
	LOOK(BX, R10, R11)
	JCC  second
	STEP(BX, R8, R9, R12)
	LOOK(CX, R10, R11)
	JCC  third
	STEP(CX, R8, R9, R12)
	LOOK(DX, R10, R11)
	JCC  fourth
	STEP(DX, R8, R9, R12)
	JMP  next

second:
	MOVL BX, AX
	JMP  done

third:
	MOVL CX, AX
	JMP  done

fourth:
	MOVL DX, AX

done:
	MOVL AX, ret+40(FP)
	RET

// func takeEach(perms []permutation, members, slots []uint16, taken []uint64)
//
// SI, CX: members and their end   R8: perms   DI: slots   R9: taken   R10: size
TEXT ·takeEach(SB), NOSPLIT, $0-96
	MOVQ perms_base+0(FP), R8
	MOVQ members_base+24(FP), SI
	MOVQ members_len+32(FP), CX
	MOVQ slots_base+48(FP), DI
	MOVQ slots_len+56(FP), R10
	MOVQ taken_base+72(FP), R9
	LEAQ (SI)(CX*2), CX
	CMPQ SI, CX
	JCC  done

next:
	// BX: member, DX: where it stands, R13: its back
	MOVWLZX (SI), BX
	MOVL    permutation_next(R8)(BX*permutation__size), DX
	MOVL    permutation_back(R8)(BX*permutation__size), R13

look:
	MOVL DX, R11
	SHRL $6, R11
	MOVQ (R9)(R11*8), R12
	BTSQ DX, R12
	JCS  on
	MOVQ R12, (R9)(R11*8)
	MOVW BX, (DI)(DX*2)
	STEP(DX, R13, R10, R12)
	MOVL DX, permutation_next(R8)(BX*permutation__size)
	ADDQ $2, SI
	CMPQ SI, CX
	JCS  next

done:
	RET

on:
	STEP(DX, R13, R10, R12)
	JMP look
