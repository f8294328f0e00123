/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zonefile.c - a master file by ldns, record by record.
 *
 * After a bad line reading goes on, so that all of them are told at once.
 */
#include "source/zonefile.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <malloc.h>
#include <string.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "source/input.h"
#include "source/records.h"
#include "source/report.h"

#define TTL_DEFAULT_S 3600 /* as CoreDNS */

struct zonefile {
	const char *path;
	const uint8_t *origin;
	struct report *report;
	struct records *records;
	ldns_buffer *rdata;
	unsigned soa_line; /* of the first SOA */

	/* the owner being checked */
	uint8_t owner[255];
	unsigned cname_line; /* 0 = has none */
	unsigned other_line;
	unsigned apex_soas;
	bool has_ns;
};

static void complain(struct zonefile *z, bool fatal, unsigned line, const char *what)
{
	char quote[INPUT_QUOTE_ROOM] = "";

	/* The line is looked for from the top: not for those that nobody hears of. */
	if (z->report->count < REPORT_MAX)
		input_quote_line(quote, z->path, &line);
	report_problem(z->report, fatal, z->path, line, "\"%s\": %s", quote, what);
}

/* Copy the wire name of @rdf.  Return: is it one? */
static bool read_owner(uint8_t owner[255], const ldns_rdf *rdf)
{
	size_t size = rdf ? ldns_rdf_size(rdf) : 0;

	if (size > NAME_MAX_BYTES || name_length(ldns_rdf_data(rdf), size) != size)
		return false;
	name_lower(owner, ldns_rdf_data(rdf));
	return true;
}

static int add(struct zonefile *z, const ldns_rr *rr, unsigned line)
{
	uint8_t owner[255];
	struct record record = {
		.owner = owner,
		.type = (uint16_t)ldns_rr_get_type(rr),
		.ttl_s = ldns_rr_ttl(rr) >> 31 ? 0 : ldns_rr_ttl(rr), /* RFC 2181 8 */
		.line = line,
	};

	ldns_buffer_clear(z->rdata);
	if (!read_owner(owner, ldns_rr_owner(rr)) ||
	    ldns_rr_rdata2buffer_wire(z->rdata, rr) != LDNS_STATUS_OK) {
		complain(z, true, line, "expected a record that fits a message");
		return 0;
	}
	if (ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN) {
		complain(z, true, line, "expected class IN");
		return 0;
	}
	if (!name_is_below(owner, z->origin)) {
		complain(z, false, line,
			 "left out: expected a name at or below the zone's");
		return 0;
	}
	if (record.type == TYPE_SOA && !name_equal(owner, z->origin)) {
		complain(z, true, line, "expected SOA only at the zone's own name");
		return 0;
	}
	record.rdata = ldns_buffer_begin(z->rdata);
	record.rdata_len = (uint16_t)ldns_buffer_position(z->rdata);
	return records_add(z->records, &record);
}

static int read_one(struct zonefile *z, FILE *file, uint32_t *ttl_s, ldns_rdf **origin,
		    ldns_rdf **previous, int *line)
{
	unsigned start = (unsigned)*line;
	ldns_rr *rr = NULL;
	int r = 0;
	ldns_status status =
		ldns_rr_new_frm_fp_l(&rr, file, ttl_s, origin, previous, line);
	char text[160];

	switch (status) {
	case LDNS_STATUS_OK:
		r = add(z, rr, start);
		ldns_rr_free(rr);
		return r;
	case LDNS_STATUS_SYNTAX_EMPTY:
	case LDNS_STATUS_SYNTAX_TTL:    /* $TTL was read */
	case LDNS_STATUS_SYNTAX_ORIGIN: /* $ORIGIN was read */
		return 0;
	case LDNS_STATUS_MEM_ERR:
		return -ENOMEM;
	case LDNS_STATUS_SYNTAX_INCLUDE:
	case LDNS_STATUS_SYNTAX_INCLUDE_ERR_NOTIMPL:
		complain(z, true, start,
			 "$INCLUDE is not supported: expected records; put those of "
			 "that file here");
		return 0;
	default:
		snprintf(text, sizeof(text), "%s; expected OWNER [TTL] [IN] TYPE RDATA",
			 ldns_get_errorstr_by_id(status));
		complain(z, true, start, text);
		return 0;
	}
}

/*
 * ldns takes more than 128 KiB for each record and gives it back.  Where that is at the
 * end of the heap, glibc returns it to the kernel each time (its threshold is 128 KiB):
 * a million records took 7 s that take 1.7.
 */
static void keep_heap(void)
{
#ifdef __GLIBC__
	(void)mallopt(M_TRIM_THRESHOLD, 8 << 20);
	(void)mallopt(M_TOP_PAD, 1 << 20);
#endif
}

static int read_records(struct zonefile *z, FILE *file)
{
	ldns_rdf *origin = NULL, *previous = NULL;
	uint32_t ttl_s = TTL_DEFAULT_S;
	int line = 1, r = 0;

	keep_heap();
	origin = ldns_rdf_new_frm_data(LDNS_RDF_TYPE_DNAME, name_size(z->origin),
				       z->origin);
	z->rdata = ldns_buffer_new(LDNS_MAX_PACKETLEN);
	if (!origin || !z->rdata)
		r = -ENOMEM;
	while (r == 0 && !feof(file) && !ferror(file))
		r = read_one(z, file, &ttl_s, &origin, &previous, &line);
	if (r == 0 && ferror(file))
		report_problem(z->report, true, z->path, (unsigned)line,
			       "cannot be read further; expected a readable file");
	ldns_buffer_free(z->rdata);
	ldns_rdf_deep_free(origin);
	ldns_rdf_deep_free(previous);
	return r;
}

/* ---- what holds for the zone as a whole ---- */

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
			complain(z, true, line,
				 "expected one CNAME of a name, no more");
	} else if (!is_allowed_beside_cname(set->type)) {
		z->other_line = line;
	}
	if (z->cname_line && z->other_line) {
		complain(z, true,
			 z->cname_line > z->other_line ? z->cname_line : z->other_line,
			 "expected no other records beside a CNAME (RFC 2181 10.1)");
		z->other_line = 0;
		z->cname_line = 0;
	}
	return 0;
}

static int check_zone(struct zonefile *z)
{
	int r = input_end(z->records, z->path, z->report);
	char name[NAME_TEXT_ROOM], quote[INPUT_QUOTE_ROOM];

	if (r)
		return r;
	records_each(z->records, check_set, z);
	name_to_text(name, z->origin);
	input_quote(quote, name);
	if (z->apex_soas == 0)
		report_problem(z->report, true, z->path, 0,
			       "no SOA of \"%s\": expected one", quote);
	else if (z->apex_soas > 1)
		complain(z, true, z->soa_line, "expected one SOA, there are more");
	if (!z->has_ns)
		report_problem(z->report, false, z->path, 0,
			       "no NS of \"%s\": expected one or more", quote);
	return 0;
}

int zonefile_read(struct records **ret_records, const char *path, const uint8_t *origin,
		  struct report *report)
{
	struct zonefile z = { .path = path, .origin = origin, .report = report };
	FILE *file;
	int r = input_open(&file, path, report);

	if (r == 0) {
		r = records_open(&z.records);
		if (r == 0)
			r = read_records(&z, file);
		if (r == 0)
			r = check_zone(&z);
		fclose(file);
	} else if (r != -ENOMEM) {
		r = -EINVAL;
	}
	if (r == 0 && report->fatal_count)
		r = -EINVAL;
	report_end(report, path);
	if (r) {
		records_close(z.records);
		return r;
	}
	*ret_records = z.records;
	return 0;
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
