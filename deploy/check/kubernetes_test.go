// Package check_test checks the deployment's files without a cluster or an engine.
package check_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	netv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

func TestOverlays(t *testing.T) {
	for _, role := range []string{"producer", "consumer"} {
		t.Run(role, func(t *testing.T) {
			objects := build(t, "../kubernetes/"+role)
			deployment := one[*appsv1.Deployment](t, objects)
			job := one[*batchv1.Job](t, objects)
			require.Equal(t, []string{"-role", role}, deployment.Spec.Template.Spec.Containers[0].Args)
			requireProbes(t, deployment.Spec.Template.Spec.Containers[0])
			requireRestricted(t, deployment.Spec.Template)
			requireRestricted(t, job.Spec.Template)
			requireReferences(t, objects, deployment.Spec.Template.Spec)
			requireReferences(t, objects, job.Spec.Template.Spec)

			config := one[*corev1.ConfigMap](t, objects).Data
			require.Equal(t, "true", config["REQUIRE_SIGNATURES"])
			require.Equal(t, role == "consumer", config["ALLOWED_DESTINATIONS"] != "", "who may be pushed to is not left open")

			worker, starter := deployment.Spec.Template.Labels, job.Spec.Template.Labels
			network := one[*netv1.NetworkPolicy](t, objects)
			require.True(t, selects(t, &network.Spec.PodSelector, worker))
			require.True(t, selects(t, &network.Spec.PodSelector, starter))
			require.Len(t, network.Spec.Ingress, 1)
			require.Len(t, network.Spec.Ingress[0].Ports, 1, "Prometheus reads the port of the probes, and no other")
			require.Equal(t, deployment.Spec.Template.Spec.Containers[0].Ports[0].Name, network.Spec.Ingress[0].Ports[0].Port.String())
			require.NotEmpty(t, network.Spec.Ingress[0].From)
			require.True(t, selects(t, deployment.Spec.Selector, worker))
			require.False(t, selects(t, deployment.Spec.Selector, starter), "the job's pod is not a worker")
			budget := one[*policyv1.PodDisruptionBudget](t, objects)
			require.True(t, selects(t, budget.Spec.Selector, worker))
			require.False(t, selects(t, budget.Spec.Selector, starter))
		})
	}
}

// build decodes what kubectl apply -k would send, as strictly as an API server with
// --validate=strict: unknown and repeated fields are errors.
func build(t *testing.T, overlay string) (objects []runtime.Object) {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	require.NoError(t, err)
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		require.NoError(t, err)
		object, _, err := decoder.Decode(text, nil, nil)
		require.NoError(t, err, "%s", resource.CurId())
		objects = append(objects, object)
	}
	return objects
}

// one is the only object of its type.
func one[T runtime.Object](t *testing.T, objects []runtime.Object) (found T) {
	t.Helper()
	n := 0
	for _, object := range objects {
		if o, ok := object.(T); ok {
			found, n = o, n+1
		}
	}
	require.Equal(t, 1, n, "%T", found)
	return found
}

// requireRestricted asks the code of the API server's pod security admission.
func requireRestricted(t *testing.T, template corev1.PodTemplateSpec) {
	t.Helper()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	require.NoError(t, err)
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	results := evaluator.EvaluatePod(level, &template.ObjectMeta, &template.Spec)
	for _, result := range results {
		require.True(t, result.Allowed, "%s: %s", result.ForbiddenReason, result.ForbiddenDetail)
	}
}

// requireProbes follows the probes to the port where the worker serves them.
func requireProbes(t *testing.T, worker corev1.Container) {
	t.Helper()
	require.Len(t, worker.Ports, 1)
	port := worker.Ports[0]
	require.Contains(t, worker.Env, corev1.EnvVar{Name: "HEALTH_ADDRESS", Value: fmt.Sprintf(":%d", port.ContainerPort)})
	for path, probe := range map[string]*corev1.Probe{"/livez": worker.LivenessProbe, "/readyz": worker.ReadinessProbe} {
		require.NotNil(t, probe, path)
		require.Equal(t, path, probe.HTTPGet.Path)
		require.Equal(t, port.Name, probe.HTTPGet.Port.String())
	}
}

// requireReferences finds what a pod names, apart from the secret, which an operator creates.
func requireReferences(t *testing.T, objects []runtime.Object, pod corev1.PodSpec) {
	t.Helper()
	require.Equal(t, one[*corev1.ServiceAccount](t, objects).Name, pod.ServiceAccountName)
	config := one[*corev1.ConfigMap](t, objects)
	for _, source := range pod.Containers[0].EnvFrom {
		if source.ConfigMapRef != nil {
			require.Equal(t, config.Name, source.ConfigMapRef.Name)
		}
	}
}

func selects(t *testing.T, selector *metav1.LabelSelector, pod map[string]string) bool {
	t.Helper()
	s, err := metav1.LabelSelectorAsSelector(selector)
	require.NoError(t, err)
	return s.Matches(labels.Set(pod))
}
