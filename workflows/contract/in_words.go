package contract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// InWords says what Temporal answers as people do. The chain of types, codes and events around it is left out; what a program
// has said itself before that stays, and so do the errors that are wrapped.
func InWords(err error) error {
	if _, done := errors.AsType[*plainWords](err); err == nil || done {
		return err
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if words := temporalWords(e); words != "" {
			before, _ := strings.CutSuffix(err.Error(), e.Error())
			return &plainWords{text: before + words, error: err}
		}
	}
	return err
}

type plainWords struct {
	error
	text string
}

func (e *plainWords) Error() string { return e.text }
func (e *plainWords) Unwrap() error { return e.error }

// temporalWords says what an error of Temporal's means, and what to do; "" if it is none. It does not look at what the error wraps.
func temporalWords(err error) string {
	if words := FailureWords(err); words != "" {
		return words
	}
	switch e := err.(type) { //nolint:errorlint // one link of the chain at a time
	case *serviceerror.NamespaceNotFound:
		return fmt.Sprintf("the namespace %q does not exist there: create it (temporal operator namespace create %s), or set TEMPORAL_NAMESPACE to the one that is meant", e.Namespace, e.Namespace)
	case *serviceerror.WorkflowExecutionAlreadyStarted:
		return "it is running already"
	case *serviceerror.QueryFailed, *serviceerror.WorkflowNotReady:
		return "the workflow does not answer yet: its worker has not begun, or is not there"
	}
	if errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return "there is such a schedule already"
	}
	code, message := GRPCCode(err)
	switch code {
	case codes.OK:
		return ""
	case codes.NotFound:
		return "Temporal knows nothing of that name: it never ran here, or the namespace's retention is over (" + message + ")"
	case codes.AlreadyExists:
		return "it is there already"
	case codes.PermissionDenied:
		return "Temporal does not allow it to these credentials: see TEMPORAL_API_KEY or the client certificate, and their rights in the namespace (" + message + ")"
	case codes.Unauthenticated:
		return "Temporal does not know these credentials: see TEMPORAL_API_KEY or the client certificate (" + message + ")"
	case codes.DeadlineExceeded:
		return "Temporal does not answer in time: see whether its server and its database are well"
	case codes.Canceled:
		return "the question to Temporal was given up"
	case codes.Unavailable:
		return unreachableWords(message)
	case codes.ResourceExhausted:
		return "Temporal has more requests than it takes (" + message + "): try again in a while"
	case codes.Unimplemented:
		return "what answers there is no Temporal server, or too old a one (" + message + "): see TEMPORAL_ADDRESS"
	}
	return cmp.Or(message, "Temporal has refused it, and does not say why")
}

// GRPCCode is the code and the text that the server, or the way to it, has answered with. It returns OK for errors that are not of a request to Temporal.
func GRPCCode(err error) (codes.Code, string) {
	if e, ok := err.(serviceerror.ServiceError); ok { //nolint:errorlint // likewise
		return e.Status().Code(), e.Error()
	}
	if e, ok := err.(interface{ GRPCStatus() *status.Status }); ok {
		return e.GRPCStatus().Code(), e.GRPCStatus().Message()
	}
	if err == context.DeadlineExceeded {
		return codes.DeadlineExceeded, ""
	}
	return codes.OK, ""
}

// unreachableWords says why no connection was made, of which gRPC's text tells in the end.
func unreachableWords(message string) string {
	const see = ": see TEMPORAL_ADDRESS"
	for _, cause := range [][2]string{
		{"connection refused", "nothing listens there (connection refused): start Temporal, or correct TEMPORAL_ADDRESS"},
		{"no such host", "no such host" + see},
		{"produced zero addresses", "no such host" + see},
		{"no children to pick from", "its name has no address" + see},
		{"i/o timeout", "it does not answer: see TEMPORAL_ADDRESS, and what is between here and there"},
		{"first record does not look like a TLS handshake", "it does not speak TLS: set TEMPORAL_TLS=false"},
		{"certificate", "the TLS connection failed (" + lastPart(message) + "): see TEMPORAL_TLS and its certificates"},
		{"tls:", "the TLS connection failed (" + lastPart(message) + "): see TEMPORAL_TLS and its certificates"},
	} {
		if strings.Contains(message, cause[0]) {
			return cause[1]
		}
	}
	return "Temporal cannot be reached (" + lastPart(message) + ")" + see
}

// lastPart is the end of a chain of errors, without the quotes that gRPC puts around it.
func lastPart(message string) string {
	parts := strings.Split(strings.TrimRight(message, `"`), ": ")
	return parts[len(parts)-1]
}

// ServerError is what the server, or the way to it, has answered, without what the SDK says before that.
func ServerError(err error) error {
	if answer, ok := errors.AsType[serviceerror.ServiceError](err); ok {
		return answer
	}
	return err
}
