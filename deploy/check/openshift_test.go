package check_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"
)

// predecessorParameters are those of the templates that the predecessor was deployed with.
var predecessorParameters = map[string][]string{
	"producer": {
		"IMAGE", "IMAGE_TAG", "INTERNAL_CERTIFICATES_IMAGE", "INTERNAL_CERTIFICATES_IMAGE_TAG", "INTERNAL_CERTIFICATES_IMAGE_PULL_POLICY",
		"RECONCILE_SLEEP_TIME", "DRY_RUN", "RUN_ONCE", "GRAPHQL_QUERY_FILE", "VOLUME_PATH", "WORKDIR",
		"MEMORY_REQUESTS", "MEMORY_LIMIT", "CPU_REQUESTS", "CPU_LIMIT", "REPLICAS", "GQL_SECRET_NAME", "VAULT_SECRET_NAME",
	},
	"consumer": {
		"IMAGE", "IMAGE_TAG", "INTERNAL_CERT_INIT_IMAGE", "INTERNAL_CERT_INIT_IMAGE_TAG", "INTERNAL_CERT_INIT_IMAGE_PULL_POLICY",
		"RECONCILE_SLEEP_TIME", "DRY_RUN", "RUN_ONCE", "VOLUME_PATH", "WORKDIR",
		"MEMORY_REQUESTS", "MEMORY_LIMIT", "CPU_REQUESTS", "CPU_LIMIT", "REPLICAS", "VAULT_SECRET_NAME",
	},
}

// template is an OpenShift template, as far as oc process reads it.
type template struct {
	Objects    []any `json:"objects"`
	Parameters []struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	} `json:"parameters"`
}

// The templates take what the predecessor's took, and what comes of the defaults is valid.
func TestOpenShiftTemplates(t *testing.T) {
	for role, names := range predecessorParameters {
		t.Run(role, func(t *testing.T) {
			objects, parameters := process(t, "../openshift/"+role+".yaml")
			for _, name := range names {
				require.Contains(t, parameters, name)
			}
			deployment := one[*appsv1.Deployment](t, objects)
			spec := deployment.Spec.Template.Spec
			container := spec.Containers[0]
			require.Equal(t, one[*corev1.ServiceAccount](t, objects).Name, spec.ServiceAccountName)
			require.Equal(t, []string{"-dry-run=true", "-run-once=false"}, container.Args)
			require.True(t, selects(t, deployment.Spec.Selector, deployment.Spec.Template.Labels))
			require.Contains(t, container.Env, corev1.EnvVar{Name: "WORKDIR", Value: parameters["VOLUME_PATH"] + "/working"})
			require.True(t, slices.ContainsFunc(container.VolumeMounts, func(m corev1.VolumeMount) bool { return m.MountPath == parameters["VOLUME_PATH"] }))
			key := map[string]string{"producer": "PUBLIC_KEY", "consumer": "PRIVATE_KEY"}[role]
			require.True(t, slices.ContainsFunc(container.Env, func(v corev1.EnvVar) bool {
				return v.Name == key && v.ValueFrom.SecretKeyRef.Name == "git-partition-sync-"+role
			}))
		})
	}
}

var (
	textParameter  = regexp.MustCompile(`\$\{([A-Z_]+)\}`)
	valueParameter = regexp.MustCompile(`^\$\{\{([A-Z_]+)\}\}$`)
)

// process fills a template in with its defaults, as oc process does: ${X} is a part of a text, ${{X}} a value of any type. Every
// parameter has to be used, and every one that is used, declared.
func process(t *testing.T, file string) (objects []runtime.Object, values map[string]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var parsed template
	require.NoError(t, yaml.Unmarshal(text, &parsed))
	f := filler{t, map[string]string{}, map[string]bool{}}
	for _, p := range parsed.Parameters {
		require.NotContains(t, f.values, p.Name)
		f.values[p.Name] = p.Value
	}
	decoder := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	for _, o := range parsed.Objects {
		filled, err := json.Marshal(f.fill(o))
		require.NoError(t, err)
		object, _, err := decoder.Decode(filled, nil, nil)
		require.NoError(t, err, "%s", filled)
		objects = append(objects, object)
	}
	require.Len(t, f.used, len(f.values), "a parameter that nothing uses")
	return objects, f.values
}

// filler replaces parameters, and remembers which.
type filler struct {
	*testing.T
	values map[string]string
	used   map[string]bool
}

func (f filler) value(name string) string {
	require.Contains(f, f.values, name)
	f.used[name] = true
	return f.values[name]
}

func (f filler) fill(node any) any {
	switch node := node.(type) {
	case map[string]any:
		for key, child := range node {
			node[key] = f.fill(child)
		}
	case []any:
		for i, child := range node {
			node[i] = f.fill(child)
		}
	case string:
		if whole := valueParameter.FindStringSubmatch(node); whole != nil {
			var value any
			require.NoError(f, yaml.Unmarshal([]byte(f.value(whole[1])), &value))
			return value
		}
		return textParameter.ReplaceAllStringFunc(node, func(reference string) string { return f.value(reference[2 : len(reference)-1]) })
	}
	return node
}
