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

/* What matters of a name on the way. */
enum { NODE_SOA, NODE_NS, NODE_CNAME, NODE_DNAME, NODE_RRSIG, NODE_WANTED, NODE_SETS };

struct node {
	enum store_presence presence;
	struct rrset sets[NODE_SETS];
};

struct lookup {
	struct store_read *read;
	uint32_t source;
	uint16_t qtype;
	const uint8_t *apex; /* the part of the name that is the origin */
	struct zone_result *ret;
};

static void read_node(const struct lookup *l, const uint8_t *name, struct node *node)
{
	const uint16_t types[NODE_SETS] = {
		[NODE_SOA] = TYPE_SOA,     [NODE_NS] = TYPE_NS,
		[NODE_CNAME] = TYPE_CNAME, [NODE_DNAME] = TYPE_DNAME,
		[NODE_RRSIG] = TYPE_RRSIG, [NODE_WANTED] = l->qtype,
	};

	node->presence =
		store_find(l->read, l->source, name, types, NODE_SETS, node->sets);
}

static bool has(const struct node *node, unsigned set)
{
	return node->sets[set].rdata;
}

const uint8_t *rrset_name(const struct rrset *set)
{
	const uint8_t *rdata;
	uint16_t len;
	size_t pos = 0;

	if (!rrset_next(set, &pos, &rdata, &len) || name_length(rdata, len) != len)
		return NULL;
	return rdata;
}

/* Answer from @node, called @name, which exists: step 3a, and 3c for a wildcard. */
static void answer_from(const struct lookup *l, const uint8_t *name,
			const struct node *node)
{
	struct zone_result *ret = l->ret;
	const uint8_t *target;

	ret->node = name;
	ret->status = ZONE_NODATA;
	if (has(node, NODE_WANTED)) {
		ret->set = node->sets[NODE_WANTED];
		ret->status = ZONE_FOUND;
		return;
	}
	if (l->qtype == TYPE_ANY || !has(node, NODE_CNAME))
		return;
	ret->set = node->sets[NODE_CNAME];
	target = rrset_name(&ret->set);
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
	struct node node;

	ret->status = ZONE_NXDOMAIN;
	if (size + 2 > NAME_MAX_BYTES)
		return;
	memcpy(ret->node_room, "\1*", 2);
	memcpy(ret->node_room + 2, encloser, size);
	read_node(l, ret->node_room, &node);
	if (node.presence == STORE_NO_NAME)
		return;
	ret->wildcard = true;
	answer_from(l, ret->node_room, &node);
}

/* RFC 6672 2.2: replace the @top end of @name by the DNAME's target. */
static void follow_dname(const struct lookup *l, const uint8_t *name,
			 const uint8_t *top)
{
	struct zone_result *ret = l->ret;
	const uint8_t *target = rrset_name(&ret->set);
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

/* Is there a zone cut or a DNAME at @node, called @at?  Then it is the answer. */
static bool is_turned_away(const struct lookup *l, const uint8_t *name,
			   const uint8_t *at, const struct node *node)
{
	struct zone_result *ret = l->ret;

	if (has(node, NODE_NS) && at != l->apex &&
	    !(at == name && l->qtype == TYPE_DS)) {
		ret->set = node->sets[NODE_NS];
		ret->owner = at;
		ret->node = at;
		ret->status = ZONE_DELEGATION;
		return true;
	}
	/* A DNAME says nothing about its own owner. */
	if (at == name || !has(node, NODE_DNAME))
		return false;
	ret->set = node->sets[NODE_DNAME];
	follow_dname(l, name, at);
	return true;
}

void zone_lookup(struct store_read *read, uint32_t source, const uint8_t *origin,
		 const uint8_t *name, uint16_t qtype, struct zone_result *ret)
{
	struct lookup l = { read, source, qtype, NULL, ret };
	const uint8_t *names[128]; /* of the nodes, from the apex to the name */
	unsigned depth = name_label_count(name) - name_label_count(origin);
	struct node node;

	memset(&ret->set, 0, sizeof(ret->set));
	ret->status = ZONE_ABSENT;
	ret->owner = name;
	ret->node = NULL;
	ret->wildcard = false;
	ret->is_signed = false;
	if (!name_is_below(name, origin))
		return;
	read_node(&l, origin, &node);
	if (!has(&node, NODE_SOA))
		return;
	ret->soa = node.sets[NODE_SOA];
	ret->is_signed = has(&node, NODE_RRSIG);
	names[depth] = name;
	for (unsigned i = depth; i > 0; i--)
		names[i - 1] = name_parent(names[i]);
	l.apex = names[0];
	for (unsigned i = 0;; i++) {
		if (i > 0)
			read_node(&l, names[i], &node);
		if (node.presence == STORE_NO_NAME) {
			answer_from_wildcard(&l, names[i - 1]);
			return;
		}
		if (is_turned_away(&l, name, names[i], &node))
			return;
		if (i == depth)
			break;
	}
	answer_from(&l, name, &node);
}

bool zone_glue(struct store_read *read, uint32_t source, const uint8_t *origin,
	       const uint8_t *target, uint16_t type, struct rrset *ret_set)
{
	return name_is_below(target, origin) &&
	       store_get(read, source, target, type, ret_set);
}
