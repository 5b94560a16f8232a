// Zlint lints the first certificate of each chain by the rules of the RFCs and of zlint's community.
// Those of the CA/Browser Forum and the root programs are for public CAs.
package main

import (
	"fmt"
	"os"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"

	"akv-issuer/tools/validators/lines"
)

var sources = lint.SourceList{
	lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6960, lint.RFC6962, lint.RFC8813,
	lint.Community,
}

func main() {
	registry, err := lint.GlobalRegistry().Filter(lint.FilterOptions{IncludeSources: sources})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	lines.Answer(func(question lines.Question) []lines.Finding {
		certificate, err := x509.ParseCertificate(question.Certificates[0])
		if err != nil {
			return lines.Refusal(err)
		}
		var findings []lines.Finding
		for name, result := range zlint.LintCertificateEx(certificate, registry).Results {
			if result.Status >= lint.Notice {
				findings = append(findings, lines.Finding{
					Severity: result.Status.String(),
					Rule:     name,
					Detail:   result.Details,
				})
			}
		}
		return findings
	})
}
