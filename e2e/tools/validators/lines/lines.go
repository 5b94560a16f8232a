// Package lines is what the validators have in common: JSON lines in, JSON lines out.
package lines

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// Question is one certificate to judge, with those above it.
type Question struct {
	// Certificates are DER: the one to judge first, its root last.
	Certificates [][]byte `json:"certificates"`
	// Purposes are OIDs of key purposes, each of which it must be good for; none: whatever it is good for.
	Purposes []string `json:"purposes"`
	// Host is a DNS name or IP address that it must be good for, or empty.
	Host string `json:"host"`
	// Time is when it must be good, in seconds since the Unix epoch.
	Time int64 `json:"time"`
}

// Finding is what a validator does not like.
type Finding struct {
	Severity string `json:"severity"`
	Rule     string `json:"rule"`
	Detail   string `json:"detail"`
}

// Refusal is a finding by a validator that says yes or no.
func Refusal(err error) []Finding {
	return []Finding{{Severity: "error", Rule: fmt.Sprintf("%T", err), Detail: err.Error()}}
}

// Answer reads questions from standard input and writes a list of findings for each.
func Answer(judge func(Question) []Finding) {
	in := json.NewDecoder(bufio.NewReader(os.Stdin))
	out := bufio.NewWriter(os.Stdout)
	answers := json.NewEncoder(out)
	for {
		var question Question
		err := in.Decode(&question)
		if err == io.EOF {
			break
		}
		if err == nil {
			err = answers.Encode(append([]Finding{}, judge(question)...))
		}
		exitOn(err)
	}
	exitOn(out.Flush())
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
