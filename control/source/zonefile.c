/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zonefile.c - a master file, entry by entry, and what holds for all of it.
 *
 * After a bad entry reading goes on, so that all of them are told at once.
 */
#include "source/zonefile.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "source/input.h"
#include "source/records.h"
#include "source/report.h"
#include "source/zonerecord.h"
#include "source/zonetext.h"

#define TYPE_NSEC3PARAM 51

/* What is warned about once, however often it is there. */
struct seen {
	unsigned count, line; /* of the first */
};

struct zonefile {
	const char *path;
	const uint8_t *origin;
	struct report *report;
	struct records *records;
	struct zonetext *text;
	struct zonetext_problem problem; /* of the entry at hand */
	struct zonerecord record;        /* likewise */
	unsigned soa_line;               /* of the first SOA */
	uint32_t now_s;                  /* serial arithmetic: RFC 4034 3.1.5 */
	struct seen nsec3, expired;

	/* the owner being checked */
	uint8_t owner[255];
	unsigned cname_line; /* 0 = has none */
	unsigned other_line;
	unsigned apex_soas;
	bool has_ns;
};

/* ---- entries ---- */

/* Report z->problem. */
static void tell(struct zonefile *z, bool fatal)
{
	report_problem(z->report, fatal, z->path, z->problem.line, "\"%s\": %s",
		       z->problem.value, z->problem.text);
}

/* Report that @word is wrong: @text says why. */
static void complain(struct zonefile *z, bool fatal, const struct zonetext_word *word,
		     const char *text)
{
	char quote[INPUT_QUOTE_ROOM];

	report_problem(z->report, fatal, z->path, word->line, "\"%s\": %s",
		       input_quote(quote, word->text), text);
}

static void warn_of_oddities(struct zonefile *z, const struct zonetext_entry *entry)
{
	if (z->record.address_name)
		complain(
			z, false, z->record.address_name,
			"read as a name of this zone; expected a name, not an address");
	if (z->record.ttl_s > ZONERECORD_TTL_MAX)
		complain(z, false, &entry->words[0],
			 "a TTL above 2147483647 is 0 (RFC 2181 8)");
}

static void see(struct seen *seen, unsigned line)
{
	if (!seen->count++)
		seen->line = line;
}

/* Is it NSEC3, of NSEC3, or what names its parameters? */
static bool is_nsec3(const struct record *record)
{
	uint16_t type = record->type;

	if (type == TYPE_RRSIG)
		type = (uint16_t)(record->rdata[0] << 8 | record->rdata[1]);
	return type == TYPE_NSEC3 || type == TYPE_NSEC3PARAM;
}

static bool has_expired(const struct zonefile *z, const struct record *record)
{
	uint32_t until_be;

	if (record->type != TYPE_RRSIG)
		return false;
	memcpy(&until_be, record->rdata + 8, sizeof(until_be));
	return (int32_t)(be32toh(until_be) - z->now_s) < 0;
}

static int add(struct zonefile *z, const struct zonetext_entry *entry)
{
	const struct record record = {
		.owner = z->record.owner,
		.type = z->record.type,
		.ttl_s = z->record.ttl_s > ZONERECORD_TTL_MAX ? 0 : z->record.ttl_s,
		.rdata = z->record.rdata,
		.rdata_len = z->record.rdata_len,
		.line = z->record.line,
	};

	if (!name_is_below(record.owner, z->origin)) {
		complain(z, false, &entry->words[0],
			 "left out: expected a name at or below the zone's");
		return 0;
	}
	if (record.type == TYPE_SOA && !name_equal(record.owner, z->origin)) {
		complain(z, true, &entry->words[0],
			 "expected SOA only at the zone's own name");
		return 0;
	}
	warn_of_oddities(z, entry);
	if (is_nsec3(&record)) {
		see(&z->nsec3, record.line);
		return 0;
	}
	if (has_expired(z, &record))
		see(&z->expired, record.line);
	return records_add(z->records, &record);
}

static void set_ttl(struct zonefile *z, const struct zonetext_entry *entry)
{
	uint32_t ttl_s;

	if (entry->count != 2 || entry->words[1].quoted ||
	    !zonerecord_seconds(entry->words[1].text, &ttl_s) ||
	    ttl_s > ZONERECORD_TTL_MAX)
		complain(z, true,
			 &entry->words[entry->count > 2 ? 2 : entry->count - 1],
			 "expected $TTL and 0 to 2147483647 seconds, or as 1w2d3h4m5s");
	else
		z->record.default_ttl_s = ttl_s;
}

static void set_origin(struct zonefile *z, const struct zonetext_entry *entry)
{
	uint8_t name[255];

	if (entry->count != 2)
		complain(z, true, &entry->words[0],
			 "expected $ORIGIN and a domain name");
	else if (!zonerecord_name(&z->record, name, &entry->words[1], &z->problem))
		tell(z, true);
	else
		memcpy(z->record.origin, name, name_size(name));
}

static void follow_directive(struct zonefile *z, const struct zonetext_entry *entry)
{
	const struct zonetext_word *word = &entry->words[0];

	if (strcasecmp(word->text, "$TTL") == 0)
		set_ttl(z, entry);
	else if (strcasecmp(word->text, "$ORIGIN") == 0)
		set_origin(z, entry);
	else if (strcasecmp(word->text, "$INCLUDE") == 0)
		complain(
			z, true, word,
			"not supported: expected records; put those of that file here");
	else if (strcasecmp(word->text, "$GENERATE") == 0)
		complain(z, true, word,
			 "not supported: expected records; write out what it stands "
			 "for");
	else
		complain(z, true, word,
			 "expected $ORIGIN, $TTL, or a record (a name that begins with "
			 "$ is written \\$)");
}

static bool is_directive(const struct zonetext_entry *entry)
{
	return !entry->is_indented && !entry->words[0].quoted &&
	       entry->words[0].text[0] == '$';
}

static int read_entry(struct zonefile *z, const struct zonetext_entry *entry)
{
	int r;

	if (is_directive(entry)) {
		follow_directive(z, entry);
		return 0;
	}
	r = zonerecord_read(&z->record, entry, &z->problem);
	if (r == 0)
		return add(z, entry);
	if (r == -EINVAL)
		tell(z, true);
	return r == -EINVAL ? 0 : r;
}

static int read_records(struct zonefile *z, FILE *file)
{
	struct zonetext_entry entry;
	int r = zonetext_open(&z->text, file);

	zonerecord_init(&z->record, z->origin);
	while (r == 0) {
		r = zonetext_next(z->text, &entry, &z->problem);
		if (r == ZONETEXT_END)
			break;
		if (r == ZONETEXT_BAD)
			tell(z, true);
		if (r > 0)
			r = r == ZONETEXT_ENTRY ? read_entry(z, &entry) : 0;
	}
	if (r == 0 && zonetext_is_cut(z->text))
		report_problem(z->report, false, z->path, zonetext_line(z->text),
			       "no newline at the end: has the file been cut?");
	if (r == -EIO) {
		report_problem(z->report, true, z->path, zonetext_line(z->text),
			       "cannot be read further; expected a readable file");
		r = 0;
	}
	zonetext_close(z->text);
	return r;
}

/* ---- what holds for the zone as a whole ---- */

/* Report what is wrong at @line, which is long past. */
static void complain_of_line(struct zonefile *z, unsigned line, const char *what)
{
	char quote[INPUT_QUOTE_ROOM] = "";

	/* The line is looked for from the top: not for those that nobody hears of. */
	if (z->report->count < REPORT_MAX)
		input_quote_line(quote, z->path, &line);
	report_problem(z->report, true, z->path, line, "\"%s\": %s", quote, what);
}

/* RFC 2181 10.1, RFC 4034 4: beside a CNAME there is only DNSSEC's. */
static bool is_allowed_beside_cname(uint16_t type)
{
	return type == TYPE_CNAME || type == TYPE_RRSIG || type == TYPE_NSEC;
}

static int check_set(void *context, const uint8_t *owner, const struct rrset *set,
		     unsigned line)
{
	struct zonefile *z = context;

	if (!name_equal(owner, z->owner)) {
		memcpy(z->owner, owner, name_size(owner));
		z->cname_line = 0;
		z->other_line = 0;
	}
	if (name_equal(owner, z->origin)) {
		if (set->type == TYPE_SOA) {
			z->apex_soas += set->count;
			z->soa_line = line;
		}
		z->has_ns |= set->type == TYPE_NS;
	}
	if (set->type == TYPE_CNAME) {
		z->cname_line = line;
		if (set->count > 1)
			complain_of_line(z, line,
					 "expected one CNAME of a name, no more");
	} else if (!is_allowed_beside_cname(set->type)) {
		z->other_line = line;
	}
	if (set->type == TYPE_DNAME && set->count > 1)
		complain_of_line(z, line, "expected one DNAME of a name, no more");
	if (z->cname_line && z->other_line) {
		complain_of_line(
			z,
			z->cname_line > z->other_line ? z->cname_line : z->other_line,
			"expected no other records beside a CNAME (RFC 2181 10.1)");
		z->other_line = 0;
		z->cname_line = 0;
	}
	return 0;
}

static void warn_of_signing(struct zonefile *z)
{
	if (z->nsec3.count)
		report_problem(
			z->report, false, z->path, z->nsec3.line,
			"%u NSEC3 records and their signatures left out: "
			"resolvers that validate will not believe that a name does "
			"not exist; expected a zone signed with NSEC",
			z->nsec3.count);
	if (z->expired.count)
		report_problem(z->report, false, z->path, z->expired.line,
			       "signatures have expired, %u of them, this one first; "
			       "expected a zone that was signed again",
			       z->expired.count);
}

static int check_zone(struct zonefile *z)
{
	int r = input_end(z->records, z->path, z->report);
	char name[NAME_TEXT_ROOM], quote[INPUT_QUOTE_ROOM];

	/* What a bad line would have been may be all that is missing. */
	if (r || z->report->fatal_count)
		return r;
	warn_of_signing(z);
	records_each(z->records, check_set, z);
	name_to_text(name, z->origin);
	input_quote(quote, name);
	if (z->apex_soas == 0)
		report_problem(z->report, true, z->path, 0,
			       "no SOA of \"%s\": expected one", quote);
	else if (z->apex_soas > 1)
		complain_of_line(z, z->soa_line, "expected one SOA, there are more");
	else if (!z->has_ns)
		report_problem(z->report, false, z->path, 0,
			       "no NS of \"%s\": expected one or more", quote);
	return 0;
}

int zonefile_read(struct records **ret_records, const char *path, const uint8_t *origin,
		  struct report *report)
{
	struct zonefile *z = calloc(1, sizeof(*z)); /* 64 KiB are much of a stack */
	FILE *file;
	int r = z ? input_open(&file, path, report) : -ENOMEM;

	if (r) {
		report_end(report, path);
		free(z);
		return r == -ENOMEM ? r : -EINVAL;
	}
	z->path = path;
	z->origin = origin;
	z->report = report;
	z->now_s = (uint32_t)time(NULL);
	r = records_open(&z->records);
	if (r == 0)
		r = read_records(z, file);
	if (r == 0)
		r = check_zone(z);
	fclose(file);
	if (r == 0 && report->fatal_count)
		r = -EINVAL;
	report_end(report, path);
	if (r)
		records_close(z->records);
	else
		*ret_records = z->records;
	free(z);
	return r;
}

bool zonefile_serial(struct records *records, const uint8_t *origin,
		     uint32_t *ret_serial)
{
	struct rrset set;
	const uint8_t *rdata, *serial;
	uint16_t len;
	size_t pos = 0;

	/* SERIAL is the first of the five numbers behind two names. */
	if (!records_get(records, origin, TYPE_SOA, &set) ||
	    !rrset_next(&set, &pos, &rdata, &len) || len < 22)
		return false;
	serial = rdata + len - 20;
	*ret_serial = (uint32_t)serial[0] << 24 | (uint32_t)serial[1] << 16 |
		      (uint32_t)serial[2] << 8 | serial[3];
	return true;
}
