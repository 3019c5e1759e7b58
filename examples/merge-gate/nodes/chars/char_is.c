#include "unicode.h"

bool char_is(uint32_t c, uint32_t classes) {
	size_t low = 0, high = char_run_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (char_runs[middle].last < c) low = middle + 1;
		else high = middle;
	}
	return low < char_run_count && char_runs[low].first <= c && (char_runs[low].classes & classes) != 0;
}
