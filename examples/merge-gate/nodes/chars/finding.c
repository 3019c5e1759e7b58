#include "finding.h"

#include <string.h>

void finding_id(char id[17], const char *rule, dash_text path, dash_text content) {
	const dash_text parts[] = {dash_text_of(rule), path, content};
	unsigned char digest[32];
	sha256 s;
	sha256_begin(&s);
	for (int i = 0; i < 3; i++) {
		sha256_add(&s, parts[i].ptr, parts[i].len);
		sha256_add(&s, "", 1);
	}
	sha256_end(&s, digest);
	for (int i = 0; i < 8; i++) {
		id[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		id[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	id[16] = '\0';
}

dash_text lower(dash_call *call, dash_text text) {
	char *copy = dash_alloc(call, text.len);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];
		copy[i] = c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
	}
	return (dash_text){copy, text.len};
}

dash_text base(dash_text path) {
	size_t from = path.len;
	while (from > 0 && path.ptr[from - 1] != '/') from--;
	return (dash_text){path.ptr + from, path.len - from};
}

dash_text folder(dash_text path) {
	size_t named = base(path).len;
	return (dash_text){path.ptr, path.len > named ? path.len - named - 1 : 0};
}

dash_text extension(dash_text path) {
	dash_text name = base(path);
	for (size_t i = name.len; i > 0; i--) {
		if (name.ptr[i - 1] == '.') return (dash_text){name.ptr + i - 1, name.len - i + 1};
	}
	return (dash_text){"", 0};
}

bool is_one_of(dash_text text, const char *const names[]) {
	for (size_t i = 0; names[i] != NULL; i++) {
		if (dash_is(text, names[i])) return true;
	}
	return false;
}

static bool contains(dash_text text, const char *part) {
	size_t n = strlen(part);
	for (size_t i = 0; i + n <= text.len; i++) {
		if (memcmp(text.ptr + i, part, n) == 0) return true;
	}
	return false;
}

bool is_fixture(dash_call *call, dash_text path) {
	static const char *const folders[] = {
		"testdata", "fixtures", "fixture", "__fixtures__", "__tests__", "test", "tests", "spec", "specs", "mocks", "__mocks__", NULL,
	};
	path = lower(call, path);
	dash_text rest = folder(path), part, name = base(path);
	while (dash_split(&rest, '/', &part)) {
		if (is_one_of(part, folders)) return true;
	}
	return contains(name, "_test.") || contains(name, ".test.") || contains(name, ".spec.");
}
