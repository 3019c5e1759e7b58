// What each program has: run(n) does its work n times and gives a number that depends on all of it. As a guest it
// works once for every call.
#include <stdint.h>

__attribute__((export_name("run"))) uint64_t run(uint32_t n);

__attribute__((export_name("dash_run"))) int32_t dash_run(uint32_t length) {
	(void)length;
	return run(1) == 0;
}

// next gives numbers that look random, the same in each run.
static uint32_t seed = 1;
static inline uint32_t next(void) {
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed;
}
