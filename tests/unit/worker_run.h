/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_run.h - what surrounds a real lane53-worker in a test: its daemon (which writes
 * the store), its upstream, its control socket.  One per test program.
 */
#ifndef LANE53_WORKER_RUN_H
#define LANE53_WORKER_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Make directories; false = no. */
bool run_begin(bool lane);
/* Store with a.test A 192.0.2.1, upstream and event socket; no plan yet. */
void run_set_up(void);
/* Kill what is left, remove the directories.  Return: @result, or 1. */
int run_end(int result);

/* @name in the run directory; valid until the next call. */
const char *run_path(const char *name);

/* Bind a socket to 127.0.0.1; @number 0 = any.  Return: descriptor or -1. */
int run_bind(int type, uint16_t number);
uint16_t run_free_port(void);

/* a.test by hosts, everything else by the upstream; listens on @ports; view 1. */
void run_commit_plan(uint64_t generation, const uint16_t *ports, unsigned count);

/* Start the program with just @argv; its stderr goes to run_path("stderr"). */
pid_t run_spawn(const char *const *argv);
/* Start a worker with @more arguments (NULL-terminated, or NULL) until it serves. */
void run_start(const char *const *more);
pid_t run_pid(void);
/* Its wait status; -1 = it did not end within 5 s and was killed. */
int run_wait_exit(pid_t child);

/* One request line on a connection of its own; the reply is the caller's. */
json_t *run_control(const char *request);

/* Query @m for @name, type A, ID 1234.  Return: its length. */
size_t run_query(uint8_t *m, const char *name);
/* The last four bytes of a response with one A record; 0 = it is none. */
uint32_t run_address_in(const uint8_t *m, ssize_t n);
/* Play the upstream once: 203.0.113.9, TTL 60, whatever is asked.  Return: was it? */
bool run_upstream_answer(void);
/* The socket where events arrive. */
int run_events(void);

void run_sleep_ms(long ms);

#endif
