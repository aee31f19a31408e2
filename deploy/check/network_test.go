package check_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	netv1 "k8s.io/api/networking/v1"
)

// Workers reach servers by either version of IP, and the agent of EKS Pod Identity, but not the role of their machine.
func TestEgress(t *testing.T) {
	network := one[*netv1.NetworkPolicy](t, build(t, "../kubernetes/producer"))
	for to, want := range map[string]bool{
		"203.0.113.7:443": true, "203.0.113.7:7233": true, "203.0.113.7:80": false,
		"[2001:db8::7]:443": true, "[2001:db8::7]:7233": true, "[2001:db8::7]:80": false,
		"169.254.170.23:80": true, "[fd00:ec2::23]:80": true, // the agent
		"169.254.169.254:80": false, "169.254.169.254:443": false, "[fd00:ec2::254]:80": false, "[fd00:ec2::254]:443": false, "[fe80::1]:443": false,
	} {
		require.Equal(t, want, allowsEgress(t, network, netip.MustParseAddrPort(to)), to)
	}
}

// allowsEgress goes by the policy's blocks of addresses, which are all that is said of what is outside of the cluster.
func allowsEgress(t *testing.T, network *netv1.NetworkPolicy, to netip.AddrPort) (allowed bool) {
	t.Helper()
	for _, rule := range network.Spec.Egress {
		port := false
		for _, p := range rule.Ports {
			port = port || p.Port.IntValue() == int(to.Port())
		}
		for _, peer := range rule.To {
			if peer.IPBlock == nil || !netip.MustParsePrefix(peer.IPBlock.CIDR).Contains(to.Addr()) {
				continue
			}
			except := false
			for _, block := range peer.IPBlock.Except {
				inner := netip.MustParsePrefix(block)
				require.True(t, netip.MustParsePrefix(peer.IPBlock.CIDR).Overlaps(inner), "an API server refuses an exception outside of its block")
				except = except || inner.Contains(to.Addr())
			}
			allowed = allowed || port && !except
		}
	}
	return allowed
}

// A GitOps controller sees the job as it has applied it, and knows how to replace it.
func TestScheduleJobStays(t *testing.T) {
	job := one[*batchv1.Job](t, build(t, "../kubernetes/consumer"))
	require.Nil(t, job.Spec.TTLSecondsAfterFinished, "it would be created again and again")
	require.Equal(t, "Sync", job.Annotations["argocd.argoproj.io/hook"])
	require.Equal(t, "BeforeHookCreation", job.Annotations["argocd.argoproj.io/hook-delete-policy"])
	require.Equal(t, "enabled", job.Labels["kustomize.toolkit.fluxcd.io/force"])
}
