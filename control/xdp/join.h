/* SPDX-License-Identifier: BSD-3-Clause */
/* join.h - live beside other XDP programs in libxdp's dispatcher. */
#ifndef LANE53_JOIN_H
#define LANE53_JOIN_H

#include <stdbool.h>
#include <stddef.h>

struct joined;
struct lane53_bpf;

/* Is a program of this name libxdp's dispatcher? */
bool join_is_dispatcher(const char *program_name);

/*
 * Add lane53_entry, with the maps of @skel, to the dispatcher on @ifindex, then take out
 * an older one of this instance.  *@ret_joined is ended by join_leave() or join_forget().
 * Return: 0 or a negative errno, with the reason in @note.
 */
int join_attach(const struct lane53_bpf *skel, unsigned ifindex, bool native,
		struct joined **ret_joined, char *note, size_t room);

/* Take lane53_entry out of the dispatcher. */
void join_leave(struct joined *joined, unsigned ifindex, bool native);

/* Let go; the program stays in the dispatcher. */
void join_forget(struct joined *joined);

/* Take whatever uses the map @id out of every dispatcher. */
void join_leave_everywhere(unsigned id);

#endif
