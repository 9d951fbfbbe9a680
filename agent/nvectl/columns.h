/* SPDX-License-Identifier: Apache-2.0 */
/* A table for people: a header, aligned columns, numbers to the right, no blanks at line ends. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct ctl_column {
	const char *head; /* NULL ends a list of columns */
	bool right;
};

struct ctl_columns;

/* Keeps 'columns'.  Returns NULL without memory. */
struct ctl_columns *ctl_columns_new(const struct ctl_column *columns);
void ctl_columns_free(struct ctl_columns *t); /* NULL is fine */

/*
 * Adds the next cell, row after row; an empty one is printed as "-".  Without memory the table is
 * spoilt, which ctl_columns_print() reports.
 */
void ctl_columns_add(struct ctl_columns *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* A bold header if 'bold'.  Returns 0 or -ENOMEM: a cell was lost, and nothing is printed. */
int ctl_columns_print(const struct ctl_columns *t, FILE *out, bool bold);
