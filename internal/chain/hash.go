package chain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/app-sre/git-partition-sync/internal/object"
)

// Hash is the SHA-256, in lower-case hexadecimal, of what a listing says of objects in this order: keys, sizes, times and
// ETags. It is empty for no objects. Another content, another time or another object makes another hash.
func Hash(objects []object.Stored) string {
	if len(objects) == 0 {
		return ""
	}
	hash := sha256.New()
	for _, o := range objects {
		hash.Write(fmt.Appendf(nil, "%q %d %d %q\n", o.Key, o.Size, o.Modified.Unix(), BareETag(o.ETag)))
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// BareETag is an ETag without its quotes, which some servers leave out in listings.
func BareETag(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }
