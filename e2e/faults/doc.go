// Package faults tries every fault at every step of both sides, on real servers: make faults.
package faults
