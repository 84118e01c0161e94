#!/usr/bin/env bash
# Prints the module's packages of one kind, one import path a line.
#
#   test/packages.sh pure|machine|concurrent
#
#   machine     its tests need this machine: DPDK, as an import of the package
#               or of its tests, or network namespaces (control/kernel, test/ but for what is in that list below, the lab)
#   pure        all others: must build and pass with CGO_ENABLED=0
#   concurrent  those of pure that start goroutines or share memory: the race
#               detector has something to look for; not test/claims, whose
#               simulations take it minutes (make race has them)
set -euo pipefail
cd "$(dirname "$0")/.."

machine() {
	{
		# -test lists "p.test" with the dependencies of p's tests, beside p itself.
		go list -test -f '{{$p := .ImportPath}}{{range .Deps}}{{if eq . "guideway/pmd/dpdk"}}{{$p}}{{end}}{{end}}' ./... |
			sed 's/ .*//; s/\.test$//; s/_test$//'
		go list ./... | grep -E '^guideway/(pmd/dpdk|control/kernel|cmd/guideway-lab|test/.*)$' | grep -vxE 'guideway/test/(laws|hostile|claims|plot)'
	} | sort -u
}

pure() {
	machine >"$list"
	go list ./... | grep -vxF -f "$list"
}

list=$(mktemp)
trap 'rm -f "$list"' EXIT
case ${1-} in
machine) machine ;;
pure) pure ;;
concurrent)
	pure | grep -vxF guideway/test/claims | while read -r p; do
		! grep -qsE '(^|[{;])[[:space:]]*go [A-Za-z]|"([^"]*\/)?sync(\/[a-z]+)?"' "./${p#guideway/}"/*.go || echo "$p"
	done
	;;
*) sed -n '2,/^set/{/^set/d;s/^# \{0,1\}//;p}' "$0" >&2; exit 2 ;;
esac
