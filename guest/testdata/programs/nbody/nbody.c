// Five bodies that attract each other, 2000 steps.
#include "../program.h"

struct body {
	double x[3], v[3], mass;
};

static struct body bodies[5];

static void step(double dt) {
	for (int i = 0; i < 5; i++) {
		for (int j = i + 1; j < 5; j++) {
			double d[3], square = 0.01;
			for (int k = 0; k < 3; k++) d[k] = bodies[i].x[k] - bodies[j].x[k], square += d[k] * d[k];
			double f = dt / (square * __builtin_sqrt(square));
			for (int k = 0; k < 3; k++) {
				bodies[i].v[k] -= d[k] * bodies[j].mass * f;
				bodies[j].v[k] += d[k] * bodies[i].mass * f;
			}
		}
	}
	for (int i = 0; i < 5; i++) {
		for (int k = 0; k < 3; k++) bodies[i].x[k] += dt * bodies[i].v[k];
	}
}

uint64_t run(uint32_t n) {
	for (int i = 0; i < 5; i++) {
		for (int k = 0; k < 3; k++) bodies[i].x[k] = next() % 1000, bodies[i].v[k] = (double)(next() % 100) / 100;
		bodies[i].mass = 1 + next() % 100;
	}
	for (uint32_t k = 0; k < 2000 * n; k++) step(0.001);
	return (uint64_t)(int64_t)(bodies[0].x[0] * 1e6) | 1;
}
