package bucket

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/testserver/s3server"
)

// Small and large objects are encrypted with the configured key of the key management service.
func TestUploadWithKMSKey(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"arn:aws:kms:us-east-1:1:key/2", ""} {
		var mu sync.Mutex // parts are sent at the same time
		asked := map[string]http.Header{}
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			mu.Lock()
			asked[r.Method+" "+strings.Split(r.URL.RawQuery, "=")[0]] = r.Header
			mu.Unlock()
			w.Header().Set("ETag", `"x"`)
			_, _ = w.Write([]byte("<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"))
		}))
		defer srv.Close()
		b, err := Open(t.Context(), Options{Name: "b", PathStyle: true, KMSKeyID: key},
			config.WithBaseEndpoint(srv.URL), config.WithRegion(s3server.Region), config.WithCredentialsProvider(anyCredentials))
		require.NoError(t, err)
		require.NoError(t, b.Upload(t.Context(), "small", strings.NewReader("x"), 1))
		b.partSize = 1
		_ = b.Upload(t.Context(), "large", strings.NewReader("xy"), 2)
		for _, request := range []string{"PUT x-id", "POST uploads"} {
			require.Contains(t, asked, request)
			require.Equal(t, key, asked[request].Get("X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"), request)
			require.Equal(t, key != "", asked[request].Get("X-Amz-Server-Side-Encryption") == "aws:kms", request)
		}
	}
}

// A store that takes no checksums is sent none, also of objects in parts.
func TestUploadWithoutChecksums(t *testing.T) {
	t.Parallel()
	for calculation, want := range map[aws.RequestChecksumCalculation]string{aws.RequestChecksumCalculationWhenSupported: "CRC32", aws.RequestChecksumCalculationWhenRequired: ""} {
		var mu sync.Mutex // parts are sent at the same time
		var asked []string
		b := answering(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			mu.Lock()
			defer mu.Unlock()
			switch query := r.URL.Query(); {
			case r.Method == http.MethodPost && query.Has("uploads"):
				asked = append(asked, "begin "+r.Header.Get("X-Amz-Checksum-Algorithm"))
			case r.Method == http.MethodPut:
				asked = append(asked, "part "+r.Header.Get("X-Amz-Sdk-Checksum-Algorithm"))
			}
			w.Header().Set("ETag", `"x"`)
			_, _ = w.Write([]byte("<InitiateMultipartUploadResult><UploadId>1</UploadId></InitiateMultipartUploadResult>"))
		}, func(o *config.LoadOptions) error {
			o.RequestChecksumCalculation = calculation
			return nil
		})
		b.partSize = 1
		_ = b.Upload(t.Context(), "large", strings.NewReader("xy"), 2)
		require.Equal(t, []string{"begin " + want, "part " + want, "part " + want}, asked)
	}
}

// The SDK's own variables say where S3 is and who we are.
func TestAWSEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "session",
		"AWS_REGION": "us-gov-west-1", "AWS_USE_FIPS_ENDPOINT": "true", "AWS_CA_BUNDLE": "", "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
	} {
		t.Setenv(name, value)
	}
	var sent *http.Request
	transport := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = r
		return nil, errors.New("not connected")
	})
	for pathStyle, want := range map[bool]string{
		false: "https://partition.s3-fips.us-gov-west-1.amazonaws.com/key", true: "https://s3-fips.us-gov-west-1.amazonaws.com/partition/key",
	} {
		b, err := Open(t.Context(), Options{Name: "partition", PathStyle: pathStyle}, config.WithHTTPClient(&http.Client{Transport: transport}),
			config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }))
		require.NoError(t, err)
		require.Empty(t, b.Endpoint())
		_, err = b.Stat(t.Context(), "key")
		require.ErrorContains(t, err, "not connected")
		require.Equal(t, want, sent.URL.String())
		require.Equal(t, "session", sent.Header.Get("X-Amz-Security-Token"))
	}
}

// Both variables, and what profiles have, count.
func TestEndpoint(t *testing.T) {
	t.Setenv("AWS_REGION", "us-east-1")
	profile := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(profile, []byte("[default]\nendpoint_url = http://profile:7070\n"), 0o600))
	t.Setenv("AWS_CONFIG_FILE", profile)
	for variable, want := range map[string]string{"AWS_CONFIG_FILE": profile, "AWS_ENDPOINT_URL": "http://s3:7070", "AWS_ENDPOINT_URL_S3": "http://s3:7071"} {
		t.Run(variable, func(t *testing.T) {
			t.Setenv(variable, want)
			if variable == "AWS_CONFIG_FILE" {
				want = "http://profile:7070"
			}
			b, err := Open(t.Context(), Options{Name: "partition"})
			require.NoError(t, err)
			require.Equal(t, want, b.Endpoint())
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
