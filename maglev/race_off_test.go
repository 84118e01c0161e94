//go:build !race

package maglev

const raceScale = 1
