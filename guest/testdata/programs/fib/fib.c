// The 24th Fibonacci number, the long way.
#include "../program.h"

__attribute__((noinline)) static uint32_t fib(uint32_t n) {
	if (n < 2) return n;
	uint32_t before = fib(n - 1);
	return before + fib(n - 2);
}

uint64_t run(uint32_t n) {
	uint64_t sum = 0;
	for (uint32_t k = 0; k < n; k++) sum += fib(24);
	return sum;
}
