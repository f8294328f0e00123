/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reload.c - read the Corefile again: when it changed, on SIGUSR1 and SIGHUP, on request.
 * A bad file changes nothing; its first error is in the log and in `status`.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "daemon/commit.h"
#include "daemon/daemon.h"
#include "daemon/log.h"

struct reloading {
	struct daemon *d;
	setup_done *done;
	void *context;
};

static void note(struct daemon *d, bool ok, const char *error)
{
	d->reload.ok = ok;
	d->reload.at = time(NULL);
	snprintf(d->reload.error, sizeof(d->reload.error), "%s", error);
	if (ok) {
		degraded_clear(&d->degraded, "reload");
		return;
	}
	d->reload.failed++;
	log_error("Corefile changed but reload failed; the last good configuration "
		  "stays");
	degraded_note(&d->degraded, "reload",
		      "reload: %s; the last good configuration stays", error);
}

static void on_applied(void *context, int result, bool changed)
{
	struct reloading *reloading = context;
	struct daemon *d = reloading->d;

	if (result < 0) {
		log_error("%s: cannot be put into force: %s",
			  d->options->conf ? d->options->conf : "Corefile",
			  commit_error_text(result));
		note(d, false, commit_error_text(result));
	} else {
		note(d, true, "");
		log_info("Reloading complete%s", changed ? "" : ": nothing changed");
	}
	reload_start(d);
	if (reloading->done)
		reloading->done(reloading->context, result, changed);
	free(reloading);
}

void reload_now(struct daemon *d, setup_done *done, void *context)
{
	struct reloading *reloading = calloc(1, sizeof(*reloading));
	struct config *config;
	char error[1024];
	int r;

	if (!reloading) {
		if (done)
			done(context, -ENOMEM, false);
		return;
	}
	*reloading = (struct reloading){ d, done, context };
	log_info("Reloading");
	r = setup_read(d->options, &config, error, sizeof(error));
	if (r < 0) {
		note(d, false, error);
		reload_start(d);
		if (done)
			done(context, r, false);
		free(reloading);
		return;
	}
	setup_apply(d, config, on_applied, reloading);
}

/* Has the Corefile, or what it imports, changed since it was read? */
static bool has_changed(struct daemon *d)
{
	struct config_options wanted = { .file = d->options->conf,
					 .dns_port = d->options->dns_port };
	struct config_notes notes = { NULL, 0 };
	struct config *config = NULL;
	char error[1024] = "";
	bool changed, bad;

	bad = corefile_compile(&config, &wanted, &notes) < 0;
	for (unsigned i = 0; i < notes.count && !error[0]; i++)
		if (notes.at[i].fatal)
			problem_format(&notes.at[i].problem, error, sizeof(error));
	changed = bad ? strcmp(error, d->reload.error) != 0
		      : config->digest != d->config->digest || !d->reload.ok;
	config_notes_deinit(&notes);
	config_free(config);
	return changed;
}

static void on_timer(uv_timer_t *timer)
{
	struct daemon *d = timer->data;

	if (d->ending)
		return;
	if (has_changed(d))
		reload_now(d, NULL, NULL);
	else
		reload_start(d);
}

void reload_init(struct daemon *d)
{
	uv_timer_init(d->loop, &d->reload.timer);
	d->reload.timer.data = d;
	d->reload.ok = true;
	d->reload.at = time(NULL);
}

void reload_start(struct daemon *d)
{
	uint32_t random = 0, jitter_ms;
	uint64_t in_ms;

	uv_timer_stop(&d->reload.timer);
	if (!d->config || !d->config->reload)
		return;
	/* interval +- jitter, so that a fleet does not reload in step */
	(void)!getrandom(&random, sizeof(random), 0);
	jitter_ms = d->config->reload_jitter_ms;
	in_ms = d->config->reload_ms;
	if (jitter_ms)
		in_ms = in_ms - jitter_ms + random % (2 * jitter_ms + 1);
	uv_timer_start(&d->reload.timer, on_timer, in_ms ? in_ms : 1, 0);
}
