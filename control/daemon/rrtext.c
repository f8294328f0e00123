/* SPDX-License-Identifier: BSD-3-Clause */
/* rrtext.c - see rrtext.h; the reading is ldns's. */
#include "rrtext.h"

#include <errno.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "problem.h"

#define DEFAULT_TTL_S 3600 /* as ldns and zone files without $TTL have it */

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

static bool is_stored(uint16_t type)
{
	return type && type != TYPE_OPT && type != TYPE_TSIG && type != TYPE_IXFR &&
	       type != TYPE_AXFR && type != TYPE_ANY;
}

static int add_rr(struct rrtext *rrs, const ldns_rr *rr, const char *text,
		  struct problem *problem)
{
	uint16_t type = (uint16_t)ldns_rr_get_type(rr);
	uint8_t owner[255];
	ldns_buffer *wire;
	struct rrtext_set *set;
	int r = -ENOMEM;

	if (!is_stored(type) || ldns_rr_get_class(rr) != LDNS_RR_CLASS_IN ||
	    ldns_rdf_size(ldns_rr_owner(rr)) > sizeof(owner)) {
		problem_set(
			problem, NULL, 0,
			"'%.200s': expected a record of class IN and of a type that "
			"is stored",
			text);
		return -EINVAL;
	}
	name_lower(owner, ldns_rdf_data(ldns_rr_owner(rr)));
	wire = ldns_buffer_new(LDNS_MIN_BUFLEN);
	set = set_of(rrs, owner, type);
	if (wire && set && ldns_rr_rdata2buffer_wire(wire, rr) == LDNS_STATUS_OK) {
		size_t len = ldns_buffer_position(wire);

		if (len <= UINT16_MAX)
			r = append(&set->set, ldns_buffer_begin(wire), (uint16_t)len);
		set->set.ttl_s = ldns_rr_ttl(rr) & 0x80000000u ? 0 : ldns_rr_ttl(rr);
	}
	ldns_buffer_free(wire);
	return r;
}

int rrtext_add(struct rrtext *rrs, const char *text, struct problem *problem)
{
	ldns_rr *rr = NULL;
	ldns_status status;
	int r;

	status = ldns_rr_new_frm_str(&rr, text, DEFAULT_TTL_S, NULL, NULL);
	if (status != LDNS_STATUS_OK) {
		problem_set(problem, NULL, 0,
			    "'%.200s': %s; expected a record as in "
			    "\"a.example. 30 IN A 192.0.2.1\"",
			    text, ldns_get_errorstr_by_id(status));
		return -EINVAL;
	}
	r = add_rr(rrs, rr, text, problem);
	ldns_rr_free(rr);
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
	*ret_type = (uint16_t)ldns_get_rr_type_by_name(type);
	if (fields == 2 && *ret_type)
		return 0;
	r = rrtext_add(rrs, text, problem);
	if (r == 0)
		*ret_type = rrs->at[rrs->count - 1].set.type;
	return r;
}
