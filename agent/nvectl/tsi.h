/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of 'nvectl tsi' share. */
#pragma once

#include "nvectl/ctl.h"

extern const struct ctl_command ctl_tsi_list_command, ctl_tsi_show_command,
	ctl_tsi_associate_command, ctl_tsi_activate_command, ctl_tsi_deactivate_command,
	ctl_tsi_disassociate_command, ctl_tsi_clear_command, ctl_tsi_update_command,
	ctl_tsi_keepalive_command, ctl_tsi_keepactive_command;

/* A TsiKey and what it points to. */
struct ctl_tsi_key {
	Nve__V1__TsiKey key;
	Nve__V1__VnRef vn;
	struct nve_tsi_id id;
};

/* From an operand, --port and --vn.  Returns CTL_OK or CTL_USAGE. */
int ctl_tsi_get_key(const struct ctl *ctl, const char *tsi_id, struct ctl_tsi_key *ret);

/* A list of addresses and what it points to; to be freed also after an error. */
struct ctl_tsi_addrs {
	struct nve_addr *raw;
	Nve__V1__Address *addrs;
	Nve__V1__Address **list;
	size_t n;
};
int ctl_tsi_get_addrs(const struct ctl *ctl, const char *option, struct ctl_tsi_addrs *ret);
void ctl_tsi_addrs_free(struct ctl_tsi_addrs *addrs);

/* *set: at least one of the two timers was given. */
int ctl_tsi_get_timers(const struct ctl *ctl, Nve__V1__Timers *ret, bool *set);
/* Adds the parameter "qos" if an option speaks of it. */
int ctl_tsi_get_qos(const struct ctl *ctl, struct ctl_params *params);
/* "from TSI 10 Mbit/s burst 65536, PCP 5"; "none". */
void ctl_tsi_print_qos(FILE *out, const Nve__V1__Qos *qos);
/* CREATE and so on; UNSPECIFIED if none was given. */
Nve__V1__Cause ctl_tsi_get_cause(const struct ctl *ctl);

/* The parameter "glean" and where its value is kept. */
struct ctl_tsi_glean {
	uint8_t value[16];
};
/* Appends it to the parameters if --glean was given; there is room for one more. */
int ctl_tsi_add_glean(const struct ctl *ctl, struct ctl_params *params,
		      struct ctl_tsi_glean *glean);

#define CTL_OPTION_GLEAN                                                                           \
	{                                                                                          \
		"glean", 'g', "MAX[:SECONDS]|off", CTL_WORDS_ANY, false, false,                    \
			"learn addresses from its frames, MAX at most, for SECONDS unseen"         \
	}
#define CTL_OPTION_PORT                                                                            \
	{                                                                                          \
		"port", 'p', "PORT", CTL_WORDS_PORT, true, false, "the access port it is at"       \
	}
#define CTL_OPTION_VN                                                                              \
	{                                                                                          \
		"vn", 'n', "VN", CTL_WORDS_VN, true, false, "the VN, by ID or name"                \
	}
#define CTL_OPTION_KEEPALIVE                                                                       \
	{                                                                                          \
		"keepalive", 'k', "MS|off", CTL_WORDS_ANY, false, false,                           \
			"propose the timer that counts in Associated"                              \
	}
#define CTL_OPTION_KEEPACTIVE                                                                      \
	{                                                                                          \
		"keepactive", 'K', "MS|off", CTL_WORDS_ANY, false, false,                          \
			"propose the timer that counts in Activated"                               \
	}
#define CTL_OPTIONS_QOS                                                                            \
	{ "rate-from",                                                                             \
	  0,                                                                                       \
	  "RATE",                                                                                  \
	  CTL_WORDS_ANY,                                                                           \
	  false,                                                                                   \
	  false,                                                                                   \
	  "hold frames from the TSI to so many bits a second: 10M, 10M/64k" },                     \
		{ "rate-to",                                                                       \
		  0,                                                                               \
		  "RATE",                                                                          \
		  CTL_WORDS_ANY,                                                                   \
		  false,                                                                           \
		  false,                                                                           \
		  "hold unicast frames to the TSI" },                                              \
		{ "pcp",                                                                           \
		  0,                                                                               \
		  "0..7|off",                                                                      \
		  CTL_WORDS_ANY,                                                                   \
		  false,                                                                           \
		  false,                                                                           \
		  "the priority in the tag of unicast frames to the TSI" },                        \
		{ "dscp",                                                                          \
		  0,                                                                               \
		  "0..63|off",                                                                     \
		  CTL_WORDS_ANY,                                                                   \
		  false,                                                                           \
		  false,                                                                           \
		  "the DSCP of IP packets from the TSI" },                                         \
	{                                                                                          \
		"no-qos", 0, NULL, CTL_WORDS_ANY, false, false, "no rate, no marks"                \
	}
#define CTL_OPERAND_TSI                                                                            \
	{                                                                                          \
		"TSI-ID", 1, 1,                                                                    \
		{                                                                                  \
			CTL_WORDS_TSI, CTL_WORDS_TSI                                               \
		}                                                                                  \
	}
