// A small cert-manager controller for tests: it runs the real controllers of
// the published cert-manager module, without leader election and ACME solvers.
// Loopback only.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	logf "github.com/cert-manager/cert-manager/pkg/logs"
	utilfeature "github.com/cert-manager/cert-manager/pkg/util/feature"
	"k8s.io/klog/v2"

	// Each import registers its controller(s) under a name.
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/gateways"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificate-shim/ingresses"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/acme"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/ca"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/metrics"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/controller/issuers"

	// Issuer back ends used by the issuers/clusterissuers and ca/selfsigned
	// request controllers. The acme and vault request controllers need
	// none to answer "issuer not found".
	_ "github.com/cert-manager/cert-manager/pkg/issuer/ca"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

func main() {
	var (
		opts        controller.ContextOptions
		controllers = flag.String("controllers", "*,-ingress-shim", "comma list of names or globs; a leading '-' removes")
		workers     = flag.Int("concurrent-workers", 5, "workers per controller")
		metricsAddr = flag.String("metrics", "", "host:port for /metrics and /healthz; empty is off")
		gates       = flag.String("feature-gates", "", "A=true,B=false")
		qps         = flag.Float64("kube-api-qps", 20, "client rate; only used when the API server has no priority and fairness")
		list        = flag.Bool("list", false, "print the registered controllers and exit")
	)
	flag.StringVar(&opts.Kubeconfig, "kubeconfig", "", "path")
	flag.IntVar(&opts.KubernetesAPIBurst, "kube-api-burst", 50, "see kube-api-qps")
	flag.StringVar(&opts.Namespace, "namespace", "", "limit to one namespace")
	flag.StringVar(&opts.ClusterResourceNamespace, "cluster-resource-namespace", "cert-manager", "Secrets of ClusterIssuers")
	flag.BoolVar(&opts.EnableOwnerRef, "enable-certificate-owner-ref", false, "")
	flag.BoolVar(&opts.EnableGatewayAPI, "enable-gateway-api", false, "runs gateway-shim; needs the CRDs of the Gateway API")
	flag.DurationVar(&opts.CertificateRequestMinimumBackoffDuration, "backoff-min", time.Hour, "")
	flag.DurationVar(&opts.CertificateRequestMaximumBackoffDuration, "backoff-max", 32*time.Hour, "")
	v := flag.Int("v", 2, "log level")
	flag.Parse()
	logf.InitLogs()
	defer logf.FlushLogs()
	var level klog.Level
	check(level.Set(strconv.Itoa(*v)))

	names := []string{}
	for name := range controller.Known() {
		names = append(names, name)
	}
	slices.Sort(names)
	enabled := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
		return !selected(n, *controllers) || n == "gateway-shim" && !opts.EnableGatewayAPI
	})
	if *list {
		fmt.Println(strings.Join(names, "\n"))
		return
	}
	if *gates != "" {
		check(utilfeature.DefaultMutableFeatureGate.Set(*gates))
	}

	opts.KubernetesAPIQPS = float32(*qps)
	// Zero values here would change behaviour: no annotations copied, no
	// back-off at all.
	opts.CopiedAnnotationPrefixes = []string{"*", "-kubectl.kubernetes.io/", "-fluxcd.io/", "-argocd.argoproj.io/"}
	opts.MaxConcurrentChallenges = 60
	opts.DefaultIssuerKind = "Issuer"
	opts.DefaultIssuerGroup = "cert-manager.io"
	opts.DefaultAutoCertificateAnnotations = []string{"kubernetes.io/tls-acme"}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx = logf.NewContext(ctx, logf.Log, "controller")

	factory, err := controller.NewContextFactory(ctx, opts)
	check(err)
	shared, err := factory.Build()
	check(err)

	var wg sync.WaitGroup
	if *metricsAddr != "" {
		ln, err := net.Listen("tcp", *metricsAddr)
		check(err)
		srv := shared.Metrics.NewServer(ln)
		mux := http.NewServeMux()
		mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
		mux.Handle("/", srv.Handler)
		srv.Handler = mux
		wg.Go(func() { <-ctx.Done(); srv.Close() })
		wg.Go(func() { srv.Serve(ln) })
	}

	// Constructing a controller asks the shared factories for its informers, so
	// all of them come before the factories start.
	run := map[string]controller.Interface{}
	for _, name := range enabled {
		run[name], err = controller.Known()[name](factory)
		if err != nil {
			check(fmt.Errorf("%s: %w", name, err))
		}
	}
	for name, c := range run {
		wg.Go(func() {
			if err := c.Run(*workers, ctx); err != nil && ctx.Err() == nil {
				check(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
	if opts.EnableGatewayAPI {
		shared.GWShared.Start(ctx.Done())
	}
	shared.SharedInformerFactory.WaitForCacheSync(ctx.Done())
	fmt.Printf("READY controllers=%s\n", strings.Join(enabled, ","))
	wg.Wait()
}

// selected applies the patterns left to right; the last that matches decides.
func selected(name, patterns string) bool {
	on := false
	for p := range strings.SplitSeq(patterns, ",") {
		want := !strings.HasPrefix(p, "-")
		if ok, _ := path.Match(strings.TrimPrefix(p, "-"), name); ok {
			on = want
		}
	}
	return on
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fatal:", err)
		os.Exit(1)
	}
}
