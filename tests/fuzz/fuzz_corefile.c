/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_corefile.c - any text as a Corefile: it is refused with a note, or it makes a plan
 * that survives its encoding.
 */
#include "fuzz.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "corefile/config.h"

static int draw_id(void *context, const char *kind, const char *text, uint32_t *ret_id)
{
	uint32_t *next = context;

	(void)kind;
	(void)text;
	*ret_id = ++*next;
	return 0;
}

static void check_plan(const struct config *config)
{
	uint32_t next = 0;
	struct plan_inputs inputs = { .id = draw_id,
				      .context = &next,
				      .loop_token = "1.2" };
	struct plan_origins origins;
	struct plan *plan, *copy;
	char *text, *again;
	int r = plan_build(&plan, &origins, config, &inputs);

	if (r == -EADDRNOTAVAIL) /* binds to interfaces only */
		return;
	FUZZ_CHECK(r == 0);
	text = plan_encode(plan);
	FUZZ_CHECK(text && plan_decode(&copy, text, strlen(text)) == 0);
	again = plan_encode(copy);
	FUZZ_CHECK(again && !strcmp(text, again));
	free(text);
	free(again);
	plan_free(plan);
	plan_free(copy);
	plan_origins_deinit(&origins);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct config_options options = { .file = "Corefile", .text = text };
	struct config_notes notes = { 0 };
	struct config *config = NULL;
	bool fatal = false;

	if (corefile_compile(&config, &options, &notes) == 0)
		check_plan(config);
	for (unsigned i = 0; i < notes.count; i++)
		fatal |= notes.at[i].fatal;
	FUZZ_CHECK(fatal == !config);
	config_free(config);
	config_notes_deinit(&notes);
	free(text);
	return 0;
}
