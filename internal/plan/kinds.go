package plan

// Kinds of failures. Operators search for them, and docs/errors.md explains each. Those of activities are in the table of
// package activities, which also says what to do about all others.

// Kinds of what a plan finds.
const (
	KindInvalidSync          = "InvalidSync"
	KindDuplicateDestination = "DuplicateDestination"
	KindUndecodableKey       = "UndecodableKey"
	KindPruneRefused         = "PruneRefused"
	KindUnreachable          = "Unreachable"
	KindNotAllowed           = "NotAllowed"
	KindKeyTooLong           = "KeyTooLong"
	KindBranchNotFound       = "BranchNotFound"
	KindTooManyObjects       = "TooManyObjects"
	KindPredecessorObject    = "PredecessorObject"
	KindPredecessorBranch    = "PredecessorBranch"
	KindNotConfigured        = "NotConfigured"
	KindObjectWithheld       = "ObjectWithheld"
	KindCatalogMissing       = "CatalogMissing"
	KindCatalogInvalid       = "CatalogInvalid"
	KindCatalogReplayed      = "CatalogReplayed"
	KindCatalogStale         = "CatalogStale"
)

// Kinds that workflows give.
const (
	// KindSyncsFailed is the type of the error that a parent ends with when any sync failed. Its details hold the report.
	KindSyncsFailed = "SyncsFailed"
	// KindChildFailed is the kind of a failure whose child names none, such as a child that was terminated by hand.
	KindChildFailed = "ChildFailed"
	// KindInvalidInput is the kind of failure of a workflow that was started with something that it does not take.
	KindInvalidInput = "InvalidInput"
	// KindRollbackNotUsed is the kind of failure that is reported for a destination that allow_rollback names in vain.
	KindRollbackNotUsed = "RollbackNotUsed"
)
