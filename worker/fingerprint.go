package main

import (
	"fmt"

	"filippo.io/age"
)

// fingerprint sums up what of a configuration decides whether a branch is refused, without secrets: one
// that was refused is tried again at once when a worker says something else.
func fingerprint(settings ...any) string { return fmt.Sprintf("%v", settings) }

// recipientsOf are the public halves of identities.
func recipientsOf(identities []age.Identity) (recipients []string) {
	for _, identity := range identities {
		switch identity := identity.(type) {
		case *age.X25519Identity:
			recipients = append(recipients, identity.Recipient().String())
		case *age.HybridIdentity:
			recipients = append(recipients, identity.Recipient().String())
		}
	}
	return recipients
}
