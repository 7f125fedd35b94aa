// Command cadvisor is cAdvisor as a program of its own, from the Go module that a kubelet is built with.
//
// The benchmark measures it beside the agent. It takes those of cAdvisor's flags that the benchmark sets, and serves
// /metrics as the kubelet does: one collector of containers, one of the machine.
package main

import (
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/google/cadvisor/cache/memory"
	"github.com/google/cadvisor/container"
	v2 "github.com/google/cadvisor/info/v2"
	"github.com/google/cadvisor/manager"
	"github.com/google/cadvisor/metrics"
	"github.com/google/cadvisor/utils/sysfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"k8s.io/utils/clock"

	_ "github.com/google/cadvisor/container/containerd/install"
	_ "github.com/google/cadvisor/container/systemd/install"
)

func main() {
	// The modules below bring flags of their own into flag.CommandLine.
	flags := flag.NewFlagSet("cadvisor", flag.ExitOnError)
	ip := flags.String("listen_ip", "127.0.0.1", "address to serve at")
	port := flags.Int("port", 8080, "port to serve at")
	interval := flags.Duration("housekeeping_interval", 10*time.Second, "how often each container is read")
	disabled := container.MetricSet{}
	flags.Var(&disabled, "disable_metrics", "groups of metrics to leave out, separated by commas")
	_ = flags.Parse(os.Args[1:])

	included := container.AllMetrics.Difference(disabled)
	dynamic := true
	housekeeping := manager.HousekeepingConfig{Interval: interval, AllowDynamic: &dynamic}
	m, err := manager.New(memory.New(2*time.Minute, nil), sysfs.NewRealSysFs(), housekeeping, included,
		http.DefaultClient, []string{"/"}, nil, "", 0)
	if err != nil {
		log.Fatalf("cannot make the manager: %v", err)
	}
	if err := m.Start(); err != nil {
		log.Fatalf("cannot start the manager: %v", err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		metrics.NewPrometheusCollector(m, metrics.DefaultContainerLabels, included, clock.RealClock{},
			v2.RequestOptions{IdType: v2.TypeName, Count: 1, Recursive: true}),
		metrics.NewPrometheusMachineCollector(m, included),
	)
	handler := promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
	http.Handle("/metrics", handler)
	log.Fatal(http.ListenAndServe(net.JoinHostPort(*ip, strconv.Itoa(*port)), nil))
}
