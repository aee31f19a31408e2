package faults_test

import (
	"time"

	"filippo.io/age"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/testserver/stack"
)

// named are worlds with an ENVIRONMENT, whose producer deletes nothing within a trial that has left the list of syncs.
var named = setup{producer: "ENVIRONMENT=here\nPRUNE_AFTER=24h", consumer: "ENVIRONMENT=here"}

// wrongSetting is one that a worker has for a while.
type wrongSetting struct {
	role    stack.Role
	name    string
	value   func(*trial) string
	seenBy  stack.Role
	noticed string // what the log of that side then has
	ofSync  string // in a line about this one, if it comes to single syncs: then what does not move again was moved with the wrong setting
}

var wrongSettings = []wrongSetting{
	{stack.Producer, "PUBLIC_KEY", otherRecipient, stack.Consumer, "WrongKey", quiet},
	{stack.Producer, "SIGNING_KEY", otherSigningKey, stack.Consumer, "BadSignature", quiet},
	{stack.Producer, "ENVIRONMENT", other, stack.Consumer, "WrongEnvironment", quiet},
	{stack.Producer, "GITLAB_TOKEN", other, stack.Producer, "GitAuthFailed", ""},
	{stack.Producer, "AWS_SECRET_ACCESS_KEY", other, stack.Producer, "BucketAccessDenied", ""},
	{stack.Consumer, "PRIVATE_KEY", otherIdentity, stack.Consumer, "WrongKey", quiet},
	{stack.Consumer, "VERIFY_KEYS", otherVerifyKey, stack.Consumer, "BadSignature", quiet},
	{stack.Consumer, "ENVIRONMENT", other, stack.Consumer, "WrongEnvironment", quiet},
	{stack.Consumer, "GITLAB_TOKEN", other, stack.Consumer, "GitAuthFailed", ""},
	{stack.Consumer, "AWS_SECRET_ACCESS_KEY", other, stack.Consumer, "BucketAccessDenied", ""},
}

// wrongFor is how long a setting stays wrong once it was noticed: some cycles.
const wrongFor = 5 * stack.CycleEvery

func wrongSettingCells() (cells []cell) {
	for _, s := range wrongSettings {
		cells = append(cells, cell{
			table: hosts, step: string(s.role), fault: "wrong " + s.name, setup: named,
			strike: func(r *trial) {
				log := r.logOf(s.seenBy)
				r.stop(r, s.role)
				r.startWorker(r, s.role, s.name+"="+s.value(r))
				r.change(r)
				log.await(s.noticed, s.ofSync)
				time.Sleep(wrongFor)
				r.stop(r, s.role)
				r.startWorker(r, s.role)
			},
		})
	}
	return cells
}

func other(*trial) string { return "other" }

func otherIdentity(r *trial) string {
	identity, err := age.GenerateX25519Identity()
	require.NoError(r, err)
	return identity.String()
}

func otherRecipient(r *trial) string {
	identity, err := age.ParseX25519Identity(otherIdentity(r))
	require.NoError(r, err)
	return identity.Recipient().String()
}

func otherSigningKey(r *trial) string {
	secret, _, err := sign.Generate()
	require.NoError(r, err)
	return secret
}

func otherVerifyKey(r *trial) string {
	_, public, err := sign.Generate()
	assert.NoError(r, err)
	return public
}
