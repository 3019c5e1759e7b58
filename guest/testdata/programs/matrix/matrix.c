// Product of two matrices of 96 x 96 numbers.
#include "../program.h"

#define SIZE 96

static double a[SIZE][SIZE], b[SIZE][SIZE], c[SIZE][SIZE];

uint64_t run(uint32_t n) {
	double trace = 0;
	for (int i = 0; i < SIZE; i++) {
		for (int j = 0; j < SIZE; j++) a[i][j] = next() % 1000, b[i][j] = next() % 1000;
	}
	for (uint32_t k = 0; k < n; k++) {
		for (int i = 0; i < SIZE; i++) {
			for (int j = 0; j < SIZE; j++) {
				double sum = 0;
				for (int l = 0; l < SIZE; l++) sum += a[i][l] * b[l][j];
				c[i][j] = sum;
			}
		}
		a[k % SIZE][k / SIZE % SIZE] += 1;
		for (int i = 0; i < SIZE; i++) trace += c[i][i];
	}
	return (uint64_t)trace;
}
