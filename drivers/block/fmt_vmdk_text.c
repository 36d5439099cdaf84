/* SPDX-License-Identifier: BSD-2-Clause */
/* Reads and writes the descriptor ("Virtual Disk Format 5.0", "Text Descriptor Example"). */
/* Knows the lines that matter; others, and the disk data base, are passed over. */
#include "drivers/block/fmt_vmdk_text.h"

#include "hv/lib/fmt.h"
#include "hv/lib/string.h"

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_space(char *p)
{
	while (is_space(*p)) {
		p++;
	}
	return p;
}

/* Ends the line at p; the next one, or NULL. */
static char *cut_line(char *p)
{
	char *end = p;

	while (*end != '\0' && *end != '\n' && *end != '\r') {
		end++;
	}
	if (*end == '\0') {
		return NULL;
	}
	*end = '\0';
	return end + 1;
}

/* Ends the word at p, which may stand in quotes; what is behind it, or NULL: a quote is missing. */
static char *cut_word(char **p)
{
	char *end = *p = skip_space(*p);

	if (*end == '"') {
		end = strchr(++*p, '"');
		if (end == NULL) {
			return NULL;
		}
	} else {
		while (*end != '\0' && !is_space(*end)) {
			end++;
		}
	}
	if (*end != '\0') {
		*end++ = '\0';
	}
	return end;
}

/* ---- values ---- */

static bool hex_digit(char c, uint32_t *val)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c);

	if (at == NULL || c == '\0') {
		return false;
	}
	*val = *val << 4 | (uint32_t)(at - digits);
	return true;
}

static bool get_hex(const char *s, uint32_t *out)
{
	unsigned int n = 0;

	*out = 0;
	while (n < 8 && hex_digit(s[n], out)) {
		n++;
	}
	return n > 0 && s[n] == '\0';
}

static bool get_number(char **p, uint64_t *out)
{
	char *word = *p = skip_space(*p);
	char *rest = cut_word(&word);

	if (rest == NULL || string_to_u64(word, out) != 0 || *out > VMDK_SECTORS_MAX) {
		return false;
	}
	*p = rest;
	return true;
}

/* ---- lines ---- */

/* RW 4192256 SPARSE "name", or FLAT with where it starts behind the name. */
static const char *parse_extent(char *p, struct vmdk_text *out)
{
	char *rest;

	out->extents++;
	out->start = 0;
	if (!get_number(&p, &out->sectors) || out->sectors == 0) {
		return "size of the extent";
	}
	rest = cut_word(&p);
	if (rest == NULL || !string_copy(out->kind, p, sizeof(out->kind))) {
		return "kind of the extent";
	}
	p = rest;
	rest = cut_word(&p);
	if (rest == NULL || *p == '\0' || !string_copy(out->name, p, sizeof(out->name))) {
		return "name of the extent's file";
	}
	rest = skip_space(rest);
	return *rest == '\0' || get_number(&rest, &out->start) ? NULL : "start of the extent";
}

static const char *parse_setting(const char *key, char *val, const char *text,
				 struct vmdk_text *out)
{
	if (cut_word(&val) == NULL) {
		return "a quote is missing";
	}
	if (strcmp(key, "createType") == 0 && !string_copy(out->type, val, sizeof(out->type))) {
		return "createType";
	}
	if (strcmp(key, "parentCID") == 0 && !get_hex(val, &out->parent)) {
		return "parentCID";
	}
	if (strcmp(key, "CID") == 0) {
		if (!get_hex(val, &out->cid)) {
			return "CID";
		}
		out->cid_at = strlen(val) == 8 ? (uint32_t)(val - text) : 0;
	}
	return NULL;
}

static const char *parse_line(char *p, const char *text, struct vmdk_text *out)
{
	static const char *const modes[] = { "RW ", "RDONLY ", "NOACCESS " };
	char *equals = strchr(p, '=');

	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++) {
		if (string_starts_with(p, modes[i])) {
			out->readonly = i > 0;
			return parse_extent(p + strlen(modes[i]), out);
		}
	}
	if (*p == '#' || equals == NULL) {
		return NULL;
	}
	*equals = '\0';
	return cut_word(&p) != NULL ? parse_setting(p, equals + 1, text, out)
				    : "a quote is missing";
}

const char *fmt_vmdk_text_parse(char *text, struct vmdk_text *out)
{
	const char *bad = NULL;

	memset(out, 0, sizeof(*out));
	out->parent = VMDK_NO_PARENT;
	for (char *p = text; p != NULL && bad == NULL;) {
		char *next = cut_line(p);

		bad = parse_line(skip_space(p), text, out);
		p = next;
	}
	return bad;
}

/* ---- writing ---- */

int fmt_vmdk_text_print(char *to, size_t size, const struct vmdk_text *t)
{
	uint64_t cylinders = u64_max(u64_min(t->sectors / (16 * 63), 16383), 1);

	return fmt_snprintf(to, size,
			    "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=ffffffff\n"
			    "createType=\"%s\"\n\n# Extent description\nRW %lu %s \"%s\"%s\n\n"
			    "# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = \"4\"\n"
			    "ddb.geometry.cylinders = \"%lu\"\nddb.geometry.heads = \"16\"\n"
			    "ddb.geometry.sectors = \"63\"\nddb.adapterType = \"ide\"\n",
			    t->cid, t->type, t->sectors, t->kind, t->name,
			    strcmp(t->kind, "FLAT") == 0 ? " 0" : "", cylinders);
}
