package check_test

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// TestRules has promtool evaluate the alerts over made-up hours. It is in Debian's package prometheus.
func TestRules(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		t.Skip("promtool is not installed")
	}
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		cmd := exec.CommandContext(t.Context(), "promtool", args...)
		cmd.Dir = "../observability"
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// rule is an alert, as far as it is looked at here.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func readRules(t *testing.T) (rules []rule) {
	t.Helper()
	var file struct {
		Groups []struct {
			Rules []rule `json:"rules"`
		} `json:"groups"`
	}
	text, err := os.ReadFile("../observability/rules.yml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &file))
	for _, g := range file.Groups {
		rules = append(rules, g.Rules...)
	}
	require.NotEmpty(t, rules)
	return rules
}

// Each alert says whom it is for, and leads to a page of the documents; it is named there, and a case shows that it fires and one
// that it does not.
func TestAlertsLeadToRunbooks(t *testing.T) {
	const at = "https://github.com/app-sre/git-partition-sync/blob/main/"
	metrics, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	cases, err := os.ReadFile("../observability/rules_test.yml")
	require.NoError(t, err)
	for _, r := range readRules(t) {
		require.Contains(t, []string{"critical", "warning"}, r.Labels["severity"], r.Alert)
		page, ok := strings.CutPrefix(r.Annotations["runbook_url"], at)
		require.True(t, ok, r.Alert)
		file, anchor, _ := strings.Cut(page, "#")
		text, err := os.ReadFile("../../" + file)
		require.NoError(t, err, r.Alert)
		if anchor != "" {
			heading := "(?mi)^#+ " + strings.ReplaceAll(regexp.QuoteMeta(anchor), "-", "[ -]") + "$"
			require.Regexp(t, heading, string(text), r.Alert)
		}
		require.Contains(t, string(metrics), "`"+r.Alert+"`")
		fires := regexp.MustCompile(`alertname: ` + r.Alert + `\n    exp_alerts:`)
		require.Regexp(t, fires, string(cases))
		require.Regexp(t, `alertname: `+r.Alert+`\n(  - |- )`, string(cases), "no case in which %s is silent", r.Alert)
	}
}

// An alert on some kinds of failure names kinds that there are.
func TestAlertsNameKinds(t *testing.T) {
	kinds, err := os.ReadFile("../../docs/errors.md")
	require.NoError(t, err)
	named := 0
	for _, r := range readRules(t) {
		for _, match := range regexp.MustCompile(`kind!?=~?"([^"]+)"`).FindAllStringSubmatch(r.Expr, -1) {
			if match[1] == "free" { // of disk space
				continue
			}
			for kind := range strings.SplitSeq(match[1], "|") {
				named++
				require.Contains(t, string(kinds), "| `"+kind+"` |", r.Alert)
			}
		}
	}
	require.Greater(t, named, 10)
}

// What the alerts and the dashboard ask for of ours is documented.
func TestMetricsAreDocumented(t *testing.T) {
	metrics, err := os.ReadFile("../../docs/metrics.md")
	require.NoError(t, err)
	for _, file := range []string{"rules.yml", "dashboard.json", "rules_test.yml"} {
		text, err := os.ReadFile("../observability/" + file)
		require.NoError(t, err)
		names := regexp.MustCompile(`\bgit_partition_sync_[a-z_]+`).FindAllString(string(text), -1)
		require.NotEmpty(t, names)
		for _, name := range names {
			require.Contains(t, string(metrics), "`"+strings.TrimSuffix(name, "_bucket"), file)
		}
	}
}
