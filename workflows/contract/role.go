package contract

import (
	"errors"
	"fmt"
)

// RoleOf tells which side is meant: the one that is named, or else the one that the only key is for which the
// environment has, PUBLIC_KEY at the producer and PRIVATE_KEY at the consumer.
func RoleOf(name string, hasPublicKey, hasPrivateKey bool) (Role, error) {
	switch {
	case name == Producer.Name, name == "" && hasPublicKey && !hasPrivateKey:
		return Producer, nil
	case name == Consumer.Name, name == "" && hasPrivateKey && !hasPublicKey:
		return Consumer, nil
	case name != "":
		return Role{}, fmt.Errorf("the role is %q, not %s or %s", name, Producer.Name, Consumer.Name)
	case hasPublicKey:
		return Role{}, errors.New("which side? Both PUBLIC_KEY and PRIVATE_KEY are set: say -role producer or -role consumer")
	}
	return Role{}, errors.New("which side? Set PUBLIC_KEY (producer) or PRIVATE_KEY (consumer), or say -role producer or -role consumer")
}
