package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// pkiFiles is the directory of a cluster's certificates.
type pkiFiles string

func (p pkiFiles) cert(name string) string { return filepath.Join(string(p), name+".crt") }
func (p pkiFiles) key(name string) string  { return filepath.Join(string(p), name+".key") }

// identity is one certificate to issue: who it names and, for servers, where it listens.
type identity struct {
	file         string
	user         string
	organization string
	names        []string
	addresses    []string
}

func identities() []identity {
	api := []string{"kubernetes", "kubernetes.default", "kubernetes.default.svc",
		"kubernetes.default.svc.cluster.local", "localhost"}
	return []identity{
		{file: "etcd", user: "etcd", addresses: []string{"127.0.0.1"}},
		{file: "apiserver", user: "kube-apiserver", names: api,
			addresses: []string{"127.0.0.1", bridgeAddress, apiServiceIP}},
		{file: "kubelet-server", user: nodeName, names: []string{nodeName}, addresses: []string{bridgeAddress}},
		{file: "apiserver-kubelet", user: "kube-apiserver-kubelet", organization: "system:masters"},
		{file: "admin", user: "mm-cluster-admin", organization: "system:masters"},
		{file: "controller-manager", user: "system:kube-controller-manager"},
		{file: "scheduler", user: "system:kube-scheduler"},
		{file: "proxy", user: "system:kube-proxy"},
		{file: "kubelet", user: "system:node:" + nodeName, organization: "system:nodes"},
	}
}

// issue writes a new authority, a certificate for each identity and the service accounts' signing key.
func (p pkiFiles) issue() error {
	if err := os.MkdirAll(string(p), 0o700); err != nil {
		return err
	}
	caKey, err := p.newKey("ca")
	if err != nil {
		return err
	}
	ca := certificateTemplate(identity{user: "mm-cluster-ca"}, 1)
	ca.IsCA, ca.BasicConstraintsValid = true, true
	ca.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	if err := p.writeCert("ca", ca, ca, &caKey.PublicKey, caKey); err != nil {
		return err
	}
	for number, id := range identities() {
		key, err := p.newKey(id.file)
		if err != nil {
			return err
		}
		if err := p.writeCert(id.file, certificateTemplate(id, int64(number+2)), ca, &key.PublicKey, caKey); err != nil {
			return err
		}
	}
	_, err = p.newKey("service-accounts")
	return err
}

func certificateTemplate(id identity, serial int64) *x509.Certificate {
	subject := pkix.Name{CommonName: id.user}
	if id.organization != "" {
		subject.Organization = []string{id.organization}
	}
	certificate := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      subject,
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:     id.names,
	}
	for _, address := range id.addresses {
		certificate.IPAddresses = append(certificate.IPAddresses, net.ParseIP(address))
	}
	return certificate
}

func (p pkiFiles) newKey(name string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return key, os.WriteFile(p.key(name), block, 0o600)
}

func (p pkiFiles) writeCert(name string, cert, parent *x509.Certificate, public, signer any) error {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, signer)
	if err != nil {
		return fmt.Errorf("certificate %s: %w", name, err)
	}
	return os.WriteFile(p.cert(name), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
}

// kubeconfig renders a kubeconfig that carries its certificates, so that it can be copied about.
func (p pkiFiles) kubeconfig(server, name string) ([]byte, error) {
	var encoded [3]string
	for i, file := range []string{p.cert("ca"), p.cert(name), p.key(name)} {
		raw, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		encoded[i] = base64.StdEncoding.EncodeToString(raw)
	}
	return fmt.Appendf(nil, `apiVersion: v1
kind: Config
current-context: mm-cluster
contexts:
- name: mm-cluster
  context: {cluster: mm-cluster, user: %[2]s}
clusters:
- name: mm-cluster
  cluster:
    server: %[1]s
    certificate-authority-data: %[3]s
users:
- name: %[2]s
  user:
    client-certificate-data: %[4]s
    client-key-data: %[5]s
`, server, name, encoded[0], encoded[1], encoded[2]), nil
}
