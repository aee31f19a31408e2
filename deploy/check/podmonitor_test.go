package check_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// The consumer's overlay with the component for the Prometheus Operator: it finds the workers' port, once.
func TestPodMonitorComponent(t *testing.T) {
	resources := buildWith(t, "consumer", "podmonitor")
	monitor := find(t, resources, "PodMonitor")
	require.Equal(t, "git-partition-sync-consumer", dig(monitor, "metadata", "name"))
	require.Equal(t, "app.kubernetes.io/name", dig(monitor, "spec", "jobLabel"))
	endpoints := dig(monitor, "spec", "podMetricsEndpoints").([]any)
	require.Len(t, endpoints, 1)
	endpoint := endpoints[0].(map[string]any)
	require.Equal(t, "/metrics", endpoint["path"])

	worker := find(t, resources, "Deployment")
	labels := dig(worker, "spec", "template", "metadata", "labels").(map[string]any)
	require.Equal(t, "git-partition-sync", labels["app.kubernetes.io/name"], "which the alerts call the job")
	for name, value := range dig(monitor, "spec", "selector", "matchLabels").(map[string]any) {
		require.Equal(t, labels[name], value)
	}
	container := dig(worker, "spec", "template", "spec", "containers").([]any)[0].(map[string]any)
	require.Equal(t, endpoint["port"], container["ports"].([]any)[0].(map[string]any)["name"])
	require.Nil(t, dig(worker, "spec", "template", "metadata", "annotations"), "no worker is scraped twice")
}

// buildWith builds a side's overlay with a component.
func buildWith(t *testing.T, role, component string) resmap.ResMap {
	t.Helper()
	folder := t.TempDir()
	for _, name := range []string{"base", role, component} {
		require.NoError(t, os.CopyFS(filepath.Join(folder, name), os.DirFS("../kubernetes/"+name)))
	}
	file := filepath.Join(folder, role, "kustomization.yaml")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(text, "components:\n  - ../"+component+"\n"...), 0o600))
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), filepath.Join(folder, role))
	require.NoError(t, err)
	return resources
}

func find(t *testing.T, resources resmap.ResMap, kind string) map[string]any {
	t.Helper()
	for _, r := range resources.Resources() {
		if r.GetKind() == kind {
			content, err := r.Map()
			require.NoError(t, err)
			return content
		}
	}
	require.Fail(t, "there is none", kind)
	return nil
}

// dig returns what is below a path of fields; nil if there is nothing.
func dig(in map[string]any, path ...string) (value any) {
	value = in
	for _, name := range path {
		fields, _ := value.(map[string]any)
		value = fields[name]
	}
	return value
}
