package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The extra certificates are trusted besides the system's, not verification switched off.
func TestInternalCA(t *testing.T) {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	stranger := httptest.NewUnstartedServer(http.NotFoundHandler())
	stranger.Config.ErrorLog = log.New(io.Discard, "", 0)
	stranger.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned()}}
	stranger.StartTLS()
	defer stranger.Close()

	file := filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(file, ca, 0o600))
	c, err := LoadConsumer(environ(map[string]string{"PRIVATE_KEY": identity(t).String(), "INTERNAL_GIT_CA_PATH": file}))
	require.NoError(t, err)
	answer, err := c.HTTP.Get(server.URL)
	require.NoError(t, err)
	require.NoError(t, answer.Body.Close())
	_, err = c.HTTP.Get(stranger.URL)
	require.ErrorContains(t, err, "certificate")
	public := httptest.NewUnstartedServer(http.NotFoundHandler())
	public.TLS = &tls.Config{Certificates: []tls.Certificate{trustedBySystem}}
	public.StartTLS()
	defer public.Close()
	answer, err = c.HTTP.Get(public.URL)
	require.NoError(t, err, "the system's certificates are trusted as before")
	require.NoError(t, answer.Body.Close())

	_, err = LoadConsumer(environ(map[string]string{"PRIVATE_KEY": identity(t).String(), "INTERNAL_GIT_CA_PATH": file + "-missing"}))
	require.ErrorContains(t, err, "INTERNAL_GIT_CA_PATH: open ")
	for _, content := range []string{"", "nonsense"} {
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		_, err = LoadConsumer(environ(map[string]string{"PRIVATE_KEY": identity(t).String(), "INTERNAL_GIT_CA_PATH": file}))
		require.ErrorContains(t, err, "INTERNAL_GIT_CA_PATH: no PEM certificate in the file")
	}
}

// trustedBySystem is what this process takes for one of the system's certificates.
var trustedBySystem = selfSigned()

func TestMain(m *testing.M) {
	os.Exit(withSystemCertificates(m.Run))
}

// withSystemCertificates comes before everything else: a process reads the system's certificates once.
func withSystemCertificates(run func() int) int {
	folder, err := os.MkdirTemp("", "certificates-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	file := filepath.Join(folder, "system.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trustedBySystem.Certificate[0]})
	if err := errors.Join(os.WriteFile(file, ca, 0o600), os.Setenv("SSL_CERT_FILE", file)); err != nil {
		panic(err)
	}
	return run()
}

func selfSigned() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
