/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * setup.c - put a Corefile into force.
 *
 *   sources ─► plan ─► records ─► commit ─► HTTP, XDP rules, timers ─► workers wake
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "corefile/config.h"
#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/eventlog.h"
#include "daemon/fastpath.h"
#include "daemon/log.h"
#include "daemon/loops.h"
#include "daemon/rule_list.h"
#include "daemon/sources.h"
#include "daemon/web.h"
#include "plan/plan.h"
#include "store/store.h"
#include "xdp/ifaces.h"
#include "xdp/ingress.h"

#define WAKE_MS 3000

struct setting {
	struct daemon *d;
	struct commit *commit;
	struct config_local *locals; /* d->locals from now on, if all goes well */
	unsigned local_count;
	unsigned waiting;
	int result;
	bool changed;
	setup_done *done;
	void *context;
};

int setup_read(const struct options *options, struct config **ret_config,
	       char *ret_error, size_t room)
{
	struct config_options wanted = { .file = options->conf,
					 .dns_port = options->dns_port };
	struct config_notes notes = { NULL, 0 };
	int r;

	r = corefile_compile(ret_config, &wanted, &notes);
	ret_error[0] = 0;
	for (unsigned i = 0; i < notes.count; i++) {
		if (notes.at[i].fatal && !ret_error[0])
			problem_format(&notes.at[i].problem, ret_error, room);
		log_problem(&notes.at[i].problem, notes.at[i].fatal);
	}
	config_notes_deinit(&notes);
	return r;
}

/* ---- the plan ---- */

struct telling {
	struct daemon *d;
	struct commit *commit;
};

static int draw_id(void *context, const char *kind, const char *text, uint32_t *ret_id)
{
	struct telling *telling = context;

	return store_id(commit_writer(telling->commit), kind, text, ret_id);
}

static void tell_bind(void *context, const struct problem *problem)
{
	struct telling *telling = context;
	char key[128], text[800];

	problem_format(problem, text, sizeof(text));
	snprintf(key, sizeof(key), "bind/%.100s", problem->text);
	degraded_set(&telling->d->degraded, key, "%s", text);
}

/* fe80::/10 says nothing without an interface, which a listener has no room for. */
static bool is_link_local(const uint8_t addr[16])
{
	return addr[0] == 0xfe && (addr[1] & 0xc0) == 0x80;
}

/* Addresses of this machine, for binds to interfaces; allocated. */
static struct config_local *locals_of(const struct daemon *d, unsigned *ret_count)
{
	unsigned count = 0, n = 0;
	const struct iface_address *own =
		d->ifaces ? ifaces_addresses(d->ifaces, &count) : NULL;
	struct config_local *locals = calloc(count + 1, sizeof(*locals));

	for (unsigned i = 0; locals && i < count; i++) {
		const struct iface *iface = iface_find(d->ifaces, own[i].ifindex);

		if (!iface || is_link_local(own[i].addr))
			continue;
		snprintf(locals[n].interface, sizeof(locals[n].interface), "%s",
			 iface->name);
		memcpy(locals[n++].addr, own[i].addr, 16);
	}
	*ret_count = n;
	return locals;
}

/* What sockets are told of tenants; nothing if there are none. */
static int add_ingresses(const struct daemon *d, struct plan *plan,
			 const struct config *config,
			 const struct plan_origins *origins)
{
	struct ingress_inputs inputs = { 0 };
	struct rule_list rules;
	int r = rule_list_make(&rules, config, origins);

	if (r == 0) {
		inputs.rules = rules.at;
		inputs.rule_count = rules.count;
		if (d->ifaces)
			inputs.ifaces = ifaces_list(d->ifaces, &inputs.iface_count);
		r = ingress_build(plan, &inputs);
	}
	rule_list_deinit(&rules);
	return r;
}

static int make_plan(struct setting *s, const struct config *config,
		     const struct sources *sources, struct plan **ret_plan,
		     struct plan_origins *ret_origins)
{
	struct daemon *d = s->d;
	struct telling telling = { d, s->commit };
	struct plan_inputs inputs = { .id = draw_id,
				      .problem = tell_bind,
				      .context = &telling,
				      .loop_token = d->loop_token,
				      .publish = d->xdp != NULL };
	int r;

	s->locals = locals_of(d, &s->local_count);
	if (!s->locals)
		return -ENOMEM;
	inputs.locals = s->locals;
	inputs.local_count = s->local_count;
	inputs.found = sources_found(sources, &inputs.found_count);
	degraded_begin(&d->degraded, "bind/");
	r = plan_build(ret_plan, ret_origins, config, &inputs);
	degraded_end(&d->degraded, "bind/");
	return r == 0 ? add_ingresses(d, *ret_plan, config, ret_origins) : r;
}

/* ---- records of sources that are no more ---- */

struct dropping {
	struct commit *commit;
	const struct plan *plan;
	int error;
};

static bool is_used(const struct plan *plan, uint32_t source)
{
	for (unsigned v = 0; v < plan->view_count; v++)
		for (unsigned b = 0; b < plan->views[v].block_count; b++) {
			const struct plan_block *block =
				&plan->blocks[plan->views[v].blocks[b]];

			for (unsigned i = 0; i < block->step_count; i++)
				if (block->steps[i].source == source)
					return true;
		}
	return false;
}

static int drop_unused(struct commit *commit, const struct plan *old,
		       const struct plan *plan)
{
	int r = 0;

	for (unsigned b = 0; old && b < old->block_count && r == 0; b++)
		for (unsigned i = 0; i < old->blocks[b].step_count && r == 0; i++) {
			uint32_t source = old->blocks[b].steps[i].source;

			if (source && !is_used(plan, source))
				r = store_clear(commit_writer(commit), source);
		}
	return r;
}

/* ---- waking the workers ---- */

static void step(struct setting *s)
{
	if (--s->waiting > 0)
		return;
	if (s->done)
		s->done(s->context, s->result, s->changed);
	free(s->locals);
	free(s);
}

struct waking {
	struct daemon *d;
	enum worker_io io;
	struct setting *setting; /* NULL: nobody waits */
};

static void note_listeners(struct daemon *d, enum worker_io io, json_t *reply)
{
	json_t *errors = json_object_get(reply, "errors");
	char prefix[32], key[200];

	snprintf(prefix, sizeof(prefix), "listener/%s/", worker_io_name(io));
	degraded_begin(&d->degraded, prefix);
	for (size_t i = 0; i < json_array_size(errors); i++) {
		const char *text = json_string_value(json_array_get(errors, i));

		if (!text)
			continue;
		snprintf(key, sizeof(key), "%s%.150s", prefix, text);
		degraded_set(&d->degraded, key, "%s", text);
	}
	degraded_end(&d->degraded, prefix);
}

static void on_woken(void *context, json_t *reply, const char *error)
{
	struct waking *waking = context;

	(void)error; /* a worker that is gone reads the plan when it comes back */
	if (reply && !waking->d->ending)
		note_listeners(waking->d, waking->io, reply);
	if (waking->setting)
		step(waking->setting);
	free(waking);
}

static void wake(struct daemon *d, enum worker_io io, struct setting *setting)
{
	struct waking *waking;
	struct worker_view worker;

	supervisor_view(d->supervisor, io, &worker);
	if (worker.state != WORKER_RUNNING)
		return;
	waking = calloc(1, sizeof(*waking));
	if (!waking)
		return;
	*waking = (struct waking){ d, io, setting };
	if (setting)
		setting->waiting++;
	supervisor_ask(d->supervisor, io, json_pack("{s:s}", "op", "wake"), WAKE_MS,
		       on_woken, waking);
}

void setup_wake_workers(struct daemon *d)
{
	wake(d, WORKER_SOCKET, NULL);
	wake(d, WORKER_DPDK, NULL);
}

/* ---- the whole ---- */

static void on_committed(void *context, const struct commit_result *result)
{
	struct setting *s = context;

	s->result = result->error;
	s->changed = result->plan_changed || result->names > 0;
	step(s);
}

static void fail(struct setting *s, struct config *config, struct sources *sources,
		 int error)
{
	if (s->commit)
		commit_abort(s->commit);
	sources_close(sources);
	config_free(config);
	s->result = error;
	s->waiting = 1;
	step(s);
}

/* What is in force from now on; the old ones go. */
static void install(struct setting *s, struct config *config, struct sources *sources,
		    struct plan_origins *origins)
{
	struct daemon *d = s->d;
	struct config *old = d->config;

	free(d->locals);
	d->locals = s->locals;
	d->local_count = s->local_count;
	s->locals = NULL;
	sources_close(d->sources);
	plan_origins_deinit(&d->origins);
	d->config = config;
	eventlog_apply(d->events); /* it sums up the old one's errors */
	config_free(old);
	d->sources = sources;
	d->origins = *origins;
	sources_watch(sources);
	web_apply(d);
	fastpath_apply(d);
	loops_apply(d);
}

void setup_apply(struct daemon *d, struct config *config, setup_done *done,
		 void *context)
{
	struct setting *s = calloc(1, sizeof(*s));
	struct sources *sources = NULL;
	struct plan_origins origins = { NULL, NULL };
	struct plan *plan = NULL;
	int r;

	if (!s) {
		config_free(config);
		if (done)
			done(context, -ENOMEM, false);
		return;
	}
	*s = (struct setting){ .d = d, .done = done, .context = context };
	fastpath_prepare(d, config);
	r = sources_open(&sources, d, config);
	if (r == 0)
		r = commit_begin(&s->commit, d->commits);
	if (r == 0)
		r = make_plan(s, config, sources, &plan, &origins);
	if (r == 0)
		r = sources_load(sources, s->commit);
	if (r == 0)
		r = drop_unused(s->commit, commits_plan(d->commits), plan);
	if (r < 0) {
		plan_free(plan);
		plan_origins_deinit(&origins);
		fail(s, config, sources, r);
		return;
	}
	commit_plan(s->commit, plan);
	s->waiting = 2; /* the commit's caches, and what follows here */
	r = commit_end(s->commit, on_committed, s);
	s->commit = NULL;
	if (r == 0) {
		degraded_begin(&d->degraded, "write/"); /* all is written now */
		degraded_end(&d->degraded, "write/");
		install(s, config, sources, &origins);
		wake(d, WORKER_SOCKET, s);
		wake(d, WORKER_DPDK, s);
	} else {
		plan_origins_deinit(&origins);
		sources_close(sources);
		config_free(config);
	}
	step(s);
}

/* Commit the plan in force with the interfaces there are now.  Return: 0 or -errno. */
static int commit_ingresses(struct daemon *d)
{
	const struct plan *now = commits_plan(d->commits);
	char *text = now ? plan_encode(now) : NULL;
	struct commit *commit = NULL;
	struct plan *plan = NULL;
	int r = text ? plan_decode(&plan, text, strlen(text)) : -ENOMEM;

	free(text);
	if (r == 0)
		r = add_ingresses(d, plan, d->config, &d->origins);
	if (r == 0)
		r = commit_begin(&commit, d->commits);
	if (r < 0) {
		plan_free(plan);
		return r;
	}
	commit_plan(commit, plan); /* which is no commit at all if nothing differs */
	return commit_end(commit, NULL, NULL);
}

void setup_sync_interfaces(struct daemon *d)
{
	const struct plan *plan = commits_plan(d->commits);
	int r;

	if (!plan || !plan->ingress_count)
		return; /* no tenants */
	r = commit_ingresses(d);
	if (r < 0) {
		degraded_set(&d->degraded, "ingress",
			     "sockets cannot be told of a change of interfaces: %s; "
			     "what comes in by new ones is not answered there",
			     strerror(-r));
		return;
	}
	degraded_clear(&d->degraded, "ingress");
	wake(d, WORKER_SOCKET, NULL);
}

bool setup_has_other_addresses(const struct daemon *d)
{
	unsigned count;
	struct config_local *now = locals_of(d, &count);
	bool differ = !now || count != d->local_count ||
		      memcmp(now, d->locals, count * sizeof(*now)) != 0;

	free(now);
	return differ;
}

void setup_again(struct daemon *d)
{
	reload_now(d, NULL, NULL);
}
