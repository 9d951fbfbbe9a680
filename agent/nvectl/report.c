/* SPDX-License-Identifier: Apache-2.0 */
/* Output of the subcommands: lists as a table or a JSON array, replies as JSON. */
#include "nvectl/ctl.h"

#include <errno.h>
#include <stdlib.h>

#include "nvectl/json.h"
#include "nvectl/text.h"

void ctl_print_json(const ProtobufCMessage *message)
{
	ctl_json_message(stdout, message);
	putchar('\n');
}

void ctl_print_ignored(size_t n, char *const *names)
{
	for (size_t i = 0; i < n; i++) {
		fputs(i ? ", " : "ignored parameters, not known to this NVE: ", stdout);
		ctl_text_print(stdout, names[i]);
	}
	if (n)
		putchar('\n');
}

int ctl_list_start(struct ctl_list *list, const struct ctl *ctl, const struct ctl_column *columns)
{
	*list = (struct ctl_list){ .ctl = ctl };
	if (ctl->json || !columns)
		list->pages = open_memstream(&list->text, &list->len);
	else
		list->table = ctl_columns_new(columns);
	return list->pages || list->table ? CTL_OK : ctl_broken(-ENOMEM, "cannot list");
}

bool ctl_list_json(struct ctl_list *list, const ProtobufCMessage *message)
{
	list->n++;
	if (!list->ctl->json)
		return false;
	fputs(list->n > 1 ? ",\n" : "\n", list->pages);
	ctl_json_message(list->pages, message);
	return true;
}

static int print_list(const struct ctl_list *list)
{
	if (list->table)
		return ctl_columns_print(list->table, stdout, list->ctl->bold);
	if (!list->text)
		return -ENOMEM;
	if (list->ctl->json)
		printf("[%s%s]\n", list->text, list->n ? "\n" : "");
	else
		fputs(list->text, stdout);
	return 0;
}

int ctl_list_end(struct ctl_list *list, int r)
{
	int err = 0;

	if (list->pages) {
		err = ferror(list->pages) ? -ENOMEM : 0;
		if (fclose(list->pages))
			err = -ENOMEM;
	}
	if (r == CTL_OK && !err)
		err = print_list(list);
	if (r == CTL_OK && err)
		r = ctl_broken(err, "cannot print the list");
	ctl_columns_free(list->table);
	free(list->text);
	*list = (struct ctl_list){ 0 };
	return r;
}
