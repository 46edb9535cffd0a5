package main

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const storageProvisioner = "mm-cluster/host-directory"

// createBaseObjects creates what a cluster has before anyone uses it: a default StorageClass and the DNS Service.
func (s *starter) createBaseObjects(ctx context.Context) error {
	client, err := s.client()
	if err != nil {
		return err
	}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, storageClass(), metav1.CreateOptions{}); existsNot(err) {
		return err
	}
	// The namespace comes into being a moment after the API server does.
	return s.wait(ctx, "the DNS service", func(ctx context.Context) error {
		system := metav1.NamespaceSystem
		if _, err := client.CoreV1().Services(system).Create(ctx, dnsService(), metav1.CreateOptions{}); existsNot(err) {
			return err
		}
		_, err := client.DiscoveryV1().EndpointSlices(system).Create(ctx, dnsEndpoints(), metav1.CreateOptions{})
		if existsNot(err) {
			return err
		}
		return nil
	})
}

// existsNot is true for an error other than "exists already".
func existsNot(err error) bool { return err != nil && !errors.IsAlreadyExists(err) }

func storageClass() *storagev1.StorageClass {
	reclaim, binding := corev1.PersistentVolumeReclaimDelete, storagev1.VolumeBindingImmediate
	return &storagev1.StorageClass{
		ObjectMeta: metav1.ObjectMeta{
			Name:        "standard",
			Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"},
		},
		Provisioner:       storageProvisioner,
		ReclaimPolicy:     &reclaim,
		VolumeBindingMode: &binding,
	}
}

func dnsService() *corev1.Service {
	port := func(name string, protocol corev1.Protocol) corev1.ServicePort {
		return corev1.ServicePort{Name: name, Protocol: protocol, Port: 53, TargetPort: intstr.FromInt32(dnsPort)}
	}
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "kube-dns", Namespace: metav1.NamespaceSystem},
		Spec: corev1.ServiceSpec{
			ClusterIP: dnsServiceIP,
			Ports:     []corev1.ServicePort{port("dns", corev1.ProtocolUDP), port("dns-tcp", corev1.ProtocolTCP)},
		},
	}
}

// dnsEndpoints points the Service at CoreDNS, which runs on the machine and not in a pod.
func dnsEndpoints() *discoveryv1.EndpointSlice {
	port := func(name string, protocol corev1.Protocol) discoveryv1.EndpointPort {
		number := int32(dnsPort)
		return discoveryv1.EndpointPort{Name: &name, Protocol: &protocol, Port: &number}
	}
	return &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Name: "kube-dns", Namespace: metav1.NamespaceSystem,
			Labels: map[string]string{discoveryv1.LabelServiceName: "kube-dns"},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
		Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{bridgeAddress}}},
		Ports:       []discoveryv1.EndpointPort{port("dns", corev1.ProtocolUDP), port("dns-tcp", corev1.ProtocolTCP)},
	}
}
