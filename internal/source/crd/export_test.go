package crd

import "time"

// Limit sets the limits of all objects together, and the time between two lists.
func (c *CRD) Limit(objects, bytes int, relistAfter time.Duration) {
	c.store.limits, c.relistAfter = limits{objects, bytes}, relistAfter
}
