#!/usr/bin/env bash
# Installs what comes from outside Go, on Debian 12, and sets up hugepages.
# Run it as often as you like: what is there already is left alone, and with
# nothing missing it is done in a fraction of a second.
#
#   third_party/install.sh [--check] [build|deb|lab|test|vm|all]
#
#   build    what it takes to compile guidewayd
#   deb      build, what `make deb` uses, and what makes a Debian to try it in
#   lab      build, and what `make run` uses; hugepages
#   test     lab, deb, and what `make test` and `make test-deb` use
#   vm       lab, deb, and what `make test-vm` uses
#   all      everything (the default)
#   --check  change nothing; list what is missing and exit 1, or exit 0
#
# GUIDEWAY_HUGEPAGES=n reserves n pages of 2 MiB (512 when unset; 0: none).
set -euo pipefail

# package | reason, one a line. `all` is these five lists.
build_packages=$(cat <<'END'
gcc             | compiles pmd/dpdk/shim.c, the one piece of C
libc6-dev       | C headers for it
make            | runs the Makefile
pkg-config      | tells cgo where DPDK is
libdpdk-dev     | DPDK: headers, libraries and every poll-mode driver
libpcap-dev     | compiles capture filters, in tcpdump's words
git             | names the version that the binaries report
ca-certificates | lets Go fetch its modules over HTTPS
END
)
deb_packages=$(cat <<'END'
dpkg-dev        | builds Debian packages, and finds out what they depend on
debhelper       | writes what a package does when it comes and goes
go-md2man       | makes manual pages
debootstrap     | makes the Debian that the package is installed in
END
)
lab_packages=$(cat <<'END'
iproute2        | namespaces, veth pairs and routes of the lab
ethtool         | turns checksum and segmentation offload off on veth, whose peer would leave them to a NIC
procps          | sysctl, for forwarding and ARP behaviour in the lab's namespaces
nginx           | the backends; run from the lab, never as a service
curl            | the clients
END
)
test_packages=$(cat <<'END'
dpdk-dev        | dpdk-testpmd, the yardstick of the benchmarks
tshark          | decodes replayed captures independently of our own parser
inetutils-telnet | speaks to the console as operators do
netcat-openbsd  | likewise, as their scripts do
traceroute      | shows that a VIP and a node answer as the last hop
iputils-ping    | asks VIPs and nodes for an echo
python3         | holds a TAP open, and sends frames that no tool does
bird2           | a router with BGP and BFD; run from the tests, never as a service
frr             | another one
prometheus      | scrapes a node in a test; promtool judges metrics and alert rules; never a service
lintian         | judges the Debian package
man-db          | renders its manual pages
systemd         | systemd-analyze judges the unit; never run
shellcheck      | judges the script for backends
END
)
vm_packages=$(cat <<'END'
qemu-system-x86 | virtual machines with an IOMMU, and without KVM
busybox-static  | all of their first file system, which finds the disk
cpio            | packs that
kmod            | finds what modules of their kernel need
e2fsprogs       | makes their disk
END
)

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
say() { printf 'install: %s\n' "$*"; }
die() { printf 'install: %s\n' "$*" >&2; exit 1; }

check=false mode=all
for arg; do
	case $arg in
	--check) check=true ;;
	build | deb | lab | test | vm | all) mode=$arg ;;
	-h | --help) sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$0"; exit ;;
	*) die "unknown argument '$arg': want [--check] [build|deb|lab|test|vm|all]" ;;
	esac
done
lists=$build_packages
case $mode in
deb) lists+=$'\n'$deb_packages ;;
lab) lists+=$'\n'$lab_packages ;;
test) lists+=$'\n'$deb_packages$'\n'$lab_packages$'\n'$test_packages ;;
vm) lists+=$'\n'$deb_packages$'\n'$lab_packages$'\n'$vm_packages ;;
all) lists+=$'\n'$deb_packages$'\n'$lab_packages$'\n'$test_packages$'\n'$vm_packages ;;
esac

# Go is the one prerequisite: nothing here installs it. Asked in the module's
# folder, so that a Go which can fetch the toolchain go.mod names may do so.
go_check() {
	local want found
	want=$(sed -n 's/^go //p' "$here/../go.mod")
	if ! command -v go >/dev/null; then
		found='no go in PATH'
		[[ -x /usr/local/go/bin/go ]] && found+=' (but there is /usr/local/go/bin: export PATH=$PATH:/usr/local/go/bin)'
	else
		found=$(cd "$here" && go env GOVERSION 2>&1) || true
		[[ $found == go[0-9]* ]] && at_least "${found#go}" "$want" && return
	fi
	die "Guideway needs Go $want or newer; found: $found
install: get it from https://go.dev/dl/ and unpack it:
install:   rm -rf /usr/local/go && tar -C /usr/local -xzf go$want.linux-$(uname -m | sed 's/x86_64/amd64/;s/aarch64/arm64/').tar.gz
install:   export PATH=\$PATH:/usr/local/go/bin"
}

at_least() { # at_least A B: version A >= B
	[[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1) == "$2" ]]
}

# DPDK: the pinned release, any of its stable updates (22.11.x), or a newer
# LTS. The November releases, YY.11, are the LTS ones.
dpdk_accepts() {
	[[ $1 =~ ^[0-9]+\.11(\.|$) ]] && at_least "$1" "$(<"$here/dpdk/VERSION")"
}

dpdk_check() {
	local found pin
	pin=$(<"$here/dpdk/VERSION")
	found=$(pkg-config --modversion libdpdk 2>/dev/null) || die "pkg-config does not find libdpdk"
	dpdk_accepts "$found" || die "DPDK $found is not what Guideway is built for: want $pin LTS or a newer LTS (YY.11)"
	[[ $found == "$pin"* ]] || say "DPDK $found: a newer LTS than the tested $pin"
}

# missing prints the packages of the lists that are not installed. A DPDK that
# pkg-config knows from elsewhere (built from source) serves as libdpdk-dev.
missing() {
	local names installed name
	names=$(awk 'NF {print $1}' <<<"$lists")
	# dpkg-query fails when it has never heard of one; it still lists the others.
	installed=$(dpkg-query -W -f='${db:Status-Status} ${Package}\n' $names 2>/dev/null | awk '$1 == "installed" {print $2}') || true
	for name in $names; do
		grep -qx "$name" <<<"$installed" && continue
		[[ $name == libdpdk-dev ]] && pkg-config --exists libdpdk 2>/dev/null && continue
		echo "$name"
	done
}

reason() { awk -F'|' -v p="$1" '{n = $1; gsub(/ /, "", n)} n == p {print $2}' <<<"$lists"; }

# While packages are installed no service starts: they are programs to us.
# A policy that is there already (containers have one) is left as it is; one
# that an interrupted run of ours left behind is ours to remove.
policy=/usr/sbin/policy-rc.d
policy_mark='# by Guideway third_party/install.sh, while it installs'
hold_services() {
	if [[ ! -e $policy ]] || grep -qF "$policy_mark" "$policy"; then
		printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" >"$policy"
		chmod 755 "$policy"
		trap 'rm -f "$policy"' EXIT
	fi
}

install_packages() {
	local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o Dpkg::Use-Pty=0 --no-install-recommends) name
	hold_services
	# The lists of a fresh machine are empty, those of an old one out of date:
	# either way the first try fails, and only then are they fetched.
	if ! "${apt[@]}" install "$@"; then
		say "the package lists may be missing or old: apt-get update"
		"${apt[@]}" update
		"${apt[@]}" install "$@"
	fi
	# Nor does one start at the next boot. This disables systemd units as well.
	for name; do
		case $name in
		nginx | frr | prometheus) update-rc.d "$name" disable ;;
		bird2) update-rc.d bird disable ;;
		esac
	done
}

# Hugepages: as many as asked for if they fit into half of the memory that is
# free now, else none. guidewayd runs without them too ([dpdk] huge = false).
hugepages() {
	local want=${GUIDEWAY_HUGEPAGES:-512} knob=/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages
	local without='guidewayd needs [dpdk] huge = false here' have free_kib got
	((want > 0)) || return 0
	if [[ ! -w $knob ]]; then
		say "no hugepages of 2 MiB can be reserved ($knob): $without"
		return 0
	fi
	have=$(<"$knob")
	if ((have < want)); then
		free_kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
		if (((want - have) * 2048 > free_kib / 2)); then
			say "no hugepages reserved: $((want - have)) more would take over half of the $((free_kib / 1024)) MiB free: $without"
			return 0
		fi
		echo "$want" >"$knob" || true
		got=$(<"$knob")
		say "hugepages: $got of 2 MiB reserved until reboot (there were $have)"
		((got >= want)) || say "the kernel gave fewer than the $want asked for: memory is fragmented; a reboot helps"
	fi
	grep -q ' hugetlbfs ' /proc/mounts && return 0
	mkdir -p /dev/hugepages
	if mount -t hugetlbfs -o pagesize=2M hugetlbfs /dev/hugepages; then
		say "hugetlbfs mounted on /dev/hugepages"
	else
		say "hugetlbfs cannot be mounted on /dev/hugepages: $without"
	fi
}

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || die "this script is for Debian 12; elsewhere install the like of:$(awk -F'|' 'NF {print "\n  " $0}' ORS='' <<<"$lists")"
go_check
mapfile -t names < <(missing)
if ((${#names[@]})); then
	say "missing for '$mode':"
	for name in "${names[@]}"; do printf '  %-16s%s\n' "$name" "$(reason "$name")"; done
	! $check || exit 1
	((EUID == 0)) || die "installing them takes root: run 'sudo third_party/install.sh $mode', or the make target as root"
	install_packages "${names[@]}"
	mapfile -t names < <(missing)
	((${#names[@]} == 0)) || die "apt-get ran, but these are still missing: ${names[*]}"
	say "installed all of them"
fi
dpdk_check
if [[ $mode != build && $mode != deb ]] && ! $check; then
	((EUID == 0)) || die "'$mode' takes root: it makes network namespaces and reserves hugepages"
	hugepages
fi
