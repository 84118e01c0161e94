package maglev

import "sort"

// MaxWeight is the largest weight a member can have.
const MaxWeight = 65535

// # Whose turn it is
//
// Weights are relative frequencies of turns [3.4]. Turns come in rounds. The
// heaviest members (weight W) have a turn in every round; a member of weight w
// has had as many turns after R rounds as R*w/W rounds to, half up, but at
// least one: it takes its first turn in the first round whatever its weight.
// Within a round turns are in order of ordinal. With equal weights this is the
// paper's loop. Only the ratio of weights matters: 2:2 is 1:1.
//
// At least one, because a member that is in the pool and is never sent
// anything would be a surprise; weight is no way to say "none". The price is
// that where the size does not leave a member of small weight its due of at
// least one slot, it has more than its due.

// reduce divides weights by their greatest common divisor.
func reduce(weights []uint32) {
	var d uint32
	for _, w := range weights {
		for a := w; a != 0; {
			d, a = a, d%a
		}
	}
	for i := range weights {
		weights[i] /= d
	}
}

// turnsOf returns, as ordinals, whose turns they are, to be taken round and
// round until size slots are filled: one round if all weights are equal, else
// size turns. There are at most size weights.
func turnsOf(weights []uint32, size int) []uint16 {
	heaviest, equal := uint32(0), true
	for _, w := range weights {
		heaviest = max(heaviest, w)
		equal = equal && w == weights[0]
	}
	if equal {
		turns := make([]uint16, len(weights))
		for i := range turns {
			turns[i] = uint16(i)
		}
		return turns
	}

	// The last round is the first by whose end size turns have been had. It
	// exists: the heaviest member alone has size turns after size rounds.
	rounds := 1 + sort.Search(size-1, func(r int) bool {
		had := 0
		for _, w := range weights {
			had += turnsAfter(r+1, w, heaviest)
		}
		return had >= size
	})

	// A counting sort of turns by round keeps ordinals ascending in a round,
	// and takes time in proportion to the turns, not to rounds times members.
	start := make([]uint32, rounds+1)
	due := make([]uint32, 0, rounds)
	for _, w := range weights {
		due = appendRounds(due[:0], w, heaviest, rounds)
		for _, round := range due {
			start[round+1]++
		}
	}
	for r := range rounds {
		start[r+1] += start[r]
	}
	turns := make([]uint16, start[rounds])
	for i, w := range weights {
		due = appendRounds(due[:0], w, heaviest, rounds)
		for _, round := range due {
			turns[start[round]] = uint16(i)
			start[round]++
		}
	}
	return turns[:size]
}

// turnsAfter returns how many turns weight w has had after so many rounds.
func turnsAfter(rounds int, w, heaviest uint32) int {
	return max(1, (2*rounds*int(w)+int(heaviest))/(2*int(heaviest)))
}

// appendRounds appends the rounds, of so many from 0, in which weight w has a
// turn. By turnsAfter, turn k > 0 is in round ceil((2k+1)*heaviest / 2w) - 1,
// which is ((2k+1)*heaviest - 1) / 2w rounded down: whole, and part in units
// of 1/2w. From turn to turn it grows by heaviest/w.
func appendRounds(due []uint32, w, heaviest uint32, rounds int) []uint32 {
	unit, h := 2*int(w), int(heaviest)
	growth, rest := 2*h/unit, 2*h%unit
	whole, part := (3*h-1)/unit, (3*h-1)%unit
	due = append(due, 0)
	for whole < rounds {
		due = append(due, uint32(whole))
		whole += growth
		if part += rest; part >= unit {
			whole++
			part -= unit
		}
	}
	return due
}
