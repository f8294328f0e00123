/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - lane53ctl.
 */
#include "ctl/ctl.h"

int main(int argc, char **argv)
{
	return ctl_run(argc, argv, stdout, stderr);
}
