/* SPDX-License-Identifier: Apache-2.0 */
/* What goes into the core and what comes out of it: one event, one answer, a list of actions. */
#pragma once

#include "core/answer.h"

/* Numbers of the engine's that stand for clients' identities; but for these two. */
enum {
	NVE_OWNER_NONE = 0,
	/* Of a VAP: several have connected it explicitly, so it is not one's to disconnect. */
	NVE_OWNER_SHARED = UINT16_MAX,
};

enum nve_event_kind {
	NVE_EV_VN_CONNECT,    /* port, vn_id, tag */
	NVE_EV_VN_DISCONNECT, /* port, vn_id, ONLY_IF_UNUSED */
	NVE_EV_ASSOCIATE,     /* key, addrs, tag, cause, timers */
	NVE_EV_ACTIVATE,      /* the same, and 'only', epoch */
	NVE_EV_DEACTIVATE,    /* key, 'only' */
	NVE_EV_DISASSOCIATE,  /* key */
	NVE_EV_CLEAR,         /* id and port; vn_id 0 = in every VN (D2, S8) */
	NVE_EV_UPDATE,        /* key, addrs to add, 'only' to remove, new_port, timers */
	NVE_EV_KEEPALIVE,     /* key */
	NVE_EV_KEEPACTIVE,    /* key */
	NVE_EV_DATA_SEEN,     /* key; now_ns = when its last frame was seen (S73) */
	NVE_EV_EXPIRE,        /* one due timer: see nve_core_due() */
	NVE_EV_GLEAN,         /* key, addrs[0]: source of its frames, a MAC or MAC and IP (S46) */
	NVE_EVENTS,
};

/* Absent, zero and given differ, so each has a flag. */
enum nve_event_flags {
	NVE_EV_HAS_ADDRS = 1 << 0,     /* 'addrs' is the TSI's whole set (Associate, Activate) */
	NVE_EV_HAS_ONLY = 1 << 1,      /* 'only' limits (de)activation to some addresses (D13) */
	NVE_EV_HAS_KEEPALIVE = 1 << 2, /* keepalive_ms is proposed; 0 proposes "off" (D5) */
	NVE_EV_HAS_KEEPACTIVE = 1 << 3,
	NVE_EV_ONLY_IF_UNUSED = 1 << 4, /* VnDisconnect is refused while TSIs are attached (D3) */
	NVE_EV_BY_NVE = 1 << 5,         /* not asked for by the hypervisor: 'why' says the reason */
	/* glean_max and _age_ms are asked for; else they are the default of a TSI to be made. */
	NVE_EV_HAS_GLEAN = 1 << 6,
	NVE_EV_HAS_QOS = 1 << 7, /* 'qos' is what the TSI shall have (S96) */
	/* Clear in every VN, and VnDisconnect, touch only what is 'owner's (B3). */
	NVE_EV_OWN_ONLY = 1 << 8,
};

enum nve_due_kind { NVE_DUE_NONE, NVE_DUE_TSI, NVE_DUE_TAG, NVE_DUE_DUPLICATE, NVE_DUE_GLEAN };

/* A timer that has run out; opaque between nve_core_due() and the NVE_EV_EXPIRE that names it. */
struct nve_due {
	uint8_t kind;  /* enum nve_due_kind */
	uint32_t slot; /* NVE_DUE_TSI, _DUPLICATE and _GLEAN: the TSI's; _TAG: scope << 16 | tag */
};

/*
 * What passed the codec is well formed: kinds and flags as above, addresses canonical, unicast
 * and without repetition, counts within NVE_TSI_ADDRS_MAX, port a slot of an access port, vn_id
 * one that the NVA vouched for.  The core checks all that depends on its state.
 */
struct nve_event {
	uint8_t kind;           /* enum nve_event_kind */
	uint8_t cause;          /* enum nve_cause */
	uint16_t flags;         /* enum nve_event_flags */
	uint16_t tag;           /* proposed; 0 = the NVE chooses (D14) */
	uint16_t new_port;      /* Update: NVE_PORT_NONE = stays (S70) */
	struct nve_tsi_key key; /* VnConnect and VnDisconnect use its port and vn_id */
	uint64_t now_ns;        /* never less than in the event before, DATA_SEEN excepted */
	uint64_t epoch;         /* Activate: from the NVA, above all earlier ones (D7) */
	uint32_t keepalive_ms;
	uint32_t keepactive_ms;
	uint32_t glean_age_ms; /* within NVE_GLEAN_AGE_MIN_MS and _MAX_MS, unless glean_max is 0 */
	uint16_t glean_max;    /* 0 = off; at most NVE_GLEAN_MAX */
	uint16_t owner;        /* who asks ; 0 = the NVE itself */
	uint32_t n_addrs;
	uint32_t n_only;
	const struct nve_addr *addrs; /* the caller's, not kept */
	const struct nve_addr *only;
	struct nve_qos qos;  /* proposed: Associate, Activate, Update; see core/qos.h */
	enum nve_reason why; /* with BY_NVE */
	struct nve_due due;
};

/*
 * An action names an object whose record changed: "make the outside equal to the core here".
 * Carrying it out is idempotent, several in a row about one object can be merged, and undoing is
 * the same action after nve_core_rollback().  NOTICE alone is an occurrence, not an object.
 */
enum nve_action_kind {
	NVE_ACT_TAG,    /* scope, tag: bound, quarantined or freed */
	NVE_ACT_VAP,    /* port, vn_id: connected, changed or gone */
	NVE_ACT_TSI,    /* slot: reserved, changed, switched or released */
	NVE_ACT_BIND,   /* vn_id, addr (MAC or IP alone): who owns it may have changed */
	NVE_ACT_NOTICE, /* tell watchers and the hypervisor */
};

enum nve_notice_kind {
	NVE_NOTICE_TSI_STATE,       /* key, from -> to, reason */
	NVE_NOTICE_TSI_UPDATED,     /* key, addresses, timers or port (then new_port) changed */
	NVE_NOTICE_VN_CONNECTED,    /* port, vn_id, tag */
	NVE_NOTICE_VN_DISCONNECTED, /* port, vn_id, reason */
	NVE_NOTICE_DUPLICATE,       /* key: its address stays Activated twice (D7, S22) */
	NVE_NOTICE_DRAINING,        /* port; to: 1 it begins, 0 it is over.  The engine's alone */
};

struct nve_notice {
	uint8_t kind; /* enum nve_notice_kind */
	uint8_t from; /* enum nve_tsi_state */
	uint8_t to;
	bool by_nve; /* nobody asked: timer, operator or NVA (D10) */
	uint16_t tag;
	uint16_t new_port;
	uint16_t owner;     /* whose it is; of a VN: who connected it, or whose TSI came or went */
	uint16_t was_owner; /* TSI_UPDATED: whose it was, if that has changed; else 0 */
	struct nve_tsi_key key;
	enum nve_reason reason;
};

struct nve_action {
	uint8_t kind; /* enum nve_action_kind */
	uint16_t port;
	uint16_t scope;
	uint16_t tag;
	uint32_t vn_id;
	uint32_t slot;
	union {
		struct nve_addr addr;
		struct nve_notice notice;
	};
};
