//go:build race

package maglev

// raceScale divides the number of runs of statistical tests under the race
// detector, which slows fill tenfold.
const raceScale = 10
