/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_zonefile.c - any text as a zone file: each entry is refused with a reason, or is a
 * record whose RDATA, written in generic form (RFC 3597), reads as the same.
 */
#include "fuzz.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dns/name.h"
#include "source/zonerecord.h"

static const uint8_t origin[] = "\7example";

static void check_owner(const struct zonerecord *record)
{
	FUZZ_CHECK(name_length(record->owner, sizeof(record->owner)));
}

static void check_generic(const struct zonerecord *record)
{
	char *text = malloc(100 + 2 * (size_t)record->rdata_len), *at = text;
	struct zonerecord *again = malloc(sizeof(*again));
	struct zonetext_problem problem;
	struct zonetext_entry entry;
	struct zonetext *words;
	FILE *file;

	at += sprintf(at, "@ TYPE%u \\# %u ", record->type, record->rdata_len);
	for (unsigned i = 0; i < record->rdata_len; i++)
		at += sprintf(at, "%02x", record->rdata[i]);
	file = fmemopen(text, (size_t)(at - text), "r");
	FUZZ_CHECK(again && file && zonetext_open(&words, file) == 0);
	FUZZ_CHECK(zonetext_next(words, &entry, &problem) == ZONETEXT_ENTRY);
	zonerecord_init(again, origin);
	FUZZ_CHECK(zonerecord_read(again, &entry, &problem) == 0);
	FUZZ_CHECK(again->rdata_len == record->rdata_len &&
		   !memcmp(again->rdata, record->rdata, record->rdata_len));
	zonetext_close(words);
	fclose(file);
	free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	FILE *file = size ? fmemopen((void *)data, size, "r") : NULL;
	struct zonerecord *record = malloc(sizeof(*record));
	struct zonetext_problem problem;
	struct zonetext_entry entry;
	struct zonetext *words = NULL;
	int r = ZONETEXT_END;

	if (file && record && zonetext_open(&words, file) == 0) {
		zonerecord_init(record, origin);
		r = zonetext_next(words, &entry, &problem);
	}
	for (; r != ZONETEXT_END; r = zonetext_next(words, &entry, &problem)) {
		int got = r == ZONETEXT_ENTRY
				  ? zonerecord_read(record, &entry, &problem)
				  : -EINVAL;

		FUZZ_CHECK(got == 0 || got == -EINVAL);
		if (got == 0) {
			check_owner(record);
			check_generic(record);
		} else {
			FUZZ_CHECK(problem.line && problem.text[0]);
		}
	}
	zonetext_close(words);
	free(record);
	if (file)
		fclose(file);
	return 0;
}
