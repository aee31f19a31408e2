package faults_test

import (
	"slices"
	"strings"
	"time"
)

// cell is one fault at one step.
type cell struct {
	// table is the one that the cell stands in, with a row for each step and a column for each fault.
	table, step, fault string
	// fast cells are tried by every run of the tests.
	fast bool
	// setup is what the cell asks of its world. Cells with the same one share a world, one after the other.
	setup setup
	// patience is how long both sides may take until all is well again; 0 is defaultPatience.
	patience time.Duration
	// strike changes the sources, has the fault happen, and returns when it is over. Nobody helps after that.
	strike func(*trial)
}

// Most of it is for machines that are busy with other tests.
const defaultPatience = 5 * time.Minute

func (c cell) name() string {
	return strings.ReplaceAll(c.table+"/"+c.step+"/"+c.fault, " ", "_")
}

// tables are those of the matrix in their order; each is made in a file of its own.
var tables = []func() []cell{
	processCells,
	hostCells,
	connectionCells,
	answerCells,
	bucketCells,
	destinationCells,
	sourceCells,
}

// matrix has all cells.
func matrix() (all []cell) {
	for _, cells := range tables {
		all = append(all, cells()...)
	}
	return all
}

// perWorld is how many cells share a world at most: a failure spoils it for those that follow.
const perWorld = 8

// batches divide the cells among worlds.
func batches(cells []cell) (batches [][]cell) {
	bySetup := map[setup][]cell{}
	var order []setup
	for _, c := range cells {
		if bySetup[c.setup] == nil {
			order = append(order, c.setup)
		}
		bySetup[c.setup] = append(bySetup[c.setup], c)
	}
	for _, s := range order {
		batches = slices.AppendSeq(batches, slices.Chunk(bySetup[s], perWorld))
	}
	return batches
}
