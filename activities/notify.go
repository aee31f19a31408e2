package activities

import (
	"context"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/app-sre/git-partition-sync/internal/notify"
)

// Notification is what people are to be told after a cycle.
type Notification struct {
	Role    string          `json:"role"`
	At      time.Time       `json:"at"` // when the cycle ended
	Changes []notify.Change `json:"changes"`
	More    int             `json:"more,omitempty"` // failures and changes that Changes does not have
}

// Notifier sends notifications.
type Notifier struct {
	notify.Receiver
	// Environment is the name of the two sides; empty if they have none.
	Environment string
	// Link is the page of a workflow in Temporal's UI; empty if that is not known.
	Link func(namespace, workflow string) string
}

// Notify tells people. Where nobody is to be told, it returns at once: the workflow does not know the configuration.
func (c *Common) Notify(ctx context.Context, n Notification) error {
	if c.Notifier == nil {
		return nil
	}
	namespace := activity.GetInfo(ctx).Namespace
	for i, change := range n.Changes {
		n.Changes[i].Link = c.Notifier.Link(namespace, change.Workflow)
	}
	return c.Notifier.Send(ctx, notify.Message{
		Version: notify.Version, Role: n.Role, Environment: c.Notifier.Environment, At: n.At.UTC(), Changes: n.Changes, More: n.More,
	})
}
