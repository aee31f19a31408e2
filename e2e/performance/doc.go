// Package performance measures this system beside what none can do without, the floors, and beside the conventional way: stock
// tools that clone, archive, encrypt and send everything. By default it is small; make bench runs it in the sizes of docs/performance.md.
package performance
