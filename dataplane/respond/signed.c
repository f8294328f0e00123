/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * signed.c - signatures and proofs, as they are stored.
 */
#include "respond/signed.h"

#include <string.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "store/store.h"

void signed_begin(struct signed_part *part, struct build *build,
		  struct store_read *read)
{
	part->build = build;
	part->read = read;
	part->waiting_count = 0;
	part->proven_count = 0;
}

void signed_signatures(struct signed_part *part, enum message_section section,
		       uint32_t source, const uint8_t *node, const uint8_t *owner,
		       uint16_t type, uint32_t ttl_s)
{
	struct message_rr rr = {
		.owner = owner,
		.type = TYPE_RRSIG,
		.class_ = CLASS_IN,
		.ttl_s = ttl_s, /* RFC 4034 3: that of the set it covers */
	};
	struct rrset all;
	size_t pos = 0;

	if (!store_get(part->read, source, node, TYPE_RRSIG, &all))
		return;
	while (rrset_next(&all, &pos, &rr.rdata, &rr.rdata_len))
		if (rr.rdata_len > 2 && (rr.rdata[0] << 8 | rr.rdata[1]) == type)
			build_rr(part->build, section, &rr);
}

void signed_put_all(struct signed_part *part, const uint8_t *owner,
		    const struct rrset *signatures)
{
	struct message_rr rr = {
		.owner = owner,
		.type = TYPE_RRSIG,
		.class_ = CLASS_IN,
	};
	size_t pos = 0;

	while (rrset_next(signatures, &pos, &rr.rdata, &rr.rdata_len)) {
		/* RFC 4034 3.1.4: the original TTL, of the set it covers in the zone. */
		rr.ttl_s =
			rr.rdata_len > 18 ? ttl_read(rr.rdata + 4) : signatures->ttl_s;
		build_rr(part->build, SECTION_ANSWER, &rr);
	}
}

static bool is_proven(struct signed_part *part, const uint8_t *rdata)
{
	for (unsigned i = 0; i < part->proven_count; i++)
		if (part->proven[i] == rdata)
			return true;
	if (part->proven_count < SIGNED_PROVEN)
		part->proven[part->proven_count++] = rdata;
	return false;
}

void signed_prove(struct signed_part *part, uint32_t source, const uint8_t *name)
{
	uint8_t owner[255];
	struct rrset nsec;

	if (!store_get_before(part->read, source, name, TYPE_NSEC, owner, &nsec) ||
	    is_proven(part, nsec.rdata))
		return;
	build_rrset(part->build, SECTION_AUTHORITY, owner, &nsec, nsec.ttl_s);
	signed_signatures(part, SECTION_AUTHORITY, source, owner, owner, TYPE_NSEC,
			  nsec.ttl_s);
}

void signed_prove_later(struct signed_part *part, uint32_t source, const uint8_t *name)
{
	if (part->waiting_count == SIGNED_WAITING)
		return;
	part->waiting[part->waiting_count].source = source;
	memcpy(part->waiting[part->waiting_count].name, name, name_size(name));
	part->waiting_count++;
}

void signed_proofs(struct signed_part *part)
{
	for (unsigned i = 0; i < part->waiting_count; i++)
		signed_prove(part, part->waiting[i].source, part->waiting[i].name);
	part->waiting_count = 0;
}
