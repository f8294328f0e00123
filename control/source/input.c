/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * input.c - open files and quote them.
 */
#include "source/input.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dns/name.h"
#include "source/records.h"
#include "source/report.h"

static int open_file(const char *path, const char **ret_why)
{
	/* A pipe without a writer must not hold us. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0) {
		*ret_why = strerror(errno);
		return -errno;
	}
	if (fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISCHR(st.st_mode)))
		return fd;
	close(fd);
	*ret_why = S_ISDIR(st.st_mode) ? "it is a directory" : "it is not a file";
	return -EINVAL;
}

int input_open(FILE **ret_file, const char *path, struct report *report)
{
	const char *why = NULL;
	int fd = open_file(path, &why);

	if (fd < 0) {
		report_problem(report, true, path, 0,
			       "cannot be read: %s; expected a readable file", why);
		return fd;
	}
	*ret_file = fdopen(fd, "r");
	if (!*ret_file) {
		close(fd);
		return -ENOMEM;
	}
	return 0;
}

const char *input_quote(char out[INPUT_QUOTE_ROOM], const char *text)
{
	size_t len = 0;

	while (isspace((unsigned char)*text))
		text++;
	while (len < 64 && *text && *text != '\n' && *text != '\r') {
		out[len++] = isprint((unsigned char)*text) ? *text : '?';
		text++;
	}
	out[len] = 0;
	if (len == 64 && *text)
		strcpy(out + len, "...");
	return out;
}

const char *input_quote_line(char out[INPUT_QUOTE_ROOM], const char *path,
			     unsigned *line)
{
	const char *why;
	int fd = open_file(path, &why);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
	char *text = NULL;
	size_t room = 0;

	out[0] = 0;
	if (!file) {
		if (fd >= 0)
			close(fd);
		return out;
	}
	for (unsigned number = 1; getline(&text, &room, file) >= 0; number++) {
		size_t blank = strspn(text, " \t\r\n");

		if (number < *line || text[blank] == 0 || text[blank] == ';')
			continue;
		input_quote(out, text);
		*line = number;
		break;
	}
	free(text);
	fclose(file);
	return out;
}

int input_end(struct records *records, const char *path, struct report *report)
{
	const uint8_t *owner = NULL;
	unsigned line = 0;
	size_t count;
	int r = records_end(records);

	if (r)
		return r;
	count = records_left_out(records, &owner);
	if (count) {
		char name[NAME_TEXT_ROOM], quote[INPUT_QUOTE_ROOM];

		name_to_text(name, owner);
		report_problem(report, false, path, 0,
			       "%s has more records than a message holds: %zu left out",
			       input_quote(quote, name), count);
	}
	count = records_ttl_differences(records, &line);
	if (count)
		report_problem(report, false, path, line,
			       "another TTL than other records of this name and type "
			       "have: the smallest is used (RFC 2181 5.2); so in %zu "
			       "places",
			       count);
	return 0;
}
