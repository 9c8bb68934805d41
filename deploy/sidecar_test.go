package deploy

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"

	"github.com/baseliner/baseliner/pkg/config"
)

func manifest(t *testing.T, file string, into any) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(b, into); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

// restricted is what the admission of Kubernetes says of a pod under the level "restricted".
func restricted(t *testing.T, meta *appsv1.Deployment) policy.AggregateCheckResult {
	t.Helper()
	e, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	return policy.AggregateCheckResults(e.EvaluatePod(level, &meta.Spec.Template.ObjectMeta, &meta.Spec.Template.Spec))
}

// TestSidecars holds both shapes of the sidecar to what their README says of them.
func TestSidecars(t *testing.T) {
	for _, file := range []string{"native.yaml", "plain.yaml"} {
		t.Run(file, func(t *testing.T) {
			var d appsv1.Deployment
			manifest(t, filepath.Join("k8s/sidecar", file), &d)
			if r := restricted(t, &d); !r.Allowed {
				t.Errorf("restricted forbids it: %s: %s", r.ForbiddenReason(), r.ForbiddenDetail())
			}
			pod := d.Spec.Template.Spec
			if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
				t.Error("it gets a service account token")
			}
			native := file == "native.yaml"
			list := pod.Containers
			if native {
				list = pod.InitContainers
			}
			i := slices.IndexFunc(list, func(c corev1.Container) bool { return c.Name == "baseliner" })
			if i < 0 {
				t.Fatal("no baseliner")
			}
			c := list[i]
			if always := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways; always != native {
				t.Errorf("restartPolicy Always: %t", always)
			}
			probe := c.LivenessProbe
			if probe == nil || probe.HTTPGet == nil || probe.HTTPGet.Path != "/-/healthy" || probe.HTTPGet.Port.String() != "probes" {
				t.Errorf("liveness: %+v", probe)
			}
			if c.ReadinessProbe != nil || c.StartupProbe != nil {
				t.Error("a sidecar takes its service out of the load balancer, or keeps it from starting")
			}
			if len(c.Ports) != 1 || c.Ports[0].ContainerPort != 9782 || !slices.Contains(c.Args, "--web.probe-address=:9782") {
				t.Errorf("probes listen elsewhere than they are asked: %v, %v", c.Ports, c.Args)
			}
			if s := c.SecurityContext; s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem {
				t.Error("its root is writable")
			}
			for _, m := range c.VolumeMounts {
				if !slices.ContainsFunc(pod.Volumes, func(v corev1.Volume) bool { return v.Name == m.Name }) {
					t.Errorf("no volume %s", m.Name)
				}
			}
			if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
				t.Errorf("resources: %+v", c.Resources)
			}
		})
	}
	// A check that forbids nothing would be worth nothing.
	var d appsv1.Deployment
	manifest(t, "k8s/sidecar/native.yaml", &d)
	d.Spec.Template.Spec.InitContainers[0].SecurityContext.Capabilities = nil
	if r := restricted(t, &d); r.Allowed {
		t.Error("restricted allows a container that keeps its capabilities")
	}
}

func TestSidecarConfig(t *testing.T) {
	var m corev1.ConfigMap
	manifest(t, "k8s/sidecar/config.yaml", &m)
	cfg, err := config.LoadBytes("baseliner.yml", []byte(m.Data["baseliner.yml"]), config.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(cfg.Scrape.ScrapeConfigs) != 1 || len(cfg.Packs) == 0 || len(cfg.Alerting.Receivers) != 1 {
		t.Errorf("%d scrape configs, %d packs, %d receivers", len(cfg.Scrape.ScrapeConfigs), len(cfg.Packs), len(cfg.Alerting.Receivers))
	}
}
