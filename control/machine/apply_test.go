package machine

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A rig is a fixture on disk, so that steps can be taken there.
type rig struct {
	*testing.T
	fixture
	root string
	ran  []string // commands
}

func newRig(t *testing.T, file string) *rig {
	r := &rig{T: t, fixture: readFixture(t, file), root: t.TempDir()}
	for name, f := range r.files {
		path := filepath.Join(r.root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if f.Mode&fs.ModeSymlink != 0 {
			err = os.Symlink(string(f.Data), path)
		} else {
			err = os.WriteFile(path, f.Data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func (r *rig) look() *Facts {
	s := r.source()
	s.Files = os.DirFS(r.root)
	return Look(s)
}

func (r *rig) doer() Doer {
	return Doer{r.root, func(argv ...string) ([]byte, error) {
		r.ran = append(r.ran, strings.Join(argv, " "))
		return nil, nil
	}}
}

func (r *rig) do(steps []Step) {
	r.Helper()
	for _, s := range steps {
		if err := r.doer().Do(s); err != nil {
			r.Errorf("%s: %v", s, err)
		}
	}
}

// put writes a file of the kernel's.
func (r *rig) put(name, text string) {
	r.Helper()
	path := filepath.Join(r.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		r.Fatal(err)
	}
}

func (r *rig) want(name, text string) {
	r.Helper()
	got, err := os.ReadFile(filepath.Join(r.root, name))
	if err != nil || string(got) != text {
		r.Errorf("%s: %v, %q, want %q", name, err, got, text)
	}
}

// TestApply takes the steps on a machine that lacks everything but an IOMMU, with
// a kernel that does as the real one; then all is well, a second time does
// nothing, and undo leaves it as it was.
func TestApply(t *testing.T) {
	r := newRig(t, "testdata/setup/amd-both.txt")
	const one, two = "0000:41:00.0", "0000:41:00.1"
	const drivers, devices = "sys/bus/pci/drivers/", "sys/bus/pci/devices/"
	r.put(drivers+"bnxt_en/unbind", "")
	r.put("sys/bus/pci/drivers_probe", "")

	findings := Judge(r.look(), r.wanted())
	if Worst(findings) != Missing {
		t.Fatal("nothing is missing")
	}
	r.do(Steps(findings))
	const pages = "sys/devices/system/node/node0/hugepages/hugepages-2048kB/"
	r.want(pages+"nr_hugepages", "592\n")
	r.want(devices+one+"/driver_override", "vfio-pci\n")
	r.want(devices+two+"/driver_override", "vfio-pci\n")
	r.want(drivers+"bnxt_en/unbind", two+"\n") // the last that was written
	r.want("sys/bus/pci/drivers_probe", two+"\n")
	r.want("etc/modules-load.d/guideway.conf", "# By guideway setup: hands network cards to guidewayd.\nvfio-pci\n")
	r.want("etc/tmpfiles.d/guideway-hugepages.conf", "# By guideway setup: hugepages of each NUMA node, reserved at boot.\n"+
		"# before: 100 in /"+pages+"nr_hugepages\nw /"+pages+"nr_hugepages - - - - 592\n")
	rule := func(address string) string {
		return `ACTION=="add", SUBSYSTEM=="pci", KERNEL=="` + address + `", ATTR{driver_override}="vfio-pci", RUN+="/bin/sh -c 'cd /sys/bus/pci/devices/$kernel && ` +
			`{ [ driver -ef /sys/bus/pci/drivers/vfio-pci ] || [ ! -e driver ] || echo $kernel >driver/unbind; echo $kernel >/sys/bus/pci/drivers_probe; }'"` + "\n"
	}
	r.want("etc/udev/rules.d/60-guideway.rules", "# By guideway setup: cards that vfio-pci gets, whatever driver would fit.\n"+rule(one)+rule(two))
	if want := []string{"modprobe vfio-pci", "udevadm control --reload"}; !slices.Equal(r.ran, want) {
		t.Errorf("ran %q, want %q", r.ran, want)
	}

	// What the kernel does meanwhile.
	r.put(pages+"free_hugepages", "512")
	r.put(drivers+"vfio-pci/unbind", "")
	r.put("sys/module/vfio_pci/initstate", "live")
	for _, address := range []string{one, two} {
		link := filepath.Join(r.root, devices+address+"/driver")
		if err := os.Remove(link); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("../../../../bus/pci/drivers/vfio-pci", link); err != nil {
			t.Fatal(err)
		}
	}
	findings = Judge(r.look(), r.wanted())
	if Worst(findings) != Fine || len(Steps(findings)) > 0 {
		t.Errorf("after that: %+v", findings)
	}

	// More memory: what was there before setup stays on record.
	more := r.wanted()
	more.Memory *= 2
	r.do(Steps(Judge(r.look(), more)))
	r.want("etc/tmpfiles.d/guideway-hugepages.conf", "# By guideway setup: hugepages of each NUMA node, reserved at boot.\n"+
		"# before: 100 in /"+pages+"nr_hugepages\nw /"+pages+"nr_hugepages - - - - 1104\n")

	r.ran = nil
	r.do(Undo(r.look()))
	r.want(pages+"nr_hugepages", "100\n")
	r.want(devices+one+"/driver_override", "\n")
	r.want(drivers+"vfio-pci/unbind", two+"\n")
	for _, name := range []string{modulesFile, pagesFile, rulesFile} {
		if _, err := os.Stat(r.root + name); !os.IsNotExist(err) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if left := Undo(r.look()); len(left) > 0 {
		t.Errorf("left to undo: %v", left)
	}
}

// A step that cannot be taken says so, and what the kernel does not have is not made.
func TestDoFails(t *testing.T) {
	r := newRig(t, "testdata/setup/amd.txt")
	for _, s := range []Step{set("/sys/bus/pci/drivers/none/unbind", "x"), write("/proc/cmdline/file", "x")} {
		if err := r.doer().Do(s); err == nil {
			t.Errorf("%s: no error", s)
		}
	}
	if _, err := os.Stat(r.root + "/sys/bus/pci/drivers/none"); !os.IsNotExist(err) {
		t.Error("made what the kernel does not have")
	}
	failing := Doer{r.root, func(...string) ([]byte, error) { return []byte("FATAL: no such module\n"), os.ErrNotExist }}
	if err := failing.Do(command("modprobe", "x")); err == nil || !strings.Contains(err.Error(), "FATAL: no such module") {
		t.Error(err)
	}
}

// TestHere reads the machine that the test runs on.
func TestHere(t *testing.T) {
	f := Look(Here())
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil || FormatCPUs(f.CPUs.Online) != strings.TrimSpace(string(online)) || len(f.CPUs.Each) != len(f.CPUs.Online) {
		t.Errorf("CPUs %v, the kernel says %s, %v", f.CPUs, online, err)
	}
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil || f.Kernel != strings.TrimSpace(string(release)) {
		t.Errorf("kernel %q, want %q, %v", f.Kernel, release, err)
	}
	if len(f.Nodes) == 0 || f.DefaultPage == 0 || len(f.Unknown) > 0 {
		t.Errorf("%+v", f)
	}
}

func TestCPULists(t *testing.T) {
	for text, want := range map[string][]int{"": nil, "0": {0}, "0-3,8": {0, 1, 2, 3, 8}, "5,4": {5, 4}, "x,1": {1}, "0-99999999": nil} {
		if got := ParseCPUs(text); !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	if got := FormatCPUs([]int{8, 2, 1, 0}); got != "0-2,8" {
		t.Error(got)
	}
}

func TestPageSizes(t *testing.T) {
	for text, want := range map[string]uint64{"2M": 2 << 20, "1G": 1 << 30, "2048kB": 2 << 20, "1GiB": 1 << 30, "": 0, "3M": 0, "G": 0, "2X": 0, "99999999999G": 0} {
		got, err := ParsePage(text)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %d, %v, want %d", text, got, err, want)
		}
	}
}
