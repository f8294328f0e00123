/* SPDX-License-Identifier: BSD-3-Clause */
/* aliases.c - see aliases.h. */
#include "aliases.h"

#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/publish.h"
#include "dns/message.h"
#include "dns/name.h"
#include "lane53/wire.h"
#include "respond/engine.h"

/* A chain has at most 8 links (engine), each noted once. */
#define CHAIN_MAX 16

struct alias_chain {
	uint8_t *targets; /* names one after the other, each once */
	size_t bytes;
	uint32_t view;
	size_t owner;     /* number in owners */
	bool ends_unsure; /* its last name has no RRset in the answer: it may come to */
};

struct chain_reading {
	bool ends_unsure, referral;
	uint8_t targets[CHAIN_MAX * 255];
	size_t bytes;
	const uint8_t *last;
};

void aliases_init(struct aliases *aliases)
{
	memset(aliases, 0, sizeof(*aliases));
	nameset_init(&aliases->owners);
}

void aliases_deinit(struct aliases *aliases)
{
	for (size_t i = 0; i < aliases->count; i++)
		free(aliases->chains[i].targets);
	free(aliases->chains);
	nameset_deinit(&aliases->owners);
	aliases_init(aliases);
}

static void add_target(struct chain_reading *chain, const uint8_t *name)
{
	size_t len = name_size(name);

	if (chain->bytes + len > sizeof(chain->targets))
		return;
	name_lower(chain->targets + chain->bytes, name);
	chain->last = chain->targets + chain->bytes;
	chain->bytes += len;
}

/* @answer as the message it will be part of, so that its pointers can be followed. */
static size_t whole_message(uint8_t *out, size_t room, const uint8_t *qname,
			    const struct answer *answer)
{
	size_t len = name_size(qname);
	struct dns_header header = { .flags_be = htobe16(FLAG_QR),
				     .qdcount_be = htobe16(1),
				     .ancount_be = htobe16(answer->ancount),
				     .nscount_be = htobe16(answer->nscount) };

	if (sizeof(header) + len + 4 + answer->len > room)
		return 0;
	memcpy(out, &header, sizeof(header));
	memcpy(out + sizeof(header), qname, len);
	memcpy(out + sizeof(header) + len, "\0\1\0\1", 4);
	memcpy(out + sizeof(header) + len + 4, answer->bytes, answer->len);
	return sizeof(header) + len + 4 + answer->len;
}

static void read_chain(struct chain_reading *chain, const uint8_t *owner,
		       const struct answer *answer)
{
	uint8_t message[8192];
	size_t len = whole_message(message, sizeof(message), owner, answer);
	struct message_reader reader;
	struct message_rr rr;
	enum message_section section;

	if (!len || message_read_begin(&reader, message, len) < 0)
		return;
	while (message_read_rr(&reader, &rr, &section) == MESSAGE_RR) {
		if (section == SECTION_AUTHORITY)
			chain->referral |= rr.type == TYPE_NS;
		else if (rr.type == TYPE_CNAME)
			add_target(chain, rr.rdata);
		else if (rr.type != TYPE_DNAME)
			chain->ends_unsure = false;
	}
}

static int append_chain(struct aliases *aliases, const struct alias_chain *chain)
{
	if (aliases->count == aliases->room) {
		size_t room = aliases->room ? aliases->room * 2 : 16;
		struct alias_chain *chains =
			realloc(aliases->chains, room * sizeof(*chains));

		if (!chains)
			return -ENOMEM;
		aliases->chains = chains;
		aliases->room = room;
	}
	aliases->chains[aliases->count++] = *chain;
	return 0;
}

static bool has_target(const struct alias_chain *chain, const uint8_t *name)
{
	for (size_t at = 0; at < chain->bytes; at += name_size(chain->targets + at))
		if (name_equal(chain->targets + at, name))
			return true;
	return false;
}

/* Types of one owner share their chain, and serials publish it again: once is enough. */
static int add_targets(struct alias_chain *chain, const struct chain_reading *read)
{
	for (size_t at = 0; at < read->bytes; at += name_size(read->targets + at)) {
		const uint8_t *name = read->targets + at;
		size_t len = name_size(name);
		uint8_t *targets;

		if (has_target(chain, name))
			continue;
		targets = realloc(chain->targets, chain->bytes + len);
		if (!targets)
			return -ENOMEM;
		memcpy(targets + chain->bytes, name, len);
		chain->targets = targets;
		chain->bytes += len;
	}
	return 0;
}

static int keep_chain(struct aliases *aliases, uint32_t view, const uint8_t *owner,
		      const struct chain_reading *chain)
{
	size_t n = nameset_add(&aliases->owners, view, owner);
	struct alias_chain kept = { .view = view,
				    .owner = n,
				    .ends_unsure = chain->ends_unsure };
	struct alias_chain *have;

	if (n == NAMESET_NONE)
		return -ENOMEM;
	if (!aliases->owners.at[n].word) {
		if (append_chain(aliases, &kept) < 0)
			return -ENOMEM;
		aliases->owners.at[n].word = (uint32_t)aliases->count;
	}
	have = &aliases->chains[aliases->owners.at[n].word - 1];
	have->ends_unsure |= chain->ends_unsure;
	return add_targets(have, chain);
}

/* Most answers begin with the very RRset that was asked for: no chain, seen cheaply. */
static bool is_plain(const struct answer *answer)
{
	return !answer->ancount ||
	       (answer->len > 4 && answer->bytes[0] == QNAME_POINTER >> 8 &&
		answer->bytes[1] == (QNAME_POINTER & 0xff) &&
		(answer->bytes[2] || answer->bytes[3] != TYPE_CNAME));
}

int aliases_note(struct aliases *aliases, uint32_t view, const uint8_t *owner,
		 const struct answer *answer, const uint8_t *sname, bool *ret_referral)
{
	struct chain_reading chain;

	*ret_referral = false;
	if (is_plain(answer))
		return 0;
	chain.bytes = 0;
	chain.referral = false;
	chain.ends_unsure = true;
	read_chain(&chain, owner, answer);
	*ret_referral = chain.referral;
	if (!chain.bytes)
		return 0;
	if (sname)
		add_target(&chain, sname);
	return keep_chain(aliases, view, owner, &chain);
}

void aliases_forget(struct aliases *aliases, uint32_t view, const uint8_t *owner)
{
	size_t n = nameset_find(&aliases->owners, view, owner);
	struct alias_chain *chain;

	if (n == NAMESET_NONE || !aliases->owners.at[n].word)
		return;
	chain = &aliases->chains[aliases->owners.at[n].word - 1];
	chain->bytes = 0;
	chain->ends_unsure = false;
}

void aliases_forget_view(struct aliases *aliases, uint32_t view)
{
	for (size_t i = 0; i < aliases->count; i++)
		if (aliases->chains[i].view == view) {
			aliases->chains[i].bytes = 0;
			aliases->chains[i].ends_unsure = false;
		}
}

/* Is @target, or a name above it, among @changed? */
static bool meets(const struct nameset *changed, uint32_t view, const uint8_t *target)
{
	for (const uint8_t *name = target;; name = name_parent(name)) {
		if (nameset_find(changed, view, name) != NAMESET_NONE)
			return true;
		if (!*name)
			return false;
	}
}

int aliases_dirty(const struct aliases *aliases, uint32_t view,
		  const struct nameset *changed, bool existence, struct nameset *dirty)
{
	for (size_t i = 0; i < aliases->count; i++) {
		const struct alias_chain *chain = &aliases->chains[i];
		bool hit = chain->ends_unsure && existence && chain->bytes;
		size_t n;

		if (chain->view != view)
			continue;
		for (size_t at = 0; at < chain->bytes && !hit;
		     at += name_size(chain->targets + at))
			hit = meets(changed, view, chain->targets + at);
		if (!hit)
			continue;
		n = nameset_add(dirty, view, aliases->owners.at[chain->owner].name);
		if (n == NAMESET_NONE)
			return -ENOMEM;
		dirty->at[n].word |= PUBLISH_WHOLE;
	}
	return 0;
}
