// Quicksort of 20,000 records, with the comparison behind a pointer.
#include "../program.h"

struct record {
	uint32_t key, value;
};

static struct record records[20000];

__attribute__((noinline)) static int by_key(const void *a, const void *b) {
	uint32_t x = ((const struct record *)a)->key, y = ((const struct record *)b)->key;
	return (x > y) - (x < y);
}

__attribute__((noinline)) static int by_value(const void *a, const void *b) {
	uint32_t x = ((const struct record *)a)->value, y = ((const struct record *)b)->value;
	return (x > y) - (x < y);
}

static int (*volatile orders[])(const void *, const void *) = {by_key, by_value};

static void swap(struct record *a, struct record *b) {
	struct record t = *a;
	*a = *b, *b = t;
}

static void sort(struct record *r, int32_t n, int (*less)(const void *, const void *)) {
	while (n > 12) {
		struct record pivot = r[n / 2];
		int32_t i = 0, j = n - 1;
		for (;;) {
			while (less(&r[i], &pivot) < 0) i++;
			while (less(&pivot, &r[j]) < 0) j--;
			if (i >= j) break;
			swap(&r[i++], &r[j--]);
		}
		sort(r, i, less);
		r += i, n -= i;
	}
	for (int32_t i = 1; i < n; i++) {
		for (int32_t j = i; j > 0 && less(&r[j], &r[j - 1]) < 0; j--) swap(&r[j], &r[j - 1]);
	}
}

uint64_t run(uint32_t n) {
	const int32_t count = sizeof records / sizeof *records;
	uint64_t sum = 0;
	for (uint32_t k = 0; k < n; k++) {
		for (int32_t i = 0; i < count; i++) records[i] = (struct record){next(), next()};
		sort(records, count, orders[k % 2]);
		for (int32_t i = 0; i < count; i += 7) sum = sum * 31 + records[i].key + records[i].value;
	}
	return sum;
}
