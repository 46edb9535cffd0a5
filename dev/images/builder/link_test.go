package main

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/containerd/containerd/v2/core/mount"
	"golang.org/x/sys/unix"
)

func TestLinkedTreeIsTheSameFiles(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	must(t, os.MkdirAll(filepath.Join(from, "opt", "deep"), 0o750))
	must(t, os.WriteFile(filepath.Join(from, "opt", "deep", "file"), []byte("x"), 0o640))
	must(t, os.Symlink("nowhere", filepath.Join(from, "opt", "link")))
	must(t, syscall.UtimesNano(filepath.Join(from, "opt"), []syscall.Timespec{{Sec: 1}, {Sec: 2}}))

	must(t, linkTree(from, to))

	if inode(t, filepath.Join(from, "opt/deep/file")) != inode(t, filepath.Join(to, "opt/deep/file")) {
		t.Error("the file was copied, not linked")
	}
	if target, err := os.Readlink(filepath.Join(to, "opt/link")); err != nil || target != "nowhere" {
		t.Errorf("the symbolic link became %q, %v", target, err)
	}
	info, err := os.Stat(filepath.Join(to, "opt"))
	must(t, err)
	if info.ModTime().Unix() != 2 {
		t.Errorf("the directory's time became %v", info.ModTime())
	}
	deep, err := os.Stat(filepath.Join(to, "opt/deep"))
	must(t, err)
	if deep.Mode().Perm() != 0o750 {
		t.Errorf("the directory's mode became %v", deep.Mode())
	}
}

// A layer says with a device what it removes, and with an attribute which directory it replaces.
func TestLinkedTreeKeepsWhatALayerRemoves(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may make devices and trusted attributes")
	}
	from, to := t.TempDir(), t.TempDir()
	must(t, syscall.Mknod(filepath.Join(from, "removed"), syscall.S_IFCHR, 0))
	must(t, os.Mkdir(filepath.Join(from, "replaced"), 0o755))
	if err := unix.Lsetxattr(filepath.Join(from, "replaced"), "trusted.overlay.opaque", []byte("y"), 0); err != nil {
		t.Skip("this file system keeps no trusted attributes:", err)
	}

	must(t, linkTree(from, to))

	var stat syscall.Stat_t
	must(t, syscall.Lstat(filepath.Join(to, "removed"), &stat))
	if stat.Mode&syscall.S_IFMT != syscall.S_IFCHR || stat.Rdev != 0 {
		t.Errorf("the whiteout became mode %o, device %d", stat.Mode, stat.Rdev)
	}
	value := make([]byte, 8)
	n, err := unix.Lgetxattr(filepath.Join(to, "replaced"), "trusted.overlay.opaque", value)
	if err != nil || string(value[:n]) != "y" {
		t.Errorf("opaque became %q, %v", value[:max(n, 0)], err)
	}
}

func TestLinkingRefusesWhatIsNoOverlay(t *testing.T) {
	if linkTree("", t.TempDir()) == nil {
		t.Error("a tree from nowhere was linked")
	}
}

func TestASnapshotsOwnDirectory(t *testing.T) {
	for name, test := range map[string]struct {
		mounts []mount.Mount
		want   string
	}{
		"written":         {[]mount.Mount{{Type: "overlay", Options: []string{"workdir=/w", "upperdir=/u", "lowerdir=/a:/b"}}}, "/u"},
		"read":            {[]mount.Mount{{Type: "overlay", Options: []string{"lowerdir=/a:/b"}}}, "/a"},
		"without parents": {[]mount.Mount{{Type: "bind", Source: "/s"}}, "/s"},
		"something else":  {[]mount.Mount{{}, {}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ownDirectory(test.mounts); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func inode(t *testing.T, path string) uint64 {
	t.Helper()
	var stat syscall.Stat_t
	must(t, syscall.Lstat(path, &stat))
	return stat.Ino
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
