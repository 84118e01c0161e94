#!/usr/bin/env bash
# Runs every fuzz target of the module, one after the other.
#
#   test/fuzz.sh each DURATION   each target for DURATION (60s)
#   test/fuzz.sh total SECONDS   all of them within about SECONDS, 2 to 5 s each
#
# A crasher is written to the package's testdata/fuzz: commit it with the fix.
set -euo pipefail
cd "$(dirname "$0")/.."

targets=()
for dir in $(grep -rlE --include='*_test.go' '^func Fuzz' . | xargs -r dirname | sort -u); do
	for name in $(go test -list '^Fuzz' "$dir" | grep '^Fuzz'); do
		targets+=("$dir $name")
	done
done
((${#targets[@]})) || { echo 'fuzz: no targets'; exit 1; }

case ${1-} in
each) time=$2 ;;
total)
	time=$(($2 / ${#targets[@]}))
	time=$((time < 2 ? 2 : time > 5 ? 5 : time))s
	;;
*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac

for target in "${targets[@]}"; do
	read -r dir name <<<"$target"
	echo "fuzz: $dir $name for $time"
	out=$(go test -run='^$' -fuzz="^$name\$" -fuzzminimizetime=1x -fuzztime="$time" "$dir" 2>&1) && tail -n 3 <<<"$out" && continue
	echo "$out"
	# The go command may report its own deadline, met at the end of the time,
	# as a failure; a real one has written down the input that caused it.
	grep -q 'Failing input written' <<<"$out" || ! grep -q 'context deadline exceeded' <<<"$out" || continue
	exit 1
done
echo "fuzz: ${#targets[@]} targets, no failure"
