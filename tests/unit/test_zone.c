/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_zone.c - lookups in zones; the first zone is the one of RFC 4592 2.2.1.
 */
#include "check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dns/name.h"
#include "lane53/wire.h"
#include "store/store.h"
#include "store/zone.h"

/* RDATA is a name (NS, CNAME, DNAME) or stands for itself. */
struct record {
	const char *owner;
	uint16_t type;
	const char *rdata;
};

static const struct record rfc4592[] = {
	{ "example", TYPE_SOA, "soa" },
	{ "example", TYPE_NS, "ns.example.com" },
	{ "example", TYPE_NS, "ns.example.net" },
	{ "*.example", TYPE_TXT, "this is a wildcard" },
	{ "*.example", TYPE_MX, "mx" },
	{ "sub.*.example", TYPE_TXT, "this is not a wildcard" },
	{ "host1.example", TYPE_A, "192.0.2.1" },
	{ "_ssh._tcp.host1.example", TYPE_SRV, "srv" },
	{ "_ssh._tcp.host2.example", TYPE_SRV, "srv" },
	{ "subdel.example", TYPE_NS, "ns.example.com" },
};

static const struct record mixed[] = {
	{ "z", TYPE_SOA, "soa" },
	{ "z", TYPE_NS, "ns.z" },
	{ "ns.z", TYPE_A, "a" },
	{ "alias.z", TYPE_CNAME, "ns.z" },
	{ "*.w.z", TYPE_CNAME, "ns.z" },
	{ "old.z", TYPE_DNAME, "new.z" },
	{ "old.z", TYPE_TXT, "own" },
	{ "x.old.z", TYPE_A, "occluded" },
	{ "far.z", TYPE_DNAME,
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa."
	  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
	  "ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc."
	  "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" },
	{ "cut.z", TYPE_NS, "ns.cut.z" },
	{ "cut.z", TYPE_DS, "ds" },
	{ "ns.cut.z", TYPE_A, "glue" },
	{ "nods.z", TYPE_NS, "ns.z" },
	{ "a.b.c.z", TYPE_A, "deep" },
	{ "*.e.wild.z", TYPE_A, "a" },
	{ "*.*.z", TYPE_A, "a" },
};

static const struct record root[] = {
	{ ".", TYPE_SOA, "soa" },
	{ "com", TYPE_NS, "ns" },
	{ "*", TYPE_TXT, "anything" },
};

static const struct record dname_apex[] = {
	{ "d", TYPE_SOA, "soa" },
	{ "d", TYPE_DNAME, "t" },
};

static char dir[64];
static struct store *store;

static void put_record(struct store_write *write, uint32_t source,
		       const struct record *record)
{
	uint8_t owner[255], rdata[512], bytes[1024];
	struct rrset set, old;
	size_t len = strlen(record->rdata), used = 0;

	name_from_text(owner, record->owner);
	memcpy(rdata, record->rdata, len);
	if (record->type == TYPE_NS || record->type == TYPE_CNAME ||
	    record->type == TYPE_DNAME)
		len = name_from_text(rdata, record->rdata);
	set = (struct rrset){ record->type, 60, 1, bytes, 0 };
	if (store_get(store_write_reader(write), source, owner, record->type, &old)) {
		memcpy(bytes, old.rdata, old.rdata_bytes);
		used = old.rdata_bytes;
		set.count += old.count;
	}
	memcpy(bytes + used, &(uint16_t){ (uint16_t)len }, 2);
	memcpy(bytes + used + 2, rdata, len);
	set.rdata_bytes = used + 2 + len;
	CU_ASSERT_EQUAL(store_put(write, source, owner, &set), 0);
}

static void fill(void)
{
	static const struct {
		const struct record *records;
		size_t count;
	} zones[] = {
		{ rfc4592, ARRAY_LEN(rfc4592) },
		{ mixed, ARRAY_LEN(mixed) },
		{ root, ARRAY_LEN(root) },
		{ dname_apex, ARRAY_LEN(dname_apex) },
	};
	struct store_write *write;

	snprintf(dir, sizeof(dir), "/tmp/lane53-test-zone-XXXXXX");
	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	CU_ASSERT_EQUAL_FATAL(store_open(&store, dir, STORE_READ_WRITE, 1 << 24), 0);
	CU_ASSERT_EQUAL_FATAL(store_write_begin(store, &write), 0);
	for (uint32_t z = 0; z < ARRAY_LEN(zones); z++)
		for (size_t i = 0; i < zones[z].count; i++)
			put_record(write, z + 1, &zones[z].records[i]);
	CU_ASSERT_EQUAL(store_write_commit(write), 0);
}

static void drop(void)
{
	char path[128];

	store_close(store);
	snprintf(path, sizeof(path), "%s/data.mdb", dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/lock.mdb", dir);
	unlink(path);
	CU_ASSERT_EQUAL(rmdir(dir), 0);
}

#define L60 "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee"

/* clang-format off */
static const struct {
	const char *why;
	uint32_t source;
	const char *origin, *name;
	uint16_t qtype;
	enum zone_status want;
	bool wildcard;
	const char *owner;  /* NULL: the name */
	const char *target; /* of CNAME, DNAME */
} lookups[] = {
	/* RFC 4592 2.2.1: "the following responses would be synthesized ..." */
	{ "4592: MX by wildcard", 1, "example", "host3.example", TYPE_MX, ZONE_FOUND, true },
	{ "4592: no A at the wildcard", 1, "example", "host3.example", TYPE_A, ZONE_NODATA, true },
	{ "4592: two labels below", 1, "example", "foo.bar.example", TYPE_TXT, ZONE_FOUND, true },
	/* "... would not be synthesized from any of the wildcards" */
	{ "4592: the name exists", 1, "example", "host1.example", TYPE_MX, ZONE_NODATA },
	{ "4592: it is a wildcard itself", 1, "example", "sub.*.example", TYPE_MX, ZONE_NODATA },
	{ "4592: _tcp.host1 exists", 1, "example", "_telnet._tcp.host1.example", TYPE_SRV, ZONE_NXDOMAIN },
	{ "4592: below a zone cut", 1, "example", "host.subdel.example", TYPE_A, ZONE_DELEGATION, false, "subdel.example" },
	{ "4592: *.example exists", 1, "example", "ghost.*.example", TYPE_MX, ZONE_NXDOMAIN },
	/* RFC 4592 2.2.2, 2.2.3, and the rest of the zone */
	{ "4592: an empty non-terminal", 1, "example", "host2.example", TYPE_TXT, ZONE_NODATA },
	{ "4592: another", 1, "example", "_tcp.host2.example", TYPE_SRV, ZONE_NODATA },
	{ "4592: the wildcard asked for", 1, "example", "*.example", TYPE_TXT, ZONE_FOUND },
	{ "4592: the name below it", 1, "example", "sub.*.example", TYPE_TXT, ZONE_FOUND },
	{ "4592: at the cut", 1, "example", "subdel.example", TYPE_TXT, ZONE_DELEGATION, false, "subdel.example" },
	{ "4592: apex", 1, "example", "example", TYPE_NS, ZONE_FOUND },
	{ "4592: apex without type", 1, "example", "example", TYPE_A, ZONE_NODATA },
	{ "4592: host1", 1, "example", "host1.example", TYPE_A, ZONE_FOUND },

	{ "CNAME", 2, "z", "alias.z", TYPE_A, ZONE_CNAME, false, NULL, "ns.z" },
	{ "CNAME asked for", 2, "z", "alias.z", TYPE_CNAME, ZONE_FOUND },
	{ "CNAME by wildcard", 2, "z", "q.w.z", TYPE_A, ZONE_CNAME, true, NULL, "ns.z" },
	{ "ANY at an alias is not followed", 2, "z", "alias.z", TYPE_ANY, ZONE_NODATA },
	{ "ANY by wildcard", 2, "z", "q.w.z", TYPE_ANY, ZONE_NODATA, true },
	{ "wildcard's parent is empty", 2, "z", "w.z", TYPE_A, ZONE_NODATA },
	{ "below a DNAME", 2, "z", "q.r.old.z", TYPE_A, ZONE_DNAME, false, "old.z", "q.r.new.z" },
	{ "records below a DNAME are hidden", 2, "z", "x.old.z", TYPE_A, ZONE_DNAME, false, "old.z", "x.new.z" },
	{ "at the DNAME: own records", 2, "z", "old.z", TYPE_TXT, ZONE_FOUND },
	{ "at the DNAME: itself", 2, "z", "old.z", TYPE_DNAME, ZONE_FOUND },
	{ "at the DNAME: nothing else", 2, "z", "old.z", TYPE_A, ZONE_NODATA },
	{ "DNAME's target too long", 2, "z", L60 ".far.z", TYPE_A, ZONE_YXDOMAIN, false, "far.z" },
	{ "DS at the cut is the parent's", 2, "z", "cut.z", TYPE_DS, ZONE_FOUND },
	{ "no DS at a cut", 2, "z", "nods.z", TYPE_DS, ZONE_NODATA },
	{ "NS at the cut is a referral", 2, "z", "cut.z", TYPE_NS, ZONE_DELEGATION, false, "cut.z" },
	{ "glue is not an answer", 2, "z", "ns.cut.z", TYPE_A, ZONE_DELEGATION, false, "cut.z" },
	{ "DS below the cut", 2, "z", "q.cut.z", TYPE_DS, ZONE_DELEGATION, false, "cut.z" },
	{ "DS at the apex: not the parent", 2, "z", "z", TYPE_DS, ZONE_NODATA },
	{ "empty non-terminal", 2, "z", "b.c.z", TYPE_A, ZONE_NODATA },
	{ "below an empty non-terminal", 2, "z", "x.b.c.z", TYPE_A, ZONE_NXDOMAIN },
	{ "wildcard that exists by one below", 2, "z", "q.z", TYPE_A, ZONE_NODATA, true },
	{ "wildcard below an empty wildcard", 2, "z", "x.*.z", TYPE_A, ZONE_FOUND, true },
	{ "no wildcard at this encloser", 2, "z", "q.wild.z", TYPE_A, ZONE_NXDOMAIN },
	{ "wildcard at that one", 2, "z", "q.e.wild.z", TYPE_A, ZONE_FOUND, true },

	{ "root zone: wildcard", 3, ".", "a.b.c", TYPE_TXT, ZONE_FOUND, true },
	{ "root zone: cut", 3, ".", "a.com", TYPE_A, ZONE_DELEGATION, false, "com" },
	{ "root zone: apex", 3, ".", ".", TYPE_SOA, ZONE_FOUND },
	{ "DNAME at the apex", 4, "d", "a.b.d", TYPE_A, ZONE_DNAME, false, "d", "a.b.t" },
	{ "the apex itself", 4, "d", "d", TYPE_SOA, ZONE_FOUND },
	{ "no zone", 5, "z", "a.z", TYPE_A, ZONE_ABSENT },
	{ "no SOA at this origin", 2, "b.c.z", "a.b.c.z", TYPE_A, ZONE_ABSENT },
};
/* clang-format on */

static void look_up(size_t i, struct store_read *read)
{
	uint8_t origin[255], name[255], want[255];
	struct zone_result got;

	name_from_text(origin, lookups[i].origin);
	name_from_text(name, lookups[i].name);
	zone_lookup(read, lookups[i].source, origin, name, lookups[i].qtype, &got);
	if (got.status != lookups[i].want || got.wildcard != lookups[i].wildcard)
		printf("\n  %s: got %d", lookups[i].why, (int)got.status);
	CU_ASSERT_EQUAL(got.status, lookups[i].want);
	CU_ASSERT_EQUAL(got.wildcard, lookups[i].wildcard);
	name_from_text(want, lookups[i].owner ? lookups[i].owner : lookups[i].name);
	CU_ASSERT_TRUE(name_equal(got.owner, want));
	if (lookups[i].target) {
		name_from_text(want, lookups[i].target);
		CU_ASSERT_TRUE(name_equal(got.target, want));
	}
	if (got.status == ZONE_FOUND)
		CU_ASSERT_EQUAL(got.set.type, lookups[i].qtype);
	if (got.status != ZONE_ABSENT)
		CU_ASSERT_EQUAL(got.soa.type, TYPE_SOA);
	if (got.status == ZONE_NODATA)
		CU_ASSERT_NOT_EQUAL(store_presence(read, lookups[i].source, got.node),
				    STORE_NO_NAME);
}

static void every_lookup(void)
{
	struct store_read *read;

	fill();
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	for (size_t i = 0; i < ARRAY_LEN(lookups); i++)
		look_up(i, read);
	store_read_end(read);
	drop();
}

static void glue(void)
{
	struct store_read *read;
	struct rrset set;
	uint8_t origin[255], name[255];

	fill();
	CU_ASSERT_EQUAL_FATAL(store_read_begin(store, &read), 0);
	name_from_text(origin, "z");
	name_from_text(name, "ns.cut.z");
	CU_ASSERT_TRUE(zone_glue(read, 2, origin, name, TYPE_A, &set));
	CU_ASSERT_FALSE(zone_glue(read, 2, origin, name, TYPE_AAAA, &set));
	name_from_text(origin, "other");
	CU_ASSERT_FALSE(zone_glue(read, 2, origin, name, TYPE_A, &set));
	store_read_end(read);
	drop();
}

static const struct check_case cases[] = {
	{ "every lookup", every_lookup },
	{ "glue", glue },
};

CHECK_MAIN("zone", cases)
