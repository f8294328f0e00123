/* SPDX-License-Identifier: BSD-3-Clause */
/* ops_record.c - `record`: one view's records by hand, in the workers and XDP at once. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/lines.h"
#include "daemon/rrtext.h"
#include "dns/name.h"
#include "plan/plan.h"

struct recording {
	struct lines_request *request;
	uint64_t began_ns;
	unsigned changed; /* RRsets */
};

static void on_committed(void *context, const struct commit_result *result)
{
	struct recording *recording = context;

	if (result->error)
		lines_refuse(recording->request, "%s",
			     commit_error_text(result->error));
	else
		lines_reply(recording->request,
			    json_pack("{s:b, s:i, s:i, s:I}", "ok", 1, "changed",
				      (int)recording->changed, "published",
				      (int)result->published, "took_us",
				      (json_int_t)((uv_hrtime() - recording->began_ns) /
						   1000)));
	free(recording);
}

/* ---- set ---- */

static bool is_same(const struct rrset *a, const struct rrset *b)
{
	return a->ttl_s == b->ttl_s && a->count == b->count &&
	       a->rdata_bytes == b->rdata_bytes &&
	       !memcmp(a->rdata, b->rdata, a->rdata_bytes);
}

static int put_all(struct commit *commit, uint32_t source, const struct rrtext *rrs,
		   unsigned *changed)
{
	struct rrset have;
	int r = 0;

	for (size_t i = 0; i < rrs->count && r == 0; i++) {
		const struct rrtext_set *s = &rrs->at[i];

		if (store_get(commit_reader(commit), source, s->owner, s->set.type,
			      &have) &&
		    is_same(&have, &s->set))
			continue;
		r = store_put(commit_writer(commit), source, s->owner, &s->set);
		if (r == 0)
			r = commit_changed(commit, source, s->owner);
		++*changed;
	}
	return r;
}

static int set_records(struct commit *commit, uint32_t source, json_t *records,
		       unsigned *changed, struct problem *problem)
{
	struct rrtext rrs = { NULL, 0 };
	int r = 0;

	for (size_t i = 0; i < json_array_size(records) && r == 0; i++)
		r = rrtext_add(&rrs, json_string_value(json_array_get(records, i)),
			       problem);
	if (r == 0)
		r = put_all(commit, source, &rrs, changed);
	rrtext_deinit(&rrs);
	return r;
}

/* ---- delete ---- */

struct deletion {
	struct commit *commit;
	uint32_t source;
	const uint8_t *owner;
	unsigned *changed;
	int error;
};

static int delete_set(struct deletion *x, uint16_t type)
{
	int r = store_delete(commit_writer(x->commit), x->source, x->owner, type);

	if (r == STORE_ABSENT)
		return 0;
	if (r == 0)
		r = commit_changed(x->commit, x->source, x->owner);
	if (r == 0)
		++*x->changed;
	return r;
}

static bool delete_each(void *context, const struct rrset *set)
{
	struct deletion *x = context;

	x->error = delete_set(x, set->type);
	return !x->error;
}

/* The RRset of @gone's type without the RRs that @gone has: as this request left it. */
static int subtract(struct deletion *x, const struct rrset *gone)
{
	struct rrset have, left = { .type = gone->type };
	uint8_t *bytes;
	const uint8_t *rdata, *other;
	uint16_t len, other_len;
	size_t pos = 0;
	int r;

	if (!store_get(store_write_reader(commit_writer(x->commit)), x->source,
		       x->owner, gone->type, &have))
		return 0;
	bytes = malloc(have.rdata_bytes);
	if (!bytes)
		return -ENOMEM;
	left.ttl_s = have.ttl_s;
	left.rdata = bytes;
	while (rrset_next(&have, &pos, &rdata, &len)) {
		size_t at = 0;
		bool drop = false;

		while (!drop && rrset_next(gone, &at, &other, &other_len))
			drop = other_len == len && !memcmp(other, rdata, len);
		if (drop)
			continue;
		memcpy(bytes + left.rdata_bytes, rdata - 2, 2u + len);
		left.rdata_bytes += 2u + len;
		left.count++;
	}
	if (left.count == have.count) {
		r = 0;
	} else if (!left.count) {
		r = delete_set(x, gone->type);
	} else {
		r = store_put(commit_writer(x->commit), x->source, x->owner, &left);
		if (r == 0)
			r = commit_changed(x->commit, x->source, x->owner);
		++*x->changed;
	}
	free(bytes);
	return r;
}

static int delete_one(struct commit *commit, uint32_t source, const char *text,
		      unsigned *changed, struct problem *problem)
{
	struct rrtext rr = { NULL, 0 };
	uint8_t owner[255];
	uint16_t type;
	struct deletion x = { commit, source, owner, changed, 0 };
	int r = rrtext_target(&rr, text, owner, &type, problem);

	if (r == 0 && rr.count)
		r = subtract(&x, &rr.at[0].set);
	else if (r == 0 && type)
		r = delete_set(&x, type);
	else if (r == 0) {
		store_each_type(commit_reader(commit), source, owner, delete_each, &x);
		r = x.error;
	}
	rrtext_deinit(&rr);
	return r;
}

/* ---- the request ---- */

static bool are_texts(const json_t *records)
{
	if (!json_array_size(records))
		return false;
	for (size_t i = 0; i < json_array_size(records); i++)
		if (!json_is_string(json_array_get(records, i)))
			return false;
	return true;
}

static int carry_out(struct commit *commit, uint32_t source, json_t *json,
		     unsigned *changed, struct problem *problem)
{
	json_t *records = json_object_get(json, "records");
	const char *action = json_string_value(json_object_get(json, "action"));
	int r = 0;

	if (!strcmp(action, "set"))
		return set_records(commit, source, records, changed, problem);
	for (size_t i = 0; i < json_array_size(records) && r == 0; i++)
		r = delete_one(commit, source,
			       json_string_value(json_array_get(records, i)), changed,
			       problem);
	return r;
}

void op_record(struct daemon *d, struct lines_request *request, json_t *json)
{
	struct recording *recording;
	const struct plan_view *view;
	struct commit *commit;
	struct problem problem = { .text = "" };
	const char *action;
	bool refused;
	int r;

	action = control_text(request, json, "action", true, &refused);
	if (refused)
		return;
	if (strcmp(action, "set") && strcmp(action, "delete")) {
		lines_refuse(request, "action: '%.40s' is neither set nor delete",
			     action);
		return;
	}
	if (!are_texts(json_object_get(json, "records"))) {
		lines_refuse(request,
			     "records: expected a list of texts, one per record");
		return;
	}
	view = control_view(d, request, json);
	if (!view)
		return;
	recording = calloc(1, sizeof(*recording));
	if (!recording || commit_begin(&commit, d->commits) < 0) {
		free(recording);
		lines_refuse(request, "the zone store cannot be written");
		return;
	}
	recording->request = request;
	recording->began_ns = uv_hrtime();
	r = carry_out(commit, view->manual, json, &recording->changed, &problem);
	if (r < 0) {
		commit_abort(commit);
		free(recording);
		lines_refuse(request, "%s",
			     problem.text[0] ? problem.text : commit_error_text(r));
		return;
	}
	commit_end(commit, on_committed, recording);
}
