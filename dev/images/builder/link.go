package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	ctd "github.com/containerd/containerd/v2/client"
	"github.com/containerd/containerd/v2/core/leases"
	"github.com/containerd/containerd/v2/core/mount"
	"github.com/containerd/containerd/v2/core/snapshots"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	cerrdefs "github.com/containerd/errdefs"
	"github.com/moby/buildkit/cache"
	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/exporter"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/worker"
	digest "github.com/opencontainers/go-digest"
	ocidentity "github.com/opencontainers/image-spec/identity"
	"golang.org/x/sys/unix"
)

// A finished image lies twice in containerd's snapshots: as the build's own steps, and unpacked from its layers for whoever
// runs it. For six gigabytes that is a minute and half the disk. The two have the same content, so the second is
// made of hard links to the first; whatever cannot be linked is unpacked as usual.

// linkingWorker is BuildKit's worker with images unpacked by links.
type linkingWorker struct {
	worker.Worker
	client *ctd.Client
}

func (w linkingWorker) Exporter(name string, sessions *session.Manager) (exporter.Exporter, error) {
	inner, err := w.Worker.Exporter(name, sessions)
	if err != nil || name != client.ExporterImage {
		return inner, err
	}
	return linkingExporter{Exporter: inner, client: w.client}, nil
}

type linkingExporter struct {
	exporter.Exporter
	client *ctd.Client
}

func (e linkingExporter) Resolve(ctx context.Context, id int, attributes map[string]string) (exporter.ExporterInstance, error) {
	inner, err := e.Exporter.Resolve(ctx, id, attributes)
	if err != nil {
		return nil, err
	}
	return linkingInstance{ExporterInstance: inner, client: e.client}, nil
}

type linkingInstance struct {
	exporter.ExporterInstance
	client *ctd.Client
}

func (e linkingInstance) Export(ctx context.Context, source *exporter.Source, info exporter.ExportBuildInfo) (
	map[string]string, exporter.FinalizeFunc, exporter.DescriptorReference, error,
) {
	response, finalize, reference, err := e.ExporterInstance.Export(ctx, source, info)
	if err != nil {
		return response, finalize, reference, err
	}
	// Not a long task for containerd's garbage collector: the lease holds new snapshots until the image refers to them.
	leased, done, err := e.client.WithLease(namespaces.WithNamespace(ctx, namespace))
	if err != nil {
		return nil, nil, reference, err
	}
	defer func() { _ = done(context.WithoutCancel(leased)) }()
	if err := e.unpack(leased, source); err != nil {
		return nil, nil, reference, fmt.Errorf("unpacking: %w", err)
	}
	return response, finalize, reference, nil
}

func (e linkingInstance) unpack(ctx context.Context, source *exporter.Source) error {
	image, err := e.client.GetImage(ctx, e.Attrs()["name"])
	if err != nil {
		return err
	}
	layers, err := image.RootFS(ctx)
	if err != nil {
		return err
	}
	if source.Ref != nil {
		steps := source.Ref.LayerChain()
		defer func() { _ = steps.Release(context.WithoutCancel(ctx)) }()
		if err := e.link(ctx, layers, steps); err != nil {
			fmt.Fprintln(os.Stderr, "mm-build: unpacking instead of linking:", err)
		}
	}
	return image.Unpack(ctx, snapshotter)
}

// link makes the snapshot of each layer from the build step that the layer was made of.
func (e linkingInstance) link(ctx context.Context, layers []digest.Digest, steps cache.RefList) error {
	if len(layers) != len(steps) {
		return fmt.Errorf("%d layers of %d steps", len(layers), len(steps))
	}
	store := e.client.SnapshotService(snapshotter)
	parent := ""
	for i, step := range steps {
		chain := ocidentity.ChainID(layers[:i+1]).String()
		_, err := store.Stat(ctx, chain)
		if cerrdefs.IsNotFound(err) {
			err = linkSnapshot(ctx, store, chain, parent, step)
		}
		if err != nil {
			return err
		}
		if leaseID, ok := leases.FromContext(ctx); ok {
			resource := leases.Resource{ID: chain, Type: "snapshots/" + snapshotter}
			if err := e.client.LeasesService().AddResource(ctx, leases.Lease{ID: leaseID}, resource); err != nil {
				return err
			}
		}
		parent = chain
	}
	return nil
}

func linkSnapshot(ctx context.Context, store snapshots.Snapshotter, chain, parent string, step cache.ImmutableRef) error {
	mountable, err := step.Mount(ctx, true, nil)
	if err != nil {
		return err
	}
	from, release, err := mountable.Mount()
	if err != nil {
		return err
	}
	defer func() { _ = release() }()
	key := "link-" + identity.NewID()
	to, err := store.Prepare(ctx, key, parent)
	if err != nil {
		return err
	}
	err = linkTree(ownDirectory(from), ownDirectory(to))
	if err == nil {
		err = store.Commit(ctx, chain, key)
	}
	if err != nil {
		return errors.Join(err, store.Remove(context.WithoutCancel(ctx), key))
	}
	return nil
}

// ownDirectory is where a snapshot keeps what it adds to its parents: the upper directory of one that is written,
// the topmost lower directory of one that is read, or the source of a bind mount where there are no parents.
func ownDirectory(mounts []mount.Mount) string {
	if len(mounts) != 1 {
		return ""
	}
	if mounts[0].Type == "bind" {
		return mounts[0].Source
	}
	lower := ""
	for _, option := range mounts[0].Options {
		if upper, found := strings.CutPrefix(option, "upperdir="); found {
			return upper
		}
		if all, found := strings.CutPrefix(option, "lowerdir="); found {
			lower, _, _ = strings.Cut(all, ":")
		}
	}
	return lower
}

// linkTree makes the empty directory `to` a copy of `from`: directories are made anew, everything else is linked,
// the overlay's whiteout devices too.
func linkTree(from, to string) error {
	if from == "" || to == "" {
		return errors.New("not an overlay of directories")
	}
	type stamped struct {
		path string
		info *syscall.Stat_t
	}
	var directories []stamped
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, relative)
		if !entry.IsDir() {
			return os.Link(path, target)
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("%s: no owner", path)
		}
		if relative != "." {
			if err := os.Mkdir(target, 0o700); err != nil {
				return err
			}
		}
		directories = append(directories, stamped{target, stat})
		return errors.Join(
			os.Lchown(target, int(stat.Uid), int(stat.Gid)),
			syscall.Chmod(target, stat.Mode&0o7777),
			copyAttributes(path, target),
		)
	})
	// Last, because linking into a directory changes its time.
	for _, directory := range directories {
		times := []syscall.Timespec{directory.info.Atim, directory.info.Mtim}
		err = errors.Join(err, syscall.UtimesNano(directory.path, times))
	}
	return err
}

// copyAttributes keeps a directory's extended attributes: "opaque" is one of them.
func copyAttributes(from, to string) error {
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(from, names)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names[:n]), "\x00"), "\x00") {
		if name == "" {
			continue
		}
		value := make([]byte, 4096)
		size, err := unix.Lgetxattr(from, name, value)
		if err != nil {
			return err
		}
		if err := unix.Lsetxattr(to, name, value[:size], 0); err != nil {
			return err
		}
	}
	return nil
}
