// Package ratelimit decides whether something may happen now, by tenant. Who cannot prove that there is quota may not: an answer that a
// shared quota did not give in time is Unknown, and Unknown is not Allow.
//
// # The rule
//
// A [Limit] is a rate and a burst: in any span of time at most burst + rate x span are allowed. That is a token bucket, kept as one number a
// tenant, the time at which the bucket would be full again (the generic cell rate algorithm of ITU-T I.371):
//
//	full' = max(full, now) + n x interval      allowed if full' - now <= burst x interval
//
// A batch of n costs n, and is allowed as a whole or not at all.
//
// # Tenants
//
// The table of tenants is bounded. A bucket that is full again says the same as none and may be forgotten; any other may not, or a
// tenant would come back to a full bucket. So a table without room denies tenants that are not in it.
//
// # A quota of several processes
//
// A [Source] keeps the buckets where all processes reach them and reads the time there: clocks of the processes are not compared. A process
// leases tokens ahead, spends them without asking, and asks for more before they are used up. A lease ends after its time, counted on the
// monotonic clock from before the request was sent, so late answers only make it shorter. What leases hold back and spend later is taken from the
// burst: the source is asked for burst - rate x lease, so the rule above holds for all processes together. While the source cannot be
// reached, what is leased is spent, and then the answer is Unknown.
package ratelimit
