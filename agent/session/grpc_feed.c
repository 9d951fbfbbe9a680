/* SPDX-License-Identifier: Apache-2.0 */
/* Bounded queues of messages, and of events with acknowledgement and loss. */
#include <stdlib.h>
#include <string.h>

#include "session/grpc_stream.h"

bool nve_ring_push(struct nve_ring *ring, uint32_t max, struct nve_msg msg)
{
	if (ring->n >= max)
		return false;
	if (ring->n == ring->cap) {
		uint32_t cap = ring->cap ? 2 * ring->cap : 16;
		struct nve_msg *at = malloc(cap * sizeof(*at));

		if (!at)
			return false;
		for (uint32_t i = 0; i < ring->n; i++)
			at[i] = ring->at[(ring->head + i) % ring->cap];
		free(ring->at);
		*ring = (struct nve_ring){ at, cap, 0, ring->n };
	}
	ring->at[(ring->head + ring->n++) % ring->cap] = msg;
	return true;
}

bool nve_ring_pop(struct nve_ring *ring, struct nve_msg *ret)
{
	if (ring->n == 0)
		return false;
	*ret = ring->at[ring->head];
	ring->head = (ring->head + 1) % ring->cap;
	ring->n--;
	return true;
}

void nve_ring_clear(struct nve_ring *ring)
{
	struct nve_msg msg;

	while (nve_ring_pop(ring, &msg))
		grpc_slice_unref(msg.slice);
	free(ring->at);
	*ring = (struct nve_ring){ 0 };
}

bool nve_feed_set_window(struct nve_feed *feed, uint32_t window)
{
	if (window > NVE_FEED_MAX)
		window = NVE_FEED_MAX;
	if (window == 0)
		return true;
	feed->unacked = calloc(window, sizeof(*feed->unacked));
	feed->window = feed->unacked ? window : 0;
	return feed->unacked != NULL;
}

void nve_feed_ack(struct nve_feed *feed, uint64_t seq)
{
	if (seq > feed->acked)
		feed->acked = seq;
	while (feed->n_unacked > 0 && feed->unacked[feed->unacked_head] <= seq) {
		feed->unacked_head = (feed->unacked_head + 1) % feed->window;
		feed->n_unacked--;
	}
}

static bool has_port(const struct nve_feed *feed, uint16_t port)
{
	return port < NVE_PORTS_MAX && (feed->ports[port / 64] >> (port % 64) & 1);
}

bool nve_feed_wants(const struct nve_feed *feed, const struct nve_notice *notice)
{
	if (!feed->on)
		return false;
	return feed->all_ports || has_port(feed, notice->key.port) ||
	       (notice->kind == NVE_NOTICE_TSI_UPDATED && has_port(feed, notice->new_port));
}

void nve_feed_push(struct nve_feed *feed, grpc_slice slice, uint64_t seq, uint64_t ns)
{
	struct nve_msg msg = { grpc_slice_ref(slice), seq };

	/* While some are lost and not yet reported, later ones are too: the order stays. */
	if (feed->lost == 0 && nve_ring_push(&feed->ring, NVE_FEED_MAX, msg))
		return;
	grpc_slice_unref(slice);
	feed->lost++;
	feed->lost_seq = seq;
	feed->lost_ns = ns;
}

bool nve_feed_ready(const struct nve_feed *feed)
{
	if (feed->window > 0 && feed->n_unacked == feed->window)
		return false;
	return feed->ring.n > 0 || feed->lost > 0;
}

static bool make_lost(struct nve_feed *feed, struct nve_msg *ret)
{
	struct nve_codec_event e = { .seq = feed->lost_seq,
				     .realtime_ns = feed->lost_ns,
				     .lost = feed->lost,
				     .session = feed->session };
	uint8_t bytes[NVE_CODEC_EVENT_BYTES];
	size_t len = nve_codec_event(&e, bytes);

	feed->lost = 0;
	ret->slice = grpc_slice_from_copied_buffer((const char *)bytes, len);
	ret->seq = feed->lost_seq;
	return len > 0;
}

bool nve_feed_next(struct nve_feed *feed, struct nve_msg *ret)
{
	if (!nve_feed_ready(feed))
		return false;
	if (!nve_ring_pop(&feed->ring, ret) && !make_lost(feed, ret))
		return false;
	if (feed->window > 0) {
		feed->unacked[(feed->unacked_head + feed->n_unacked) % feed->window] = ret->seq;
		feed->n_unacked++;
	}
	return true;
}

void nve_feed_clear(struct nve_feed *feed)
{
	nve_ring_clear(&feed->ring);
	free(feed->unacked);
	feed->unacked = NULL;
	feed->on = false;
	feed->lost = 0;
	feed->window = feed->n_unacked = 0;
}
