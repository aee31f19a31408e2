package webhook

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	// maxClockDifference is how far the time of a signed delivery may be from ours, as Standard Webhooks proposes.
	maxClockDifference = 5 * time.Minute
	// maxSignatures is how many signatures of a delivery are looked at. While a key is replaced there are two.
	maxSignatures = 8
)

// proof is how a delivery's headers say that its sender knows a secret: by a token, or by signatures that the body has to have.
type proof struct {
	byToken    bool
	keys       [][]byte
	signatures [][]byte
	prefix     []byte // of what is signed, before the body
}

// proofs finds in a delivery's headers what can prove its sender, and costs next to nothing. Without any, the body need not be
// read.
func (s Secrets) proofs(header http.Header, now time.Time) (all []proof) {
	if token, ok := single(header, "X-Gitlab-Token"); ok && s.isToken(token) {
		return []proof{{byToken: true}}
	}
	if p, ok := standardProof(header, now); ok && len(s.signingKeys) > 0 {
		p.keys = s.signingKeys
		all = append(all, p)
	}
	if p, ok := giteaProof(header); ok && len(s.tokens) > 0 {
		p.keys = s.tokens
		all = append(all, p)
	}
	return all
}

// holds tells whether the proof holds for a body.
func (p proof) holds(body []byte) bool {
	return p.byToken || isSignature(p.keys, p.signatures, p.prefix, body)
}

// standardProof reads the headers of Standard Webhooks, which GitLab's signed deliveries have: signatures "v1,<base64>" with
// spaces between them, of "<id>.<Unix seconds>.<body>".
func standardProof(header http.Header, now time.Time) (p proof, ok bool) {
	id, hasID := single(header, "Webhook-Id")
	timestamp, hasTime := single(header, "Webhook-Timestamp")
	text, hasSignature := single(header, "Webhook-Signature")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if !hasID || !hasTime || !hasSignature || err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > maxClockDifference {
		return p, false
	}
	for i, word := range strings.SplitN(text, " ", maxSignatures+1) {
		encoded, isV1 := strings.CutPrefix(word, "v1,")
		if signature, err := base64.StdEncoding.DecodeString(encoded); isV1 && err == nil && len(signature) == sha256.Size && i < maxSignatures {
			p.signatures = append(p.signatures, signature)
		}
	}
	p.prefix = []byte(id + "." + timestamp + ".")
	return p, len(p.signatures) > 0
}

// giteaProof reads Gitea's header: the signature of the body in hexadecimal.
func giteaProof(header http.Header) (p proof, ok bool) {
	text, ok := single(header, "X-Gitea-Signature")
	signature, err := hex.DecodeString(text)
	if !ok || err != nil || len(signature) != sha256.Size {
		return p, false
	}
	return proof{signatures: [][]byte{signature}}, true
}

// single returns the value of a header that is there once.
func single(header http.Header, name string) (value string, ok bool) {
	values := header.Values(name)
	if len(values) != 1 {
		return "", false
	}
	return values[0], true
}
