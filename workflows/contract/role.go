package contract

import (
	"errors"
	"fmt"
)

// RoleOf returns the role with the given name. Without a name, it is the role whose key is in the environment, if
// only one is: PUBLIC_KEY for the producer, PRIVATE_KEY for the consumer.
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
