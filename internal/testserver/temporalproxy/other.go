package temporalproxy

import (
	"context"

	"go.temporal.io/api/operatorservice/v1"
	healthgrpc "google.golang.org/grpc/health/grpc_health_v1"
)

// operator passes on what workers ask the operator service.
type operator struct {
	operatorservice.UnimplementedOperatorServiceServer

	client operatorservice.OperatorServiceClient
}

// ListSearchAttributes implements operatorservice.OperatorServiceServer.
func (o *operator) ListSearchAttributes(ctx context.Context, req *operatorservice.ListSearchAttributesRequest) (*operatorservice.ListSearchAttributesResponse, error) {
	return o.client.ListSearchAttributes(ctx, req)
}

// health passes on whether the server is well.
type health struct {
	healthgrpc.UnimplementedHealthServer

	client healthgrpc.HealthClient
}

// Check implements healthgrpc.HealthServer.
func (h *health) Check(ctx context.Context, req *healthgrpc.HealthCheckRequest) (*healthgrpc.HealthCheckResponse, error) {
	return h.client.Check(ctx, req)
}
