/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.h - the zone store: every record, the plan, and the numbers, in one LMDB.
 *
 * One writer (lane53d), many readers (workers, lane53ctl).  A commit is the unit of
 * visibility.  Records belong to a *source* (one hosts directive, one zone of a zone
 * file, the manual records of one view), whose number comes from store_id().
 *
 *   records   source u32 BE | name key | 0 | type u16 BE  ──►  RRset
 *   meta      text key                                    ──►  bytes (PLAN_KEY, ...)
 *   ids       kind '/' text                               ──►  number, never reused
 *
 * The name key is the name's labels from the root down, lower case, each ended by a 0
 * byte (0 and 1 inside a label are escaped as 1,1 and 1,2), so byte order is canonical
 * order (RFC 4034 6.1) and a name's descendants follow it directly.
 *
 * Names are wire format, any case, in queries; stored in lower case.
 */
#ifndef LANE53_STORE_H
#define LANE53_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct store;
struct store_read;
struct store_write;

#define STORE_VERSION 1 /* of the layout; kept in meta "version" */

enum store_mode { STORE_READ_ONLY, STORE_READ_WRITE };

enum { STORE_ABSENT = 1, STORE_OTHER_VERSION = 2 };

/*
 * Open the store in directory @dir; STORE_READ_WRITE creates it (mode 0700), and first
 * reads all of it once, in a child process, to know that it is sound.
 * @map_bytes is the most it may ever hold (address space, not memory); 0 = 16 GiB; the
 * same in every process.
 * On success *@ret_store is the caller's.
 * Return: 0; STORE_ABSENT (read-only and nothing there); STORE_OTHER_VERSION; -EACCES;
 * -EIO or -EINVAL: corrupt or not a store; -ENOMEM; -EBUSY: to write, where this process
 * has it open to read only (handles on one directory share LMDB's environment); another
 * negative errno of making the directory.
 */
int store_open(struct store **ret_store, const char *dir, enum store_mode mode,
	       size_t map_bytes);
void store_close(struct store *store);

/*
 * Begin to read the newest commit.  One read at a time per @store handle (it is
 * renewed, not allocated: cheap enough for every batch of queries).
 * Return: 0, -ENOMEM, -EIO.
 */
int store_read_begin(struct store *store, struct store_read **ret_read);
/* Everything borrowed from @read ends here. */
void store_read_end(struct store_read *read);
/* Rises with every commit that changed anything. */
uint64_t store_read_commit_id(const struct store_read *read);

/* One RRset; everything borrowed until store_read_end(). */
struct rrset {
	uint16_t type;
	uint32_t ttl_s;
	uint16_t count;       /* RRs */
	const uint8_t *rdata; /* count times: u16 length (host order, unaligned), bytes;
			       * names inside are uncompressed */
	size_t rdata_bytes;
};

/* Walk the RDATA of @set: start with *pos = 0; false at the end. */
bool rrset_next(const struct rrset *set, size_t *pos, const uint8_t **ret_rdata,
		uint16_t *ret_len);

/* The RRset of exactly @name and @type.  Return: found? */
bool store_get(struct store_read *read, uint32_t source, const uint8_t *name,
	       uint16_t type, struct rrset *ret_set);

/*
 * The RRset of @type with the greatest owner that is @name or before it in canonical
 * order; ret_owner: wire.  RRsets of other types in between are walked over, but no more
 * than STORE_BEFORE_MAX are looked at: names below a zone cut have no NSEC, and all of a
 * zone that has none must not be read for each query.
 * Return: found?
 */
#define STORE_BEFORE_MAX 256
bool store_get_before(struct store_read *read, uint32_t source, const uint8_t *name,
		      uint16_t type, uint8_t ret_owner[255], struct rrset *ret_set);

enum store_presence {
	STORE_NO_NAME,    /* neither the name nor anything below it */
	STORE_EMPTY_NAME, /* an empty non-terminal: only names below it (RFC 8020) */
	STORE_NAME,       /* has records */
};
enum store_presence store_presence(struct store_read *read, uint32_t source,
				   const uint8_t *name);

/*
 * As store_presence(), and in one descent those of @name's RRsets that are of the @count
 * types at @types, in any order: @ret_sets[i].rdata is NULL where there is none.
 */
enum store_presence store_find(struct store_read *read, uint32_t source,
			       const uint8_t *name, const uint16_t *types,
			       unsigned count, struct rrset *ret_sets);

/* Every RRset of @name, in type order; @each returns false to stop. */
void store_each_type(struct store_read *read, uint32_t source, const uint8_t *name,
		     bool (*each)(void *context, const struct rrset *set),
		     void *context);

/*
 * Every RRset at and below @top (wire) in canonical order; @each gets the owner in wire
 * format and returns false to stop.
 */
void store_each(struct store_read *read, uint32_t source, const uint8_t *top,
		bool (*each)(void *context, const uint8_t *owner,
			     const struct rrset *set),
		void *context);

/* Borrowed bytes of meta @key.  Return: found? */
bool store_meta_get(struct store_read *read, const char *key, const void **ret_bytes,
		    size_t *ret_len);

/* ---- writing: one at a time; lane53d only ---- */

/* Return: 0, -ENOMEM, -EIO, -ENOSPC (map_bytes reached, also from the calls below). */
int store_write_begin(struct store *store, struct store_write **ret_write);
int store_write_commit(struct store_write *write); /* ends @write, also on failure */
void store_write_abort(struct store_write *write);

/*
 * Replace the RRset of @name and @type; @rdata in the layout of struct rrset.
 * Names in ascending order behind everything stored are appended, which is fastest.
 * Return: 0, or a negative errno after which only abort makes sense.
 */
int store_put(struct store_write *write, uint32_t source, const uint8_t *name,
	      const struct rrset *set);
/* Return: 0, STORE_ABSENT, negative errno. */
int store_delete(struct store_write *write, uint32_t source, const uint8_t *name,
		 uint16_t type);
int store_clear(struct store_write *write, uint32_t source);

/*
 * A reader that sees what @write has put so far (for a writer that diffs against its
 * own state).  Borrowed; ends with @write.  Not for store_read_end().
 */
struct store_read *store_write_reader(struct store_write *write);

int store_meta_put(struct store_write *write, const char *key, const void *bytes,
		   size_t len);

/*
 * The number of @text among @kind ("view", "label", "source"), drawn if it is new:
 * 1, 2, 3 ...; 0 is never given out.  Return: 0 or a negative errno.
 */
int store_id(struct store_write *write, const char *kind, const char *text,
	     uint32_t *ret_id);
/* Look up only. Return: found? */
bool store_id_find(struct store_read *read, const char *kind, const char *text,
		   uint32_t *ret_id);

#endif
