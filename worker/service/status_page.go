package service

import (
	"net/http"
	"time"

	"github.com/app-sre/git-partition-sync/internal/statuspage"
)

// statusPage is how all syncs are, for people; nil unless they have asked for it. It is logged and not warned of: in a container
// there is no address but one that others reach, and who does is for the network to say.
func (s *roleWorker) statusPage(v *views) http.Handler {
	if !s.StatusPage {
		return nil
	}
	s.log.Info("Serving the status page to whoever reaches it: names of projects, commits and errors are on it", "address", s.HealthAddress)
	return &statuspage.Handler{Latest: v.Latest, UI: s.UI, Namespace: s.namespace, Mask: s.mask, Clock: time.Now}
}
