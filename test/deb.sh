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
init=
trap '[[ -z $init ]] || kill -KILL "$init"; umount -lR "$root"; rmdir "$root"' EXIT
trap 'echo "FAIL: $step (line $LINENO)" >&2' ERR
step() { step=$*; printf -- '- %s\n' "$step"; }
fail() { echo "  $*" >&2; false; }
# Beside the running systemd, once there is one.
enter() { if [[ $init ]]; then nsenter -t "$init" -m -u -i -n -p -C -r -w "$@"; else chroot "$root" "$@"; fi; }
inside() { enter /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }
apt() { inside timeout 300 apt-get -qy -o Dpkg::Use-Pty=0 "$@" >"$root/tmp/apt.log" 2>&1 || { cat "$root/tmp/apt.log"; return 1; }; }
enabled() { inside systemctl is-enabled guidewayd || true; } # "disabled" is an error to it
# What there is of Guideway; dpkg's own records and logs remember all that ever was.
traces() { find "$root" -xdev \( -path "$root/tmp" -o -path "$root/var/log" -o -path "$root/var/cache" -o -path "$root/var/lib/apt" \) -prune -o -iname '*guideway*' -print; }

step unpack a clean Debian
mount --make-rprivate /
mount -t proc proc /proc # of the processes here
mount -t tmpfs -o size=3g,mode=755 none "$root"
tar -C "$root" -xf "$folder/base.tar"
chmod 755 "$root" # of debootstrap's folder it had 700
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
for page in 8/guidewayd 1/guideway 1/guideway-load 5/guideway.toml; do
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

step "boot systemd in it, and run the service as the unit has it"
# A machine of its own to systemd: processes, network, control groups, devices.
# What is not tried here: DeviceAllow=, which takes the kernel's device controller.
mkdir -p "$root/etc/tmpfiles.d"
: >"$root/etc/tmpfiles.d/tmp.conf" # what is in /tmp is needed
cat >"$root/tmp/boot" <<END
set -e
mount --make-rprivate /
mount -t proc proc $root/proc
umount -l $root/sys && mount -t sysfs sysfs $root/sys
mount -t tmpfs -o mode=755 none $root/sys/fs/cgroup
mkdir $root/sys/fs/cgroup/systemd $root/sys/fs/cgroup/unified
mount -t cgroup -o none,name=systemd cgroup $root/sys/fs/cgroup/systemd || rmdir $root/sys/fs/cgroup/systemd
mount -t cgroup2 cgroup2 $root/sys/fs/cgroup/unified
mkdir $root/tmp/dev
mount -t tmpfs -o mode=755 none $root/tmp/dev
mkdir $root/tmp/dev/net $root/tmp/dev/shm $root/tmp/dev/pts
for d in null zero full random urandom tty net/tun; do : >$root/tmp/dev/\$d; mount --bind /dev/\$d $root/tmp/dev/\$d; done
umount -l $root/dev && mount --move $root/tmp/dev $root/dev
mount -t tmpfs -o mode=755 none $root/run
ip link set lo up
exec env -i container=guideway-test PATH=/usr/sbin:/usr/bin:/sbin:/bin chroot $root /lib/systemd/systemd --system --unit=basic.target --log-target=null
END
unshare --mount --pid --uts --ipc --net --cgroup --fork --kill-child bash "$root/tmp/boot" >"$root/tmp/boot.log" 2>&1 </dev/null &
for _ in {1..300}; do
	init=$(pgrep -P $! -x systemd || true)
	[[ $init && -S /proc/$init/root/run/systemd/private ]] && break
	sleep 0.1
done
[[ $init ]] || { cat "$root/tmp/boot.log"; fail "systemd does not boot"; }
systemctl() { inside timeout 100 systemctl "$@"; }
main_pid() { systemctl show -P MainPID guidewayd; }
forwards() { systemctl is-active -q guidewayd && inside guideway show vips | grep -q www; }
await() { for _ in {1..150}; do "$@" && return; sleep 0.2; done; systemctl status --no-pager -l guidewayd || true; fail "never: $*"; }
cp "$root/etc/guideway/guideway.toml" "$root/tmp/shipped"
{
	cat "$root/tmp/tap.toml"
	printf '[console]\nlisten = "unix:/run/guideway/console.sock"\n'
} >"$root/etc/guideway/guideway.toml"
systemctl enable --now guidewayd
forwards || fail "systemctl returned, and it does not forward"
first=$(main_pid)
status=$(inside cat "/proc/$first/status")
for line in 'NoNewPrivs:	1' 'Seccomp:	2' 'CapBnd:	0000000000003400' 'CapEff:	0000000000003400'; do
	grep -qx "$line" <<<"$status" || fail "no $line"
done
[[ $(inside stat -c '%a %U %G' /run/guideway/console.sock) == "660 root guideway" ]] || fail "the console's socket is not for the group"
group=$(inside getent group guideway | cut -d: -f3)
inside setpriv --reuid=65534 --regid=65534 --groups="$group" guideway show vips | grep -q www || fail "an operator is not let in"
! inside setpriv --reuid=65534 --regid=65534 --clear-groups guideway show vips 2>/dev/null || fail "anybody is let in"
inside guideway console -c 'capture count 1 seconds 1 /var/lib/guideway/x.pcapng' >"$root/tmp/said"
[[ $(inside stat -c '%a %U' /var/lib/guideway/x.pcapng) == "600 root" ]]
! inside guideway console -c 'capture count 1 seconds 1 /etc/x.pcapng' >"$root/tmp/said" 2>&1 || fail "it can write to /etc"

step reload, crash, stop, start, restart
systemctl reload guidewayd
echo 'fault = true' >>"$root/etc/guideway/guideway.toml"
! systemctl reload guidewayd 2>/dev/null || fail "a file with a fault is taken"
sed -i '$d' "$root/etc/guideway/guideway.toml"
[[ $(main_pid) == "$first" ]]
forwards
systemctl kill -s KILL guidewayd
changed() { [[ $(main_pid) != "$1" ]] && forwards; }
await changed "$first"
systemctl stop guidewayd
! systemctl is-active -q guidewayd || fail "it does not stop"
inside test ! -e /run/guideway/console.sock
systemctl start guidewayd
forwards
systemctl restart guidewayd
forwards
running=$(main_pid)

step upgrade: the running service is restarted, the configuration that an operator has changed stays
printf '# mine\n' >>"$root/etc/guideway/guideway.toml"
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
[[ $(enabled) == enabled ]]
await changed "$running"

step remove: configuration and state stay
apt remove guideway
! systemctl is-active -q guidewayd || fail "it runs on"
[[ ! -e $root/usr/sbin/guidewayd && -e $root/etc/guideway/bgp.secret && -e $root/var/lib/guideway ]]
cmp "$root/tmp/mine" "$root/etc/guideway/guideway.toml"

step purge: nothing stays
apt purge guideway
apt autoremove --purge
left=$(traces)
[[ -z $left ]] || fail "left: $left"
! inside getent group guideway || fail "its group is left"

echo "PASS: the package $(basename "$deb") comes and goes"
