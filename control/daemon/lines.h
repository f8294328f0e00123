/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lines.h - JSON lines over unix sockets: one object per line asks, one line answers.
 *
 * The server side is control.sock; the client side asks the workers.  Everything runs
 * on one uv loop; nothing blocks.
 */
#ifndef LANE53_LINES_H
#define LANE53_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <uv.h>

/* Longest request line, as docs/control-protocol.md says. */
#define LINES_REQUEST_MAX (1u << 20)

struct lines_server;
struct lines_request;

/*
 * One request.  The handler calls lines_reply() exactly once, now or later; requests of
 * one connection are handed over one after the other.  @json is borrowed until then.
 */
typedef void lines_handler(void *context, struct lines_request *request, json_t *json);

/*
 * Listen at @path (mode 0660), replacing what a dead process left there.
 * On success *@ret_server is the caller's.  Return: 0 or a negative errno.
 */
int lines_listen(struct lines_server **ret_server, uv_loop_t *loop, const char *path,
		 lines_handler *handler, void *context);

/* Stop listening, drop connections; requests in progress may still be replied to. */
void lines_close(struct lines_server *server);

/* Send @reply (taken over; NULL = out of memory) and end @request. */
void lines_reply(struct lines_request *request, json_t *reply);

/*
 * For a reply of many lines: send @line (taken over) now; lines_reply() still ends it.
 * Return: false, and @line is dropped: the client has gone, or does not keep up.
 */
bool lines_more(struct lines_request *request, json_t *line);

/* Call @gone when the client goes before lines_reply(), which is still due. */
void lines_on_gone(struct lines_request *request, void (*gone)(void *context),
		   void *context);

/* {"ok": false, "error": text} */
__attribute__((format(printf, 2, 3))) void lines_refuse(struct lines_request *request,
							const char *format, ...);

/*
 * @text as a JSON string, whatever is in it: texts for people quote names and files, and
 * are cut in the middle of a character.  What is not UTF-8 becomes '?'.
 * Return: NULL when out of memory.
 */
json_t *lines_text(const char *text);

/* @reply is borrowed, or NULL and @error says why there is none. */
typedef void lines_done(void *context, json_t *reply, const char *error);

/*
 * Ask the server at @path; @request is taken over.  @done is called once, never from
 * within this call.
 */
void lines_ask(uv_loop_t *loop, const char *path, json_t *request, unsigned timeout_ms,
	       lines_done *done, void *context);

#endif
