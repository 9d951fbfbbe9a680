/* SPDX-License-Identifier: Apache-2.0 */
#include "authz/ranges.h"

#include <errno.h>
#include <stdlib.h>

static int compare(struct nve_number a, struct nve_number b)
{
	if (a.high != b.high)
		return a.high < b.high ? -1 : 1;
	return a.low < b.low ? -1 : a.low > b.low;
}

struct nve_number nve_number_of(const uint8_t *bytes, size_t len)
{
	struct nve_number number = { 0, 0 };

	for (size_t i = 0; i < len; i++) {
		number.high = number.high << 8 | number.low >> 56;
		number.low = number.low << 8 | bytes[i];
	}
	return number;
}

/* The last 'n' bits set. */
static struct nve_number tail(unsigned n)
{
	struct nve_number number = { 0, UINT64_MAX };

	if (n < 64)
		number.low = (UINT64_C(1) << n) - 1;
	else if (n < 128)
		number.high = (UINT64_C(1) << (n - 64)) - 1;
	else
		number.high = UINT64_MAX;
	return number;
}

bool nve_number_exceeds(struct nve_number number, unsigned bits, unsigned prefix)
{
	struct nve_number mask = tail(bits - prefix);

	return (number.high & mask.high) || (number.low & mask.low);
}

int nve_ranges_add(struct nve_ranges *ranges, struct nve_number first, struct nve_number last)
{
	struct nve_range *list = realloc(ranges->list, (ranges->n + 1) * sizeof(*ranges->list));

	if (!list)
		return -ENOMEM;
	ranges->list = list;
	list[ranges->n++] = (struct nve_range){ first, last };
	return 0;
}

int nve_ranges_add_prefix(struct nve_ranges *ranges, struct nve_number number, unsigned bits,
			  unsigned prefix)
{
	struct nve_number mask = tail(bits - prefix);
	struct nve_number first = { number.high & ~mask.high, number.low & ~mask.low };

	return nve_ranges_add(ranges, first,
			      (struct nve_number){ first.high | mask.high, first.low | mask.low });
}

static int by_first(const void *a, const void *b)
{
	return compare(((const struct nve_range *)a)->first, ((const struct nve_range *)b)->first);
}

void nve_ranges_seal(struct nve_ranges *ranges)
{
	size_t n = 0;

	if (ranges->n)
		qsort(ranges->list, ranges->n, sizeof(*ranges->list), by_first);
	for (size_t i = 0; i < ranges->n; i++) {
		struct nve_range *last = n ? &ranges->list[n - 1] : NULL;

		if (!last || compare(ranges->list[i].first, last->last) > 0)
			ranges->list[n++] = ranges->list[i];
		else if (compare(ranges->list[i].last, last->last) > 0)
			last->last = ranges->list[i].last;
	}
	ranges->n = n;
}

bool nve_ranges_has(const struct nve_ranges *ranges, struct nve_number number)
{
	size_t low = 0, high = ranges->n;

	if (ranges->all)
		return true;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (compare(number, ranges->list[mid].first) < 0)
			high = mid;
		else if (compare(number, ranges->list[mid].last) > 0)
			low = mid + 1;
		else
			return true;
	}
	return false;
}

void nve_ranges_free(struct nve_ranges *ranges)
{
	free(ranges->list);
	*ranges = (struct nve_ranges){ 0 };
}
