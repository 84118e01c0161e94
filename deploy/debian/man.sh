#!/usr/bin/env bash
# Makes the manual pages of what is there already: the programs' own help, and
# docs/config.md. build.sh calls it.
#
#   deploy/debian/man.sh BIN FOLDER VERSION
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=$1 out=$2 version=$3

# page NAME SECTION WHATIS: the page of the Markdown on standard input.
page() {
	{
		printf '# %s %s "" "guideway %s" "Guideway"\n\n# NAME\n\n%s - %s\n\n' "$1" "$2" "$version" "$1" "$3"
		cat
	} | go-md2man >"$out/$1.$2"
}

literal() { sed 's/^\(.\)/    \1/'; }

{
	printf '# SYNOPSIS\n\n**guidewayd** [OPTIONS]\n\n# OPTIONS\n\n'
	{ "$bin/guidewayd" -h 2>&1 || true; } | tail -n +2 | literal
	printf '\n# DESCRIPTION\n\n'
	# The comment over package main, as go doc would show it.
	sed -n '/^package /q; s/^\/\/$//; s/^\/\/ //; s/^\/\/\t/    /; p' "$here/cmd/guidewayd/main.go"
	printf '\n# FILES\n\n/etc/guideway/guideway.toml, /var/lib/guideway, /run/guideway\n'
	printf '\n# SEE ALSO\n\n**guideway**(1), **guideway.toml**(5), /usr/share/doc/guideway\n'
} | page guidewayd 8 'layer-4 load balancer'

{
	printf '# SYNOPSIS\n\n**guideway** VERB [ARGUMENTS]\n\n# VERBS\n\n'
	"$bin/guideway" help | tail -n +3 | awk '{print $1}' | while read -r verb; do
		"$bin/guideway" help "$verb" | sed '1{s/^guideway \([^:]*\): /## \1\n\n/;s/ *\n/\n/}' | sed '4,$s/^\(.\)/    \1/'
		echo
	done
	printf '\n# SEE ALSO\n\n**guidewayd**(8), **guideway.toml**(5), /usr/share/doc/guideway/console.md\n'
} | page guideway 1 "the operator's side of the Guideway load balancer"

{
	"$bin/guideway-load" -h 2>&1 | awk 'NR == 1 {print "# DESCRIPTION\n"} /^[A-Z][a-z ]*$/ {print "# " toupper($0) "\n"; next} {print ($0 != "" && code ? "    " : "") $0} /^  guideway-load/ {code = 1}' | sed 's/^  guideway-load/    &/'
	printf '\n# SEE ALSO\n\n**guidewayd**(8), /usr/share/doc/guideway/load.md\n'
} | page guideway-load 1 'sends traffic through a load balancer and judges what comes back'

# Tables are too wide for a terminal: each row becomes an entry, the first column
# over the others. Links lead nowhere in a page.
{
	printf '# DESCRIPTION\n'
	tail -n +2 "$here/docs/config.md" | sed -E 's/\[([^][]+)\]\([^)]+\)/\1/g' | awk '
		/^```/ { code = !code }
		code || !/^\|/ { if (/^#/) gsub(/`/, ""); print; head = 0; next }
		/^\|[-| ]*\|$/ { next }
		{
			gsub(/\\\|/, "\001")
			n = split($0, cell, / *\| */)
			for (i in cell) gsub(/\001/, "|", cell[i])
			if (!head) { head = n; split($0, name, / *\| */); next }
			gsub(/`/, "", cell[2])
			printf "**%s**\n: %s", cell[2], cell[3]
			tail = 0
			for (i = 4; i < n; i++) if (cell[i] != "") printf "%s%s: %s", (tail++ ? "; " : " ("), name[i], cell[i]
			print (tail ? ")" : "") "\n"
		}'
} | page guideway.toml 5 'configuration of guidewayd'
