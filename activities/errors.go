package activities

import (
	"errors"
	"slices"
	"strings"

	"github.com/app-sre/git-partition-sync/graphql"
	"github.com/app-sre/git-partition-sync/internal/archive"
	"github.com/app-sre/git-partition-sync/internal/bucket"
	"github.com/app-sre/git-partition-sync/internal/bundle"
	"github.com/app-sre/git-partition-sync/internal/crypt"
	"github.com/app-sre/git-partition-sync/internal/forge/gitlabapi"
	"github.com/app-sre/git-partition-sync/internal/httpclient"
	"github.com/app-sre/git-partition-sync/internal/lfs"
	"github.com/app-sre/git-partition-sync/internal/lfsapi"
	"github.com/app-sre/git-partition-sync/internal/notify"
	"github.com/app-sre/git-partition-sync/internal/object"
	"github.com/app-sre/git-partition-sync/internal/packfile"
	"github.com/app-sre/git-partition-sync/internal/plan"
	"github.com/app-sre/git-partition-sync/internal/predecessor"
	"github.com/app-sre/git-partition-sync/internal/project"
	"github.com/app-sre/git-partition-sync/internal/refset"
	"github.com/app-sre/git-partition-sync/internal/retries"
	"github.com/app-sre/git-partition-sync/internal/sign"
	"github.com/app-sre/git-partition-sync/internal/smarthttp"
	"github.com/app-sre/git-partition-sync/internal/staging"
	"github.com/app-sre/git-partition-sync/internal/syncsfile"
)

// Kinds of failures that workflows react to.
const (
	// KindStagedFileMissing is the kind of failure after which a run starts over.
	KindStagedFileMissing = "StagedFileMissing"
	// KindBaseMissing is the kind of failure after which a run takes the whole chain.
	KindBaseMissing = "BaseMissing"
	// KindTipMoved is the kind of failure after which a run downloads anew.
	KindTipMoved = "TipMoved"
	// KindSourceRewritten is the kind of failure after which a run clones anew.
	KindSourceRewritten = "SourceRewritten"
)

// kind is a failure with a name that operators search for, and that docs/errors.md explains.
type kind struct {
	name    string
	matches func(error) bool
	class   retries.Class
	remedy  string
}

func isError(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

// foundByPlan and givenByWorkflow match no error, because plans and workflows name such failures themselves.
func foundByPlan(error) bool { return false }

func givenByWorkflow(error) bool { return false }

// remedyOf returns what the kind's first row says to do. It is empty for a kind that is not in the table.
func remedyOf(name string) string {
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return ""
	}
	return kinds[i].remedy
}

// kindOf returns the name of an error's kind.
func kindOf(err error) string {
	for _, k := range kinds {
		if k.matches(err) {
			return k.name
		}
	}
	return kindOther
}

// ClassOf is how a kind of failures is tried again. A failure without a kind may pass by itself; of a kind that only another version
// knows, nobody can say so.
func ClassOf(name string) retries.Class {
	if name == kindOther {
		return retries.Passing
	}
	i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == name })
	if i < 0 {
		return retries.Refused
	}
	return kinds[i].class
}

// KindOf is the name of an error's kind, for those who only look.
func KindOf(err error) string { return kindOf(err) }

// isKind tells whether a name is that of a kind.
func isKind(name string) bool {
	return name == kindOther || slices.ContainsFunc(kinds, func(k kind) bool { return k.name == name })
}

// WithRemedy adds what to do to the reason of a workflow's failure, unless the reason has a second line already.
func WithRemedy(name, reason string) string {
	if remedy := remedyOf(name); remedy != "" && !strings.Contains(reason, "\n") {
		return reason + "\n" + remedy
	}
	return reason
}

// withRemedies adds what to do to the failures of a plan.
func withRemedies(failures []plan.Failure) []plan.Failure {
	for i, f := range failures {
		if remedy := remedyOf(f.Kind); !strings.Contains(f.Reason, remedy) {
			failures[i].Reason += "\n" + remedy
		}
	}
	return failures
}

func isType[T error](err error) bool {
	_, ok := errors.AsType[T](err)
	return ok
}

// healed is the remedy for an object that is not as its producer has made it, or that a wrong clock has made.
const healed = "A producer with a SIGNING_KEY replaces the object by itself, within two cycles. Else delete it, and the producer uploads it again."

// kinds are in the order in which they are tried: more precise ones come first.
var kinds = []kind{
	{KindStagedFileMissing, isError(staging.ErrMissing), retries.StartsOver, "The worker that held the files is gone; the run starts over by itself."},
	{"Panic", isError(ErrPanic), retries.Passing, "This is a mistake in the software: report it, with the stack from the worker's log."},
	{"TemporalLost", isError(ErrTemporalLost), retries.Passing, "Check the worker's connection to Temporal, and Temporal's health. What the step waited for is not at fault."},
	{"PausesUnknown", isError(ErrPausesUnknown), retries.Passing, "Nothing was moved, as what is paused might be. Look at Temporal's health, and at its visibility store; at most 2,000 syncs of a namespace may be paused at a time."},
	{"CatalogNotWritten", isError(ErrCatalogNotWritten), retries.Passing, "Let the producer's credentials read and write catalog.tar.age, and look at the object store. Until it is written, the consumer takes the producer for stopped."},
	{"NotificationRefused", isError(notify.ErrRefused), retries.Refused, "Check NOTIFY_URL and NOTIFY_FORMAT. Syncs go on, and the next cycle tells it again."},
	{"NotificationFailed", isError(notify.ErrFailed), retries.Passing, "Look at the receiver in NOTIFY_URL, and at the network to it. Syncs go on, and the next cycle tells it again."},
	{"DiskFailed", isError(staging.ErrDiskFailed), retries.Passing, "Look at the volume of WORKDIR: it is read-only or broken. Put another in its place, and restart the worker."},
	{"DiskFull", isError(staging.ErrDiskFull), retries.Full, "Enlarge the volume of WORKDIR, or run fewer syncs at a time."},

	{"GraphQLAuthFailed", isError(graphql.ErrUnauthorized), retries.Refused, "Check GRAPHQL_USERNAME and GRAPHQL_PASSWORD."},
	{"GraphQLForbidden", isError(graphql.ErrForbidden), retries.Refused, "Let the user of GRAPHQL_USERNAME read apps_v1, or look at what stands before the server."},
	{"GraphQLNotFound", isError(graphql.ErrNotFound), retries.Refused, "Check GRAPHQL_SERVER: its path is most often /graphql."},
	{"GraphQLRedirected", isError(graphql.ErrRedirected), retries.Refused, "Credentials are not sent where a redirect points: correct GRAPHQL_SERVER."},
	{"NotGraphQL", isError(graphql.ErrNotGraphQL), retries.Passing, "Check GRAPHQL_SERVER: something other than a GraphQL server answers there, such as a sign-in page."},
	{"GraphQLTooLarge", isError(graphql.ErrTooLarge), retries.Refused, "Look at what the server answers; if it is right, select less with GRAPHQL_QUERY_FILE, or share the syncs out among several producers."},
	{"GraphQLErrors", isError(graphql.ErrReported), retries.Passing, "Nothing was changed, as an answer with errors may lack syncs: look at the server's logs, or at GRAPHQL_QUERY_FILE."},
	{"GraphQLBusy", isError(graphql.ErrBusy), retries.Busy, "The server wants to be asked less often, or is being started: look at it if this lasts."},
	{"GraphQLSilent", isError(graphql.ErrSilent), retries.Passing, "The server took the question and did not answer in time: look at its load, and at proxies before it."},

	{"SyncsFileUnreadable", isError(syncsfile.ErrUnreadable), retries.Passing, "Nothing was changed: put the file that SYNCS_FILE names there, for the worker's user to read; replace it as a whole, such as with mv."},
	{"SyncsFileInvalid", isError(syncsfile.ErrInvalid), retries.Passing, "Nothing was changed, as such a file may lack syncs: correct it, or wait until it is written."},

	{plan.KindNotConfigured, isError(ErrNotConfigured), retries.Refused, "Check the destination's name (group/name@branch); add the sync to what the GraphQL server or SYNCS_FILE lists, where it must not share its destination with another; or leave this destination alone."},
	{"TooManyRefs", isError(refset.ErrTooMany), retries.Refused, "Sync less of the project: another pattern, or several that do not overlap."},
	{"TooManyLFSObjects", isError(lfs.ErrTooMany), retries.Refused, "Sync less of the project, or set LFS=false for the producer."},
	{"LFSSearchTooCostly", isError(packfile.ErrTooCostly), retries.Refused, "Pack the source's repository anew (git gc there). If it stays so, somebody has made its objects to keep the producer busy: remove the sync, or set LFS=false for the producer."},
	{"LFSTooMuch", isError(ErrLFSTooMuch), retries.Refused, "Nothing was uploaded. Raise LFS_MAX_PROJECT_SIZE if the project may take so much of the bucket; else take large files out of its history, or remove the sync."},
	{plan.KindBranchNotFound, isError(ErrNoBranch), retries.Refused, "Create the branch or tag at the source, or correct the sync's configuration."},
	{"GroupNotCreated", isError(gitlabapi.ErrRefused), retries.Refused, "Create the group, or let GitLab's API do it: GITLAB_TOKEN needs the scope api, and its user has to be an owner of the group around it or, for a top-level group, to be allowed to create those."},
	{"NotGitLab", isError(gitlabapi.ErrNotGitLab), retries.Refused, "Unset GITLAB_API if the server is no GitLab, and create the group there. If it is one, look at what answers at GITLAB_BASE_URL with /api/v4/groups after it, and let proxies pass on %2F in a path as it is."},
	{"ProjectNotCreated", isError(ErrNotCreated), retries.Refused, "Make sure that the group exists (with GITLAB_API=true, GitLab's API creates it), that the token's user may create projects in it, and that the server creates projects by push; or create the project. If it exists, let the user into it."},
	{"ProjectPathTaken", isError(ErrPathTaken), retries.Race, "If this lasts, a group has the project's path: correct the sync."},
	{"ProjectNotFound", isError(smarthttp.ErrNotFound), retries.Refused, "Create the project, correct the sync's configuration, or let the token's user into the project."},
	{"ProjectNotFound", isError(ErrHiddenProject), retries.Refused, "Let the token read what it pushes to: it needs read_repository beside write_repository, and its user a role in the project."},
	{"GitAuthFailed", isError(smarthttp.ErrUnauthorized), retries.Refused, "Check GITLAB_USERNAME and GITLAB_TOKEN: expiry, and whether they are of this server."},
	{"GitForbidden", isError(smarthttp.ErrForbidden), retries.Refused, "The token is valid, but may not do this: check its scopes (read_repository, write_repository), its user's role in the project, and whether the project is archived."},
	{"RequestRejected", isError(smarthttp.ErrRejected), retries.Refused, "The server does not take the request or the project's name: correct the sync. Its logs have more, under the request ID."},
	{"RequestTooLarge", isError(smarthttp.ErrTooLarge), retries.Refused, "Raise the limit on requests' size at the Git server and at the proxy before it (nginx: client_max_body_size)."},
	{"RedirectNotAllowed", isError(smarthttp.ErrMovedElsewhere), retries.Refused, "The project was renamed: add its new path to ALLOWED_DESTINATIONS, or correct the sync."},
	{"ShallowSource", isError(smarthttp.ErrShallow), retries.Refused, "The source lacks the beginning of its history: complete it with git fetch --unshallow."},
	{"PartialSource", isError(smarthttp.ErrPartial), retries.Refused, "The source lacks objects: replace it with a full clone."},
	{"Redirected", isError(smarthttp.ErrRedirected), retries.Refused, "Credentials are not sent where a redirect points: correct GITLAB_BASE_URL."},
	{"NotGit", isError(smarthttp.ErrNotGit), retries.Refused, "Check GITLAB_BASE_URL: something other than a Git server answers there."},
	{"ObjectFormat", isError(smarthttp.ErrObjectFormat), retries.Refused, "Repositories with SHA-256 object names cannot be synced."},
	{KindSourceRewritten, isError(ErrRewritten), retries.StartsOver, "Nothing was uploaded. The run starts over by itself."},
	{KindTipMoved, isError(ErrTipMoved), retries.StartsOver, "Nothing was pushed: what is there may be newer. The run starts over by itself."},
	{"BranchMoved", isType[*smarthttp.MovedError], retries.Race, "Someone else pushed to the destination at the same time."},
	{"RefForbidden", isError(ErrOwnRefs), retries.Refused, "Let the destination take and show refs below " + ownRefs + "/: look at receive.hideRefs, transfer.hideRefs, uploadpack.hideRefs, and hooks that take only branches and tags."},
	{"RefForbidden", isError(smarthttp.ErrHiddenRef), retries.Refused, "Let the destination take and show the ref that the error names: look at its receive.hideRefs and transfer.hideRefs."},
	{KindBaseMissing, isError(ErrBaseMissing), retries.StartsOver, "The run starts over with the snapshot by itself."},
	{"BrokenChain", isError(ErrBrokenChain), retries.Refused, "The producer replaces the chain with a snapshot in its next cycle."},
	{"NameConflict", isError(smarthttp.ErrNameConflict), retries.Refused, "A branch or tag cannot be below another one's name: delete or rename the one that stands in the way at the destination."},
	{"DestinationFull", isError(smarthttp.ErrServerDiskFull), retries.Refused, "Make room on the destination server's disk, or raise its quota."},
	{"TooLarge", isError(smarthttp.ErrPackTooLarge), retries.Refused, "Raise the destination's limit on the size of pushes, files or repositories."},
	{"BadObjects", isError(smarthttp.ErrBadObjects), retries.Refused, "The source's history has objects that the destination's fsck refuses: rewrite it, or let the destination ignore that check (receive.fsck.<id>, receive.fsck.skipList)."},
	{"LFSRequired", isError(smarthttp.ErrMissingLFS), retries.Refused, "The destination takes no commits without their LFS objects, and the error says why it lacks them. Missing at the source: push them there, or to the destination, with git lfs push. Otherwise set LFS=true where it is not. What was uploaded without has to be deleted from the bucket: the producer uploads it again."},
	{"IncompletePack", isError(smarthttp.ErrMissingObjects), retries.Refused, "Run git fsck at the destination. If it is sound, delete the branch's objects in the bucket: the producer uploads a snapshot."},
	{"UnpackFailed", isError(smarthttp.ErrUnpack), retries.Passing, "Look at the destination server's log: it could not unpack the pack."},
	{"PushRefused", isType[*smarthttp.RefusedError], retries.Refused, "Let the token's user push to the branch or tag: protected branches and tags, push rules and hooks of the destination decide. They must take refs below " + ownRefs + "/, too."},
	{"RefsRefused", isType[*refusedRefsError], retries.Refused, "All other refs have arrived. Let the token's user push, move and delete those that are named: protected branches and tags, push rules, hooks and PUSH_POLICY decide, and a name that stands in the way has to go."},
	{"MassDeletion", isError(ErrMassDeletion), retries.Refused, "All else has arrived. If the source has really lost so many refs, raise DELETE_REFS_MAX_SHARE until they are deleted; else repair the source."},
	{"NoAtomicPush", isError(smarthttp.ErrNoAtomic), retries.Refused, "Turn on receive.advertiseAtomic at the destination, or use a Git server that can: the branch and what was applied move together."},
	{"NoThinPacks", isError(smarthttp.ErrNoThin), retries.Refused, "Set THIN_PACKS=false for the producer: its increments are then self-contained."},
	{"SourceMoved", isError(smarthttp.ErrNotOurRef), retries.Race, "The source branch was rewritten at the same time."},
	{"CorruptPack", isError(smarthttp.ErrCorruptPack), retries.Passing, "The source sent a damaged pack: run git fsck there if it happens again."},
	{"GitServerDown", isError(ErrGitServerDown), retries.Passing, "Look at the Git server, at GITLAB_BASE_URL, and at what is between it and the worker."},
	{"TipDiffers", isError(ErrTipDiffers), retries.Race, "Someone else pushed to the destination at the same time."},

	{"LFSObjectMissing", isError(ErrLFSObjectMissing), retries.Refused, "Somebody has deleted it: delete the branch's objects in the bucket, too, and the producer uploads all of it again."},
	{"LFSObjectInvalid", isError(ErrLFSObjectInvalid), retries.Refused, "Nothing of it was sent. Find out who else writes to the bucket; delete what the error names, and the branch's objects: the producer uploads all of it again."},
	{"LFSNotEnabled", isError(lfsapi.ErrDisabled), retries.Refused, "Switch on LFS for the project and the server, and let the token's user into the project; or set LFS=false here, and the commits come alone."},
	{"LFSTooLarge", isError(lfsapi.ErrTooLarge), retries.Refused, "Raise the limit on the size of LFS objects at the Git server, and at proxies before it and before its object store (nginx: client_max_body_size)."},
	{"LFSFull", isError(lfsapi.ErrFull), retries.Refused, "Make room in the Git server's storage for LFS objects, or raise its quota."},
	{"LFSMismatch", isError(lfsapi.ErrMismatch), retries.Refused, "The Git server has something else under the object's name, or a pointer has a wrong size: look for the object in the project, and repair it with git lfs fsck and git lfs push."},
	{"LFSLinkRefused", isError(lfsapi.ErrLinkRefused), retries.Passing, "The Git server's links to its object store are refused there: compare their clocks, and look at the store's credentials in the Git server."},
	{"LFSUnsafeLink", isError(lfsapi.ErrUnsafeLink), retries.Refused, "Nothing was sent there. Correct the address that the Git server gives for its LFS objects, or that of its object store: docs/lfs.md has the rules for links."},
	{"LFSRejected", isError(lfsapi.ErrRejected), retries.Refused, "The error has the LFS server's words; its logs have more, under the request ID."},
	{"NotLFS", isError(lfsapi.ErrNotLFS), retries.Refused, "Check GITLAB_BASE_URL and the proxy before it: something other than an LFS server answers there, such as a sign-in page. LFS=false syncs the commits alone."},

	{"ObjectNotFound", isError(bucket.ErrNotFound), retries.Refused, "The object was replaced by a newer one; the next cycle takes that."},
	{"ObjectReplaced", isError(bucket.ErrReplaced), retries.Race, "The object was replaced while it was read."},
	{"Overtaken", isError(ErrOvertaken), retries.Refused, "Nothing was lost: another upload for this destination has come first since the plan was made, which the catalog does not name: another producer's, or one of this that has just been made. The next cycle plans anew."},
	{"BucketClock", isError(ErrBucketClock), retries.Refused, "Set the object store's clock, and this worker's. Objects that a clock has made that was ahead, and is right now, are replaced."},
	{"BrokenListing", isError(bucket.ErrBrokenListing), retries.Passing, "Nothing was changed. If it happens again, the object store, or a proxy before it, does not list the bucket as S3 does."},
	{"NotObjectStore", isError(bucket.ErrNotStore), retries.Passing, "Check AWS_ENDPOINT_URL_S3 and the proxy: something else answers there, such as a sign-in page."},
	{"BucketNotFound", isError(bucket.ErrNoBucket), retries.Refused, "Check AWS_S3_BUCKET and AWS_REGION."},
	{"BucketRegion", isError(bucket.ErrRegion), retries.Refused, "Set AWS_REGION to the bucket's region, and AWS_ENDPOINT_URL_S3 to an endpoint there if it is set."},
	{"NoCredentials", isError(bucket.ErrNoCredentials), retries.Passing, "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the worker a role: nothing of the SDK's credential chain has yielded any."},
	{"CredentialsExpired", isError(bucket.ErrExpired), retries.Refused, "Renew the AWS credentials, AWS_SESSION_TOKEN included, and restart the worker."},
	{"ClockSkew", isError(bucket.ErrClock), retries.Passing, "Set the worker's clock, or the store's: signatures are valid for minutes."},
	{"KMSRefused", isError(bucket.ErrKMS), retries.Refused, "Let the credentials use the key (kms:GenerateDataKey and kms:Decrypt for the producer, kms:Decrypt for the consumer); check AWS_S3_SSE_KMS_KEY_ID, and that the key is enabled."},
	{"ChecksumRefused", isError(bucket.ErrChecksum), retries.Refused, "Set AWS_REQUEST_CHECKSUM_CALCULATION=when_required: the store does not know the checksums that are sent by default."},
	{"BucketFull", isError(bucket.ErrFull), retries.Full, "Raise the bucket's quota, or make room in the object store."},
	{"BucketTooLarge", isError(bucket.ErrTooLarge), retries.Refused, "Raise the limit on requests' size at the store, or at the proxy before it (nginx: client_max_body_size)."},
	{"ObjectArchived", isError(bucket.ErrArchived), retries.Refused, "Restore the object, and exempt the bucket from lifecycle rules that archive; or delete it, and the producer uploads it again."},
	{"RefusedOnTheWay", isError(bucket.ErrIntermediary), retries.Refused, "It was not the object store: look at the proxy or firewall before it, and at HTTPS_PROXY and NO_PROXY."},
	{"BucketAccessDenied", isError(bucket.ErrAccessDenied), retries.Refused, "Check the AWS credentials and what the bucket's policy allows them."},

	{"Unsigned", isError(sign.ErrUnsigned), retries.Refused, "Set SIGNING_KEY for the producer, and delete the object. If the key was set, find out who else writes to the bucket. " + healed},
	{"FutureObject", isError(ErrFromFuture), retries.Refused, "Set the clocks of producer and consumer. " + healed},
	{"AlteredFile", isError(ErrAltered), retries.Refused, "Find out who or what writes to WORKDIR. The next cycle downloads the object again."},
	{"OtherDestination", isError(ErrOtherRun), retries.Refused, "Somebody has started the run with objects that are not its destination's: let the consumer's cycle start it."},
	{"BadSignature", isError(sign.ErrBadSignature), retries.Refused, "Add the producer's key to VERIFY_KEYS. If it is there, find out who else writes to the bucket. " + healed},
	{"Replayed", isError(ErrReplayed), retries.Refused, "Someone has put an old object back, or deleted the newest. To go back on purpose, start the consumer with allow_rollback for this destination."},
	{plan.KindObjectWithheld, isError(ErrWithheld), retries.NextCycle, "Nothing was pushed. If the object was deleted by hand, the producer uploads it again in its next cycle. If this lasts, somebody keeps objects back: find out who writes to the bucket, or stands before it. To take an older object on purpose, start the consumer with allow_rollback for this destination."},
	{plan.KindObjectWithheld, isError(ErrGone), retries.NextCycle, "Nothing was pushed. If the object was deleted by hand, the producer uploads it again in its next cycle. If this lasts, somebody keeps objects back: find out who writes to the bucket, or stands before it. To take an older object on purpose, start the consumer with allow_rollback for this destination."},
	{"NotFastForward", isError(ErrNotFastForward), retries.Refused, "The destination has commits of its own, or a tag that has moved at the source. Move it away, or set PUSH_POLICY=overwrite."},
	{plan.KindNotAllowed, isError(ErrNotAllowed), retries.Refused, "Add the project to ALLOWED_DESTINATIONS, or remove its sync."},
	{"WrongKey", isError(crypt.ErrWrongKey), retries.Refused, "Make PRIVATE_KEY and the producer's PUBLIC_KEY a pair: the object is encrypted to another key."},
	{"ForeignObject", isError(crypt.ErrNotAge), retries.Refused, "Something else was put into the bucket under this key. " + healed},
	{"CorruptObject", isError(crypt.ErrCorrupt), retries.Refused, "The object is damaged or cut off. " + healed},
	{"MalformedObject", isError(archive.ErrMalformed), retries.Refused, "The object was not made by a producer. " + healed},
	{"MalformedObject", isError(bundle.ErrMalformed), retries.Refused, "The object was not made by a producer. " + healed},
	{"MalformedObject", isError(predecessor.ErrMalformed), retries.Refused, "The predecessor has made the object, or someone in its place: the producer replaces it with the branch's next commit, or after it was deleted."},
	{plan.KindPredecessorObject, isError(ErrPredecessor), retries.Refused, "The producer replaces it, unless it has WRITE_PREDECESSOR=true: in its next cycle, or, if the key is like one of ours, with the branch's next commit or after it was deleted. READ_PREDECESSOR=true pushes it as it is."},
	{plan.KindPredecessorBranch, isError(project.ErrPredecessorBranch), retries.Refused, "Rename the destination's branch, or remove the sync until the predecessor's consumer is replaced and WRITE_PREDECESSOR is taken back."},
	{"IndexTooLarge", isError(packfile.ErrTooLarge), retries.Refused, "Sync less of the project. With WRITE_PREDECESSOR=true, remove the sync until the predecessor's consumer is replaced, which needs an index of the pack; else LFS=false for the producer does without one."},
	{"UnknownFormat", isError(archive.ErrVersion), retries.Refused, "Upgrade the consumer to the producer's version."},
	{"ObjectMismatch", isError(archive.ErrMismatch), retries.Refused, "The object was made for another key: someone has renamed or replaced it. " + healed},
	{"ObjectMismatch", isError(ErrBundleDiffers), retries.Refused, "The object is not what its manifest says. " + healed},
	{"WrongEnvironment", isError(archive.ErrEnvironment), retries.Refused, "Give both sides the same ENVIRONMENT; if they have it, the other environment's producer writes to this bucket: correct its AWS_S3_BUCKET, and delete the object."},
	{plan.KindKeyTooLong, isError(object.ErrTooLong), retries.Refused, "Shorten the destination's group, project or branch name."},
	{plan.KindKeyTooLong, isError(bucket.ErrKeyTooLong), retries.Refused, "Shorten the destination's group, project or branch name."},

	{"UnknownHost", isError(httpclient.ErrUnknownHost), retries.Passing, "Check the host's name in GITLAB_BASE_URL, GRAPHQL_SERVER or AWS_ENDPOINT_URL_S3, and the worker's name server."},
	{"ConnectionRefused", isError(httpclient.ErrRefused), retries.Passing, "Check the port in GITLAB_BASE_URL, GRAPHQL_SERVER or AWS_ENDPOINT_URL_S3, whether the server runs, and firewalls."},
	{"UntrustedCertificate", isError(httpclient.ErrUntrusted), retries.Refused, "Add the authority's certificate to the file in INTERNAL_GIT_CA_PATH; for the object store, to that in AWS_CA_BUNDLE."},
	{"InvalidCertificate", isError(httpclient.ErrCertificate), retries.Refused, "Renew the server's certificate, or correct the host's name in GITLAB_BASE_URL or GRAPHQL_SERVER, or the worker's clock. INTERNAL_GIT_CA_PATH cannot help here."},
	{"ProxyAuthFailed", isError(httpclient.ErrProxyAuth), retries.Refused, "Put the proxy's credentials into HTTPS_PROXY, or the server's host into NO_PROXY."},
	{"ProxyRefused", isError(httpclient.ErrProxy), retries.Refused, "Let the proxy connect to the server, or put the server's host into NO_PROXY."},
	{"RateLimited", isError(httpclient.ErrRateLimited), retries.Busy, "The pause that the server asks for is kept. If it lasts, raise the limit for the token's user, or run cycles less often."},
	{"ServerUnavailable", isError(httpclient.ErrUnavailable), retries.Passing, "Look at the health of the server, and of the proxy before it."},
	{"ServerSilent", isError(httpclient.ErrSilent), retries.Passing, "The server, or something before it, does not go on: look at its load, and at proxies and firewalls."},
	{"NoConnection", isError(httpclient.ErrNoConnection), retries.Passing, "Look at the network between the worker and the server."},
	{"GitServerFailed", isError(smarthttp.ErrServerFailed), retries.Passing, "The Git server's logs have more, under the request ID if there is one. For damaged repositories, run git fsck there."},

	{plan.KindInvalidSync, foundByPlan, retries.NextCycle, "Correct the sync. While there is one, objects of removed syncs are kept."},
	{plan.KindDuplicateDestination, foundByPlan, retries.NextCycle, "Remove all but one from what the GraphQL server or SYNCS_FILE lists, or name less in one."},
	{plan.KindUnreachable, foundByPlan, retries.NextCycle, "Look at the Git server if this lasts."},
	{plan.KindUndecodableKey, foundByPlan, retries.NextCycle, "Delete the object: no producer has put it there."},
	{plan.KindCatalogMissing, foundByPlan, retries.NextCycle, "Syncs go on, and nobody notices what is withheld from them. The producer writes a catalog in each cycle, if it has a SIGNING_KEY: look at its cycles; if they write one, find out who deletes it, or stands before the bucket."},
	{plan.KindCatalogInvalid, foundByPlan, retries.NextCycle, "Syncs go on, and nobody notices what is withheld from them. Check both sides' keys, ENVIRONMENT, clocks and versions; if they agree, another producer, or somebody else, writes to this bucket."},
	{plan.KindCatalogReplayed, foundByPlan, retries.NextCycle, "Somebody has put an old catalog back, and may keep objects back: find out who writes to the bucket, or stands before it. The producer's next catalog ends this."},
	{plan.KindCatalogStale, foundByPlan, retries.NextCycle, "Either the producer does not run or cannot write its catalog: look at its cycles. Or somebody shows an old state of the bucket. If both sides' clocks are right, and cycles are rarer, set CATALOG_MAX_AGE."},
	{plan.KindTooManyObjects, foundByPlan, retries.NextCycle, "Find out who writes so many, and delete them. At the consumer, ALLOWED_DESTINATIONS keeps out what is not wanted."},
	{plan.KindPruneRefused, foundByPlan, retries.NextCycle, "Check what the GraphQL server or SYNCS_FILE lists. If it is right, raise PRUNE_MAX_SHARE until the objects have gone; those of the last destinations, delete by hand."},

	{plan.KindSyncsFailed, givenByWorkflow, retries.NextCycle, "Look at the failures that the message lists; the error's details have the whole report."},
	{plan.KindChildFailed, givenByWorkflow, retries.NextCycle, "Look at the sync's workflow in Temporal's UI."},
	{plan.KindInvalidInput, givenByWorkflow, retries.NextCycle, "Start the workflow with an input that docs/configuration.md allows."},
	{plan.KindRollbackNotUsed, givenByWorkflow, retries.NextCycle, "Check the destination's name (group/name@branch), and the other failures of this report."},
}
