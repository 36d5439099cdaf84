/* SPDX-License-Identifier: BSD-2-Clause */
/* Writes one JSON value (RFC 8259) on one line, piece by piece. */
/* Reads none. */
#ifndef HV_MGMT_JSON_H
#define HV_MGMT_JSON_H

#include "hv/mgmt/shell_out.h"

#define JSON_DEPTH 16u

struct json {
	struct shell_out *out;
	unsigned int depth;
	bool comma[JSON_DEPTH]; /* the value here is not the first */
	bool array[JSON_DEPTH];
};

void json_begin(struct json *j, struct shell_out *out);
/* Closes what is open and ends the line. */
void json_finish(struct json *j);

/* key: the member's name in an object, NULL in an array or at the top. At most JSON_DEPTH deep. */
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_end(struct json *j);
/* Bytes that are not UTF-8 appear as U+FFFD. val NULL: null. */
void json_string(struct json *j, const char *key, const char *val);
void json_u64(struct json *j, const char *key, uint64_t val);
void json_i64(struct json *j, const char *key, int64_t val);
/* text is a JSON value already. */
void json_raw(struct json *j, const char *key, const char *text);
void json_bool(struct json *j, const char *key, bool val);

#endif
