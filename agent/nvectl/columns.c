/* SPDX-License-Identifier: Apache-2.0 */
/* Aligned tables.  Cells may hold the peer's strings: they are printed through text.c. */
#include "nvectl/columns.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nvectl/text.h"

#define GAP 2

struct ctl_columns {
	const struct ctl_column *columns;
	size_t n_columns;
	char **cells;
	size_t n_cells;
	size_t room;
	bool spoilt;
};

struct ctl_columns *ctl_columns_new(const struct ctl_column *columns)
{
	struct ctl_columns *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->columns = columns;
	while (columns[t->n_columns].head)
		t->n_columns++;
	return t;
}

void ctl_columns_free(struct ctl_columns *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_cells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t);
}

static bool make_room(struct ctl_columns *t)
{
	size_t room = t->room ? 2 * t->room : 64;
	char **cells;

	if (t->n_cells < t->room)
		return true;
	cells = reallocarray(t->cells, room, sizeof(*cells));
	if (!cells)
		return false;
	t->cells = cells;
	t->room = room;
	return true;
}

void ctl_columns_add(struct ctl_columns *t, const char *fmt, ...)
{
	char *cell = NULL;
	va_list args;
	int n;

	va_start(args, fmt);
	n = vasprintf(&cell, fmt, args);
	va_end(args);
	if (n < 0 || !make_room(t)) {
		t->spoilt = true;
		free(n < 0 ? NULL : cell);
		return;
	}
	t->cells[t->n_cells++] = cell;
}

static const char *shown(const char *cell)
{
	return *cell ? cell : "-";
}

/* Code points, which is what a terminal's columns are for the scripts that names are written in. */
static size_t width_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static size_t column_width(const struct ctl_columns *t, size_t column)
{
	size_t width = width_of(t->columns[column].head);

	for (size_t i = column; i < t->n_cells; i += t->n_columns)
		if (width_of(shown(t->cells[i])) > width)
			width = width_of(shown(t->cells[i]));
	return width;
}

static void print_cell(const struct ctl_columns *t, FILE *out, size_t column, size_t width,
		       const char *text)
{
	int blanks = (int)(width - width_of(text));
	bool last = column + 1 == t->n_columns;

	if (t->columns[column].right)
		fprintf(out, "%*s", blanks, "");
	ctl_text_print(out, text);
	if (last)
		return;
	if (!t->columns[column].right)
		fprintf(out, "%*s", blanks, "");
	fprintf(out, "%*s", GAP, "");
}

int ctl_columns_print(const struct ctl_columns *t, FILE *out, bool bold)
{
	size_t *widths;

	widths = t->spoilt ? NULL : calloc(t->n_columns, sizeof(*widths));
	if (!widths)
		return -ENOMEM;
	if (bold)
		fputs("\033[1m", out);
	for (size_t i = 0; i < t->n_columns; i++) {
		widths[i] = column_width(t, i);
		print_cell(t, out, i, widths[i], t->columns[i].head);
	}
	fputs(bold ? "\033[0m\n" : "\n", out);
	for (size_t i = 0; i < t->n_cells; i++) {
		size_t column = i % t->n_columns;

		print_cell(t, out, column, widths[column], shown(t->cells[i]));
		if (column + 1 == t->n_columns)
			putc('\n', out);
	}
	free(widths);
	return 0;
}
