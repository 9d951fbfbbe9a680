/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one list of reasons (S94): replies, events, logs, counters, CLI and nve.proto's enum Reason
 * all come from it, and a test compares the proto's with it.  Numbers are wire format: append,
 * never renumber or reuse.  The gRPC code is its number in the canonical list, written as the
 * bare name so that only session/ needs <grpc/>.
 */
#pragma once

/* X(NAME, number, gRPC code, text, what the caller can do about it) */
#define NVE_REASONS(X)                                                                             \
	X(OK, 0, OK, "done", "")                                                                   \
	X(INVALID_REQUEST, 1, INVALID_ARGUMENT, "the request cannot be decoded or lacks a field",  \
	  "see the field named in the message and nve.proto")                                      \
	X(INVALID_TSI_ID, 2, INVALID_ARGUMENT, "the TSI ID is not 16 bytes, or is all zero",       \
	  "send the 16 bytes that identify the interface, a UUID for example")                     \
	X(INVALID_VN, 3, INVALID_ARGUMENT, "the VN ID or VN Name is out of range or missing",      \
	  "use an ID in 1..16777215 or a name of 1..63 printable bytes")                           \
	X(INVALID_TAG, 4, INVALID_ARGUMENT, "the proposed tag is out of range",                    \
	  "propose 1..4094 inside the scope's range, or 0 to let the NVE choose")                  \
	X(INVALID_ADDRESS, 5, INVALID_ARGUMENT, "an address is malformed or not usable as source", \
	  "use unicast MACs of 6 bytes and unicast IPs of 4 or 16 bytes, each once")               \
	X(INVALID_TIMER, 6, INVALID_ARGUMENT, "a timer cannot be switched off here",               \
	  "propose a value above 0, or leave it out for the default")                              \
	X(TOO_MANY_ADDRESSES, 7, INVALID_ARGUMENT, "more addresses than one TSI may have",         \
	  "a TSI instance takes 256 addresses; use a second TSI")                                  \
	X(TOO_LARGE, 8, RESOURCE_EXHAUSTED, "the request is larger than this NVE accepts",         \
	  "split the batch; the limits are in the NVE's status")                                   \
	X(UNKNOWN_PARAMETER, 9, UNIMPLEMENTED, "a critical parameter is not known to this NVE",    \
	  "leave it out, or mark it as not critical")                                              \
	X(INVALID_PARAMETER, 10, INVALID_ARGUMENT, "a parameter's value does not fit",             \
	  "see the parameter named in the message")                                                \
	X(UNKNOWN_PORT, 11, NOT_FOUND, "this NVE has no access port of that name",                 \
	  "list the ports with 'nvectl port'")                                                     \
	X(UNKNOWN_VN, 12, NOT_FOUND, "the NVA does not know that VN",                              \
	  "create the VN at the NVA first, or check ID and name")                                  \
	X(UNKNOWN_TSI, 13, NOT_FOUND, "no such TSI on that port and VN",                           \
	  "associate or activate it first")                                                        \
	X(UNKNOWN_ADDRESS, 14, NOT_FOUND, "an address in the request is not one of the TSI's",     \
	  "add it first, or list the TSI's addresses with 'nvectl tsi show'")                      \
	X(VN_NOT_CONNECTED, 15, NOT_FOUND, "the VN is not connected on that port",                 \
	  "connect it first; disconnecting it again is not needed")                                \
	X(ILLEGAL_TRANSITION, 16, FAILED_PRECONDITION, "the TSI's state does not allow that",      \
	  "an Activated TSI is deactivated, not associated; keepactive needs Activated")           \
	X(VN_IN_USE, 17, FAILED_PRECONDITION, "the VN still has TSIs on that port",                \
	  "clear them first, or disconnect without only_if_unused")                                \
	X(TAG_IN_USE, 18, ALREADY_EXISTS, "the proposed tag has another meaning in this scope",    \
	  "use the NVE's counter-offer, named in the message, or propose none")                    \
	X(ADDRESS_IN_USE, 19, ALREADY_EXISTS, "another TSI on that port and VN has the address",   \
	  "clear that TSI or remove the address from it first")                                    \
	X(NO_RESOURCES, 20, RESOURCE_EXHAUSTED, "a table or pool of this NVE is full",             \
	  "choose another NVE, or raise the limit named in the message")                           \
	X(TOO_MANY_REQUESTS, 21, RESOURCE_EXHAUSTED, "more requests outstanding than allowed",     \
	  "wait for answers; the window is in the NVE's status")                                   \
	X(NVA_UNREACHABLE, 22, UNAVAILABLE, "the NVA does not answer",                             \
	  "retry later; nothing was changed")                                                      \
	X(STORE_FAILED, 23, UNAVAILABLE, "the change could not be made durable",                   \
	  "check disk space and permissions of the NVE's store; nothing was changed")              \
	X(DATAPATH_FAILED, 24, UNAVAILABLE, "the datapath did not take the change",                \
	  "see the NVE's log; nothing was changed")                                                \
	X(SHUTTING_DOWN, 25, UNAVAILABLE, "the agent is stopping", "retry when it is back")        \
	X(NOT_AUTHORIZED, 26, PERMISSION_DENIED, "the policy does not allow that",                 \
	  "ask the NVE's operator; the policy line is in the NVE's log")                           \
	X(UNKNOWN_METHOD, 27, UNIMPLEMENTED, "this NVE has no such method",                        \
	  "compare the version of nve.proto")                                                      \
	X(INTERNAL, 28, INTERNAL, "a defect of this NVE", "report it with the NVE's log")          \
	X(KEEPACTIVE_EXPIRED, 29, DEADLINE_EXCEEDED, "no keepactive or frame within its time",     \
	  "activate the TSI again when it is alive")                                               \
	X(KEEPALIVE_EXPIRED, 30, DEADLINE_EXCEEDED, "no keepalive within its time",                \
	  "associate the TSI again when it is alive")                                              \
	X(OPERATOR, 31, ABORTED, "the operator of the NVE asked for it", "ask the operator")       \
	X(VN_WITHDRAWN, 32, ABORTED, "the NVA withdrew the VN", "see the NVA's configuration")     \
	X(DUPLICATE_ADDRESS, 33, ABORTED, "two instances of an address stay Activated",            \
	  "deactivate or clear the instance that moved away")                                      \
	X(VN_DISCONNECTED, 34, ABORTED, "its VN was disconnected on that port",                    \
	  "connect the VN and associate again")                                                    \
	X(GLEANING_CONFLICT, 35, FAILED_PRECONDITION,                                              \
	  "another TSI without addresses gleans on that port and VN",                              \
	  "signal the addresses of one of the two, or let only one of them glean")                 \
	X(NOT_LISTED, 36, ABORTED, "its hypervisor did not list it in a resync",                   \
	  "associate it again if it still exists")                                                 \
	X(DRAINING, 39, FAILED_PRECONDITION, "the operator empties this NVE, or that port of it",  \
	  "use another NVE, or another port of this one")                                          \
	X(TSIS_ACTIVATED, 40, FAILED_PRECONDITION, "TSIs are Activated here: they would go dark",  \
	  "drain the NVE first, or ask for it with force")                                         \
	X(RECORD_WITHDRAWN, 42, ABORTED, "the NVA's record of the TSI does not allow it any more", \
	  "ask whoever keeps the NVA's records of that VN")

enum nve_reason {
#define NVE_REASON_ENUM(name, number, code, text, remedy) NVE_REASON_##name = number,
	NVE_REASONS(NVE_REASON_ENUM)
#undef NVE_REASON_ENUM
};

/* All three take any number; one outside the list reads as INTERNAL. */
const char *nve_reason_name(enum nve_reason reason);   /* "TAG_IN_USE" */
const char *nve_reason_text(enum nve_reason reason);   /* a sentence without its full stop */
const char *nve_reason_remedy(enum nve_reason reason); /* likewise; "" for OK */
