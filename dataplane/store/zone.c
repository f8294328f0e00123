/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * zone.c - walk down from the apex to the name, one label at a time.
 *
 *   apex ─► ... ─► node ─► ... ─► QNAME      exists all the way: answer from QNAME
 *                   │ NS: zone cut            does not: the last that does is the
 *                   │ DNAME: alias            closest encloser; answer from its `*`
 */
#include "store/zone.h"

#include <string.h>

#include "dns/name.h"
#include "lane53/wire.h"

struct lookup {
	struct store_read *read;
	uint32_t source;
	uint16_t qtype;
	struct zone_result *ret;
};

static bool get(const struct lookup *l, const uint8_t *name, uint16_t type)
{
	return store_get(l->read, l->source, name, type, &l->ret->set);
}

/* The one name that is the RDATA of the first RR of @set.  NULL: it is malformed. */
static const uint8_t *rdata_name(const struct rrset *set)
{
	const uint8_t *rdata;
	uint16_t len;
	size_t pos = 0;

	if (!rrset_next(set, &pos, &rdata, &len) || name_length(rdata, len) != len)
		return NULL;
	return rdata;
}

/* Answer from @node, which exists: step 3a, and 3c for a wildcard. */
static void answer_from(const struct lookup *l, const uint8_t *node)
{
	struct zone_result *ret = l->ret;
	const uint8_t *target;

	ret->node = node;
	ret->status = ZONE_NODATA;
	if (get(l, node, l->qtype)) {
		ret->status = ZONE_FOUND;
		return;
	}
	if (l->qtype == TYPE_ANY || l->qtype == TYPE_CNAME || !get(l, node, TYPE_CNAME))
		return;
	target = rdata_name(&ret->set);
	if (!target)
		return;
	memcpy(ret->target, target, name_size(target));
	ret->status = ZONE_CNAME;
}

/* RFC 4592 3.3: the source of synthesis is `*` at the closest encloser. */
static void answer_from_wildcard(const struct lookup *l, const uint8_t *encloser)
{
	struct zone_result *ret = l->ret;
	size_t size = name_size(encloser);

	ret->status = ZONE_NXDOMAIN;
	if (size + 2 > NAME_MAX_BYTES)
		return;
	memcpy(ret->node_room, "\1*", 2);
	memcpy(ret->node_room + 2, encloser, size);
	if (store_presence(l->read, l->source, ret->node_room) == STORE_NO_NAME)
		return;
	ret->wildcard = true;
	answer_from(l, ret->node_room);
}

/* RFC 6672 2.2: replace the @top end of @name by the DNAME's target. */
static void follow_dname(const struct lookup *l, const uint8_t *name,
			 const uint8_t *top)
{
	struct zone_result *ret = l->ret;
	const uint8_t *target = rdata_name(&ret->set);
	size_t head = (size_t)(top - name), tail;

	ret->owner = top;
	ret->node = top;
	ret->status = ZONE_YXDOMAIN;
	if (!target)
		return;
	tail = name_size(target);
	if (head + tail > NAME_MAX_BYTES)
		return;
	memcpy(ret->target, name, head);
	memcpy(ret->target + head, target, tail);
	ret->status = ZONE_DNAME;
}

/* Is there a zone cut or a DNAME at @node, which has records?  Then it is the answer. */
static bool is_turned_away(const struct lookup *l, const uint8_t *name,
			   const uint8_t *node, bool is_apex)
{
	struct zone_result *ret = l->ret;

	if (!is_apex && !(node == name && l->qtype == TYPE_DS) &&
	    get(l, node, TYPE_NS)) {
		ret->owner = node;
		ret->node = node;
		ret->status = ZONE_DELEGATION;
		return true;
	}
	/* A DNAME says nothing about its own owner. */
	if (node == name || !get(l, node, TYPE_DNAME))
		return false;
	follow_dname(l, name, node);
	return true;
}

void zone_lookup(struct store_read *read, uint32_t source, const uint8_t *origin,
		 const uint8_t *name, uint16_t qtype, struct zone_result *ret)
{
	const struct lookup l = { read, source, qtype, ret };
	const uint8_t *nodes[128]; /* the name and its parents, down to the apex */
	unsigned depth = name_label_count(name) - name_label_count(origin);

	memset(&ret->set, 0, sizeof(ret->set));
	ret->status = ZONE_ABSENT;
	ret->owner = name;
	ret->node = NULL;
	ret->wildcard = false;
	if (!name_is_below(name, origin) ||
	    !store_get(read, source, origin, TYPE_SOA, &ret->soa))
		return;
	nodes[depth] = name;
	for (unsigned i = depth; i > 0; i--)
		nodes[i - 1] = name_parent(nodes[i]);
	if (is_turned_away(&l, name, nodes[0], true))
		return;
	for (unsigned i = 1; i <= depth; i++) {
		switch (store_presence(read, source, nodes[i])) {
		case STORE_NO_NAME:
			answer_from_wildcard(&l, nodes[i - 1]);
			return;
		case STORE_EMPTY_NAME:
			break;
		case STORE_NAME:
			if (is_turned_away(&l, name, nodes[i], false))
				return;
			break;
		}
	}
	answer_from(&l, name);
}

bool zone_glue(struct store_read *read, uint32_t source, const uint8_t *origin,
	       const uint8_t *target, uint16_t type, struct rrset *ret_set)
{
	return name_is_below(target, origin) &&
	       store_get(read, source, target, type, ret_set);
}
