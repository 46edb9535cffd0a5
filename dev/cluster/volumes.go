package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// provisioner gives each claim of the class "standard" a directory of this machine, and removes it with the claim. One node makes
// every directory reachable from every pod, so all access modes hold.
type provisioner struct {
	client kubernetes.Interface
	root   string
}

func (p provisioner) run(ctx context.Context) error {
	// The resync retries what failed.
	factory := informers.NewSharedInformerFactory(p.client, 15*time.Second)
	claims := factory.Core().V1().PersistentVolumeClaims().Informer()
	volumes := factory.Core().V1().PersistentVolumes().Informer()
	if err := handle(claims, func(object any) error { return p.provision(ctx, object.(*corev1.PersistentVolumeClaim)) }); err != nil {
		return err
	}
	if err := handle(volumes, func(object any) error { return p.reclaim(ctx, object.(*corev1.PersistentVolume)) }); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	<-ctx.Done()
	return ctx.Err()
}

func handle(informer cache.SharedIndexInformer, work func(any) error) error {
	attempt := func(object any) {
		if err := work(object); err != nil {
			log.Print(err)
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    attempt,
		UpdateFunc: func(_, object any) { attempt(object) },
	})
	return err
}

// waits tells whether a claim waits for a volume of ours. The persistent volume controller names the provisioner.
func waits(claim *corev1.PersistentVolumeClaim) bool {
	return claim.Spec.VolumeName == "" && claim.DeletionTimestamp == nil && claim.Status.Phase == corev1.ClaimPending &&
		claim.Annotations["volume.kubernetes.io/storage-provisioner"] == storageProvisioner
}

func (p provisioner) provision(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	if !waits(claim) {
		return nil
	}
	volume := p.volume(claim)
	dir := volume.Spec.HostPath.Path
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return fmt.Errorf("volume for %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	// Pods run as users that we do not know; the mode above was cut by the umask.
	if err := os.Chmod(dir, 0o777); err != nil {
		return err
	}
	_, err := p.client.CoreV1().PersistentVolumes().Create(ctx, volume, metav1.CreateOptions{})
	if err != nil && !errors.IsAlreadyExists(err) {
		return fmt.Errorf("volume for %s/%s: %w", claim.Namespace, claim.Name, err)
	}
	return nil
}

func (p provisioner) volume(claim *corev1.PersistentVolumeClaim) *corev1.PersistentVolume {
	name := "pvc-" + string(claim.UID)
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name:        name,
			Annotations: map[string]string{"pv.kubernetes.io/provisioned-by": storageProvisioner},
		},
		Spec: corev1.PersistentVolumeSpec{
			AccessModes:                   claim.Spec.AccessModes,
			Capacity:                      claim.Spec.Resources.Requests,
			StorageClassName:              *claim.Spec.StorageClassName,
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimDelete,
			VolumeMode:                    claim.Spec.VolumeMode,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: filepath.Join(p.root, name)},
			},
			ClaimRef: &corev1.ObjectReference{Kind: "PersistentVolumeClaim", APIVersion: "v1",
				Namespace: claim.Namespace, Name: claim.Name, UID: claim.UID},
		},
	}
}

func (p provisioner) reclaim(ctx context.Context, volume *corev1.PersistentVolume) error {
	ours := volume.Annotations["pv.kubernetes.io/provisioned-by"] == storageProvisioner
	if !ours || volume.Status.Phase != corev1.VolumeReleased || volume.DeletionTimestamp != nil ||
		volume.Spec.PersistentVolumeReclaimPolicy != corev1.PersistentVolumeReclaimDelete {
		return nil
	}
	// The name and not the path of the object, which anyone with the right to write volumes could have changed.
	if err := os.RemoveAll(filepath.Join(p.root, filepath.Base(volume.Name))); err != nil {
		return fmt.Errorf("volume %s: %w", volume.Name, err)
	}
	err := p.client.CoreV1().PersistentVolumes().Delete(ctx, volume.Name, metav1.DeleteOptions{})
	if err != nil && !errors.IsNotFound(err) {
		return fmt.Errorf("volume %s: %w", volume.Name, err)
	}
	return nil
}
