/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * key.h - domain names as sortable bytes: the name key of store.h.
 *
 *   www.example.com  ──►  com\0 example\0 www\0
 *
 * Bytes 0 and 1 inside a label are written 1,1 and 1,2; so a label's end sorts before
 * any byte of it, and byte order is the canonical order of RFC 4034 6.1.
 */
#ifndef LANE53_STORE_KEY_H
#define LANE53_STORE_KEY_H

#include <stddef.h>
#include <stdint.h>

/*
 * The worst there can be: 255 bytes of name are 250 in four labels, each escaped, and
 * four ends.  With source, 0 and type that makes 511: just what LMDB takes as a key.
 */
#define KEY_NAME_ROOM 504

/* Write the key of @name (wire, any case).  Return: its length. */
size_t key_of_name(uint8_t out[KEY_NAME_ROOM], const uint8_t *name);

/* Back to wire format, lower case.  Return: wire length, or 0 if it is not a key. */
size_t key_to_name(uint8_t out[255], const uint8_t *key, size_t len);

#endif
