#!/usr/bin/env bash
# Installs, upgrades, removes and purges the newest package of a folder in a clean
# Debian 12, which debootstrap makes there once (base.tar). All of it happens in
# namespaces that end with this script.
#
#   test/deb.sh FOLDER
set -Eeuo pipefail

if [[ ${1-} != --inside ]]; then
	folder=$(cd "${1:?which folder?}" && pwd)
	deb=$(ls -t "$folder"/guideway_*.deb | head -n1)
	"$(dirname "$0")/base.sh" "$folder"
	exec unshare --mount --pid --uts --ipc --fork --kill-child "$0" --inside "$folder" "$deb"
fi

folder=$2 deb=$3 step= root=$(mktemp -d)
trap 'umount -lR "$root"; rmdir "$root"' EXIT
trap 'echo "FAIL: $step (line $LINENO)" >&2' ERR
step() { step=$*; printf -- '- %s\n' "$step"; }
fail() { echo "  $*" >&2; false; }
inside() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
apt() { inside timeout 300 apt-get -qy -o Dpkg::Use-Pty=0 "$@" >"$root/tmp/apt.log" 2>&1 || { cat "$root/tmp/apt.log"; return 1; }; }
enabled() { inside systemctl is-enabled guidewayd || true; } # "disabled" is an error to it
# What there is of Guideway; dpkg's own records and logs remember all that ever was.
traces() { find "$root" -xdev \( -path "$root/tmp" -o -path "$root/var/log" -o -path "$root/var/cache" -o -path "$root/var/lib/apt" \) -prune -o -iname '*guideway*' -print; }

step unpack a clean Debian
mount --make-rprivate /
mount -t tmpfs -o size=3g,mode=755 none "$root"
tar -C "$root" -xf "$folder/base.tar"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$deb" "$root/tmp/guideway.deb"
[[ -z $(traces) ]]

step install, with what it depends on and no more
apt update
apt install --no-install-recommends /tmp/guideway.deb
inside dpkg --verify guideway
inside guideway version
inside guidewayd --version
inside guideway check /etc/guideway/guideway.toml
for page in 8/guidewayd 1/guideway 5/guideway.toml; do
	[[ -s $root/usr/share/man/man${page%/*}/${page#*/}.${page%/*}.gz ]] || fail "no page $page"
done
inside systemd-analyze verify --man=no guidewayd.service
[[ $(enabled) == disabled ]] || fail "it would start at the next boot"

step "forward, with the drivers that it depends on"
cat >"$root/tmp/tap.toml" <<'END'
[node]
source = ["192.0.2.11"]
[dpdk]
lcores = [0]
memory = "256MiB"
huge   = false
idle   = "sleep"
[conntrack]
flows_per_core = 1024
[[port]]
name         = "wan"
device       = "net_tap0,iface=gw-test"
next_hop_mac = "02:00:00:00:00:01"
[[pool]]
name     = "web"
backends = [{ address = "10.0.0.1" }]
[[vip]]
name    = "www"
address = "203.0.113.10"
ports   = ["80"]
pools   = ["web"]
[metrics]
listen = ""
END
# As the unit has it: systemd makes this folder.
mkdir "$root/run/guideway"
unshare --net chroot "$root" env RUNTIME_DIRECTORY=/run/guideway timeout -s TERM -k 20 15 guidewayd --config /tmp/tap.toml --state /var/lib/guideway >"$root/tmp/log" 2>&1 || [[ $? == 124 ]] || { cat "$root/tmp/log"; false; }
grep -q 'msg=forwarding' "$root/tmp/log" && grep -q 'every frame is back' "$root/tmp/log" || { cat "$root/tmp/log"; false; }
[[ -e $root/run/guideway/dpdk && ! -e $root/run/dpdk ]] || fail "DPDK's runtime folder is not in the service's"
rm -r "$root/run/guideway"

step upgrade: the configuration that an operator has changed stays
sed -i 's/"lb1"/"mine"/' "$root/etc/guideway/guideway.toml"
echo secret >"$root/etc/guideway/bgp.secret"
cp "$root/etc/guideway/guideway.toml" "$root/tmp/mine"
newer=$root/tmp/newer
dpkg-deb -R "$deb" "$newer"
sed -i 's/^Version: .*/Version: 9999/' "$newer/DEBIAN/control"
echo '# another example' >>"$newer/etc/guideway/guideway.toml"
dpkg-deb -b --root-owner-group "$newer" "$root/tmp/newer.deb" >"$root/tmp/build.log"
apt -o Dpkg::Options::=--force-confold install --no-install-recommends /tmp/newer.deb
[[ $(inside dpkg-query -W -f '${Version}' guideway) == 9999 ]]
cmp "$root/tmp/mine" "$root/etc/guideway/guideway.toml"
[[ $(enabled) == disabled ]]

step remove: configuration and state stay
apt remove guideway
[[ ! -e $root/usr/sbin/guidewayd && -e $root/etc/guideway/bgp.secret && -e $root/var/lib/guideway ]]
cmp "$root/tmp/mine" "$root/etc/guideway/guideway.toml"

step purge: nothing stays
apt purge guideway
apt autoremove --purge
left=$(traces)
[[ -z $left ]] || fail "left: $left"

echo "PASS: the package $(basename "$deb") comes and goes"
