/* SPDX-License-Identifier: Apache-2.0 */
/* Over libyaml's document: its nodes bear start marks. */
#include "yaml_marks.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

struct nve_marks {
	yaml_document_t doc;
};

static unsigned line_of(const yaml_node_t *node)
{
	return (unsigned)node->start_mark.line + 1;
}

static const char *scalar(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

static yaml_node_t *node_at(const struct nve_marks *marks, int index)
{
	/* libyaml asks for a document that it does not change. */
	return yaml_document_get_node((yaml_document_t *)&marks->doc, index);
}

/* The key of 'pair' if an earlier pair of the mapping has the same, else NULL. */
static const yaml_node_t *repeats(const struct nve_marks *marks, const yaml_node_t *mapping,
				  const yaml_node_pair_t *pair)
{
	const yaml_node_t *key = node_at(marks, pair->key);
	const char *name = scalar(key);

	if (!name)
		return NULL;
	for (yaml_node_pair_t *p = mapping->data.mapping.pairs.start; p < pair; p++) {
		const char *other = scalar(node_at(marks, p->key));

		if (other && !strcmp(name, other))
			return key;
	}
	return NULL;
}

static const yaml_node_t *find_repeated_key(const struct nve_marks *marks)
{
	for (yaml_node_t *node = marks->doc.nodes.start; node < marks->doc.nodes.top; node++) {
		if (node->type != YAML_MAPPING_NODE)
			continue;
		for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
		     p < node->data.mapping.pairs.top; p++) {
			const yaml_node_t *key = repeats(marks, node, p);

			if (key)
				return key;
		}
	}
	return NULL;
}

static int bad_syntax(const yaml_parser_t *parser, unsigned *line, char **what)
{
	*line = (unsigned)parser->problem_mark.line + 1;
	if (asprintf(what, "not YAML: %s; check indentation (spaces, no tabs), quotes and brackets",
		     parser->problem ?: "unreadable") < 0)
		return -ENOMEM;
	return -EINVAL;
}

/* One document, no more: what stands behind '---' would be ignored without a word. */
static int check_single(yaml_parser_t *parser, unsigned *line, char **what)
{
	yaml_document_t more;
	yaml_node_t *root;

	if (!yaml_parser_load(parser, &more))
		return bad_syntax(parser, line, what);
	root = yaml_document_get_root_node(&more);
	if (root)
		*line = line_of(root);
	yaml_document_delete(&more);
	if (!root)
		return 0;
	*what = strdup("a second document; put everything into one, without '---' in between");
	return *what ? -EINVAL : -ENOMEM;
}

static int check_keys(const struct nve_marks *marks, unsigned *line, char **what)
{
	const yaml_node_t *key = find_repeated_key(marks);

	if (!key)
		return 0;
	*line = line_of(key);
	if (asprintf(what, "'%s' is given twice; remove one", scalar(key)) < 0)
		return -ENOMEM;
	return -EINVAL;
}

static int parse(yaml_parser_t *parser, struct nve_marks **ret, unsigned *line, char **what)
{
	struct nve_marks *marks = calloc(1, sizeof(*marks));
	int r;

	if (!marks)
		return -ENOMEM;
	if (!yaml_parser_load(parser, &marks->doc)) {
		free(marks);
		return bad_syntax(parser, line, what);
	}
	r = yaml_document_get_root_node(&marks->doc) ? check_single(parser, line, what) : 0;
	if (!r)
		r = check_keys(marks, line, what);
	if (r) {
		nve_marks_free(marks);
		return r;
	}
	*ret = marks;
	return 0;
}

enum { DEPTH_MAX = 16 }; /* no file of ours comes near */

static int event_depth(const yaml_event_t *event)
{
	switch (event->type) {
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return 1;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return -1;
	default:
		return 0;
	}
}

/*
 * Looks at the text event by event first: an alias may make a document that contains itself, and
 * the time that libyaml takes for brackets in brackets grows with their square.  What is no YAML
 * is left for others to say.
 */
static int check_shape(const char *text, size_t len, unsigned *line, char **what)
{
	yaml_parser_t parser;
	bool alias = false, last = false;
	int depth = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	while (!last && !alias && depth <= DEPTH_MAX) {
		yaml_event_t event;

		if (!yaml_parser_parse(&parser, &event))
			break;
		depth += event_depth(&event);
		alias = event.type == YAML_ALIAS_EVENT;
		last = event.type == YAML_STREAM_END_EVENT;
		*line = (unsigned)event.start_mark.line + 1;
		yaml_event_delete(&event);
	}
	yaml_parser_delete(&parser);
	if (!alias && depth <= DEPTH_MAX)
		return 0;
	*what = strdup(alias ? "an alias; write the value itself"
			     : "nested too deeply; no file of nved goes that deep");
	return *what ? -EINVAL : -ENOMEM;
}

int nve_marks_parse(const char *text, size_t len, struct nve_marks **ret, unsigned *line,
		    char **what)
{
	yaml_parser_t parser;
	int r = check_shape(text, len, line, what);

	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	r = parse(&parser, ret, line, what);
	yaml_parser_delete(&parser);
	return r;
}

void nve_marks_free(struct nve_marks *marks)
{
	if (!marks)
		return;
	yaml_document_delete(&marks->doc);
	free(marks);
}

static const yaml_node_t *child(const struct nve_marks *marks, const yaml_node_t *node,
				const char *step, size_t len)
{
	if (node->type == YAML_SEQUENCE_NODE) {
		size_t i = strtoul(step, NULL, 10);
		size_t n =
			(size_t)(node->data.sequence.items.top - node->data.sequence.items.start);

		return i < n ? node_at(marks, node->data.sequence.items.start[i]) : NULL;
	}
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
	     p++) {
		const char *name = scalar(node_at(marks, p->key));

		if (name && strlen(name) == len && !memcmp(name, step, len))
			return node_at(marks, p->value);
	}
	return NULL;
}

/* The last node on the way that is there; '*all' says if it is the path's end. */
static const yaml_node_t *walk(const struct nve_marks *marks, const char *path, bool *all)
{
	const yaml_node_t *node = node_at(marks, 1);

	while (node && *path) {
		size_t len = strcspn(path, "/");
		const yaml_node_t *next = child(marks, node, path, len);

		if (!next)
			break;
		node = next;
		path += len + (path[len] == '/');
	}
	*all = node && !*path;
	return node;
}

unsigned nve_marks_line(const struct nve_marks *marks, const char *path)
{
	bool all;
	const yaml_node_t *node = walk(marks, path, &all);

	return node ? line_of(node) : 1;
}

bool nve_marks_has(const struct nve_marks *marks, const char *path)
{
	bool all;

	walk(marks, path, &all);
	return all;
}

enum { UNKNOWN_PATH_MAX = 256 };

static const yaml_node_t *unknown_below(const struct nve_marks *marks, const yaml_node_t *node,
					char *path, bool (*known)(const char *path));

static const yaml_node_t *unknown_in_list(const struct nve_marks *marks, const yaml_node_t *list,
					  char *path, bool (*known)(const char *path))
{
	const yaml_node_t *found = NULL;
	size_t len = strlen(path);

	for (yaml_node_item_t *item = list->data.sequence.items.start;
	     !found && item < list->data.sequence.items.top; item++) {
		snprintf(path + len, UNKNOWN_PATH_MAX - len, "%s%td", len ? "/" : "",
			 item - list->data.sequence.items.start);
		found = unknown_below(marks, node_at(marks, *item), path, known);
		path[len] = '\0';
	}
	return found;
}

static const yaml_node_t *unknown_below(const struct nve_marks *marks, const yaml_node_t *node,
					char *path, bool (*known)(const char *path))
{
	const yaml_node_t *found = NULL;
	size_t len = strlen(path);

	if (node->type == YAML_SEQUENCE_NODE)
		return unknown_in_list(marks, node, path, known);
	if (node->type != YAML_MAPPING_NODE)
		return NULL;
	for (yaml_node_pair_t *pair = node->data.mapping.pairs.start;
	     !found && pair < node->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = node_at(marks, pair->key);
		const char *name = scalar(key);

		if (!name)
			continue;
		snprintf(path + len, UNKNOWN_PATH_MAX - len, "%s%s", len ? "/" : "", name);
		found = known(path) ? unknown_below(marks, node_at(marks, pair->value), path, known)
				    : key;
		path[len] = '\0';
	}
	return found;
}

const char *nve_marks_unknown_key(const struct nve_marks *marks, bool (*known)(const char *path),
				  unsigned *line)
{
	const yaml_node_t *root = node_at(marks, 1), *key;
	char path[UNKNOWN_PATH_MAX] = "";

	key = root ? unknown_below(marks, root, path, known) : NULL;
	if (!key)
		return NULL;
	*line = line_of(key);
	return scalar(key);
}
