/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store in memory: a chained hash of records and, within a transaction, the list of what each
 * change replaced.  Knows nothing but store.h.
 */
#include "store/memory_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct nve_store *named;

static uint32_t hash(enum kind kind, const char *name, uint32_t number)
{
	uint32_t h = 2166136261u ^ (uint32_t)kind;

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619u;
	h = (h ^ number) * 2654435761u;
	return (h >> 16) % BUCKETS;
}

static const char *name_of(const struct record *rec)
{
	if (rec->kind == SETTING)
		return rec->setting.name;
	return rec->kind == TAG ? rec->tag.scope : rec->kind == VAP ? rec->vap.port : "";
}

static uint32_t number_of(const struct record *rec)
{
	switch (rec->kind) {
	case TAG:
		return rec->tag.tag;
	case VAP:
		return rec->vap.vn_id;
	case TSI:
		return rec->tsi.slot;
	case VN:
		return rec->vn.vn_id;
	case SETTING:
		return 0;
	default:
		return rec->chunk;
	}
}

static void insert(struct nve_store *store, struct record *rec)
{
	struct record **at = &store->buckets[hash(rec->kind, name_of(rec), number_of(rec))];

	rec->next = *at;
	*at = rec;
	store->n++;
}

/* Unlinks and returns the record of that key, NULL if there is none. */
static struct record *take(struct nve_store *store, enum kind kind, const char *name,
			   uint32_t number)
{
	struct record **at = &store->buckets[hash(kind, name, number)];

	for (; *at; at = &(*at)->next) {
		struct record *rec = *at;

		if (rec->kind == kind && number_of(rec) == number && !strcmp(name_of(rec), name)) {
			*at = rec->next;
			store->n--;
			return rec;
		}
	}
	return NULL;
}

static void undo_changes(struct nve_store *store)
{
	while (store->changes) {
		struct change *c = store->changes;

		store->changes = c->next;
		if (c->is)
			free(take(store, c->is->kind, name_of(c->is), number_of(c->is)));
		if (c->was)
			insert(store, c->was);
		free(c);
	}
	if (store->in_transaction)
		store->epoch = store->epoch_before;
	store->in_transaction = false;
}

static bool faulty(struct nve_store_fault *fault)
{
	if (fault->skip) {
		fault->skip--;
		return false;
	}
	if (!fault->fail)
		return false;
	fault->fail--;
	return true;
}

static void store_free(struct nve_store *store)
{
	undo_changes(store);
	for (size_t i = 0; i < BUCKETS; i++) {
		while (store->buckets[i]) {
			struct record *rec = store->buckets[i];

			store->buckets[i] = rec->next;
			free(rec);
		}
	}
	free(store->path);
	free(store);
}

static struct nve_store *store_new(const char *path)
{
	struct nve_store *store = calloc(1, sizeof(*store));

	if (!store || !path || !*path)
		return store;
	store->path = strdup(path);
	if (!store->path) {
		free(store);
		return NULL;
	}
	store->next = named;
	named = store;
	return store;
}

static struct nve_store *find(const char *path)
{
	struct nve_store *store = named;

	while (store && strcmp(store->path, path) != 0)
		store = store->next;
	return store;
}

static int memory_open(const struct nve_store_config *config, struct nve_store **ret, char **err)
{
	struct nve_store *store = config->path && *config->path ? find(config->path) : NULL;

	if (store && store->open) {
		if (err && asprintf(err, "store %s: already open in this process", store->path) < 0)
			*err = NULL;
		return -EBUSY;
	}
	if (!store)
		store = store_new(config->path);
	if (!store)
		return -ENOMEM;
	store->open = true;
	*ret = store;
	return 0;
}

static void memory_close(struct nve_store *store)
{
	if (!store)
		return;
	undo_changes(store);
	store->open = false;
	if (!store->path)
		store_free(store);
}

static int by_key(const void *left, const void *right)
{
	const struct record *a = *(struct record *const *)left;
	const struct record *b = *(struct record *const *)right;
	int names;

	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	names = strcmp(name_of(a), name_of(b));
	if (names)
		return names;
	return number_of(a) < number_of(b) ? -1 : number_of(a) > number_of(b);
}

struct record *nve_memory_lookup(const struct nve_store *store, enum kind kind, uint32_t number)
{
	struct record *rec = store->buckets[hash(kind, "", number)];

	while (rec && (rec->kind != kind || number_of(rec) != number))
		rec = rec->next;
	return rec;
}

static int give_tsi(const struct nve_store *store, const struct nve_stored_tsi *stored,
		    const struct nve_store_reader *reader)
{
	struct record *rec =
		nve_memory_lookup(store, DEADLINES, stored->slot / NVE_STORED_DEADLINES);
	const struct nve_stored_deadline *d;
	struct nve_stored_tsi tsi = *stored;

	tsi.moved_ns = tsi.tsi.deadline_ns;
	d = rec ? &rec->deadlines[tsi.slot % NVE_STORED_DEADLINES] : NULL;
	if (d && d->base_ns == tsi.tsi.deadline_ns && d->deadline_ns)
		tsi.moved_ns = d->deadline_ns;
	return reader->tsi(reader->arg, &tsi);
}

static int give(const struct nve_store *store, const struct record *rec,
		const struct nve_store_reader *reader)
{
	switch (rec->kind) {
	case TAG:
		return reader->tag(reader->arg, &rec->tag);
	case VAP:
		return reader->vap(reader->arg, &rec->vap);
	case TSI:
		return give_tsi(store, &rec->tsi, reader);
	case VN:
		return reader->vn ? reader->vn(reader->arg, rec->vn.vn_id, rec->vn.digest) : 0;
	default:
		return 0;
	}
}

static int memory_load(struct nve_store *store, const struct nve_store_reader *reader)
{
	struct record **all = calloc(store->n + 1, sizeof(struct record *));
	size_t n = 0;
	int r = 0;

	if (!all)
		return -ENOMEM;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct record *rec = store->buckets[i]; rec; rec = rec->next)
			all[n++] = rec;
	qsort(all, n, sizeof(struct record *), by_key);
	for (size_t i = 0; i < n && !r; i++)
		r = give(store, all[i], reader);
	free(all);
	return r;
}

static int memory_epoch(struct nve_store *store, uint64_t *ret)
{
	*ret = store->epoch;
	return 0;
}

static int memory_begin(struct nve_store *store)
{
	if (store->in_transaction)
		return -EINVAL;
	if (faulty(&store->control.begin))
		return store->control.begin.error;
	store->in_transaction = true;
	store->epoch_before = store->epoch;
	return 0;
}

int nve_memory_change(struct nve_store *store, enum kind kind, const char *name, uint32_t number,
		      struct record *rec, bool no_memory)
{
	struct change *c = calloc(1, sizeof(*c));
	int r = 0;

	if (!c || no_memory)
		r = -ENOMEM;
	else if (!store->in_transaction)
		r = -EINVAL;
	else if (faulty(&store->control.put))
		r = store->control.put.error;
	if (r) {
		free(c);
		free(rec);
		undo_changes(store);
		return r;
	}
	c->was = take(store, kind, name, number);
	c->is = rec;
	c->next = store->changes;
	store->changes = c;
	if (rec)
		insert(store, rec);
	store->control.puts++;
	return 0;
}

static int memory_put_tag(struct nve_store *store, const struct nve_stored_tag *tag)
{
	struct record *rec = calloc(1, sizeof(*rec));

	if (rec) {
		rec->kind = TAG;
		rec->tag = *tag;
	}
	return nve_memory_change(store, TAG, tag->scope, tag->tag, rec, !rec);
}

static int memory_del_tag(struct nve_store *store, const char *scope, uint16_t tag)
{
	return nve_memory_change(store, TAG, scope, tag, NULL, false);
}

static const char *keep_owner(struct record *rec, const char *owner)
{
	snprintf(rec->owner, sizeof(rec->owner), "%s", owner ? owner : "");
	return rec->owner;
}

static int memory_put_vap(struct nve_store *store, const struct nve_stored_vap *vap)
{
	struct record *rec = calloc(1, sizeof(*rec));

	if (rec) {
		rec->kind = VAP;
		rec->vap = *vap;
		rec->vap.owner = keep_owner(rec, vap->owner);
	}
	return nve_memory_change(store, VAP, vap->port, vap->vn_id, rec, !rec);
}

static int memory_del_vap(struct nve_store *store, const char *port, uint32_t vn_id)
{
	return nve_memory_change(store, VAP, port, vn_id, NULL, false);
}

static int memory_put_tsi(struct nve_store *store, const struct nve_stored_tsi *tsi)
{
	size_t addrs = tsi->tsi.n_addrs * sizeof(*tsi->addrs);
	struct record *rec = calloc(1, sizeof(*rec) + addrs);

	if (rec) {
		rec->kind = TSI;
		rec->tsi = *tsi;
		rec->tsi.tsi.key.port = 0; /* not stored */
		rec->tsi.tsi.owner = 0;    /* neither */
		rec->tsi.owner = keep_owner(rec, tsi->owner);
		if (addrs)
			memcpy(rec->addrs, tsi->addrs, addrs);
		rec->tsi.addrs = rec->addrs;
	}
	return nve_memory_change(store, TSI, "", tsi->slot, rec, !rec);
}

static int memory_del_tsi(struct nve_store *store, uint32_t slot)
{
	return nve_memory_change(store, TSI, "", slot, NULL, false);
}

static int memory_put_epoch(struct nve_store *store, uint64_t epoch)
{
	if (!store->in_transaction)
		return -EINVAL;
	if (faulty(&store->control.put)) {
		undo_changes(store);
		return store->control.put.error;
	}
	store->epoch = epoch;
	return 0;
}

static int memory_put_setting(struct nve_store *store, const char *name, uint64_t value)
{
	struct record *rec = value ? calloc(1, sizeof(*rec)) : NULL;

	if (rec) {
		rec->kind = SETTING;
		rec->setting.value = value;
		snprintf(rec->setting.name, sizeof(rec->setting.name), "%s", name);
	}
	return nve_memory_change(store, SETTING, name, 0, rec, value && !rec);
}

static int memory_setting(struct nve_store *store, const char *name, uint64_t *ret)
{
	const struct record *rec = store->buckets[hash(SETTING, name, 0)];

	while (rec && (rec->kind != SETTING || strcmp(rec->setting.name, name)))
		rec = rec->next;
	*ret = rec ? rec->setting.value : 0;
	return 0;
}

static int memory_commit(struct nve_store *store)
{
	if (!store->in_transaction)
		return -EINVAL;
	if (faulty(&store->control.commit)) {
		undo_changes(store);
		return store->control.commit.error;
	}
	while (store->changes) {
		struct change *c = store->changes;

		store->changes = c->next;
		free(c->was);
		free(c);
	}
	store->in_transaction = false;
	store->control.commits++;
	return 0;
}

struct nve_store_memory_control *nve_store_memory_control(const char *path)
{
	struct nve_store *store = find(path);

	if (!store)
		store = store_new(path);
	return store ? &store->control : NULL;
}

size_t nve_store_memory_count(const char *path)
{
	struct nve_store *store = find(path);
	size_t n = 0;

	for (size_t i = 0; store && i < BUCKETS; i++)
		for (struct record *rec = store->buckets[i]; rec; rec = rec->next)
			n += rec->kind <= TSI;
	return n;
}

int nve_store_memory_read(const char *path, const struct nve_store_reader *reader)
{
	struct nve_store *store = find(path);

	return store ? memory_load(store, reader) : -ENOENT;
}

void nve_store_memory_drop(const char *path)
{
	struct nve_store **at = &named;

	while (*at) {
		struct nve_store *store = *at;

		if (path && strcmp(store->path, path) != 0) {
			at = &store->next;
			continue;
		}
		*at = store->next;
		store_free(store);
	}
}

const struct nve_store_ops nve_store_memory = {
	.name = "memory",
	.open = memory_open,
	.close = memory_close,
	.load = memory_load,
	.get_vn = nve_memory_get_vn,
	.epoch = memory_epoch,
	.begin = memory_begin,
	.put_tag = memory_put_tag,
	.del_tag = memory_del_tag,
	.put_vap = memory_put_vap,
	.del_vap = memory_del_vap,
	.put_tsi = memory_put_tsi,
	.del_tsi = memory_del_tsi,
	.put_deadlines = nve_memory_put_deadlines,
	.put_vn = nve_memory_put_vn,
	.del_vn = nve_memory_del_vn,
	.put_epoch = memory_put_epoch,
	.put_setting = memory_put_setting,
	.setting = memory_setting,
	.commit = memory_commit,
	.rollback = undo_changes,
};
