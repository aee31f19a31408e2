package check_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
)

// The producer's overlay with the component for push events: the service leads to the worker's port, and the network policy to
// no other.
func TestWebhookComponent(t *testing.T) {
	folder := t.TempDir()
	within := filepath.Join(folder, "producer")
	require.NoError(t, os.CopyFS(within, os.DirFS("../kubernetes/producer")))
	require.NoError(t, os.CopyFS(filepath.Join(folder, "base"), os.DirFS("../kubernetes/base")))
	require.NoError(t, os.CopyFS(filepath.Join(folder, "webhook"), os.DirFS("../kubernetes/webhook")))
	text, err := os.ReadFile(filepath.Join(within, "kustomization.yaml"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(within, "kustomization.yaml"), append(text, "components:\n  - ../webhook\n"...), 0o600))

	objects := build(t, within)
	deployment := one[*appsv1.Deployment](t, objects)
	worker := deployment.Spec.Template.Spec.Containers[0]
	require.Contains(t, worker.Env, corev1.EnvVar{Name: "WEBHOOK_ADDRESS", Value: ":8081"})
	require.Contains(t, worker.Ports, corev1.ContainerPort{Name: "webhook", ContainerPort: 8081})
	requireRestricted(t, deployment.Spec.Template)

	service := one[*corev1.Service](t, objects)
	require.Equal(t, "git-partition-sync-webhook-producer", service.Name)
	require.Equal(t, "webhook", service.Spec.Ports[0].TargetPort.String())
	for name, value := range service.Spec.Selector {
		require.Equal(t, value, deployment.Spec.Template.Labels[name])
	}
	network := one[*netv1.NetworkPolicy](t, objects)
	require.Len(t, network.Spec.Ingress, 2)
	require.Equal(t, "health", network.Spec.Ingress[0].Ports[0].Port.String())
	require.Equal(t, "webhook", network.Spec.Ingress[1].Ports[0].Port.String())
	require.NotEmpty(t, network.Spec.Ingress[1].From)
}
