package smarthttp

import "crypto/sha1"

// testPack is a pack that says that it has one object.
func testPack(objects string) string {
	body := "PACK\x00\x00\x00\x02\x00\x00\x00\x01" + objects
	sum := sha1.Sum([]byte(body))
	return body + string(sum[:])
}
