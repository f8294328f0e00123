/* SPDX-License-Identifier: BSD-3-Clause */
/* rrtext.c - see rrtext.h. */
#include "rrtext.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "problem.h"
#include "source/zonerecord.h"
#include "source/zonetext.h"

static struct rrtext_set *set_of(struct rrtext *rrs, const uint8_t *owner,
				 uint16_t type)
{
	struct rrtext_set *at;

	for (size_t i = 0; i < rrs->count; i++)
		if (rrs->at[i].set.type == type && name_equal(rrs->at[i].owner, owner))
			return &rrs->at[i];
	at = realloc(rrs->at, (rrs->count + 1) * sizeof(*at));
	if (!at)
		return NULL;
	rrs->at = at;
	at = &rrs->at[rrs->count++];
	memset(at, 0, sizeof(*at));
	memcpy(at->owner, owner, name_size(owner));
	at->set.type = type;
	return at;
}

static int append(struct rrset *set, const uint8_t *rdata, uint16_t len)
{
	const uint8_t *have;
	uint16_t have_len;
	size_t pos = 0;
	uint8_t *grown;

	while (rrset_next(set, &pos, &have, &have_len))
		if (have_len == len && !memcmp(have, rdata, len))
			return 0; /* an RRset is a set (RFC 2181 5) */
	grown = realloc((void *)set->rdata, set->rdata_bytes + 2 + len);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + set->rdata_bytes, &len, 2);
	memcpy(grown + set->rdata_bytes + 2, rdata, len);
	set->rdata = grown;
	set->rdata_bytes += 2u + len;
	set->count++;
	return 0;
}

static int add_record(struct rrtext *rrs, const struct zonerecord *record)
{
	uint8_t owner[255];
	struct rrtext_set *set;

	name_lower(owner, record->owner);
	set = set_of(rrs, owner, record->type);
	if (!set)
		return -ENOMEM;
	set->set.ttl_s = record->ttl_s > ZONERECORD_TTL_MAX ? 0 : record->ttl_s;
	return append(&set->set, record->rdata, record->rdata_len);
}

/* Read the one record of @file.  Return: 0, -EINVAL (@ret_problem), -ENOMEM. */
static int read_record(FILE *file, struct zonerecord *record,
		       struct zonetext_problem *ret_problem)
{
	static const uint8_t root[1];
	struct zonetext *text;
	struct zonetext_entry entry;
	int r = zonetext_open(&text, file);

	if (r)
		return r;
	snprintf(ret_problem->text, sizeof(ret_problem->text), "expected one record");
	zonerecord_init(record, root);
	r = zonetext_next(text, &entry, ret_problem);
	if (r == ZONETEXT_ENTRY)
		r = zonerecord_read(record, &entry, ret_problem);
	else
		r = r < 0 ? r : -EINVAL;
	if (r == 0 && zonetext_next(text, &entry, ret_problem) != ZONETEXT_END)
		r = -EINVAL;
	zonetext_close(text);
	return r;
}

int rrtext_add(struct rrtext *rrs, const char *text, struct problem *problem)
{
	struct zonerecord *record = malloc(sizeof(*record));
	struct zonetext_problem why = { .value = "" };
	FILE *file;
	int r = -ENOMEM;

	text += strspn(text, " \t");
	/* An empty one cannot be opened: a newline is as empty. */
	file = *text ? fmemopen((void *)text, strlen(text), "r")
		     : fmemopen("\n", 1, "r");
	if (record && file)
		r = read_record(file, record, &why);
	if (r == 0)
		r = add_record(rrs, record);
	if (r == -EINVAL)
		problem_set(
			problem, NULL, 0,
			"'%.200s': %s%s%s%s, as in \"a.example. 30 IN A 192.0.2.1\"",
			text, why.value[0] ? "'" : "", why.value,
			why.value[0] ? "': " : "", why.text);
	if (file)
		fclose(file);
	free(record);
	return r;
}

void rrtext_deinit(struct rrtext *rrs)
{
	for (size_t i = 0; i < rrs->count; i++)
		free((void *)rrs->at[i].set.rdata);
	free(rrs->at);
	*rrs = (struct rrtext){ NULL, 0 };
}

int rrtext_target(struct rrtext *rrs, const char *text, uint8_t ret_owner[255],
		  uint16_t *ret_type, struct problem *problem)
{
	char name[NAME_TEXT_ROOM], type[32], rest[2];
	uint8_t wire[255];
	int fields = sscanf(text, "%1023s %31s %1s", name, type, rest);
	int r;

	*ret_type = 0;
	if (fields < 1 || !name_from_text(wire, name)) {
		problem_set(problem, NULL, 0,
			    "'%.200s': expected a name, a name and a type, or a record",
			    text);
		return -EINVAL;
	}
	name_lower(ret_owner, wire);
	if (fields == 1)
		return 0;
	*ret_type = zonerecord_type(type);
	if (fields == 2 && *ret_type)
		return 0;
	r = rrtext_add(rrs, text, problem);
	if (r == 0)
		*ret_type = rrs->at[rrs->count - 1].set.type;
	return r;
}
