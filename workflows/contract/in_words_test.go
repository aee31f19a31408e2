package contract

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// People are told what happened and what to do, and not in which types and codes it came.
func TestInWords(t *testing.T) {
	t.Parallel()
	dial := func(cause string) error {
		return fmt.Errorf("connect to temporal at %q: %w", "t:7233", ServerError(fmt.Errorf("failed reaching server: %w", serviceerror.NewUnavailable(
			`connection error: desc = "transport: Error while dialing: `+cause+`"`))))
	}
	for _, test := range []struct {
		err  error
		want string
	}{
		{dial("dial tcp 127.0.0.1:1: connect: connection refused"), `connect to temporal at "t:7233": nothing listens there (connection refused): start Temporal, or correct TEMPORAL_ADDRESS`},
		{dial("dial tcp: lookup t: no such host"), `connect to temporal at "t:7233": no such host: see TEMPORAL_ADDRESS`},
		{dial("tls: failed to verify certificate: x509: certificate signed by unknown authority"), `connect to temporal at "t:7233": the TLS connection failed (certificate signed by unknown authority): see TEMPORAL_TLS and its certificates`},
		{fmt.Errorf("start x: %w", serviceerror.NewNamespaceNotFound("enclave")), `start x: the namespace "enclave" does not exist there: create it (temporal operator namespace create enclave), or set TEMPORAL_NAMESPACE to the one that is meant`},
		{fmt.Errorf("start x: %w", serviceerror.NewPermissionDenied("not you", "")), `start x: Temporal does not allow it to these credentials: see TEMPORAL_API_KEY or the client certificate, and their rights in the namespace (not you)`},
		{status.Error(codes.Unauthenticated, "who?"), `Temporal does not know these credentials: see TEMPORAL_API_KEY or the client certificate (who?)`},
		{fmt.Errorf("describe x: %w", context.DeadlineExceeded), `describe x: Temporal does not answer in time: see whether its server and its database are well`},
		{serviceerror.NewDeadlineExceeded("context deadline exceeded"), `Temporal does not answer in time: see whether its server and its database are well`},
		{temporal.ErrScheduleAlreadyRunning, `there is such a schedule already`},
		{temporal.NewTimeoutError(enums.TIMEOUT_TYPE_START_TO_CLOSE, nil), `it took longer than it may`},
		{temporal.NewTimeoutError(enums.TIMEOUT_TYPE_HEARTBEAT, nil), `its worker gave no sign of life any more`},
		{temporal.NewCanceledError(), `it was cancelled`},
		{fmt.Errorf("x: %w", temporal.NewNonRetryableApplicationError("no such key: make one", "WrongKey", errors.New("errors.errorString"))), `x: no such key: make one (WrongKey)`},
		{errors.New("the starter's own"), `the starter's own`},
	} {
		said := InWords(test.err)
		require.EqualError(t, said, test.want)
		require.ErrorIs(t, said, test.err, "what it wraps stays")
		require.Equal(t, said, InWords(said))
		require.EqualError(t, fmt.Errorf("again: %w", InWords(fmt.Errorf("y: %w", said))), "again: y: "+test.want)
	}
	require.NoError(t, InWords(nil))
}
