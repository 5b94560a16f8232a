// Verify judges certificate chains by crypto/x509, the verifier of Kubernetes, cert-manager and Istio.
package main

import (
	"crypto/x509"
	"fmt"
	"time"

	"akv-issuer/tools/validators/lines"
)

func main() {
	lines.Answer(judge)
}

func judge(question lines.Question) []lines.Finding {
	var chain []*x509.Certificate
	for _, der := range question.Certificates {
		certificate, err := x509.ParseCertificate(der)
		if err != nil {
			return lines.Refusal(err)
		}
		chain = append(chain, certificate)
	}
	leaf, intermediates, root := chain[0], chain[1:len(chain)-1], chain[len(chain)-1]
	options := x509.VerifyOptions{
		DNSName:       question.Host,
		Intermediates: poolOf(intermediates...),
		Roots:         poolOf(root),
		CurrentTime:   time.Unix(question.Time, 0),
	}
	purposes := question.Purposes
	if len(purposes) == 0 {
		purposes = []string{anyPurpose}
	}
	var findings []lines.Finding
	for _, oid := range purposes {
		usage, known := usages[oid]
		if !known {
			return lines.Refusal(fmt.Errorf("crypto/x509 has no key purpose %s", oid))
		}
		options.KeyUsages = []x509.ExtKeyUsage{usage}
		if _, err := leaf.Verify(options); err != nil {
			findings = append(findings, lines.Refusal(err)...)
		}
	}
	return findings
}

func poolOf(certificates ...*x509.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	for _, certificate := range certificates {
		pool.AddCert(certificate)
	}
	return pool
}

const anyPurpose = "2.5.29.37.0"

var usages = map[string]x509.ExtKeyUsage{
	anyPurpose:          x509.ExtKeyUsageAny,
	"1.3.6.1.5.5.7.3.1": x509.ExtKeyUsageServerAuth,
	"1.3.6.1.5.5.7.3.2": x509.ExtKeyUsageClientAuth,
	"1.3.6.1.5.5.7.3.3": x509.ExtKeyUsageCodeSigning,
	"1.3.6.1.5.5.7.3.4": x509.ExtKeyUsageEmailProtection,
	"1.3.6.1.5.5.7.3.5": x509.ExtKeyUsageIPSECEndSystem,
	"1.3.6.1.5.5.7.3.6": x509.ExtKeyUsageIPSECTunnel,
	"1.3.6.1.5.5.7.3.7": x509.ExtKeyUsageIPSECUser,
	"1.3.6.1.5.5.7.3.8": x509.ExtKeyUsageTimeStamping,
	"1.3.6.1.5.5.7.3.9": x509.ExtKeyUsageOCSPSigning,
}
