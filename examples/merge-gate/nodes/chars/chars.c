/*
 * A check of merge-gate for what a reviewer cannot see: text that is displayed
 * differently from what a compiler reads, and content too large or too binary to be
 * read at all.
 *
 *     bidi-control       reorders what is displayed ("Trojan Source")
 *     invisible          characters without a glyph, hidden text
 *     control-char       escape sequences, backspace, carriage return inside a line
 *     confusable         a word of Latin letters with look-alikes of other scripts
 *     large-line         one line too long to be read
 *     large-file         more added text than anyone reads
 *     large-binary       binary data over the limit
 *     executable-binary  a binary that will be run or loaded
 *
 * Text in other scripts than Latin is fine, everywhere; so are emoji sequences,
 * joiners in the scripts that need them, and a byte order mark at the start of a file.
 */
#include "finding.h"
#include "lines.h"

#include <stdlib.h>
#include <string.h>

/* The node's config in the manifest. Sizes are bytes; 0 is the default. */
static struct {
	int64_t max_binary; /* default 1 MiB */
	int64_t max_line;   /* default 20,000 */
	int64_t max_added;  /* text added to one file; default 2 MiB */
	int64_t max_per;    /* findings of one rule in one file; default 20 */
} limits;

static dash_status setup(dash_call *call, dash_json config) {
	const struct {
		const char *name;
		int64_t *to, normal;
	} fields[] = {
		{"max_binary", &limits.max_binary, 1 << 20},
		{"max_line", &limits.max_line, 20000},
		{"max_added", &limits.max_added, 2 << 20},
		{"max_per", &limits.max_per, 20},
	};
	DASH_TRY(dash_only(call, config, (const char *const[]){"max_binary", "max_line", "max_added", "max_per", NULL}));
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		int64_t n = dash_get_int(call, config, fields[i].name);
		if (n < 0) return dash_fatal(call, "bad_config", "config: sizes and counts must not be negative");
		*fields[i].to = n == 0 ? fields[i].normal : n;
	}
	return DASH_DONE;
}

/* The look at one file. */
typedef struct {
	dash_call *call;
	dash_text path, status, mode;
	bool prose; /* documentation or translations: other scripts are its point */
	bool fixture;
	struct found {
		finding finding;
		struct found *next;
	} *first, **last;
	struct rule { /* how often it was broken, and its last finding that is kept */
		const char *name;
		int64_t count;
		struct found *latest;
	} rules[8];
} check;

static struct rule *rule_of(check *c, const char *name) {
	struct rule *r = c->rules;
	while (r->name != NULL && strcmp(r->name, name) != 0) r++;
	r->name = name;
	return r;
}

/* Records a finding, and returns true. Over the limit of one rule in one file they are only counted. */
static bool add(check *c, const char *rule, const char *severity, int64_t line, dash_text content, dash_text message) {
	struct rule *r = rule_of(c, rule);
	if (r->count++ >= limits.max_per) return false;
	struct found *f = dash_alloc(c->call, sizeof *f);
	f->finding = (finding){.rule = rule, .severity = severity, .line = line, .message = message, .excerpt = excerpt(c->call, content)};
	finding_id(f->finding.id, rule, c->path, content);
	r->latest = f;
	*c->last = f;
	c->last = &f->next;
	return true;
}

static dash_text size(dash_call *call, int64_t n) {
	const char *unit = "KiB";
	int shift = 10;
	if (n < 1 << 10) return dash_format(call, "%lld bytes", (long long)n);
	if (n >= 1 << 20) {
		unit = "MiB";
		shift = 20;
	}
	return dash_format(call, "%.1f %s", (double)n / (double)(1 << shift), unit);
}

/* The severity of large text: low where a program writes it. */
static const char *large(check *c) {
	static const char *const written[] = {
		".min.js", ".min.css", ".map", ".lock", ".sum", ".svg", ".ipynb", ".json", ".csv", ".tsv", ".pb.go", ".snap", ".golden", NULL,
	};
	dash_text name = lower(c->call, base(c->path));
	for (size_t i = 0; written[i] != NULL; i++) {
		if (dash_has_suffix(name, written[i])) return LOW;
	}
	const char *ended = dash_format(c->call, "/" DASH_F, DASH_A(c->path)).ptr, *base_ended = dash_format(c->call, DASH_F, DASH_A(name)).ptr;
	return c->fixture || strstr(ended, "/vendor/") != NULL || strstr(base_ended, "lock.") != NULL ? LOW : MEDIUM;
}

static void check_line(check *c, int64_t number, dash_text line) {
	dash_mark mark = dash_memory_mark(c->call);
	bool kept = false;
	if ((int64_t)line.len > limits.max_line) {
		dash_text message = dash_format(c->call, "a line of " DASH_F ": too long to be read", DASH_A(size(c->call, (int64_t)line.len)));
		kept = add(c, "large-line", large(c), number, line, message);
	}
	hit hits[RULES];
	size_t n = plain(line) ? 0 : look(c->call, line, number == 1, c->prose, hits);
	for (size_t i = 0; i < n; i++) kept |= add(c, hits[i].rule, c->fixture ? LOW : hits[i].severity, number, line, hits[i].message);
	if (!kept) dash_memory_reset(c->call, mark); /* a flood of findings must not fill the memory */
}

static void check_text(check *c, dash_json added) {
	int64_t bytes = 0;
	for (dash_iter it = dash_items(c->call, added); dash_next(&it);) {
		dash_text text = dash_get_text(c->call, it.value, "text"), rest = text, line;
		bytes += (int64_t)text.len;
		if (plain(text) && (int64_t)text.len <= limits.max_line) continue;
		int64_t number = dash_get_int(c->call, it.value, "line");
		for (; dash_split(&rest, '\n', &line); number++) check_line(c, number, line);
	}
	if (bytes > limits.max_added) {
		dash_text message = dash_format(c->call, DASH_F " of added text: too much to be read", DASH_A(size(c->call, bytes)));
		add(c, "large-file", large(c), 0, (dash_text){"", 0}, message);
	}
}

static void check_binary(check *c, int64_t bytes) {
	static const char *const executables[] = {
		".exe", ".dll", ".so", ".dylib", ".a", ".o", ".obj", ".lib", ".jar", ".class", ".war", ".wasm", ".pyc", ".pyd", ".node", ".bin", ".apk", ".msi",
		".deb", ".rpm", NULL,
	};
	if (dash_is(c->status, "deleted")) return;
	if (bytes > limits.max_binary) {
		dash_text message = dash_format(c->call, DASH_F " of binary data, the limit is " DASH_F, DASH_A(size(c->call, bytes)),
		                                DASH_A(size(c->call, limits.max_binary)));
		add(c, "large-binary", MEDIUM, 0, (dash_text){"", 0}, message);
	}
	if (dash_is(c->mode, "100755") || is_one_of(lower(c->call, extension(c->path)), executables)) {
		add(c, "executable-binary", MEDIUM, 0, (dash_text){"", 0}, dash_text_of("a binary that runs or is loaded: build it from source, or pin its digest"));
	}
}

static bool is_prose(dash_call *call, dash_text path) {
	static const char *const extensions[] = {
		".md", ".markdown", ".txt", ".rst", ".adoc", ".html", ".htm", ".tex", ".po", ".pot", ".arb", ".xlf", ".xliff", ".strings", ".properties", ".resx",
		".srt", ".csv", NULL,
	};
	static const char *const folders[] = {"locale", "locales", "i18n", "l10n", "lang", "langs", "translations", "po", NULL};
	path = lower(call, path);
	if (is_one_of(extension(path), extensions)) return true;
	dash_text rest = folder(path), part;
	while (dash_split(&rest, '/', &part)) {
		if (is_one_of(part, folders)) return true;
	}
	return false;
}

static void write_finding(check *c, const struct found *f, dash_writer *out) {
	const struct rule *r = rule_of(c, f->finding.rule);
	dash_text message = f->finding.message;
	if (r->latest == f && r->count > limits.max_per) { /* the last one says that there are more */
		message = dash_format(c->call, DASH_F " (and %lld more in this file)", DASH_A(message), (long long)(r->count - limits.max_per));
	}
	const struct {
		const char *name;
		dash_text value;
	} texts[] = {
		{"id", dash_text_of(f->finding.id)}, {"rule", dash_text_of(f->finding.rule)}, {"severity", dash_text_of(f->finding.severity)}, {"path", c->path},
	};
	dash_open_object(out);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		dash_key(out, texts[i].name);
		dash_put_text(out, texts[i].value);
	}
	if (f->finding.line != 0) {
		dash_key(out, "line");
		dash_put_int(out, f->finding.line);
	}
	dash_key(out, "message");
	dash_put_text(out, message);
	if (f->finding.excerpt.len > 0) {
		dash_key(out, "excerpt");
		dash_put_text(out, f->finding.excerpt);
	}
	dash_close_object(out);
}

/* Writes what is found in one file; the first finding opens the list. Returns whether the list is open. */
static bool check_file(dash_call *call, dash_json file, dash_writer *out, bool open) {
	check c = {.call = call, .path = dash_get_text(call, file, "path")};
	c.last = &c.first;
	c.fixture = is_fixture(call, c.path);
	if (dash_get_bool(call, file, "binary")) {
		c.status = dash_get_text(call, file, "status");
		c.mode = dash_get_text(call, file, "mode");
		check_binary(&c, dash_get_int(call, file, "size"));
	} else {
		c.prose = is_prose(call, c.path);
		check_text(&c, dash_get(call, file, "added"));
	}
	for (const struct found *f = c.first; f != NULL; f = f->next) {
		if (!open) {
			dash_key(out, "findings");
			dash_open_array(out);
			open = true;
		}
		write_finding(&c, f, out);
	}
	return open;
}

static dash_status run(dash_call *call, dash_json in, dash_writer *out) {
	bool open = false;
	dash_open_object(out);
	for (dash_iter it = dash_items(call, dash_get(call, in, "item")); dash_next(&it);) open = check_file(call, it.value, out, open);
	if (open) dash_close_array(out);
	dash_close_object(out);
	return DASH_DONE;
}

const dash_node dash_main = {.run = run, .start = setup};
