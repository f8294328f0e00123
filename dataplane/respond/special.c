/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * special.c - answers that come from no record.
 */
#include "respond/special.h"
#include <string.h>
#include "lane53/abi.h"
#include "lane53/wire.h"
#include "dns/name.h"
#include "io/port.h"
#include "plan/plan.h"
#include "respond/build.h"

const struct plan_step *special_step(const struct plan_block *block, int kind,
				     const uint8_t *qname)
{
	for (unsigned i = 0; i < block->step_count; i++) {
		const struct plan_step *step = &block->steps[i];

		if ((int)step->kind == kind &&
		    plan_names_cover(&step->zones, qname, name_size(qname)))
			return step;
	}
	return NULL;
}

/* TXT of one character-string; longer texts are cut at 255 bytes (RFC 1035 3.3). */
static void put_txt(struct build *b, const uint8_t *qname, const char *text)
{
	size_t len = strlen(text);
	uint8_t rdata[256];
	struct message_rr rr = {
		.owner = qname,
		.type = TYPE_TXT,
		.class_ = CLASS_CH,
		.rdata = rdata,
	};

	if (len > 255)
		len = 255;
	rdata[0] = (uint8_t)len;
	memcpy(rdata + 1, text, len);
	rr.rdata_len = (uint16_t)(len + 1);
	build_rr(b, SECTION_ANSWER, &rr);
}

enum chaos_what { CHAOS_VERSION, CHAOS_AUTHORS, CHAOS_HOSTNAME };

static const struct {
	const char *wire;
	enum chaos_what what;
} chaos_names[] = {
	{ "\7version\4bind", CHAOS_VERSION }, { "\7version\6server", CHAOS_VERSION },
	{ "\7authors\4bind", CHAOS_AUTHORS }, { "\10hostname\4bind", CHAOS_HOSTNAME },
	{ "\2id\6server", CHAOS_HOSTNAME },
};

bool special_chaos(const struct plan_step *step, const uint8_t *qname, uint16_t qtype,
		   const char *hostname, struct answer *ret)
{
	size_t i = 0, count = sizeof(chaos_names) / sizeof(chaos_names[0]);
	struct build b;

	while (i < count && !name_equal(qname, (const uint8_t *)chaos_names[i].wire))
		i++;
	if (i == count || qtype != TYPE_TXT)
		return false;

	build_begin(&b, ret, qname);
	ret->flags = FLAG_AA;
	ret->local = true;
	ret->directive = LANE53_BY_CHAOS;
	switch (chaos_names[i].what) {
	case CHAOS_VERSION:
		if (step->text_count)
			put_txt(&b, qname, step->texts[0]);
		break;
	case CHAOS_AUTHORS:
		for (unsigned n = 1; n < step->text_count; n++)
			put_txt(&b, qname, step->texts[n]);
		break;
	case CHAOS_HOSTNAME:
		put_txt(&b, qname, hostname);
		break;
	}
	return build_end(&b);
}

static bool is_ipv4(const uint8_t addr[16])
{
	static const uint8_t prefix[12] = { [10] = 0xff, [11] = 0xff };

	return !memcmp(addr, prefix, sizeof(prefix));
}

bool special_whoami(const struct client *client, const uint8_t *qname,
		    struct answer *ret)
{
	const char *label = client->proto == CLIENT_TCP ? "\4_tcp" : "\4_udp";
	const bool ipv4 = is_ipv4(client->remote);
	const uint8_t srv[7] = { 0,
				 0,
				 0,
				 0,
				 (uint8_t)(client->remote_port >> 8),
				 (uint8_t)client->remote_port };
	struct message_rr rr = {
		.owner = qname,
		.type = ipv4 ? TYPE_A : TYPE_AAAA,
		.class_ = CLASS_IN,
		.rdata = client->remote + (ipv4 ? 12 : 0),
		.rdata_len = ipv4 ? 4 : 16,
	};
	size_t len = name_size(qname);
	uint8_t owner[255];
	struct build b;

	if (len + 5 > sizeof(owner))
		return false;
	memcpy(owner, label, 5);
	memcpy(owner + 5, qname, len);
	build_begin(&b, ret, qname);
	ret->flags = FLAG_AA;
	ret->local = true;
	ret->directive = LANE53_BY_WHOAMI;
	build_rr(&b, SECTION_ADDITIONAL, &rr);
	rr = (struct message_rr){ owner, TYPE_SRV, CLASS_IN, 0, srv, sizeof(srv) };
	build_rr(&b, SECTION_ADDITIONAL, &rr);
	return build_end(&b);
}

bool special_is_probe(const struct plan_step *step, const uint8_t *qname,
		      uint16_t qtype)
{
	uint8_t probe[255];

	return qtype == TYPE_HINFO && step->text_count &&
	       name_from_text(probe, step->texts[0]) && name_equal(probe, qname);
}
